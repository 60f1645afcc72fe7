//! Kinds of other projects, which the API server may begin or cease to serve at any time.
//!
//! Each is known by its CustomResourceDefinition, which is watched by its metadata and by its name alone: so the right to
//! read this one is enough, and those of others cost nothing. Where even that is refused, discovery is asked, as often as
//! the watch is tried again.
//!
//! A definition is there some milliseconds before its objects can be. Whoever asks for them that soon is told that there is
//! nothing, and tries again after the first wait of its back-off; so nobody here waits for it.
//!
//! Invariant: what is not known yet is told from what is not served, and what was known stays so while a watch is
//! interrupted. Which kinds there may be is said by whoever makes it.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;

use futures::future::join_all;
use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use crate::runtime::kind::Kind;
use crate::runtime::watch::{Patience, short};

/// The CustomResourceDefinition of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Definition {
    plural: String,
    group: String,
}

impl Definition {
    /// That of a kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let resource = kind.resource();
        Self {
            plural: resource.plural,
            group: resource.group,
        }
    }
}

/// Its name, as the API server wants it.
impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plural, self.group)
    }
}

/// Which of the optional kinds are served; `None` while that is not known.
type Known = BTreeMap<Definition, Option<bool>>;

/// Which optional kinds the API server serves now.
#[derive(Debug)]
pub struct OptionalApis(watch::Sender<Known>);

impl OptionalApis {
    /// Of these kinds, of which nothing is known yet.
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> Self {
        let known = definitions.into_iter().map(|it| (it, None)).collect();
        Self(watch::Sender::new(known))
    }

    /// The definitions of all of them.
    #[must_use]
    pub fn definitions(&self) -> Vec<Definition> {
        self.0.borrow().keys().cloned().collect()
    }

    /// Whether a kind is served; not while that is not known.
    #[must_use]
    pub fn serves(&self, kind: Kind) -> bool {
        is_served(&self.0.borrow(), &Definition::of(kind))
    }

    /// Waits until it is known of each kind whether it is served.
    pub async fn known(&self) {
        // It fails only if there is no sender any more, and that is us.
        let _ = self.0.subscribe().wait_for(all_known).await;
    }

    /// Tells once when it is known of each kind whether it is served, and then whenever that changes.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        let first = (self.0.subscribe(), true);
        stream::unfold(first, |(mut known, is_first)| async move {
            if is_first {
                known.wait_for(all_known).await.ok()?;
            } else {
                known.changed().await.ok()?;
            }
            Some(((), (known, false)))
        })
    }

    /// What `begin` gives, for as long as a kind is served; anew each time that it is served again.
    pub fn while_served<S, F>(
        &self,
        kind: Kind,
        mut begin: F,
    ) -> impl Stream<Item = S::Item> + Send + use<S, F>
    where
        S: Stream + Send,
        F: FnMut() -> S + Send,
    {
        let definition = Definition::of(kind);
        let times = stream::unfold(self.0.subscribe(), move |mut known| {
            let definition = definition.clone();
            async move {
                known.wait_for(|it| is_served(it, &definition)).await.ok()?;
                let mut later = known.clone();
                let ceases = async move {
                    let _ = later.wait_for(|it| !is_served(it, &definition)).await;
                };
                Some((ceases, known))
            }
        });
        times.flat_map(move |ceases| begin().take_until(ceases))
    }

    /// Watches for as long as it is polled.
    pub async fn follow(&self, client: &Client, jitter: fn() -> f64) {
        let definitions = self.definitions();
        join_all(definitions.iter().map(|it| self.watch(it, client, jitter))).await;
    }

    /// Notes whether a kind is served.
    pub fn note(&self, definition: &Definition, is_served: bool) {
        let changed = self.0.send_if_modified(|known| {
            let before = known.insert(definition.clone(), Some(is_served));
            before != Some(Some(is_served))
        });
        if changed {
            tracing::info!(kind = %definition, is_served, "what the API server serves is known");
        }
    }

    async fn watch(&self, definition: &Definition, client: &Client, jitter: fn() -> f64) {
        let name = definition.to_string();
        let api: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client.clone());
        let config = short().fields(&format!("metadata.name={name}"));
        let mut events = pin!(watcher(api, config).backoff(Patience::new(jitter)));
        let mut listed = false;
        let is_it = |it: &PartialObjectMeta<_>| it.metadata.name.as_ref() == Some(&name);
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed = false,
                Ok(Event::InitApply(it)) => listed |= is_it(&it) && lasts(&it),
                Ok(Event::InitDone) => self.note(definition, listed),
                Ok(Event::Apply(it)) if is_it(&it) => self.note(definition, lasts(&it)),
                Ok(Event::Delete(it)) if is_it(&it) => self.note(definition, false),
                Ok(Event::Apply(_) | Event::Delete(_)) => {}
                Err(error) => self.ask(definition, client, &error).await,
            }
        }
    }

    /// Asks discovery where the watch is refused, or has never told anything; else what was known holds on.
    async fn ask(&self, definition: &Definition, client: &Client, error: &watcher::Error) {
        let is_known = matches!(self.0.borrow().get(definition), Some(Some(_)));
        // Where nobody ever grants the right, that is no news.
        if is_known {
            tracing::debug!(kind = %definition, %error, "the watch of a definition failed");
        } else {
            tracing::warn!(kind = %definition, %error, "the watch of a definition failed; discovery is asked");
        }
        if is_known && !is_refused(error) {
            return;
        }
        match client.list_api_groups().await {
            Ok(list) => {
                let is_served = list.groups.iter().any(|it| it.name == definition.group);
                self.note(definition, is_served);
            }
            Err(error) => {
                tracing::warn!(kind = %definition, %error, "cannot ask which kinds are served");
            }
        }
    }
}

