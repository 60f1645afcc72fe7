//! A cluster where a Docker engine answers: kind, with `kind/cluster.yaml`. Images are Docker's own.

use std::path::Path;

use anyhow::{Context, Result};
use futures::future::{BoxFuture, FutureExt};
use tokio::process::Command;

use crate::cluster::{Cluster, DEFAULT_NAME, Options};
use crate::images::{Built, Image};
use crate::ports::{self, Ports};
use crate::progress::Progress;
use crate::provider::Provider;
use crate::state::{self, Kind, State};
use crate::{command, folders, lock, manifests, tools};

/// What `kind/cluster.yaml` says, and [`cluster_file`] changes for each cluster.
const AUDIT_POLICY: &str = "kind/native/audit-policy.yaml";
const AUDIT_FOLDER: &str = "target/audit";

/// Runs a cluster in Docker.
#[derive(Debug)]
pub(crate) struct Docker;

/// Whether a Docker engine answers; the client alone is not enough.
pub(crate) async fn answers() -> bool {
    command::succeeds(Command::new("docker").arg("info")).await
}

impl Provider for Docker {
    fn prepare<'a>(&'a self, _progress: &'a Progress) -> BoxFuture<'a, Result<()>> {
        // The engine that answered is all that it takes.
        async { Ok(()) }.boxed()
    }

    fn start<'a>(
        &'a self,
        cluster: &'a Cluster,
        options: Options,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<()>> {
        start(cluster, options, progress).boxed()
    }

    fn stop<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>> {
        delete(cluster).boxed()
    }

    fn runs(&self, _cluster: &Cluster) -> bool {
        // Asking Docker takes longer than asking the API server, which comes next.
        true
    }

    fn build<'a>(
        &'a self,
        image: &'a Image,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<Built>> {
        build(image, progress).boxed()
    }

    fn load<'a>(&'a self, cluster: &'a Cluster, built: &'a Built) -> BoxFuture<'a, Result<()>> {
        load(cluster, built).boxed()
    }

    fn ctr(&self, cluster: &Cluster) -> Command {
        let node = format!("{}-control-plane", cluster.name());
        let mut ctr = Command::new("docker");
        ctr.args(["exec", &node, "ctr", "--namespace", "k8s.io"]);
        ctr
    }
}

async fn start(cluster: &Cluster, options: Options, progress: &Progress) -> Result<()> {
    tools::KIND.build(progress).await?;
    tools::KUBECTL.build(progress).await?;
    delete(cluster).await?;
    let part = progress.part("node");
    let file = write_down(cluster, options).await?;
    let mut create = kind(&[
        "create",
        "cluster",
        "--name",
        cluster.name(),
        "--wait",
        "3m",
    ])?;
    create
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .arg("--config")
        .arg(file);
    command::output(&mut create).await?;
    manifests::apply(cluster, Kind::Docker).await?;
    part.done("");
    Ok(())
}

/// Chooses the ports and writes the state and kind's configuration.
async fn write_down(cluster: &Cluster, options: Options) -> Result<std::path::PathBuf> {
    let home = cluster.home();
    // Two clusters that start at once must not choose the same ports.
    let _held = lock::take("ports").await?;
    let taken = state::ports_of_others(cluster.name())?;
    let ports = ports::choose(cluster.name() == DEFAULT_NAME, options.port_base, &taken)?;
    home.write_state(&State {
        kind: Kind::Docker,
        ports,
        api_port: 0,
        node: None,
        ready: false,
    })?;
    let logs = home.path("logs");
    std::fs::create_dir_all(&logs)?;
    let template = std::fs::read_to_string(folders::in_kind("cluster.yaml"))?;
    home.write(
        "cluster.yaml",
        &cluster_file(
            &template,
            &ports,
            &folders::in_repository(AUDIT_POLICY),
            &logs,
        ),
    )?;
    Ok(home.path("cluster.yaml"))
}

/// kind's configuration with the ports and paths of one cluster.
fn cluster_file(template: &str, ports: &Ports, policy: &Path, logs: &Path) -> String {
    let known = Ports::KNOWN.published();
    let with_ports =
        known
            .iter()
            .zip(ports.published())
            .fold(template.to_owned(), |text, (known, own)| {
                text.replace(
                    &format!("hostPort: {}, containerPort: {}", known.host, known.node),
                    &format!("hostPort: {}, containerPort: {}", own.host, own.node),
                )
            });
    with_ports
        .replace(
            &format!("hostPath: {AUDIT_POLICY}"),
            &format!("hostPath: {}", policy.display()),
        )
        .replace(
            &format!("hostPath: {AUDIT_FOLDER}"),
            &format!("hostPath: {}", logs.display()),
        )
}

async fn delete(cluster: &Cluster) -> Result<()> {
    let mut delete = kind(&["delete", "cluster", "--name", cluster.name()])?;
    command::output(delete.arg("--kubeconfig").arg(cluster.kubeconfig()))
        .await
        .map(drop)
}

async fn build(image: &Image, progress: &Progress) -> Result<Built> {
    let key = image.key()?;
    let known_as = format!("localhost/content:{key}");
    if !command::succeeds(Command::new("docker").args(["image", "inspect", &known_as])).await {
        let part = progress.part(format!("build {}", image.tag));
        let mut build = Command::new("docker");
        build
            .args(["build", "--tag", &known_as, "--file"])
            .arg(&image.dockerfile);
        for (name, value) in &image.build_args {
            build.arg("--build-arg").arg(format!("{name}={value}"));
        }
        command::output(build.arg(&image.context)).await?;
        part.done(&key);
    }
    command::output(Command::new("docker").args(["tag", &known_as, &image.tag])).await?;
    Ok(Built {
        tag: image.tag.clone(),
        key,
        archive: None,
    })
}

async fn load(cluster: &Cluster, built: &Built) -> Result<()> {
    let mut load = match &built.archive {
        Some(archive) => {
            let mut load = kind(&["load", "image-archive"])?;
            load.arg(archive);
            load
        }
        None => kind(&["load", "docker-image", &built.tag])?,
    };
    command::output(load.args(["--name", cluster.name()]))
        .await
        .map(drop)
}

fn kind(words: &[&str]) -> Result<Command> {
    let mut command = Command::new(
        tools::KIND
            .folder()
            .context("kind is not known")?
            .join("kind"),
    );
    command.args(words);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../cluster.yaml");

    #[test]
    fn the_file_in_the_repository_has_the_known_ports_and_paths() {
        let same = cluster_file(
            TEMPLATE,
            &Ports::KNOWN,
            Path::new(AUDIT_POLICY),
            Path::new(AUDIT_FOLDER),
        );
        assert_eq!(same, TEMPLATE);
    }

    #[test]
    fn every_port_and_path_is_the_clusters_own() {
        let file = cluster_file(
            TEMPLATE,
            &Ports::block(21_000),
            Path::new("/r/policy.yaml"),
            Path::new("/c/logs"),
        );
        for port in Ports::block(21_000).published() {
            assert!(
                file.contains(&format!(
                    "hostPort: {}, containerPort: {}",
                    port.host, port.node
                )),
                "{file}"
            );
        }
        assert!(
            file.contains("hostPath: /r/policy.yaml") && file.contains("hostPath: /c/logs"),
            "{file}"
        );
        assert!(
            !file.contains("hostPort: 8443") && !file.contains(AUDIT_FOLDER),
            "{file}"
        );
    }
}
