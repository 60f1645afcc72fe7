//! The objects that every cluster has: what enforces network policies, storage, DNS, and Traefik with its custom resources. Applies them and waits for
//! their pods; knows nothing of how the nodes run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::cluster::Cluster;
use crate::progress::Progress;
use crate::state::Kind;
use crate::{api, command, content, folders, tools};

/// How long pods may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// The file in a cluster's folder that says what was applied.
const RECORD: &str = "manifests";
/// Where Traefik's source has the definitions of its custom resources.
const TRAEFIK_DEFINITIONS: &str =
    "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml";

/// Applies everything that this kind of cluster does not bring itself.
pub(crate) async fn apply(cluster: &Cluster, kind: Kind) -> Result<()> {
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["apply", "--server-side", "--force-conflicts"]);
    for file in files(kind).chain([traefik_definitions().await?]) {
        kubectl.arg("--filename").arg(file);
    }
    command::output(&mut kubectl).await?;
    cluster.home().write(RECORD, &key(kind)?)
}

/// Whether a cluster that is up has the objects as they are now. Some of them cannot be changed while others are there, so a
/// running cluster keeps what it has.
pub(crate) fn are_applied(cluster: &Cluster, kind: Kind) -> Result<bool> {
    let applied = std::fs::read_to_string(cluster.home().path(RECORD)).unwrap_or_default();
    Ok(applied == key(kind)?)
}

fn files(kind: Kind) -> impl Iterator<Item = PathBuf> {
    let own = match kind {
        // What lets connections through comes first.
        Kind::Native => &[
            "kube-network-policies.yaml",
            "storage.yaml",
            "coredns.yaml",
            "traefik.yaml",
        ][..],
        // The network of kind enforces policies itself since kind 0.24.
        Kind::Docker => &["traefik.yaml"][..],
    };
    own.iter()
        .map(|file| folders::in_kind("manifests").join(file))
}

fn key(kind: Kind) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files(kind) {
        content::add_folder(&mut hash, &file)?;
    }
    Ok(content::short(hash))
}

/// Waits until DNS and Traefik are there and answer.
pub(crate) async fn wait(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let client = cluster.client().await?;
    let wait_for = async |what: &str, namespace: &str, name: &str, service: &str| {
        let part = progress.part(what);
        api::deployment_is_up(&client, namespace, name, PATIENCE).await?;
        let path = format!("/api/v1/namespaces/{namespace}/services/{service}");
        api::service_answers(&client, &path, PATIENCE).await?;
        part.done("");
        anyhow::Ok(())
    };
    futures::try_join!(
        wait_for(
            "DNS",
            "kube-system",
            "coredns",
            "kube-dns:metrics/proxy/metrics"
        ),
        wait_for("Traefik", "traefik", "traefik", "traefik:api/proxy/ping"),
    )?;
    Ok(())
}

/// The definitions of Traefik's custom resources. They are taken from the source that Go fetched to build Traefik, and
/// kept, since that source may be swept from Go's cache.
async fn traefik_definitions() -> Result<PathBuf> {
    let kept = folders::cache()?
        .join("manifests")
        .join(format!("traefik-{}.yaml", tools::TRAEFIK.key()?));
    if kept.exists() {
        return Ok(kept);
    }
    let source = tools::TRAEFIK
        .module_source("github.com/traefik/traefik/v3")
        .await?;
    let unfinished = kept.with_extension(format!("{}.unfinished", std::process::id()));
    if let Some(parent) = kept.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::copy(source.join(TRAEFIK_DEFINITIONS), &unfinished)?;
    std::fs::rename(&unfinished, &kept)?;
    Ok(kept)
}
