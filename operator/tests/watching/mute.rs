//! A connection that falls silent without an end is noticed, by requests and by watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Result;
use appstack_operator::runtime::deadline::{self, Late, Limits};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::Server;

/// The limits of the operator, made short. A watch ends after a second, the least that can be asked for.
const LIMITS: Limits = Limits {
    answer: Duration::from_millis(500),
    silence: Duration::from_millis(1500),
};
/// kube's own limit of a watch of a second.
const KUBES: Duration = Duration::from_secs(6);

/// A TCP proxy that can swallow all that goes through it.
#[derive(Default)]
struct Proxy {
    /// Counts the times that it fell mute; connections from before that stay so.
    fallen: AtomicU32,
    is_mute: AtomicBool,
}

impl Proxy {
    /// From now on it swallows what goes through connections, and closes none.
    fn fall_mute(&self) {
        self.fallen.fetch_add(1, Ordering::SeqCst);
        self.is_mute.store(true, Ordering::SeqCst);
    }

    /// New connections are passed on again.
    fn recover(&self) {
        self.is_mute.store(false, Ordering::SeqCst);
    }

    async fn serve(self: Arc<Self>, listener: TcpListener, to: std::net::SocketAddr) {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to).await else {
                continue;
            };
            let born = if self.is_mute.load(Ordering::SeqCst) {
                u32::MAX
            } else {
                self.fallen.load(Ordering::SeqCst)
            };
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::spawn(self.clone().pump(near_in, far_out, born));
            tokio::spawn(self.clone().pump(far_in, near_out, born));
        }
    }

    async fn pump(self: Arc<Self>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, born: u32) {
        let mut bytes = [0; 4096];
        while let Ok(count) = from.read(&mut bytes).await {
            let is_mute = self.fallen.load(Ordering::SeqCst) != born;
            if is_mute && count == 0 {
                // That the other side is gone is swallowed too.
                std::future::pending::<()>().await;
            }
            let is_done = count == 0 || (!is_mute && to.write_all(&bytes[..count]).await.is_err());
            if is_done {
                return;
            }
        }
    }
}

/// A client that reaches the server through a proxy, over TCP.
async fn through_proxy(server: &Server) -> Result<(Client, Arc<Proxy>)> {
    async fn handle(State(server): State<Server>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .unwrap_or_default();
        server.answer(&head, &body).await
    }
    let local = ("127.0.0.1", 0);
    let listener = TcpListener::bind(local).await?;
    let behind = listener.local_addr()?;
    let router = Router::new().fallback(handle).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let listener = TcpListener::bind(local).await?;
    let at = listener.local_addr()?;
    let proxy = Arc::new(Proxy::default());
    tokio::spawn(proxy.clone().serve(listener, behind));

    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::new(format!("http://{at}").parse()?);
    // There is no TLS here, and so no need for the roots of this machine.
    config.accept_invalid_certs = true;
    Ok((deadline::client(config, LIMITS)?, proxy))
}

type Found = PartialObjectMeta<ConfigMap>;

fn watched(client: &Client) -> impl Stream<Item = watcher::Result<Event<Found>>> + Unpin {
    let config = watcher::Config::default().timeout(1);
    watcher(Api::<Found>::all(client.clone()), config).boxed()
}

/// Waits until the watch tells of an object, whatever else it tells.
async fn tells(
    events: &mut (impl Stream<Item = watcher::Result<Event<Found>>> + Unpin),
    name: &str,
) {
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::InitApply(it) | Event::Apply(it)) if it.name_any() == name => return,
            _ => {}
        }
    }
}

fn put(server: &Server, name: &str) {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "demo"},
    });
    server.put("configmaps", object);
}

#[tokio::test]
async fn what_happens_behind_a_connection_that_has_fallen_silent_is_seen_in_time() {
    let server = Server::new();
    put(&server, "before");
    let (client, proxy) = through_proxy(&server).await.unwrap();
    let mut events = watched(&client);
    tells(&mut events, "before").await;
    put(&server, "live");
    tells(&mut events, "live").await;

    proxy.fall_mute();
    let since = Instant::now();
    put(&server, "meanwhile");
    proxy.recover();
    let seen = timeout(KUBES, tells(&mut events, "meanwhile")).await;
    assert!(seen.is_ok(), "the watch hangs");
    assert!(since.elapsed() >= LIMITS.answer, "it was not silent");
}

#[tokio::test]
async fn a_request_that_is_swallowed_fails_in_time_and_the_next_one_takes_another_connection() {
    let server = Server::new();
    let (client, proxy) = through_proxy(&server).await.unwrap();
    let api = Api::<ConfigMap>::all(client);
    let list = ListParams::default().limit(500);
    assert!(api.list(&list).await.is_ok());

    proxy.fall_mute();
    // The first is swallowed on the connection that rests, the second on a new one.
    for _ in 0..2 {
        let answer = timeout(LIMITS.answer * 4, api.list(&list)).await;
        let error = answer.unwrap().unwrap_err();
        assert_eq!(Late::within(&error), Some(Late(LIMITS.answer)));
    }
    proxy.recover();
    assert!(api.list(&list).await.is_ok());
}

#[tokio::test]
async fn a_watch_of_what_does_not_change_is_not_disturbed() {
    let server = Server::new();
    put(&server, "at-rest");
    let (client, _proxy) = through_proxy(&server).await.unwrap();
    let mut events = watched(&client);
    let undisturbed = async {
        while let Some(event) = events.next().await {
            assert!(event.is_ok(), "{event:?}");
        }
    };
    tokio::select! {
        () = undisturbed => {}
        // Longer than the silence that would be taken for death.
        () = server.watched("configmaps", 4) => {}
    }
}
