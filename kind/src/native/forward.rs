//! Publishes ports of the node on the host's loopback. The listening sockets belong to the host's network namespace, the
//! connections behind them are made in the node's. Looks at no byte that it passes on.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use tokio::net::{TcpListener, TcpStream};

/// One published port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forward {
    /// The port on the host's loopback.
    pub host: u16,
    /// Where it leads inside the node.
    pub target: SocketAddr,
}

/// Listens for all of them on the host. A thread of its own changes the namespace and ends: a socket stays in the
/// namespace that it was made in.
///
/// # Errors
/// When a port is in use, or the host's namespace cannot be entered.
pub(super) fn listen(
    host_network: File,
    forwards: &[Forward],
) -> Result<Vec<(StdListener, SocketAddr)>> {
    let forwards = forwards.to_vec();
    let thread = std::thread::spawn(move || {
        setns(&host_network, CloneFlags::CLONE_NEWNET)
            .context("cannot enter the host's network namespace")?;
        forwards
            .iter()
            .map(|forward| Ok((bind(forward.host)?, forward.target)))
            .collect()
    });
    thread
        .join()
        .map_err(|_| anyhow!("the thread that listens on the host ended early"))?
}

/// Passes connections on until the node ends.
///
/// # Errors
/// When a socket cannot be handed to the runtime.
pub(super) fn serve(listeners: Vec<(StdListener, SocketAddr)>) -> Result<()> {
    for (listener, target) in listeners {
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, target));
    }
    Ok(())
}

fn bind(port: u16) -> Result<StdListener> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on port {port} of 127.0.0.1"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn accept(listener: TcpListener, target: SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(pass_on(client, target))),
            // No free descriptor, say: that passes, and trying at once again would only burn the processor.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn pass_on(mut client: TcpStream, target: SocketAddr) {
    // Nobody behind the port: closing the connection is the answer.
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    // Either side may end at any time; that is the end of the connection, not a fault.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
