//! The first process of a native node: lays its ground, starts its parts in order, publishes its ports, provisions its
//! volumes, and ends with the first part that ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::api;
use crate::native::component::{Ended, Parts, obituary};
use crate::native::forward::Forward;
use crate::native::{
    cgroups, containerd, control_plane, forward, kubelet, namespaces, network, storage,
};
use crate::state::{Home, State};

/// How often a condition is looked at that nothing can be subscribed to.
const LOOK: Duration = Duration::from_millis(100);
/// How long the API server may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The name of a cluster's only node; the same as kind gives it.
#[must_use]
pub(crate) fn name(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// The hidden command behind a native node. Without the host's network it enters the node's namespaces and calls itself
/// again inside; it comes back only with an error.
///
/// # Errors
/// When the node cannot start, and when a part of it ended: which one, with the end of its log.
pub fn run(name: &str, host_network: Option<i32>) -> Result<()> {
    let Some(descriptor) = host_network else {
        return namespaces::enter(name);
    };
    let home = Home::of(name)?;
    let state = home.state().context("the cluster has no state.json")?;
    let listeners = forward::listen(namespaces::host_network(descriptor)?, &forwards(&state))?;
    cgroups::make(name)?;
    namespaces::lay_mounts(&home)?;
    network::bring_up()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        forward::serve(listeners)?;
        live(&home, name).await
    })
}

async fn live(home: &Home, name: &str) -> Result<()> {
    containerd::write_files(home)?;
    control_plane::write_files(home)?;
    kubelet::write_files(home, name)?;
    let parts = Parts::default();
    let mut ended = parts.reap();
    parts.start(home, &control_plane::etcd(home)?)?;
    parts.start(home, &containerd::component(home))?;
    parts.start(home, &control_plane::api_server(home)?)?;
    let client = api::client(&home.path("pki/provisioner.kubeconfig")).await?;
    // The controllers give up when there is no API server, and the kubelet when there is no containerd.
    while_all_run(home, &mut ended, async {
        while !api::is_ready(&client).await
            || UnixStream::connect(containerd::socket(home)).await.is_err()
        {
            tokio::time::sleep(LOOK).await;
        }
    })
    .await?;
    let node = self::name(name);
    parts.start(home, &kubelet::kubelet(home, &node)?)?;
    parts.start(home, &control_plane::controller_manager(home)?)?;
    parts.start(home, &control_plane::scheduler(home)?)?;
    parts.start(home, &kubelet::proxy(home, &node)?)?;
    tokio::spawn(storage::provision(client, home.path("volumes"), node));
    match ended.recv().await {
        Some(end) => bail!("{}", obituary(home, &end)),
        None => bail!("nothing waits for the parts of the node any more"),
    }
}

/// Waits for a condition, for as long as no part ends and patience lasts.
async fn while_all_run(
    home: &Home,
    ended: &mut UnboundedReceiver<Ended>,
    condition: impl Future<Output = ()>,
) -> Result<()> {
    tokio::select! {
        () = condition => Ok(()),
        Some(end) = ended.recv() => bail!("{}", obituary(home, &end)),
        () = tokio::time::sleep(PATIENCE) => bail!("the API server was not ready within {} s", PATIENCE.as_secs()),
    }
}

fn forwards(state: &State) -> Vec<Forward> {
    let node_ports = state.ports.published().into_iter().map(|port| Forward {
        host: port.host,
        target: SocketAddr::from((network::NODE, port.node)),
    });
    let api = Forward {
        host: state.api_port,
        target: SocketAddr::from((Ipv4Addr::LOCALHOST, network::API_PORT)),
    };
    node_ports.chain([api]).collect()
}
