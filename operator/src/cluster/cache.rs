//! What this process knows it has done and read, so that it does not do or read it again.
//!
//! Invariant: forgetting it costs requests, never correctness; it is empty after each start. What is remembered counts
//! only while the watches still see the very state that the API server answered; while a watch is down, the API server is asked
//! for that state alone (`apply::confirm`). A watch may lag, so what we write is
//! invalidated before the request goes out: the next reconcile then reads or applies it again, whatever the watch says. Nothing
//! is deleted and no name taken on its word. Values of Secrets are kept as such, and only those that are referred to.

mod entries;
mod propagation;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::networking::v1::IngressClass;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;

use self::entries::Entries;
use crate::api::{AppStack, MANAGER, label};
use crate::model::identity::ManifestsHash;
use crate::model::object::Object;
use crate::runtime::backoff::spread;
use crate::runtime::kind::kind;
use crate::runtime::versions::{Known, Version, Versions, WatchedVersions};

pub use self::entries::{Content, KeptRecord};
pub use self::propagation::Propagation;

/// How long entries are trusted at most, should what the watches see be wrong in a way that nobody thought of. What all
/// stacks had read at a start is not read again by all of them at once: the end of it is left to chance.
const TRUST: Duration = Duration::from_hours(6);

/// The kind and the name of an object.
pub type Key = (&'static str, String);

/// What was done and read, by namespace, name and UID of the AppStack.
#[derive(Debug, Default)]
pub struct Cache {
    stacks: Mutex<HashMap<String, Entries>>,
    classes: Mutex<Classes>,
}

/// The IngressClasses of the last list, and which they were.
type Classes = Option<(Versions, Arc<Vec<IngressClass>>)>;

/// What is known of one stack, beside what the watches see.
pub struct StackCache<'a> {
    all: &'a Cache,
    versions: &'a WatchedVersions,
    /// An AppStack that was deleted and made again is another one.
    stack: String,
    namespace: String,
    name: String,
}

impl Cache {
    /// The cache of a stack. It is empty if it has not been for longer than entries are trusted.
    #[must_use]
    pub fn of_stack<'a>(&'a self, versions: &'a WatchedVersions, app: &AppStack) -> StackCache<'a> {
        self.of_stack_at(versions, app, Instant::now(), rand::random())
    }

    /// `jitter` is a random number from 0 to 1.
    fn of_stack_at<'a>(
        &'a self,
        versions: &'a WatchedVersions,
        app: &AppStack,
        now: Instant,
        jitter: f64,
    ) -> StackCache<'a> {
        let namespace = app.namespace().unwrap_or_default();
        let name = app.name_any();
        let stack = format!("{namespace}/{name}/{}", app.uid().unwrap_or_default());
        let mut stacks = lock(&self.stacks);
        let entries = stacks
            .entry(stack.clone())
            .or_insert_with(|| Entries::new(now + spread(TRUST, jitter)));
        if now > entries.until {
            *entries = Entries::new(now + spread(TRUST, jitter));
        }
        StackCache {
            all: self,
            versions,
            stack,
            namespace,
            name,
        }
    }

    /// Forgets a stack that is gone, whatever its UID was. `key` is `<namespace>/<name>`.
    pub fn forget(&self, key: &str) {
        let prefix = format!("{key}/");
        lock(&self.stacks).retain(|stack, _| !stack.starts_with(&prefix));
    }
}

