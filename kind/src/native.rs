//! A cluster without Docker: one node in Linux namespaces of its own, made of the same programs as any other node.
//!
//! `up` builds what is missing, starts the node's first process ([`run`]) and watches it come up from the host. What
//! happens inside is in the modules below, one per concern.

mod cgroups;
mod component;
mod containerd;
mod control_plane;
mod forward;
mod kubelet;
mod namespaces;
mod network;
mod node;
mod pki;
mod storage;
mod unpacked;

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::{BoxFuture, FutureExt};
use tokio::process::Command;

use crate::cluster::{Cluster, DEFAULT_NAME, Options};
use crate::images::standin;
use crate::images::{Built, Image};
use crate::ports::{self, Ports};
use crate::progress::Progress;
use crate::provider::Provider;
use crate::state::{self, Kind, Process, State};
use crate::{api, command, lock, machine, manifests, tools};

pub use node::run;

/// How often the host looks whether the node has come further.
const LOOK: Duration = Duration::from_millis(100);
/// How long a node may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Runs a cluster in namespaces.
#[derive(Debug)]
pub(crate) struct Native;

impl Provider for Native {
    fn prepare<'a>(&'a self, progress: &'a Progress) -> BoxFuture<'a, Result<()>> {
        machine::prepare(progress).boxed()
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
        stop(cluster).boxed()
    }

    fn runs(&self, cluster: &Cluster) -> bool {
        holder(cluster).is_some_and(|node| node.runs())
    }

    fn build<'a>(
        &'a self,
        image: &'a Image,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<Built>> {
        standin::build(image, progress).boxed()
    }

    fn load<'a>(&'a self, cluster: &'a Cluster, built: &'a Built) -> BoxFuture<'a, Result<()>> {
        async move {
            let archive = built
                .archive
                .as_ref()
                .context("the image was built by Docker")?;
            containerd::import(&containerd::socket(cluster.home()), archive).await
        }
        .boxed()
    }

    fn ctr(&self, cluster: &Cluster) -> Command {
        containerd::ctr(&containerd::socket(cluster.home()))
    }
}

async fn start(cluster: &Cluster, options: Options, progress: &Progress) -> Result<()> {
    // A port that is in use is told before all the work, unless it is an earlier node of this name that has it.
    if !Native.runs(cluster) {
        choose_ports(cluster, options)?;
    }
    let built = build(progress).await?;
    // What an earlier node of this name left when it was cut off.
    stop(cluster).await?;
    unpacked::lay(cluster, &built, progress).await?;
    let node = launch(cluster, options).await?;
    let came_up = async {
        // No pod before its images: a kubelet that misses one waits longer and longer before it looks again.
        futures::try_join!(
            load(cluster, &built, progress),
            api_server(cluster, progress)
        )?;
        objects(cluster, progress).await
    };
    tokio::select! {
        result = came_up => result,
        error = ended(cluster, node) => Err(error),
    }
}

/// Builds what a node is made of, and gives the images that each has.
async fn build(progress: &Progress) -> Result<Vec<Built>> {
    let ((), _, images) = futures::try_join!(
        tools::build_in_turn(&[tools::KUBERNETES, tools::KUBECTL], progress),
        tools::ETCD.build(progress),
        standin::of_every_node(progress)
    )?;
    Ok(images)
}

/// Chooses the ports, writes the state and starts the node's first process.
async fn launch(cluster: &Cluster, options: Options) -> Result<Process> {
    let home = cluster.home();
    // Two clusters that start at once must not choose the same ports.
    let _held = lock::take("ports").await?;
    let ports = choose_ports(cluster, options)?;
    let api_port = home
        .state()
        .map_or_else(ports::any_free, |state| Ok(state.api_port))?;
    let mut state = State {
        kind: Kind::Native,
        ports,
        api_port,
        node: None,
        ready: false,
    };
    home.write_state(&state)?;
    pki::ensure(home, &node::name(cluster.name()), api_port)?;
    std::fs::create_dir_all(home.path("logs"))?;
    let log = File::create(home.log("node"))?;
    let child = std::process::Command::new(machine::node_program()?)
        .args(["node", "--name", cluster.name()])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the node")?;
    let node = Process::of(child.id()).context("the node ended at once")?;
    state.node = Some(node);
    home.write_state(&state)?;
    Ok(node)
}

/// A cluster that was there before keeps its ports, as links to it are in people's browsers.
fn choose_ports(cluster: &Cluster, options: Options) -> Result<Ports> {
    match cluster.home().state() {
        Some(state) if options.port_base.is_none() => {
            ports::refuse_used(&state.ports)?;
            Ok(state.ports)
        }
        _ => {
            let taken = state::ports_of_others(cluster.name())?;
            ports::choose(cluster.name() == DEFAULT_NAME, options.port_base, &taken)
        }
    }
}

/// Loads the images that each node has as soon as containerd answers, where they do not lie there yet.
async fn load(cluster: &Cluster, built: &[Built], progress: &Progress) -> Result<()> {
    let part = progress.part("images");
    while !containerd::answers(&containerd::socket(cluster.home())).await {
        tokio::time::sleep(LOOK).await;
    }
    let loads = built.iter().map(|image| Native.load_once(cluster, image));
    futures::future::try_join_all(loads).await?;
    part.done("");
    Ok(())
}

/// Waits until the API server answers.
async fn api_server(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let part = progress.part("API server");
    let client = cluster.client().await?;
    let answers = async {
        while !api::is_ready(&client).await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, answers)
        .await
        .context("the API server did not answer in time")?;
    part.done("");
    Ok(())
}

/// Applies the objects that every cluster has, and waits for the node.
async fn objects(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let (part, node, client) = (
        progress.part("node"),
        node::name(cluster.name()),
        cluster.client().await?,
    );
    futures::try_join!(
        manifests::apply(cluster, Kind::Native),
        api::node_is_ready(&client, &node, PATIENCE)
    )?;
    part.done("");
    Ok(())
}

/// Comes back when the node has ended, with what it said last.
async fn ended(cluster: &Cluster, node: Process) -> anyhow::Error {
    while node.runs() {
        tokio::time::sleep(LOOK).await;
    }
    let log = cluster.home().log("node");
    let said = command::tail(&String::from_utf8_lossy(
        &std::fs::read(&log).unwrap_or_default(),
    ));
    anyhow::anyhow!("the node ended:\n{said}")
}

/// Ends the node's first process. The kernel ends all others in its namespaces with it, and lets go of their mounts and
/// interfaces; only control groups stay, and are removed here.
async fn stop(cluster: &Cluster) -> Result<()> {
    if let Some(holder) = holder(cluster).filter(Process::runs) {
        let first = holder.children();
        end(holder)?;
        for process in first.into_iter().chain([holder]) {
            let gone = async {
                while process.runs() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            if tokio::time::timeout(PATIENCE, gone).await.is_err() {
                bail!(
                    "process {} of cluster {} does not end",
                    process.pid,
                    cluster.name()
                );
            }
        }
    }
    cgroups::remove(cluster.name()).await
}

fn end(process: Process) -> Result<()> {
    use nix::sys::signal::{Signal, kill};
    let pid = nix::unistd::Pid::from_raw(i32::try_from(process.pid)?);
    kill(pid, Signal::SIGKILL).with_context(|| format!("cannot end process {pid}"))
}

/// The process that holds the node, as it was written down.
fn holder(cluster: &Cluster) -> Option<Process> {
    cluster.home().state().and_then(|state| state.node)
}
