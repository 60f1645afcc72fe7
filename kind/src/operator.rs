//! How the operator gets into a local cluster: by its Helm chart, as users install it. Runs nothing.

use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use crate::cluster::Cluster;

/// The namespace of the operator.
pub const NAMESPACE: &str = "appstack-system";
/// The name of its release, and so of its Deployment; that of its Lease, too.
pub const NAME: &str = "appstack-operator";

/// Helm, told to install a chart of the operator or to upgrade what is there, and to wait until it runs. Whoever runs it
/// may tell it more. Build Helm first with [`crate::tools::HELM`].
///
/// # Errors
/// When there is no such cluster.
pub fn install(cluster: &Cluster, chart: &Path) -> Result<Command> {
    let ports = cluster.ports()?;
    let mut helm = cluster.helm()?;
    helm.args(["upgrade", "--install", NAME])
        .arg(chart)
        .args([
            "--namespace",
            NAMESPACE,
            "--create-namespace",
            "--wait",
            // A definition that somebody applied by hand becomes the chart's.
            "--take-ownership",
            "--timeout",
            "2m",
        ])
        .args(["--set", &format!("edge.publicHttpsPort={}", ports.https)])
        .args(["--set", &format!("edge.publicHttpPort={}", ports.http)])
        // Below localhost a pod would find itself.
        .args(["--set", "edge.host=traefik.traefik.svc"]);
    Ok(helm)
}
