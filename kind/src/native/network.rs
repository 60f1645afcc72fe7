//! The network inside a native node: addresses, the bridge that pods hang on, what the container network plugins are
//! told, and which packets network policies are asked about. Runs only inside the node's network namespace; the host's network stays as it is.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

/// The node's address, which is also the gateway of its pods. Each cluster has a network namespace of its own, so that
/// all of them use the same addresses.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// The addresses of pods.
pub(super) const PODS: &str = "10.244.0.0/24";
/// The addresses of Services.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// The Service `kubernetes`.
pub(super) const FIRST_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The Service `kube-dns`; `manifests/coredns.yaml` has the same.
pub(super) const DNS_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// Where the API server listens inside the node.
pub(super) const API_PORT: u16 = 6443;

const BRIDGE: &str = "cni0";

/// The first packet of each connection from or to a pod is put into a queue, where what runs by
/// `manifests/kube-network-policies.yaml` says whether it goes on. That would make such rules itself by nftables, which
/// many a kernel cannot queue from. While nobody listens at the queue no connection comes about: a policy that is not
/// enforced would be noticed by nobody.
const JUDGED: [&str; 6] = [
    "-N NETPOL",
    // Answers, and all that belongs to a connection that was let through.
    "-A NETPOL -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
    "-A NETPOL -j NFQUEUE --queue-num 98",
    // The node itself may reach its pods: the kubelet's probes, published ports.
    "-A POSTROUTING -m owner --uid-owner 0 -j RETURN",
    // After a Service was resolved and before the source is hidden, so that both pods are known.
    "-A POSTROUTING ! -o lo -j NETPOL",
    // Packets of pods to the node's own addresses, the API server's among them, are not sent on and pass here.
    "-A INPUT -i cni0 -j NETPOL",
];

/// Brings the loopback and the bridge up, and puts network policies between. A route to the Services lets the API server
/// reach webhooks by their Service.
///
/// # Errors
/// When `ip` or `iptables` refuses a step.
pub(super) fn bring_up() -> Result<()> {
    for words in JUDGED {
        run("iptables", &format!("-t mangle {words}"))?;
    }
    for words in [
        "link set lo up",
        &format!("link add {BRIDGE} type bridge"),
        &format!("address add {NODE}/24 dev {BRIDGE}"),
        &format!("link set {BRIDGE} up"),
        &format!("route add {SERVICES} dev {BRIDGE}"),
    ] {
        run("ip", words)?;
    }
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    Ok(())
}

fn run(program: &str, words: &str) -> Result<()> {
    let output = Command::new(program)
        .args(words.split(' '))
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{program} {words}` failed: {said}"
    );
    Ok(())
}

/// The configuration of the container network plugins. Leases lie in the node's own /run, as nothing of them outlives it.
pub(super) fn plugins() -> String {
    json!({
        "cniVersion": "1.0.0",
        "name": "appstack",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": true,
                // A pod may reach itself through its own Service.
                "hairpinMode": true,
                "ipam": { "type": "host-local", "ranges": [[{ "subnet": PODS }]], "routes": [{ "dst": "0.0.0.0/0" }],
                          "dataDir": "/run/cni" },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
    .to_string()
}
