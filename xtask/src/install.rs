//! Installs the operator into a local cluster, by its Helm chart, as users do.

use anyhow::{Result, ensure};
use local_cluster::{Cluster, Progress, folders, tools};

/// The namespace of the operator.
pub(crate) const NAMESPACE: &str = "appstack-system";

/// Installs or upgrades the operator. `image` changes with the image's content, so that a new build is rolled out
/// though its tag is the same.
pub(crate) async fn operator(cluster: &Cluster, image: &str, progress: &Progress) -> Result<()> {
    tools::HELM.build(progress).await?;
    let part = progress.part("install the operator by its chart");
    let ports = cluster.ports()?;
    let mut helm = cluster.helm()?;
    helm.args(["upgrade", "--install", "appstack-operator"])
        .arg(folders::in_repository("charts/appstack-operator"))
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
        .args(["--set", "edge.host=traefik.traefik.svc"])
        .args([
            "--set-string",
            &format!("podAnnotations.image-content={image}"),
        ]);
    let output = helm.output().await?;
    ensure!(
        output.status.success(),
        "helm cannot install the operator: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    part.done("");
    Ok(())
}
