//! The objects that every cluster has: what enforces network policies, storage, DNS, and Traefik with the kinds that it reads. Applies them and waits for
//! their pods; knows nothing of how the nodes run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};

use crate::cluster::Cluster;
use crate::progress::Progress;
use crate::state::Kind;
use crate::{api, command, content, folders, tools};

/// How long pods may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// The file in a cluster's folder that says what was applied.
const RECORD: &str = "manifests";
/// Where the definitions of the kinds that Traefik reads are: its own, and the Gateway API in the version that it is made for.
const DEFINITIONS: [(&str, &str); 2] = [
    (
        "github.com/traefik/traefik/v3",
        "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
    ),
    ("sigs.k8s.io/gateway-api", "config/crd/standard"),
];

/// Applies everything that this kind of cluster does not bring itself.
pub(crate) async fn apply(cluster: &Cluster, kind: Kind) -> Result<()> {
    let definitions = definitions().await?;
    let apply = ["apply", "--server-side", "--force-conflicts"];
    on_files(cluster, &apply, definitions.iter()).await?;
    // kubectl knows no kind of which it has not heard.
    let wait = ["wait", "--for=condition=established", "--timeout=60s"];
    on_files(cluster, &wait, definitions.iter()).await?;
    on_files(cluster, &apply, files(kind)).await?;
    cluster.home().write(RECORD, &key(kind)?)
}

async fn on_files<F: AsRef<Path>>(
    cluster: &Cluster,
    words: &[&str],
    files: impl Iterator<Item = F>,
) -> Result<()> {
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(words);
    for file in files {
        kubectl.arg("--filename").arg(file.as_ref());
    }
    command::output(&mut kubectl).await?;
    Ok(())
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

/// The definitions of the kinds that Traefik reads. They are taken from the sources that Go fetched to build it, and
/// kept, since those may be swept from Go's cache.
async fn definitions() -> Result<Vec<PathBuf>> {
    let kept = folders::cache()?
        .join("manifests")
        .join(format!("traefik-{}", tools::TRAEFIK.key()?));
    if !kept.exists() {
        let unfinished = kept.with_extension(format!("{}.unfinished", std::process::id()));
        std::fs::create_dir_all(&unfinished)?;
        let mut sources = Vec::new();
        for (module, at) in DEFINITIONS {
            sources.extend(files_at(
                &tools::TRAEFIK.module_source(module).await?.join(at),
            )?);
        }
        for source in sources {
            let name = source.file_name().context("a definition without a name")?;
            std::fs::copy(&source, unfinished.join(name))?;
        }
        std::fs::rename(&unfinished, &kept)?;
    }
    files_at(&kept)
}

/// A file, or all files of a folder that are manifests of one object or more.
fn files_at(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.map(|it| Ok(it?.path()));
    let mut all = entries.collect::<Result<Vec<_>>>()?;
    let is_manifest = |it: &PathBuf| it.extension().is_some_and(|it| it == "yaml" || it == "yml");
    // It says only which other files there are.
    let is_list = |it: &PathBuf| it.file_stem().is_some_and(|it| it == "kustomization");
    all.retain(|it| is_manifest(it) && !is_list(it));
    all.sort();
    Ok(all)
}
