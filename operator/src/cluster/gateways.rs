//! The Gateways of the cluster and their classes, as the watches see them.
//!
//! Invariant: holds what is used of them alone, and sends nothing. Their status moves with every route of anybody, so only what
//! matters of a change is one. What was known stays so while a watch is interrupted: a Gateway is only judged by it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::ObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

use crate::model::kinds::{Gateway, GatewayClass};

/// All Gateways and their classes. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Gateways {
    gateways: Arc<Kept<Gateway>>,
    classes: Arc<Kept<GatewayClass>>,
}

impl Gateways {
    /// The Gateways.
    #[must_use]
    pub fn gateways(&self) -> &Arc<Kept<Gateway>> {
        &self.gateways
    }

    /// Their classes.
    #[must_use]
    pub fn classes(&self) -> &Arc<Kept<GatewayClass>> {
        &self.classes
    }
}

/// The objects of a kind, as they were seen last; `None` before the first list is in, and once nobody looks.
#[derive(Debug)]
pub struct Kept<K>(Mutex<Option<BTreeMap<Key, Arc<K>>>>);

/// Namespace and name.
type Key = (String, String);

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<K> Kept<K> {
    /// All of them, where that is known.
    #[must_use]
    pub fn all(&self) -> Option<Vec<Arc<K>>> {
        let kept = self.kept();
        Some(kept.as_ref()?.values().cloned().collect())
    }

    /// Forgets them: nobody looks any more.
    pub fn forget(&self) {
        *self.kept() = None;
    }

    fn kept(&self) -> MutexGuard<'_, Option<BTreeMap<Key, Arc<K>>>> {
        // A panic elsewhere leaves it whole: each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one watch of a kind has seen.
#[derive(Debug)]
pub struct Sight<K> {
    kept: Arc<Kept<K>>,
    seen: BTreeMap<Key, Arc<K>>,
    /// The list that has begun and is not at its end.
    list: BTreeMap<Key, Arc<K>>,
}

impl<K: Resource<DynamicType = ()> + Clone + PartialEq> Sight<K> {
    /// The sight of a watch that begins.
    #[must_use]
    pub fn new(kept: Arc<Kept<K>>) -> Self {
        Self {
            kept,
            seen: BTreeMap::new(),
            list: BTreeMap::new(),
        }
    }

    /// Notes an event, and gives the objects that it changed.
    pub fn note(&mut self, event: Event<K>) -> Vec<Arc<K>> {
        let changed = match event {
            Event::Init => {
                self.list.clear();
                return Vec::new();
            }
            Event::InitApply(it) => {
                let it = stripped(it);
                self.list.insert(key(&it), Arc::new(it));
                return Vec::new();
            }
            Event::InitDone => self.listed(),
            Event::Apply(it) => {
                let it = Arc::new(stripped(it));
                let before = self.seen.insert(key(it.as_ref()), it.clone());
                let is_same = before.as_ref() == Some(&it);
                (!is_same).then_some(it).into_iter().collect()
            }
            Event::Delete(it) => self.seen.remove(&key(&it)).into_iter().collect(),
        };
        *self.kept.kept() = Some(self.seen.clone());
        changed
    }

    /// Those that are not as they were, and those that are gone.
    fn listed(&mut self) -> Vec<Arc<K>> {
        let before = std::mem::replace(&mut self.seen, std::mem::take(&mut self.list));
        let now = &self.seen;
        let changed = now.iter().filter(|(key, it)| before.get(*key) != Some(*it));
        let gone = before.iter().filter(|(key, _)| !now.contains_key(*key));
        let all = changed.chain(gone);
        all.map(|(_, it)| it.clone()).collect()
    }
}

impl<K> Drop for Sight<K> {
    fn drop(&mut self) {
        self.kept.forget();
    }
}

/// Without what nobody reads, which is most of it and changes with it.
fn stripped<K: Resource<DynamicType = ()>>(mut it: K) -> K {
    let metadata = it.meta_mut();
    *metadata = ObjectMeta {
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        ..ObjectMeta::default()
    };
    it
}

fn key<K: Resource<DynamicType = ()>>(it: &K) -> Key {
    (it.namespace().unwrap_or_default(), it.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gateway(name: &str, version: &str, class: &str) -> Gateway {
        let metadata = json!({"name": name, "namespace": "infra", "resourceVersion": version});
        let gateway = json!({"metadata": metadata, "spec": {"gatewayClassName": class}});
        serde_json::from_value(gateway).unwrap()
    }

    fn names(changed: &[Arc<Gateway>]) -> Vec<String> {
        changed.iter().map(|it| it.name_any()).collect()
    }

    #[test]
    fn what_nobody_reads_is_no_change() {
        let all = Gateways::default();
        assert_eq!(all.gateways().all(), None);
        let mut sight = Sight::new(all.gateways().clone());
        sight.note(Event::Init);
        sight.note(Event::InitApply(gateway("web", "1", "traefik")));
        sight.note(Event::InitApply(gateway("old", "1", "traefik")));
        assert_eq!(all.gateways().all(), None, "the list is not in yet");
        assert_eq!(names(&sight.note(Event::InitDone)), ["old", "web"]);
        let routed = Event::Apply(gateway("web", "2", "traefik"));
        assert_eq!(names(&sight.note(routed)), [""; 0]);
        let moved = Event::Apply(gateway("web", "3", "envoy"));
        assert_eq!(names(&sight.note(moved)), ["web"]);
        sight.note(Event::Init);
        sight.note(Event::InitApply(gateway("web", "4", "envoy")));
        assert_eq!(names(&sight.note(Event::InitDone)), ["old"]);
        let known = all.gateways().all().unwrap();
        assert_eq!(known.len(), 1);
        drop(sight);
        assert_eq!(all.gateways().all(), None, "nobody looks any more");
    }
}
