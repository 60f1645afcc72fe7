//! What this process knows it has done, so that it does not ask or do it again.
//!
//! Invariant: forgetting it costs requests, never correctness; it is empty after each start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was done, by namespace, name and UID of the AppStack.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    claimed: BTreeMap<(&'static str, String), String>,
    pruned: Option<BTreeSet<(&'static str, String)>>,
}

impl Ledger {
    /// The UID of an object that is known to be the stack's.
    #[must_use]
    pub fn claimed(&self, stack: &str, kind: &'static str, name: &str) -> Option<String> {
        let entries = self.entries();
        let claimed = &entries.get(stack)?.claimed;
        claimed.get(&(kind, name.to_owned())).cloned()
    }

    /// Notes that the object with this UID is the stack's.
    pub fn claim(&self, stack: &str, kind: &'static str, name: &str, uid: &str) {
        let mut entries = self.entries();
        let claimed = &mut entries.entry(stack.into()).or_default().claimed;
        claimed.insert((kind, name.into()), uid.into());
    }

    /// Notes that it is not known any more whose the object is.
    pub fn unclaim(&self, stack: &str, kind: &'static str, name: &str) {
        if let Some(entry) = self.entries().get_mut(stack) {
            entry.claimed.remove(&(kind, name.to_owned()));
        }
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
    fn a_claim_holds_for_its_stack_until_it_is_given_up_or_forgotten() {
        const STACK: &str = "ns/shop/1";
        let ledger = Ledger::default();
        ledger.claim(STACK, "Service", "shop-backend", "uid");
        let claimed = |stack| ledger.claimed(stack, "Service", "shop-backend");
        assert_eq!(claimed(STACK).as_deref(), Some("uid"));
        assert_eq!(claimed("ns/shop/2"), None);
        ledger.unclaim(STACK, "Service", "shop-backend");
        assert_eq!(claimed(STACK), None);
        ledger.claim(STACK, "Service", "shop-backend", "uid");
        ledger.forget("ns/shop");
        assert_eq!(claimed(STACK), None);
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
