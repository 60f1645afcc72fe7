//! What the programs on the node's side are told: the kubelet and kube-proxy. Starts neither.

use anyhow::Result;
use serde_json::json;

use crate::native::component::Component;
use crate::native::{cgroups, containerd, network};
use crate::state::Home;
use crate::tools;

/// Writes the files that the kubelet reads.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write_files(home: &Home, cluster: &str) -> Result<()> {
    // Nothing outside the cluster can be reached from it, so there is no other name server to ask.
    home.write(
        "resolv.conf",
        &format!("nameserver {}\n", network::DNS_SERVICE),
    )?;
    home.write("kubelet.json", &config(home, cluster))
}

/// The kubelet.
pub(super) fn kubelet(home: &Home, node: &str) -> Result<Component> {
    Ok(Component {
        name: "kubelet",
        program: tools::KUBERNETES.folder()?.join("kubelet"),
        args: vec![
            format!("--config={}", home.path("kubelet.json").display()),
            format!(
                "--kubeconfig={}",
                home.path("pki/kubelet.kubeconfig").display()
            ),
            format!("--hostname-override={node}"),
            // A loopback address is refused, and then neither logs nor exec work.
            format!("--node-ip={}", network::NODE),
        ],
    })
}

/// Services.
pub(super) fn proxy(home: &Home, node: &str) -> Result<Component> {
    Ok(Component {
        name: "kube-proxy",
        program: tools::KUBERNETES.folder()?.join("kube-proxy"),
        args: vec![
            format!(
                "--kubeconfig={}",
                home.path("pki/proxy.kubeconfig").display()
            ),
            format!("--hostname-override={node}"),
            format!("--cluster-cidr={}", network::PODS),
            "--proxy-mode=iptables".into(),
            "--iptables-min-sync-period=100ms".into(),
            // The limit of tracked connections is the host's, and not ours to change.
            "--conntrack-max-per-core=0".into(),
            "--oom-score-adj=0".into(),
        ],
    })
}

fn config(home: &Home, cluster: &str) -> String {
    let pki = |file: &str| home.path(&format!("pki/{file}"));
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki("kubelet-serving.crt"),
        "tlsPrivateKeyFile": pki("kubelet-serving.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups::root(cluster),
        "failCgroupV1": false,
        "failSwapOn": false,
        "oomScoreAdj": 0,
        "clusterDNS": [network::DNS_SERVICE.to_string()],
        "clusterDomain": "cluster.local",
        "resolvConf": home.path("resolv.conf"),
        "containerRuntimeEndpoint": format!("unix://{}", containerd::socket(home).display()),
        "volumePluginDir": home.path("volume-plugins"),
        // The disk is the developer's: a full one is theirs to clean. Under pressure the kubelet would delete images, and
        // none of ours, the pause container's among them, can be pulled again.
        "evictionHard": {
            "memory.available": "50Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": false,
    })
    .to_string()
}
