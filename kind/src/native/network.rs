//! The network inside a native node: addresses, the bridge that pods hang on, and what the container network plugins are
//! told. Runs only inside the node's network namespace; the host's network stays as it is.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Result, ensure};
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

/// Brings the loopback and the bridge up. A route to the Services lets the API server reach webhooks by their Service.
///
/// # Errors
/// When `ip` refuses a step.
pub(super) fn bring_up() -> Result<()> {
    let address = format!("{NODE}/24");
    for words in [
        vec!["link", "set", "lo", "up"],
        vec!["link", "add", BRIDGE, "type", "bridge"],
        vec!["address", "add", &address, "dev", BRIDGE],
        vec!["link", "set", BRIDGE, "up"],
        vec!["route", "add", SERVICES, "dev", BRIDGE],
    ] {
        let output = Command::new("ip").args(&words).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success(),
            "`ip {}` failed: {said}",
            words.join(" ")
        );
    }
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
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
