//! Installs the operator into a local cluster, by its Helm chart, as users do.

use anyhow::{Result, ensure};
use local_cluster::{Cluster, Progress, folders, operator, tools};

/// Installs or upgrades the operator. `image` changes with the image's content, so that a new build is rolled out
/// though its tag is the same.
pub(crate) async fn operator(cluster: &Cluster, image: &str, progress: &Progress) -> Result<()> {
    tools::HELM.build(progress).await?;
    let part = progress.part("install the operator by its chart");
    let chart = folders::in_repository("charts/appstack-operator");
    let mut helm = operator::install(cluster, &chart)?;
    helm.args([
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
