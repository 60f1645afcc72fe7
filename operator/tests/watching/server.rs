//! An API server in memory that lists and watches. All else is held until it is let go, and fails then.
//!
//! What it keeps is known by its plural, its namespace and its name. A watch gets everything that changed since the
//! version that it asks from, and ends after the seconds that it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{StreamExt as _, stream};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The namespace of everything.
pub(crate) const NAMESPACE: &str = "demo";

/// An API server. Clones share it.
#[derive(Clone)]
pub(crate) struct Server {
    /// Whose requests come through this one.
    who: &'static str,
    state: Arc<Mutex<State>>,
    /// Says that something happened: to the watches, and to tests that wait for it.
    bell: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<(String, String), Value>,
    changes: Vec<Change>,
    /// Lists and watches of these plurals are answered with this code.
    refused: BTreeMap<String, u16>,
    refusals: usize,
    /// Nothing is answered, lists neither.
    silent: bool,
    /// What is held is let go.
    released: bool,
    /// Requests that are held.
    held: usize,
    /// Every request that was held, such as `PATCH appstacks/shop/status`.
    work: Vec<String>,
    /// The stacks whose status was to be written, and which generation of them that was of.
    observed: Vec<(String, u64)>,
    /// How many watches of each plural began.
    watches: BTreeMap<String, usize>,
    lease: Option<Value>,
    /// The groups that discovery tells of; it fails if there are none.
    groups: Option<Vec<&'static str>>,
    /// The lists and the watches that each client asked for, by plural.
    looks: Vec<(&'static str, bool, String)>,
    /// Who sent what that is no read.
    writes: Vec<(&'static str, String)>,
}

/// Something that a watch tells.
#[derive(Clone)]
struct Change {
    version: u64,
    plural: String,
    event: Value,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            who: "operator",
            state: Arc::default(),
            bell: watch::Sender::new(()),
        }
    }

    /// The same server, to which somebody of that name sends requests.
    pub(crate) fn of(&self, who: &'static str) -> Self {
        Self {
            who,
            ..self.clone()
        }
    }

