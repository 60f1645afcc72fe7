//! Listens, answers, and ends without losing a request.

use std::{future::IntoFuture, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};

use crate::{config::Config, database, http, state::AppState};

/// Requests in flight end within their own timeout. What is open after that is a client that sends nothing.
const DRAIN_WITHIN: Duration = http::REQUEST_TIMEOUT.saturating_add(Duration::from_secs(5));

const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Serves on all addresses until SIGTERM or SIGINT, then finishes what has begun.
///
/// # Errors
/// When the port is taken, or the listener breaks.
pub async fn run(config: Config, port: u16) -> anyhow::Result<()> {
    // Asked for before anything else: a signal that comes early must not be lost.
    let stop = stop_signal()?;
    let db = database::pool(&config);
    let listener = TcpListener::bind(("::", port)).await;
    // A machine without IPv6 refuses the address that stands for both families.
    let listener = match listener {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("0.0.0.0", port))
            .await
            .with_context(|| format!("cannot listen on port {port}"))?,
    };
    tracing::info!(
        version = config.version,
        environment = config.environment.as_str(),
        address = %listener.local_addr()?,
        "ready for requests"
    );
    let app = http::service(AppState::new(config, db.clone())?);
    serve(listener, app, stop).await?;
    // Courtesy to the database, which may be the one that does not answer.
    let _ = timeout(GOODBYE_WITHIN, db.close()).await;
    tracing::info!("stopped");
    Ok(())
}

async fn serve(
    listener: TcpListener,
    app: axum::Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (draining, mut drain) = watch::channel(false);
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("stopping: finishing the requests in flight");
        draining.send_replace(true);
    });
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        ended = &mut server => return Ok(ended??),
        _ = drain.wait_for(|draining| *draining) => {}
    }
    if let Ok(ended) = timeout(DRAIN_WITHIN, server).await {
        return Ok(ended??);
    }
    tracing::warn!("some connections did not end in time and are cut");
    Ok(())
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::Notify,
    };

    use super::*;

    #[tokio::test]
    async fn a_request_in_flight_is_answered_before_the_end() {
        let [begun, go_on, stop] = [(); 3].map(|()| Arc::new(Notify::new()));
        let (entered, released) = (begun.clone(), go_on.clone());
        let handler = async move || {
            entered.notify_one();
            released.notified().await;
            "done"
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(handler));
        let stopped = stop.clone();
        let server = tokio::spawn(serve(
            listener,
            app,
            async move { stopped.notified().await },
        ));

        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            .await
            .unwrap();
        begun.notified().await;
        stop.notify_one();
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(Duration::from_secs(10), refused)
            .await
            .expect("still accepts");

        go_on.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
            "{answer}"
        );
        server.await.unwrap().unwrap();
    }
}
