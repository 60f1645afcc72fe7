//! All AppStacks that the operator sees, and which of them wait for a host of another one.
//!
//! Invariant: sends nothing, and holds no AppStack itself: it looks into the stores that the watches fill. Whether a host is
//! taken is looked up under the same lock as a change is told, so that whoever begins to wait misses none.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::Stream;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use kube::runtime::reflector::{ObjectRef, Store};

use crate::api::AppStack;
use crate::check::hosts::{self, Hosts};
use crate::error::TakenHost;

type Reference = ObjectRef<AppStack>;

/// All AppStacks that the operator sees. Clones share them.
#[derive(Clone, Default)]
pub struct Stacks(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Where they are, and how those of each are woken.
    places: Vec<(Store<AppStack>, UnboundedSender<Reference>)>,
    /// Which AppStacks wait, and for whom.
    waiting: HashMap<Reference, BTreeSet<(String, String)>>,
}

impl Stacks {
    /// Adds those of a store. Gives the ones of them that are to be looked at, since another AppStack has changed.
    pub fn add(&self, store: Store<AppStack>) -> impl Stream<Item = Reference> + Send + use<> {
        let (wakes, woken) = unbounded();
        self.state().places.push((store, wakes));
        woken
    }

    /// The hosts that belong to another AppStack. Until it is asked again, the AppStack is woken when one of those changes.
    #[must_use]
    pub fn taken(&self, hosts: Hosts<'_>) -> Vec<TakenHost> {
        let mut state = self.state();
        let all = state.all();
        let taken = hosts::taken(hosts, all.iter().map(AsRef::as_ref));
        let waiter = Reference::from_obj(hosts.app);
        if taken.is_empty() {
            state.waiting.remove(&waiter);
        } else {
            let others = taken.iter();
            let others = others.map(|it| (it.namespace.clone(), it.name.clone()));
            state.waiting.insert(waiter, others.collect());
        }
        taken
    }

    /// Wakes those that wait for an AppStack which has changed or is gone, and those that want a host of it.
    pub fn changed(&self, app: &AppStack) {
        let state = self.state();
        let theirs = hosts::of(app);
        let key = Reference::from_obj(app);
        for (store, wakes) in &state.places {
            for other in store.state().iter().filter(|it| !hosts::is_same(it, app)) {
                let reference = Reference::from_obj(other.as_ref());
                let waits = state.waiting.get(&reference);
                let waits = waits.is_some_and(|it| it.contains(&name(&key)));
                if waits || !hosts::of(other).is_disjoint(&theirs) {
                    // Whoever listened may have come to its end.
                    let _ended = wakes.unbounded_send(reference);
                }
            }
        }
    }

    /// Forgets what an AppStack waited for that is gone. `key` is `<namespace>/<name>`.
    pub fn forget(&self, key: &str) {
        let mut state = self.state();
        state.waiting.retain(|it, _| {
            let (namespace, name) = name(it);
            format!("{namespace}/{name}") != key
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves it whole: each change is one insertion or one removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn all(&self) -> Vec<Arc<AppStack>> {
        let stores = self.places.iter();
        stores.flat_map(|(store, _)| store.state()).collect()
    }
}

fn name(it: &Reference) -> (String, String) {
    (it.namespace.clone().unwrap_or_default(), it.name.clone())
}
