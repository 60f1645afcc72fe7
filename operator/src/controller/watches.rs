//! The watches: of the AppStacks, of what we made for them, and of what they refer to.
//!
//! Invariant: each backs off by itself, and what it sees goes to the versions before anybody is woken by it. All but the
//! AppStacks is watched by its metadata alone. What wakes goes through the gate, what is seen does not.

use std::fmt::Debug;
use std::future::ready;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::networking::v1::IngressClass;
use kube::api::PartialObjectMeta;
use kube::core::{DeserializeGuard, DynamicObject, NamespaceResourceScope};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::api::{MANAGER, label};
use crate::cluster::gateways::{Kept, Sight};
use crate::context::Context;
use crate::controller::Controlled;
use crate::controller::gate::Gate;
use crate::controller::unreadable::Sieve;
use crate::model::object::OwnedKind;
use crate::runtime::kind::{Kind, kind};
use crate::runtime::watch::{Patience, leaves_gap, short, telling};

/// The labels that say whose an object is.
const KEPT: [&str; 2] = [label::STACK, label::MANAGED_BY];

/// A kind whose objects are watched in namespaces.
pub(super) trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + 'static
{
}

impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + 'static
{
}

/// The objects of a kind that something happens to.
pub(super) trait Touched<K>:
    Stream<Item = watcher::Result<PartialObjectMeta<K>>> + Send
{
}

impl<K, S> Touched<K> for S where S: Stream<Item = watcher::Result<PartialObjectMeta<K>>> + Send {}

/// What a watch sees. Its failures end here: it waits by itself, where the controller would hold all watches back for it.
fn undisturbed<T: Send>(
    kind: &'static str,
    events: impl Stream<Item = watcher::Result<T>> + Send,
    jitter: fn() -> f64,
    interrupted: impl Fn(&watcher::Error) + Send,
) -> impl Stream<Item = T> + Send {
    let events = events.backoff(Patience::new(jitter));
    events.filter_map(move |event| {
        let event = event.inspect_err(|error| {
            tracing::warn!(kind, %error, "a watch was interrupted");
            interrupted(error);
        });
        ready(event.ok())
    })
}

/// What the watch of an optional kind saw, which is known no more once it ends: the kind may come back without its objects.
struct Seen {
    scope: Scope,
    kind: &'static str,
}

impl Drop for Seen {
    fn drop(&mut self) {
        let namespace = self.scope.namespace.as_deref();
        self.scope.ctx.versions.close(self.kind, namespace);
    }
}

/// Where we look: one namespace, or all.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) ctx: Arc<Context>,
    pub(super) namespace: Option<String>,
    pub(super) gate: Gate,
}

impl Scope {
    /// The objects of a kind that we reconcile, which are kept whole but for what nobody reads.
    pub(super) fn controlled<K: Controlled>(
        &self,
        writer: Writer<K>,
    ) -> impl Stream<Item = watcher::Result<K>> + Send + use<K> {
        let mut sieve = Sieve::new(self.ctx.metrics.clone(), writer.as_reader());
        let events = watcher(self.api(self.ctx.client.clone()), short());
        let objects = undisturbed(kind::<K>(), events, self.ctx.jitter, |_| {})
            .filter_map(move |event: Event<DeserializeGuard<K>>| ready(sieve.pass(event).map(Ok)))
            .modify(K::strip)
            .reflect(writer)
            // Those that are gone too: whatever is remembered of them goes when they are looked for in vain.
            .touched_objects();
        let ctx = self.ctx.clone();
        self.gate.passed(objects).inspect(move |object| {
            if let Ok(object) = object {
                K::changed(&ctx, object);
            }
        })
    }

    /// What we made, of a kind.
    pub(super) fn children<K: Namespaced>(&self) -> impl Touched<K> + use<K> {
        self.seen(kind::<K>(), &ours(), Self::api)
    }

    /// The same of a kind that we own. One that is not served everywhere is watched while it is.
    pub(super) fn children_of(
        &self,
        owned: &OwnedKind,
    ) -> BoxStream<'static, watcher::Result<PartialObjectMeta<DynamicObject>>> {
        let OwnedKind { kind, traits } = *owned;
        let scope = self.clone();
        let begin = move || {
            let seen = Seen {
                scope: scope.clone(),
                kind: kind.name(),
            };
            let children = scope.seen(kind.name(), &ours(), move |scope, client| {
                scope.any(kind, client)
            });
            // It goes when the stream does.
            children.inspect(move |_| {
                let _ = &seen;
            })
        };
        if traits.optional {
            self.ctx.optional.while_served(kind, begin).boxed()
        } else {
            begin().boxed()
        }
    }

    /// What we wrote down.
    pub(super) fn records(&self) -> impl Touched<ControllerRevision> + use<> {
        self.seen(kind::<ControllerRevision>(), label::RECORD, Self::api)
    }

    /// Everything of a kind, whose ever it is.
    pub(super) fn all<K: Namespaced>(&self) -> impl Touched<K> + use<K> {
        self.seen(kind::<K>(), "", Self::api)
    }

    pub(super) fn ingress_classes(&self) -> impl Touched<IngressClass> + use<> {
        self.seen(kind::<IngressClass>(), "", |_, client| Api::all(client))
    }

    /// The objects of another project's kind that are kept whole, wherever they are, while it is served. Gives those that change in
    /// what is used of them.
    pub(super) fn kept<K>(&self, kept: Arc<Kept<K>>) -> BoxStream<'static, watcher::Result<K>>
    where
        K: Resource<DynamicType = ()>
            + Clone
            + PartialEq
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let (kind, scope) = (Kind::of::<K>(), self.clone());
        let begin = move || {
            let mut sight = Sight::new(kept.clone());
            let events = watcher(Api::<K>::all(scope.ctx.client.clone()), short());
            let events = undisturbed(kind.name(), events, scope.ctx.jitter, |_| {});
            let changed = events.flat_map(move |event| {
                let changed = sight.note(event).into_iter();
                stream::iter(changed.map(|it| Ok(K::clone(&it))))
            });
            scope.gate.passed(changed)
        };
        self.ctx.optional.while_served(kind, begin).boxed()
    }

    /// What is seen through an API, of what has these labels.
    fn seen<K, F>(&self, kind: &'static str, labels: &str, api: F) -> impl Touched<K> + use<K, F>
    where
        K: Resource + Clone + Debug + Send + 'static,
        F: FnOnce(&Self, Client) -> Api<PartialObjectMeta<K>>,
    {
        let watched = self
            .ctx
            .versions
            .watch(kind, self.namespace.as_deref(), &KEPT);
        let config = short();
        let config = if labels.is_empty() {
            config
        } else {
            config.labels(labels)
        };
        let taken_up = watched.clone();
        let client = telling(&self.ctx.client, move || taken_up.resumed());
        let failed = watched.clone();
        let events = watcher(api(self, client), config);
        let events = undisturbed(kind, events, self.ctx.jitter, move |error| {
            failed.interrupted(leaves_gap(error));
        });
        let touched = events.flat_map(move |event| stream::iter(watched.note(event)).map(Ok));
        self.gate.passed(touched)
    }

    fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }

    fn any(&self, kind: Kind, client: Client) -> Api<PartialObjectMeta<DynamicObject>> {
        let resource = kind.resource();
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }
}

/// The label of what we made.
fn ours() -> String {
    format!("{}={MANAGER}", label::MANAGED_BY)
}
