//! Connections: how many, how long, and how they end. Knows HTTP, not what is asked.
//!
//! `axum::serve` waits for ever for a client that sends half a request or takes no answer, so this is done
//! with the parts that it is made of.

use std::{
    convert::Infallible, net::TcpListener as StdListener, pin::pin, sync::Arc, time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::http;

/// What clients may take of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at one time; more wait in the queue of the system.
    pub(super) connections: usize,
    /// How long a connection may stand still: no complete head of a request comes, or no byte of an answer
    /// is taken. It must be longer than a proxy in front keeps idle connections, or the proxy sends a
    /// request into one that is being closed.
    pub(super) keep_alive: Duration,
}

/// What one connection may hold in memory of requests and answers; a longer head is refused.
const BUFFER_MAX: usize = 64 * 1024;

/// Requests in flight end within their own timeout. What is open after that is a client that sends nothing.
const DRAIN_WITHIN: Duration = http::REQUEST_TIMEOUT.saturating_add(Duration::from_secs(5));

/// How long an idle connection stays open at the end: a request may be on its way on it.
const LINGER: Duration = Duration::from_secs(1);

/// Answers until told to stop, then finishes what has begun.
pub(super) async fn serve(
    mut listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let open = TaskTracker::new();
    while let Some((stream, slot)) = accept(&mut listener, &slots, &stop).await {
        let connection = converse(stream, app.clone(), limits.keep_alive, stop.clone());
        open.spawn(async move {
            connection.await;
            drop(slot);
        });
    }
    for stream in waiting(listener) {
        open.spawn(converse(
            stream,
            app.clone(),
            limits.keep_alive,
            stop.clone(),
        ));
    }
    open.close();
    if timeout(DRAIN_WITHIN, open.wait()).await.is_err() {
        tracing::warn!(
            connections = open.len(),
            "some connections did not end in time and are cut"
        );
    }
}

async fn accept(
    listener: &mut TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        let (stream, _) = Listener::accept(listener).await; // goes on after an error
        Some((stream, slot))
    };
    stop.run_until_cancelled(next).await.flatten()
}

/// Whoever connected before the end is not turned away, though nobody has looked at them yet.
fn waiting(listener: TcpListener) -> Vec<TcpStream> {
    let next = |listener: &StdListener| {
        let (stream, _) = listener.accept().ok()?; // nobody is an error as well: it does not block
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    listener.into_std().map_or_else(
        |_| Vec::new(),
        |listener| std::iter::from_fn(|| next(&listener)).collect(),
    )
}

async fn converse(stream: TcpStream, app: Router, keep_alive: Duration, stop: CancellationToken) {
    // Answers are written whole; waiting for more to put into a packet only costs time.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(keep_alive));
    let answers = service_fn(|request: Request<Incoming>| answer(app.clone(), request, &stop));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(keep_alive)
        .max_buf_size(BUFFER_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), answers);
    let mut connection = pin!(connection);
    // How a connection ended is the client's affair; what was answered on it is logged elsewhere.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = sleep(LINGER) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Once the end has come each answer says that it is the last on its connection, so that the next request
/// goes elsewhere.
async fn answer(
    app: Router,
    request: Request<Incoming>,
    stop: &CancellationToken,
) -> Result<Response, Infallible> {
    let mut response = app.oneshot(request).await?;
    if stop.is_cancelled() {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
