//! Objects that we reconcile and that cannot be read: written past the schema, or by a version of the operator that knows more.
//!
//! Invariant: one of them stalls itself alone. It is named in the log and counted, and to everybody else it is not there;
//! what it was before is not worked on, since nobody wants that any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::Resource as _;
use kube::api::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;

use crate::controller::Controlled;
use crate::runtime::kind::kind;
use crate::runtime::metrics::Metrics;

/// Takes what cannot be read out of what one watch tells.
pub(super) struct Sieve<K: Controlled> {
    metrics: Arc<Metrics>,
    store: Store<K>,
    /// What cannot be read, by namespace and name.
    unreadable: BTreeSet<String>,
    /// The same of a list that has not come to its end.
    listed: BTreeSet<String>,
}

impl<K: Controlled> Sieve<K> {
    /// `store` is where the events go that pass.
    pub(super) fn new(metrics: Arc<Metrics>, store: Store<K>) -> Self {
        Self {
            metrics,
            store,
            unreadable: BTreeSet::new(),
            listed: BTreeSet::new(),
        }
    }

    /// What an event tells of objects that can be read. One that could and cannot any more is gone.
    pub(super) fn pass(&mut self, event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
        let before = self.unreadable.len();
        let passed = match event {
            Event::Init => {
                self.listed.clear();
                Some(Event::Init)
            }
            Event::InitApply(it) => match read(it) {
                Ok(app) => Some(Event::InitApply(app)),
                Err(metadata) => {
                    self.listed.insert(key(&metadata));
                    None
                }
            },
            Event::InitDone => {
                self.unreadable = std::mem::take(&mut self.listed);
                Some(Event::InitDone)
            }
            Event::Apply(it) => match read(it) {
                Ok(app) => {
                    self.unreadable.remove(&key(app.meta()));
                    Some(Event::Apply(app))
                }
                Err(metadata) => {
                    self.unreadable.insert(key(&metadata));
                    self.last_read(&metadata).map(Event::Delete)
                }
            },
            Event::Delete(it) => {
                let metadata = it.meta().clone();
                self.unreadable.remove(&key(&metadata));
                let last = self.last_read(&metadata);
                it.0.ok().or(last).map(Event::Delete)
            }
        };
        self.metrics.unreadable(before, self.unreadable.len());
        passed
    }

    /// An object as it was when it could still be read.
    fn last_read(&self, metadata: &ObjectMeta) -> Option<K> {
        let reference = ObjectRef::new(metadata.name.as_deref()?);
        let reference = reference.within(metadata.namespace.as_deref()?);
        self.store.get(&reference).map(Arc::unwrap_or_clone)
    }
}

/// The object, or whose fault it is, which is told.
fn read<K: Controlled>(guard: DeserializeGuard<K>) -> Result<K, Box<ObjectMeta>> {
    guard.0.map_err(|invalid| {
        let (kind, object) = (kind::<K>(), key(&invalid.metadata));
        tracing::warn!(
            kind,
            object,
            error = invalid.error,
            "an object cannot be read"
        );
        Box::new(invalid.metadata)
    })
}

fn key(metadata: &ObjectMeta) -> String {
    let word = |it: &Option<String>| it.clone().unwrap_or_default();
    format!("{}/{}", word(&metadata.namespace), word(&metadata.name))
}
