//! What this process knows it has done, so that it does not ask or do it again.
//!
//! Invariant: forgetting it costs requests, never correctness; it is empty after each start.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was done, by namespace, name and UID of the AppStack.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    claimed: BTreeSet<(&'static str, String)>,
    pruned: Option<BTreeSet<(&'static str, String)>>,
}

impl Ledger {
    /// Whether the object is known to be the stack's.
    #[must_use]
    pub fn is_claimed(&self, stack: &str, kind: &'static str, name: &str) -> bool {
        let entries = self.entries();
        entries
            .get(stack)
            .is_some_and(|it| it.claimed.contains(&(kind, name.to_owned())))
    }

    /// Notes that the object is the stack's.
    pub fn claim(&self, stack: &str, kind: &'static str, name: &str) {
        let mut entries = self.entries();
        entries
            .entry(stack.into())
            .or_default()
            .claimed
            .insert((kind, name.into()));
    }

    /// Whether everything but `kept` was deleted before.
    #[must_use]
    pub fn is_pruned(&self, stack: &str, kept: &BTreeSet<(&'static str, String)>) -> bool {
        self.entries()
            .get(stack)
            .is_some_and(|it| it.pruned.as_ref() == Some(kept))
    }

    /// Notes that everything but `kept` was deleted.
    pub fn pruned(&self, stack: &str, kept: BTreeSet<(&'static str, String)>) {
        self.entries().entry(stack.into()).or_default().pruned = Some(kept);
    }

    /// Forgets a stack that is gone, whatever its UID was. `key` is `<namespace>/<name>`.
    pub fn forget(&self, key: &str) {
        let prefix = format!("{key}/");
        self.entries()
            .retain(|stack, _| !stack.starts_with(&prefix));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // A panic elsewhere leaves the map whole: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_for_its_stack_until_it_is_forgotten() {
        let ledger = Ledger::default();
        ledger.claim("ns/shop/1", "Service", "shop-backend");
        assert!(ledger.is_claimed("ns/shop/1", "Service", "shop-backend"));
        assert!(!ledger.is_claimed("ns/shop/2", "Service", "shop-backend"));
        ledger.forget("ns/shop");
        assert!(!ledger.is_claimed("ns/shop/1", "Service", "shop-backend"));
    }

    #[test]
    fn a_changed_set_is_pruned_again() {
        let ledger = Ledger::default();
        let kept = BTreeSet::from([("Service", "a".to_owned())]);
        ledger.pruned("ns/shop/1", kept.clone());
        assert!(ledger.is_pruned("ns/shop/1", &kept));
        assert!(!ledger.is_pruned("ns/shop/1", &BTreeSet::new()));
    }
}