fn is_served(known: &Known, definition: &Definition) -> bool {
    known.get(definition) == Some(&Some(true))
}

fn all_known(known: &Known) -> bool {
    known.values().all(Option::is_some)
}

/// A definition that is being deleted takes no new objects.
fn lasts(definition: &PartialObjectMeta<CustomResourceDefinition>) -> bool {
    definition.metadata.deletion_timestamp.is_none()
}

/// Whether nobody may watch here, or there is nothing to watch: trying again alone would not help.
fn is_refused(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return false;
    };
    matches!(status.code, 401 | 403 | 404)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt as _;
    use k8s_openapi::api::networking::v1::Ingress;

    use super::*;

    fn apis() -> (OptionalApis, Definition) {
        let definition = Definition::of(Kind::of::<Ingress>());
        (OptionalApis::new([definition.clone()]), definition)
    }

    #[test]
    fn a_definition_has_the_name_that_the_api_server_wants() {
        let name = Definition::of(Kind::of::<Ingress>()).to_string();
        assert_eq!(name, "ingresses.networking.k8s.io");
    }

    #[test]
    fn what_is_not_known_is_waited_for_and_changes_alone_are_told() {
        let (apis, definition) = apis();
        let mut changes = Box::pin(apis.changes());
        assert!(apis.known().now_or_never().is_none());
        assert!(changes.next().now_or_never().is_none());
        for is_served in [false, true] {
            apis.note(&definition, is_served);
            apis.note(&definition, is_served);
            assert!(apis.known().now_or_never().is_some());
            assert_eq!(apis.serves(Kind::of::<Ingress>()), is_served);
            assert_eq!(changes.next().now_or_never(), Some(Some(())));
            assert!(changes.next().now_or_never().is_none());
        }
    }

    #[test]
    fn a_stream_begins_anew_each_time_that_its_kind_is_served() {
        let (apis, definition) = apis();
        let mut times = 0;
        let begin = || {
            times += 1;
            stream::once(ready(times)).chain(stream::pending())
        };
        let mut all = Box::pin(apis.while_served(Kind::of::<Ingress>(), begin));
        for time in 1..=2 {
            assert!(all.next().now_or_never().is_none());
            apis.note(&definition, true);
            assert_eq!(all.next().now_or_never(), Some(Some(time)));
            assert!(all.next().now_or_never().is_none());
            apis.note(&definition, false);
        }
        assert!(all.next().now_or_never().is_none());
    }
}
