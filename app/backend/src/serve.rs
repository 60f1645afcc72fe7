//! Listens, answers, and ends without losing a request or a letter.

mod connections;

use std::time::Duration;

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::connections::Limits;
use crate::{config::Config, database, http, metrics::Metrics, state::AppState};

/// Below the number of files that a process may usually open.
const CONNECTIONS_MAX: usize = 1000;

const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Where and how to listen.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// The port of the API, on every address.
    pub port: u16,
    /// The port of the metrics, on every address; without it they are not served.
    pub metrics_port: Option<u16>,
    /// How long a connection may wait for a request.
    pub keep_alive: Duration,
}

/// Serves on all addresses until SIGTERM or SIGINT, then finishes what has begun.
///
/// # Errors
/// When a port is taken, or the settings of mail fit together in no way.
pub async fn run(config: Config, listen: Listen) -> anyhow::Result<()> {
    // Asked for before anything else: a signal that comes early must not be lost.
    let stop = stop_signal()?;
    let db = database::pool(&config);
    let state = AppState::new(config, db.clone())?;
    let mailer = state.mailer.clone();
    let metrics = Metrics::new(&state.config, db.clone(), mailer.outcomes());
    let listener = bind(listen.port).await?;
    let metrics_listener = match listen.metrics_port {
        Some(port) => Some(bind(port).await?),
        None => None,
    };
    let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr);
    tracing::info!(
        version = state.config.version,
        environment = state.config.environment.as_str(),
        address = %listener.local_addr()?,
        metrics = metrics_address.transpose()?.map(tracing::field::display),
        "ready for requests"
    );
    let app = metrics.observe(http::service(state)?);

    let limits = Limits {
        connections: CONNECTIONS_MAX,
        keep_alive: listen.keep_alive,
    };
    if let Some(listener) = metrics_listener {
        // Until the end of the program: the drain is worth to be seen, and nobody misses a half-read page.
        let never = CancellationToken::new();
        tokio::spawn(connections::serve(listener, metrics.page(), limits, never));
    }
    connections::serve(listener, app, limits, stop).await;
    mailer.finish().await;
    // Courtesy to the database, which may be the one that does not answer.
    let _ = timeout(GOODBYE_WITHIN, db.close()).await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    // A machine without IPv6 refuses the address that stands for both families.
    match TcpListener::bind(("::", port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("0.0.0.0", port))
            .await
            .with_context(|| format!("cannot listen on port {port}")),
    }
}

fn stop_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the requests in flight");
        told.cancel();
    });
    Ok(stop)
}