impl StackCache<'_> {
    /// The UID of an object that is known to be the stack's.
    #[must_use]
    pub fn claimed(&self, kind: &'static str, name: &str) -> Option<String> {
        self.entries(|it| it.claimed.get(&(kind, name.to_owned())).cloned())
    }

    /// Notes that the object with this UID is the stack's.
    pub fn claim(&self, kind: &'static str, name: &str, uid: &str) {
        self.entries(|it| it.claimed.insert((kind, name.into()), uid.into()));
    }

    /// Notes that it is not known any more whose the object is.
    pub fn unclaim(&self, kind: &'static str, name: &str) {
        self.entries(|it| it.claimed.remove(&(kind, name.to_owned())));
    }

    /// The UID of an object of the stack's that the watches see as well.
    #[must_use]
    pub fn still_there(&self, kind: &'static str, name: &str) -> Option<String> {
        let Known::At(seen) = self.known(kind, name) else {
            return None;
        };
        self.claimed(kind, name).filter(|uid| **uid == *seen.uid)
    }

    /// Whether the watches see that there is no object of a name. Good for what would otherwise be asked in vain each time.
    #[must_use]
    pub fn is_absent(&self, kind: &'static str, name: &str) -> bool {
        self.known(kind, name) == Known::Absent
    }

    /// Whether everything of a kind but what is called as one of `kept` was deleted before, and the watches see nothing of
    /// the stack's that has come since.
    #[must_use]
    pub fn is_pruned(&self, kind: &'static str, kept: &BTreeSet<String>) -> bool {
        let ours = [(label::STACK, &*self.name), (label::MANAGED_BY, MANAGER)];
        let seen = self.versions.labelled(kind, &self.namespace, &ours);
        self.entries(|it| it.is_pruned(kind, kept, &seen.unwrap_or_default()))
    }

    /// Notes that everything of a kind but what is called as one of `kept` was deleted. `others` are the UIDs of what was
    /// there beside it: deleted, or somebody else's.
    pub fn pruned(&self, kind: &'static str, kept: BTreeSet<String>, others: BTreeSet<String>) {
        self.entries(|it| it.note_pruned(kind, kept, others));
    }

    /// The live object, if this very object was applied and has not moved since. Of kinds whose status nobody judges it is
    /// `wanted` itself; of the others only what is judged is there.
    #[must_use]
    pub fn unchanged(&self, wanted: &Object) -> Option<Object> {
        let seen = self.known(wanted.kind(), &wanted.name());
        self.entries(|it| it.unchanged(wanted, &seen))
    }

    /// Whether this very object was applied, and no watch can tell whether it has moved since.
    #[must_use]
    pub fn is_unwatched(&self, wanted: &Object) -> bool {
        let is_unknown = self.known(wanted.kind(), &wanted.name()) == Known::Unknown;
        is_unknown && self.entries(|it| it.was_applied(wanted))
    }

    /// The same as [`StackCache::unchanged`] by what the API server said of the object just now.
    #[must_use]
    pub fn unchanged_from(&self, wanted: &Object, found: &ObjectMeta) -> Option<Object> {
        let seen = Known::At(Version::of(wanted.kind(), found)?);
        self.entries(|it| it.unchanged(wanted, &seen))
    }

    /// Notes what the API server answered to an object.
    pub fn applied(&self, wanted: &Object, answer: &Object) {
        self.entries(|it| it.note_applied(wanted, answer));
    }

    /// What the ingress controller has yet to take up of the stack.
    pub fn propagation<T>(&self, use_it: impl FnOnce(&mut Propagation) -> T) -> T {
        self.entries(|it| use_it(&mut it.propagation))
    }

    /// Strikes out all that was known of an object's state. To be done before it is written to: of a request that
    /// fails nobody knows what it did.
    pub fn invalidate(&self, kind: &'static str, name: &str) {
        self.entries(|it| it.invalidate(&(kind, name.to_owned())));
    }

    /// What was read of a Secret or ConfigMap, if it has not moved since.
    #[must_use]
    pub fn content(&self, kind: &'static str, name: &str) -> Option<Content> {
        let seen = self.known(kind, name);
        self.entries(|it| it.content(&(kind, name.to_owned()), &seen))
    }

    /// Notes what was read of a Secret or ConfigMap, and in which state it was; `None` if there is none.
    pub fn read(&self, kind: &'static str, name: &str, version: Option<Version>, found: &Content) {
        self.entries(|it| it.note_read((kind, name.into()), version, found));
    }

    /// Forgets the contents of objects of a kind that nobody refers to any more.
    pub fn read_only(&self, kind: &'static str, wanted: &BTreeSet<String>) {
        self.entries(|it| it.read_only(kind, wanted));
    }

    /// The records of the last list, if they are all that there are.
    #[must_use]
    pub fn records(&self) -> Option<Vec<KeptRecord>> {
        let stack = [(label::STACK, self.name.as_str())];
        let seen = self
            .versions
            .labelled(kind::<ControllerRevision>(), &self.namespace, &stack)?;
        self.entries(|it| it.records(&seen))
    }

    /// Notes the records of a list.
    pub fn listed_records(&self, versions: Versions, records: Vec<KeptRecord>) {
        self.entries(|it| it.records = Some((versions, records)));
    }

    /// The IngressClasses of the last list, if they are all that there are.
    #[must_use]
    pub fn ingress_classes(&self) -> Option<Arc<Vec<IngressClass>>> {
        let seen = self
            .versions
            .cluster_wide(kind::<IngressClass>(), &self.namespace)?;
        let classes = lock(&self.all.classes);
        let (_, known) = classes.as_ref().filter(|(versions, _)| *versions == seen)?;
        Some(known.clone())
    }

    /// Notes the IngressClasses of a list; they are the same for all stacks.
    pub fn listed_ingress_classes(&self, versions: Versions, classes: Arc<Vec<IngressClass>>) {
        *lock(&self.all.classes) = Some((versions, classes));
    }

    /// The objects of a kept release under this hash, as JSON. What is named by its content never changes.
    #[must_use]
    pub fn manifests(&self, hash: &ManifestsHash) -> Option<Arc<str>> {
        self.entries(|it| it.manifests.get(hash).cloned())
    }

    /// Notes the objects of kept releases under their hashes; others are forgotten.
    pub fn read_manifests(&self, all: BTreeMap<ManifestsHash, Arc<str>>) {
        self.entries(|it| it.manifests = all);
    }

    fn known(&self, kind: &'static str, name: &str) -> Known {
        self.versions.of(kind, &self.namespace, name)
    }

    /// A stack that was forgotten meanwhile begins anew.
    fn entries<T>(&self, use_it: impl FnOnce(&mut Entries) -> T) -> T {
        let mut stacks = lock(&self.all.stacks);
        let entries = stacks.entry(self.stack.clone());
        use_it(entries.or_insert_with(|| Entries::new(Instant::now() + TRUST)))
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves it whole: each change is one insertion or removal.
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn app(uid: &str) -> AppStack {
        let mut app = fixtures::app("");
        app.metadata.uid = Some(uid.into());
        app
    }

    #[test]
    fn a_claim_holds_for_its_stack_until_it_is_given_up_or_forgotten() {
        let (cache, versions) = (Cache::default(), WatchedVersions::default());
        let ours = cache.of_stack(&versions, &app("1"));
        ours.claim("Service", "shop-backend", "uid");
        let claimed = |ours: &StackCache<'_>| ours.claimed("Service", "shop-backend");
        assert_eq!(claimed(&ours).as_deref(), Some("uid"));
        assert_eq!(claimed(&cache.of_stack(&versions, &app("2"))), None);
        ours.unclaim("Service", "shop-backend");
        assert_eq!(claimed(&ours), None);
        ours.claim("Service", "shop-backend", "uid");
        cache.forget("ns/shop");
        assert_eq!(claimed(&ours), None);
    }

    #[test]
    fn an_old_memory_is_not_trusted() {
        let (cache, versions) = (Cache::default(), WatchedVersions::default());
        let now = Instant::now();
        let claimed = |uid, at| {
            let ours = cache.of_stack_at(&versions, &app(uid), at, 1.0);
            ours.claimed("Service", "shop-backend")
        };
        for (uid, jitter, trusted) in [("1", 1.0, TRUST), ("2", 0.0, TRUST * 3 / 4)] {
            cache.of_stack_at(&versions, &app(uid), now, jitter).claim(
                "Service",
                "shop-backend",
                "uid",
            );
            assert!(claimed(uid, now + trusted).is_some());
            assert!(claimed(uid, now + trusted + Duration::from_secs(1)).is_none());
        }
    }
}
