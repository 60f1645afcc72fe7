//! cert-manager in a local cluster, and a certificate authority whose certificates it asks for as it would ask Let's Encrypt.

use anyhow::{Context, Result};
use serde_json::json;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;

use crate::cluster::Cluster;
use crate::images::standin;
use crate::progress::Progress;
use crate::{command, folders, tools};

/// The ClusterIssuer of the authority.
pub const ISSUER: &str = "pebble";
/// The namespace of the authority, and the name of its Service.
pub const NAMESPACE: &str = "pebble";

/// The version of cert-manager.
const VERSION: &str = "v1.21.2";
/// Where its source has its chart.
const CHART: &str = "deploy/charts/cert-manager";
/// How long pods may take to come up on a busy machine.
const PATIENCE: &str = "3m";

/// Installs both, and waits until certificates can be asked for.
///
/// # Errors
/// When a program or an image cannot be built, or a pod does not come up.
pub async fn install(cluster: &Cluster, progress: &Progress) -> Result<()> {
    tools::build_in_turn(&[tools::HELM, tools::CERT_MANAGER, tools::PEBBLE], progress).await?;
    let images = standin::of_the_authority().map(|it| cluster.stand_in(it, progress));
    for image in futures::future::try_join_all(images)
        .await?
        .iter()
        .flatten()
    {
        cluster.load(image).await?;
    }
    let part = progress.part("install cert-manager and a certificate authority");
    cert_manager(cluster).await?;
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["apply", "--server-side", "--force-conflicts", "--filename"]);
    kubectl.arg(folders::in_kind("manifests/pebble.yaml"));
    command::output(&mut kubectl).await?;
    for name in ["pebble", "front"] {
        let mut kubectl = cluster.kubectl()?;
        kubectl.args([
            "rollout",
            "status",
            "--namespace",
            NAMESPACE,
            "--timeout",
            PATIENCE,
        ]);
        kubectl.arg(format!("deployment/{name}"));
        command::output(&mut kubectl).await?;
    }
    issuer(cluster).await?;
    part.done("");
    Ok(())
}

async fn cert_manager(cluster: &Cluster) -> Result<()> {
    let source = tools::CERT_MANAGER
        .module_source("github.com/cert-manager/cert-manager")
        .await?;
    let mut helm = cluster.helm()?;
    helm.args(["upgrade", "--install", "cert-manager"])
        .arg(source.join(CHART));
    helm.args([
        "--namespace",
        "cert-manager",
        "--create-namespace",
        "--wait",
        "--timeout",
        PATIENCE,
    ]);
    helm.args([
        "--set",
        "crds.enabled=true",
        "--set",
        "startupapicheck.enabled=false",
    ]);
    for part in ["", "webhook.", "cainjector.", "acmesolver."] {
        helm.args(["--set", &format!("{part}image.tag={VERSION}")]);
    }
    // A try that failed is made again after an hour else, and the next one after two.
    helm.args([
        "--set",
        "extraArgs={--certificate-request-minimum-backoff-duration=10s,--certificate-request-maximum-backoff-duration=20s}",
    ]);
    command::output(&mut helm).await?;
    Ok(())
}

/// The issuer, which knows by which certificate the authority answers.
async fn issuer(cluster: &Cluster) -> Result<()> {
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["get", "secret", "pebble", "--namespace", NAMESPACE]);
    kubectl.args(["--output", r"jsonpath={.data.ca\.crt}"]);
    let authority = command::output(&mut kubectl).await?;
    let solver = json!({"http01": {"ingress": {"ingressClassName": "traefik"}}});
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": ISSUER},
        "spec": {"acme": {
            "server": format!("https://pebble.{NAMESPACE}.svc:14000/dir"),
            "caBundle": authority.trim(),
            "privateKeySecretRef": {"name": "pebble-account"},
            "solvers": [solver],
        }},
    });
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["apply", "--server-side", "--filename", "-"]);
    let mut child = kubectl
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().context("kubectl takes no input")?;
    input.write_all(issuer.to_string().as_bytes()).await?;
    drop(input);
    anyhow::ensure!(
        child.wait().await?.success(),
        "kubectl does not apply the issuer"
    );
    let mut kubectl = cluster.kubectl()?;
    kubectl.args([
        "wait",
        &format!("clusterissuer/{ISSUER}"),
        "--for=condition=Ready",
        "--timeout",
        PATIENCE,
    ]);
    command::output(&mut kubectl).await?;
    Ok(())
}