    /// Tells of these groups in discovery, and of no others.
    pub(crate) fn tells_of(&self, groups: &[&'static str]) {
        self.change(|state| state.groups = Some(groups.to_vec()));
    }

    /// How many lists and watches somebody asked for.
    pub(crate) fn looks(&self, who: &str) -> usize {
        let state = self.state();
        state.looks.iter().filter(|it| it.0 == who).count()
    }

    /// Waits until somebody watches so many plurals.
    pub(crate) async fn watches(&self, who: &str, plurals: usize) {
        self.wait("all is watched", |state| {
            let watched = state.looks.iter().filter(|it| it.0 == who && it.1);
            watched.map(|it| &it.2).collect::<BTreeSet<_>>().len() >= plurals
        })
        .await;
    }

    /// What somebody sent that is no read.
    pub(crate) fn writes(&self, who: &str) -> Vec<String> {
        let state = self.state();
        let own = state.writes.iter().filter(|it| it.0 == who);
        own.map(|it| it.1.clone()).collect()
    }

    /// Waits until somebody has written the status of a stack.
    pub(crate) async fn reports_of(&self, who: &str, name: &str) {
        let end = format!("/{name}/status");
        self.wait("somebody writes a status", |state| {
            let mut writes = state.writes.iter();
            writes.any(|it| it.0 == who && it.1.ends_with(&end))
        })
        .await;
    }

    /// Waits until somebody holds the Lease.
    pub(crate) async fn is_led_by(&self, who: &str) {
        self.wait("somebody leads", |state| state.holder() == Some(who))
            .await;
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        let (service, mut handle) =
            tower_test::mock::pair::<Request<kube::client::Body>, Response<Body>>();
        let server = self.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let server = server.clone();
                tokio::spawn(async move {
                    let (head, body) = request.into_parts();
                    match body.collect_bytes().await {
                        Ok(body) => answer.send_response(server.answer(&head, &body).await),
                        Err(error) => answer.send_error(error),
                    }
                });
            }
        });
        Client::new(service, NAMESPACE)
    }

    /// Puts an object of a plural there, new or changed.
    pub(crate) fn put(&self, plural: &str, mut object: Value) {
        self.change(|state| {
            state.version += 1;
            let version = state.version;
            let name = object["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            object["metadata"]["generation"] = json!(version);
            object["metadata"]["uid"] = json!(format!("uid-{name}"));
            let key = (plural.to_owned(), name);
            let before = state.objects.insert(key, object.clone());
            state.note(
                plural,
                if before.is_some() {
                    "MODIFIED"
                } else {
                    "ADDED"
                },
                object,
            );
        });
    }

    /// Takes an object away.
    pub(crate) fn remove(&self, plural: &str, name: &str) {
        self.change(|state| {
            state.version += 1;
            let key = (plural.to_owned(), name.to_owned());
            if let Some(mut object) = state.objects.remove(&key) {
                object["metadata"]["resourceVersion"] = json!(state.version.to_string());
                state.note(plural, "DELETED", object);
            }
        });
    }

    /// Waits until something holds; a test that waits for more than two minutes fails.
    async fn wait(&self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let mut bell = self.bell.subscribe();
        let waited = tokio::time::timeout(Duration::from_mins(2), async {
            while !holds(&self.state()) {
                ring(&mut bell).await;
            }
        });
        assert!(waited.await.is_ok(), "waited in vain until {what}");
    }

    /// Waits until so many requests are held.
    pub(crate) async fn holds(&self, count: usize) {
        self.wait("requests are held", |state| state.held == count)
            .await;
    }

    /// Waits until so many watches of a plural have begun.
    pub(crate) async fn watched(&self, plural: &str, count: usize) {
        self.wait("watches begin", |state| {
            state.watches.get(plural).is_some_and(|it| *it >= count)
        })
        .await;
    }

    /// How many watches of a plural have begun.
    pub(crate) fn watches_of(&self, plural: &str) -> usize {
        let state = self.state();
        state.watches.get(plural).copied().unwrap_or_default()
    }

    /// Refuses lists and watches of a plural, or of one in a namespace, such as `shop/appstacks`.
    pub(crate) fn refuse(&self, plural: &str, code: u16) {
        self.change(|state| {
            state.refused.insert(plural.to_owned(), code);
        });
    }

    /// Refuses nothing any more.
    pub(crate) fn relent(&self) {
        self.change(|state| state.refused.clear());
    }

    /// Waits until so many lists and watches were refused.
    pub(crate) async fn refuses(&self, count: usize) {
        self.wait("something is refused", |state| state.refusals >= count)
            .await;
    }

    /// How many lists and watches were refused.
    pub(crate) fn refusals(&self) -> usize {
        self.state().refusals
    }

    /// Answers nothing from now on.
    pub(crate) fn fall_silent(&self) {
        self.change(|state| state.silent = true);
    }

    /// Lets go what is held, now and later.
    pub(crate) fn release(&self) {
        self.change(|state| state.released = true);
    }

    /// Waits until the status of a stack was to be written so many times.
    pub(crate) async fn reports(&self, name: &str, count: usize) {
        self.wait("a status is written", |state| state.times(name) >= count)
            .await;
    }

    /// How often the status of a stack was to be written.
    pub(crate) fn times(&self, name: &str) -> usize {
        self.state().times(name)
    }

    /// The stacks whose status was to be written.
    pub(crate) fn reported(&self) -> BTreeSet<String> {
        let state = self.state();
        let names = state.work.iter().filter_map(|it| {
            let path = it.strip_prefix("PATCH ")?.strip_suffix("/status")?;
            path.rsplit('/').next()
        });
        names.map(str::to_owned).collect()
    }

    /// The generation of which the status of each stack was to be written first, once it was of so many stacks.
    pub(crate) async fn first_observed(&self, stacks: usize) -> BTreeMap<String, u64> {
        let first = |state: &State| -> BTreeMap<String, u64> {
            // The last one of a name stays, and that is the first.
            state.observed.iter().rev().cloned().collect()
        };
        self.wait("all are reported", |state| first(state).len() == stacks)
            .await;
        first(&self.state())
    }

    /// Who holds the Lease.
    pub(crate) fn leader(&self) -> Option<String> {
        self.state().holder().map(str::to_owned)
    }

    pub(crate) async fn answer(&self, head: &Parts, body: &[u8]) -> Response<Body> {
        self.until(|state| !state.silent).await;
        let path = head.uri.path();
        if head.method != Method::GET {
            let write = format!("{} {path}", head.method);
            self.change(|state| state.writes.push((self.who, write)));
        }
        if path == "/apis" {
            return self.discovery();
        }
        if path.contains("/leases") {
            return self.lease(head, body);
        }
        let query = head.uri.query().unwrap_or_default();
        let plural = path.rsplit('/').next().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        if !is_watch && !query.contains("limit=500") {
            return self.hold(head, body).await;
        }
        self.change(|state| state.looks.push((self.who, is_watch, plural.to_owned())));
        let refused = self.state().refused(path);
        if let Some(code) = refused {
            self.change(|state| state.refusals += 1);
            return refusal(code);
        }
        if is_watch {
            self.watch(plural, query)
        } else {
            answer(200, &self.state().list(plural))
        }
    }

    /// Whatever a reconciliation asks.
    async fn hold(&self, head: &Parts, body: &[u8]) -> Response<Body> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        self.change(|state| {
            state.held += 1;
            if let Some(generation) = body["status"]["observedGeneration"].as_u64() {
                let name = head.uri.path().rsplit('/').nth(1).unwrap_or_default();
                state.observed.push((name.to_owned(), generation));
            }
            state
                .work
                .push(format!("{} {}", head.method, head.uri.path()));
        });
        self.until(|state| state.released).await;
        self.change(|state| state.held -= 1);
        refusal(500)
    }

    fn watch(&self, plural: &str, query: &str) -> Response<Body> {
        self.change(|state| *state.watches.entry(plural.to_owned()).or_default() += 1);
        let number = |key: &str| -> u64 {
            let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
            let value = pairs.find(|(name, _)| *name == key);
            value.and_then(|it| it.1.parse().ok()).unwrap_or(0)
        };
        let limit = Duration::from_secs(number("timeoutSeconds"));
        let end = tokio::time::Instant::now() + limit;
        let (server, plural) = (self.clone(), plural.to_owned());
        let lines = stream::unfold(number("resourceVersion"), move |seen| {
            let (server, plural) = (server.clone(), plural.clone());
            async move {
                let next = server.next(&plural, seen);
                let change = tokio::time::timeout_at(end, next).await.ok()?;
                Some((format!("{}\n", change.event), change.version))
            }
        });
        let lines = lines.map(|line| Ok::<_, std::io::Error>(Bytes::from(line)));
        Response::new(Body::from_stream(lines))
    }

    /// The first change of a plural after a version.
    async fn next(&self, plural: &str, seen: u64) -> Change {
        let mut bell = self.bell.subscribe();
        loop {
            let next = {
                let state = self.state();
                let mut changes = state.changes.iter();
                changes
                    .find(|it| it.version > seen && it.plural == plural)
                    .cloned()
            };
            if let Some(next) = next {
                return next;
            }
            ring(&mut bell).await;
        }
    }

    fn discovery(&self) -> Response<Body> {
        let Some(groups) = self.state().groups.clone() else {
            return refusal(500);
        };
        let groups: Vec<_> = groups
            .iter()
            .map(|name| json!({"name": name, "versions": []}))
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "APIGroupList", "groups": groups});
        answer(200, &list)
    }

    fn lease(&self, head: &Parts, body: &[u8]) -> Response<Body> {
        if head.method != Method::GET {
            self.change(|state| state.lease = serde_json::from_slice(body).ok());
        }
        match &self.state().lease {
            Some(lease) => answer(200, lease),
            None => refusal(404),
        }
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        let mut bell = self.bell.subscribe();
        while !holds(&self.state()) {
            ring(&mut bell).await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.bell.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn times(&self, name: &str) -> usize {
        let end = format!("/{name}/status");
        self.work.iter().filter(|it| it.ends_with(&end)).count()
    }

    /// The code that a list or a watch at a path is refused with.
    fn refused(&self, path: &str) -> Option<u16> {
        let ends = |what: &str| path.strip_suffix(what).is_some_and(|it| it.ends_with('/'));
        let mut refused = self.refused.iter();
        refused.find_map(|(what, code)| ends(what).then_some(*code))
    }

    fn holder(&self) -> Option<&str> {
        self.lease.as_ref()?["spec"]["holderIdentity"].as_str()
    }

    fn note(&mut self, plural: &str, kind: &str, object: Value) {
        self.changes.push(Change {
            version: self.version,
            plural: plural.to_owned(),
            event: json!({"type": kind, "object": object}),
        });
    }

    fn list(&self, plural: &str) -> Value {
        let all = self.objects.iter().filter(|(key, _)| key.0 == plural);
        let items: Vec<_> = all.map(|(_, object)| object).collect();
        json!({
            "apiVersion": "v1", "kind": "List", "items": items,
            "metadata": {"resourceVersion": (self.version.max(1)).to_string()},
        })
    }
}

/// A refusal without a reason.
fn refusal(code: u16) -> Response<Body> {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        _ => "InternalError",
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    });
    answer(code, &status)
}

fn answer(code: u16, body: &Value) -> Response<Body> {
    let mut answer = Response::new(Body::from(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// Waits until something happens.
async fn ring(bell: &mut watch::Receiver<()>) {
    assert!(bell.changed().await.is_ok(), "the server is gone");
}
