//! The watches of the API server in memory, and times at which nobody reaches it.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::Response;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::Server;
use super::answer::{parameter, response};
use super::state::{State, is_selected};

/// Nobody reaches the API server.
#[derive(Debug, thiserror::Error)]
#[error("connection refused")]
pub(super) struct Unreached;

/// Who reaches the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    #[default]
    Everybody,
    /// All but the watches of what belongs to stacks.
    Requests,
    Nobody,
}

impl Reach {
    fn is_for_watches_of(self, plural: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Requests => plural == "appstacks",
            Self::Nobody => false,
        }
    }

    /// Whether a request is answered.
    pub(super) fn is_for(self, head: &Parts) -> bool {
        if is_of_watch(head) {
            self.is_for_watches_of(plural(head))
        } else {
            self != Self::Nobody
        }
    }
}

/// Something that a watch tells, and the version up to which it has told all then.
type Told = (u64, Value);

impl Server {
    /// Who reaches it from now on; what is being told to others is cut off.
    pub(crate) fn reached(&self, reach: Reach) {
        self.state().reach = reach;
        self.bell.send_replace(());
    }

    /// Lets no watch go on from where it is.
    pub(crate) fn lose_history(&self) {
        let mut state = self.state();
        state.version += 1;
        state.forgotten = state.version;
    }

    /// Answers a watch, or the list that one begins with.
    pub(super) fn watch(&self, head: &Parts) -> Response<Body> {
        let plural = plural(head);
        let selector = parameter(head, "labelSelector");
        if parameter(head, "watch").is_none() {
            let list = self.state().list(plural, selector.as_deref());
            return response(http::StatusCode::OK, &list);
        }
        let number = |name| parameter(head, name).and_then(|it| it.parse().ok());
        let from: u64 = number("resourceVersion").unwrap_or(0);
        if from < self.state().forgotten {
            let status = json!({"kind": "Status", "code": 410, "reason": "Expired"});
            let event = json!({"type": "ERROR", "object": status});
            return Response::new(Body::from(format!("{event}\n")));
        }
        let end = Instant::now() + Duration::from_secs(number("timeoutSeconds").unwrap_or(0));
        let (server, plural) = (self.clone(), plural.to_owned());
        let lines = stream::try_unfold(from, move |seen| {
            let (server, plural, selector) = (server.clone(), plural.clone(), selector.clone());
            async move {
                let next = server.next(&plural, selector.as_deref(), seen);
                // It ends by itself after the time that it was asked for.
                let Ok(next) = timeout_at(end, next).await else {
                    return Ok(None);
                };
                let (version, event) = next?;
                Ok::<_, std::io::Error>(Some((Bytes::from(format!("{event}\n")), version)))
            }
        });
        Response::new(Body::from_stream(lines))
    }

    /// What a watch tells next.
    async fn next(&self, plural: &str, selector: Option<&str>, seen: u64) -> std::io::Result<Told> {
        let mut bell = self.bell.subscribe();
        loop {
            let told = {
                let state = self.state();
                if !state.reach.is_for_watches_of(plural) {
                    return Err(std::io::Error::other(Unreached));
                }
                state.told(plural, selector, seen)
            };
            if let Some(told) = told {
                return Ok(told);
            }
            bell.changed().await.map_err(std::io::Error::other)?;
        }
    }
}

impl State {
    /// The next event of a watch. An object is told of as it is by now.
    fn told(&self, plural: &str, selector: Option<&str>, seen: u64) -> Option<Told> {
        let moved = self.log.iter().filter(|it| it.version > seen);
        moved
            .filter(|it| it.at.split('/').next() == Some(plural))
            .find_map(|it| {
                let selected = |them: &&Value| is_selected(them, selector);
                let after = it.after.as_ref().filter(selected);
                let (type_, metadata) = match (it.before.as_ref().filter(selected), after) {
                    (None, Some(after)) => ("ADDED", after),
                    (Some(_), Some(after)) => ("MODIFIED", after),
                    (Some(before), None) => ("DELETED", before),
                    (None, None) => return None,
                };
                let gone = json!({"kind": it.kind, "metadata": metadata});
                let object = self.objects.get(&it.at).filter(|_| after.is_some());
                let object = object.unwrap_or(&gone);
                Some((it.version, json!({"type": type_, "object": object})))
            })
    }
}

fn plural(head: &Parts) -> &str {
    head.uri.path().rsplit('/').next().unwrap_or_default()
}

/// Whether it is a watch that asks: for events, or for the list before them.
pub(super) fn is_of_watch(head: &Parts) -> bool {
    parameter(head, "watch").is_some() || parameter(head, "limit").is_some()
}
