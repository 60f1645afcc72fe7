//! What the watches saw last of each object: its UID, its resourceVersion and a few labels.
//!
//! Invariant: it keeps nothing else, so that a cluster full of Secrets costs little memory; a store of whole metadata
//! costs several times as much. It lags behind the API server and may do so for long, so it is good for one question
//! alone: whether an object is still the one that somebody remembers.

mod version;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::PartialObjectMetaExt as _;
use kube::runtime::watcher::Event;

pub use self::version::Version;

/// What the watches of all kinds saw.
#[derive(Debug, Default)]
pub struct WatchedVersions(Mutex<HashMap<Place, Arc<KindVersions>>>);

/// A kind, and the namespace that is watched; `None` where all are.
type Place = (&'static str, Option<String>);

/// The states of objects, by name.
pub type Versions = BTreeMap<String, Version>;

/// What was seen of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody looks at objects of this kind here, the first list of them is not in yet, or the watch has failed and does
    /// not go on yet.
    Unknown,
    /// There is none of that name.
    Absent,
    /// It was last seen in this state.
    At(Version),
}

impl WatchedVersions {
    /// Where a watch puts what it sees of a kind. Of labels only those of the `labels` are kept.
    pub fn watch(
        &self,
        kind: &'static str,
        namespace: Option<&str>,
        labels: &'static [&'static str],
    ) -> Arc<KindVersions> {
        let watched = Arc::new(KindVersions {
            kind,
            labels,
            content: Mutex::default(),
        });
        let place = (kind, namespace.map(str::to_owned));
        self.kinds().insert(place, watched.clone());
        watched
    }

    /// Forgets what a watch saw that has ended: nobody looks there any more.
    pub fn close(&self, kind: &'static str, namespace: Option<&str>) {
        let place = (kind, namespace.map(str::to_owned));
        self.kinds().remove(&place);
    }

    /// What was seen of an object.
    #[must_use]
    pub fn of(&self, kind: &'static str, namespace: &str, name: &str) -> Known {
        self.look(kind, namespace, |content| {
            let found = content.objects.get(namespace).and_then(|it| it.get(name));
            found.map_or(Known::Absent, |it| Known::At(it.version.clone()))
        })
        .unwrap_or(Known::Unknown)
    }

    /// Everything of a kind in a namespace that has all of these labels; `None` if nobody looks there.
    #[must_use]
    pub fn labelled(
        &self,
        kind: &'static str,
        namespace: &str,
        labels: &[(&str, &str)],
    ) -> Option<Versions> {
        let has = |it: &Seen| labels.iter().all(|label| it.has(*label));
        self.look(kind, namespace, |content| content.versions(namespace, has))
    }

    /// Everything of a kind that has no namespace, as it is seen by those who look into `from`; `None` if nobody does.
    #[must_use]
    pub fn cluster_wide(&self, kind: &'static str, from: &str) -> Option<Versions> {
        self.look(kind, from, |content| content.versions("", |_| true))
    }

    /// Looks at what is seen of a kind in a namespace.
    fn look<T>(
        &self,
        kind: &'static str,
        namespace: &str,
        look: impl FnOnce(&Content) -> T,
    ) -> Option<T> {
        let watched = {
            let kinds = self.kinds();
            let of_one = kinds.get(&(kind, Some(namespace.to_owned())));
            of_one.or_else(|| kinds.get(&(kind, None))).cloned()
        }?;
        let content = watched.content();
        content.is_known().then(|| look(&content))
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<Place, Arc<KindVersions>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one watch saw.
#[derive(Debug)]
pub struct KindVersions {
    kind: &'static str,
    labels: &'static [&'static str],
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    /// By namespace, which is empty for kinds without one, and by name.
    objects: HashMap<Box<str>, HashMap<Box<str>, Seen>>,
    /// Which list of the watch this is; what was not seen since it began is gone.
    list: u32,
    /// Whether a list came to its end, and the watch has gone on without a gap since.
    complete: bool,
    /// Whether the watch failed and was not taken up again. A watch that is refused may stay so for days.
    interrupted: bool,
}

#[derive(Debug)]
struct Seen {
    version: Version,
    labels: Box<[(&'static str, Box<str>)]>,
    list: u32,
}

impl KindVersions {
    /// Notes an event of the watch, and gives the objects that it touches. Those that vanished while nobody watched
    /// are among them once a new list is complete, with the labels that are kept. Those that are in the state in which they
    /// were seen last are not: after an outage every watch lists everything again, and nobody needs to be woken by that.
    pub fn note<K>(&self, event: Event<PartialObjectMeta<K>>) -> Vec<PartialObjectMeta<K>> {
        let mut content = self.content();
        match event {
            Event::Init => {
                content.list = content.list.wrapping_add(1);
                Vec::new()
            }
            // Whoever is woken by it must see it, so it cannot wait for the end of the list.
            Event::InitApply(it) => content.told(self, it),
            Event::Apply(it) => {
                content.interrupted = false;
                content.told(self, it)
            }
            Event::Delete(it) => {
                content.interrupted = false;
                content.remove(&it.metadata);
                vec![it]
            }
            Event::InitDone => {
                content.complete = true;
                content.interrupted = false;
                let gone = content.sweep().into_iter();
                gone.map(ObjectMeta::into_response_partial).collect()
            }
        }
    }

    /// Notes that the watch failed: nothing that it saw is known until it goes on, or until the next complete list if it
    /// cannot go on from where it was.
    pub fn interrupted(&self, leaves_gap: bool) {
        let mut content = self.content();
        content.interrupted = true;
        content.complete &= !leaves_gap;
    }

    /// Notes that the API server has taken up the watch, from where it was.
    pub fn resumed(&self) {
        self.content().interrupted = false;
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic elsewhere leaves it whole: each change is one insertion or removal.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn is_known(&self) -> bool {
        self.complete && !self.interrupted
    }

    /// Keeps what is seen of an object, and gives it if it is in another state than before. Whom it has told by a label that it
    /// has lost since is told as well.
    fn told<K>(
        &mut self,
        watched: &KindVersions,
        it: PartialObjectMeta<K>,
    ) -> Vec<PartialObjectMeta<K>> {
        let Some(now) = self.seen(watched, &it.metadata) else {
            // Nobody knows what state it is in.
            return vec![it];
        };
        let namespace = it.metadata.namespace.as_deref().unwrap_or_default();
        let name = it.metadata.name.as_deref().unwrap_or_default();
        let objects = self.objects.entry(namespace.into()).or_default();
        let (version, labels) = (now.version.clone(), now.labels.clone());
        let before = objects.insert(name.into(), now);
        let has_moved = |before: &Seen| before.version != version;
        if !before.as_ref().is_none_or(has_moved) {
            return Vec::new();
        }
        let has_lost = |before: &Seen| before.labels.iter().any(|it| !labels.contains(it));
        let lost = before.filter(has_lost);
        let lost = lost.map(|it| it.metadata(namespace, name).into_response_partial());
        [it].into_iter().chain(lost).collect()
    }

    /// What is kept of an object; `None` of what no API server answered.
    fn seen(&self, watched: &KindVersions, metadata: &ObjectMeta) -> Option<Seen> {
        let all = metadata.labels.as_ref();
        let value = |key: &str| Some(all?.get(key)?.as_str().into());
        let labels = watched.labels.iter();
        Some(Seen {
            version: Version::of(watched.kind, metadata)?,
            labels: labels.filter_map(|key| Some((*key, value(key)?))).collect(),
            list: self.list,
        })
    }

    fn remove(&mut self, metadata: &ObjectMeta) {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        if let Some(objects) = self.objects.get_mut(namespace) {
            objects.remove(name);
            if objects.is_empty() {
                self.objects.remove(namespace);
            }
        }
    }

    /// Drops what the last list did not hold.
    fn sweep(&mut self) -> Vec<ObjectMeta> {
        let list = self.list;
        let mut gone = Vec::new();
        self.objects.retain(|namespace, objects| {
            let old = objects.extract_if(|_, seen| seen.list != list);
            gone.extend(old.map(|(name, seen)| seen.metadata(namespace, &name)));
            !objects.is_empty()
        });
        gone
    }

    fn versions(&self, namespace: &str, wanted: impl Fn(&Seen) -> bool) -> Versions {
        let objects = self.objects.get(namespace).into_iter().flatten();
        objects
            .filter(|(_, seen)| wanted(seen))
            .map(|(name, seen)| (name.to_string(), seen.version.clone()))
            .collect()
    }
}

impl Seen {
    fn has(&self, label: (&str, &str)) -> bool {
        let mut labels = self.labels.iter();
        labels.any(|(key, value)| (*key, &**value) == label)
    }

    fn metadata(&self, namespace: &str, name: &str) -> ObjectMeta {
        let labels = self.labels.iter();
        ObjectMeta {
            name: Some(name.into()),
            namespace: (!namespace.is_empty()).then(|| namespace.into()),
            labels: Some(
                labels
                    .map(|(key, value)| ((*key).to_owned(), value.to_string()))
                    .collect(),
            ),
            ..ObjectMeta::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};
    use k8s_openapi::jiff::Timestamp;
    use kube::ResourceExt as _;

    use super::*;

    const OWNER: &str = "owner";

    fn service(name: &str, version: &str) -> PartialObjectMeta<Service> {
        let labels = [(OWNER, "shop"), ("other", "long and of no use")];
        let metadata = ObjectMeta {
            name: Some(name.into()),
            namespace: Some("ns".into()),
            uid: Some(format!("uid-{name}")),
            resource_version: Some(version.into()),
            labels: Some(labels.map(|(key, value)| (key.into(), value.into())).into()),
            ..ObjectMeta::default()
        };
        metadata.into_response_partial()
    }

    fn listed(
        watched: &KindVersions,
        services: &[(&str, &str)],
    ) -> Vec<PartialObjectMeta<Service>> {
        assert!(watched.note::<Service>(Event::Init).is_empty());
        for (name, version) in services {
            watched.note(Event::InitApply(service(name, version)));
        }
        watched.note(Event::InitDone)
    }

    fn versions(namespace: Option<&str>) -> (WatchedVersions, Arc<KindVersions>) {
        let versions = WatchedVersions::default();
        let watched = versions.watch("Service", namespace, &[OWNER]);
        (versions, watched)
    }

    fn seen(versions: &WatchedVersions, name: &str) -> Option<String> {
        match versions.of("Service", "ns", name) {
            Known::At(version) => Some(version.resource_version.into()),
            _ => None,
        }
    }

    #[test]
    fn nothing_is_known_before_the_first_list_is_complete() {
        let (versions, watched) = versions(None);
        assert_eq!(versions.of("Service", "ns", "a"), Known::Unknown);
        watched.note::<Service>(Event::Init);
        watched.note(Event::InitApply(service("a", "1")));
        assert_eq!(versions.of("Service", "ns", "a"), Known::Unknown);
        assert_eq!(versions.labelled("Service", "ns", &[(OWNER, "shop")]), None);
        watched.note::<Service>(Event::InitDone);
        assert_eq!(seen(&versions, "a").as_deref(), Some("1"));
        assert_eq!(versions.of("Service", "ns", "b"), Known::Absent);
        assert_eq!(versions.of("Secret", "ns", "a"), Known::Unknown);
    }

    #[test]
    fn events_are_followed() {
        let (versions, watched) = versions(Some("ns"));
        listed(&watched, &[("a", "1")]);
        watched.note(Event::Apply(service("a", "2")));
        assert_eq!(seen(&versions, "a").as_deref(), Some("2"));
        watched.note(Event::Delete(service("a", "3")));
        assert_eq!(versions.of("Service", "ns", "a"), Known::Absent);
        assert_eq!(versions.of("Service", "elsewhere", "a"), Known::Unknown);
    }

    #[test]
    fn nothing_is_known_while_the_watch_is_interrupted() {
        let (versions, watched) = versions(None);
        listed(&watched, &[("a", "1")]);
        let goes_on: [fn(&KindVersions); 3] = [
            KindVersions::resumed,
            |it| drop(it.note(Event::Apply(service("b", "2")))),
            |it| drop(it.note(Event::Delete(service("b", "2")))),
        ];
        for goes_on in goes_on {
            watched.interrupted(false);
            assert_eq!(versions.of("Service", "ns", "a"), Known::Unknown);
            assert_eq!(versions.labelled("Service", "ns", &[]), None);
            goes_on(&watched);
            assert_eq!(seen(&versions, "a").as_deref(), Some("1"));
        }
    }

    #[test]
    fn after_a_gap_only_a_complete_list_is_believed() {
        let (versions, watched) = versions(None);
        listed(&watched, &[("a", "1")]);
        watched.interrupted(true);
        watched.resumed();
        watched.note(Event::Apply(service("a", "2")));
        assert_eq!(versions.of("Service", "ns", "a"), Known::Unknown);
        listed(&watched, &[("a", "2")]);
        assert_eq!(seen(&versions, "a").as_deref(), Some("2"));
    }

    #[test]
    fn what_a_new_list_brings_is_seen_at_once_and_what_it_lacks_is_told_at_its_end() {
        let (versions, watched) = versions(None);
        listed(&watched, &[("a", "1"), ("b", "1")]);
        watched.note::<Service>(Event::Init);
        watched.note(Event::InitApply(service("a", "2")));
        assert_eq!(seen(&versions, "a").as_deref(), Some("2"));
        assert_eq!(seen(&versions, "b").as_deref(), Some("1"));
        let gone = watched.note::<Service>(Event::InitDone);
        assert_eq!(versions.of("Service", "ns", "b"), Known::Absent);
        let [gone] = gone.as_slice() else {
            panic!("{gone:?}");
        };
        assert_eq!(
            (gone.name_any(), gone.namespace()),
            ("b".into(), Some("ns".into()))
        );
        assert_eq!(gone.labels().get(OWNER).map(String::as_str), Some("shop"));
    }

    #[test]
    fn what_a_list_after_an_outage_finds_unmoved_wakes_nobody() {
        let (versions, watched) = versions(None);
        listed(&watched, &[("a", "1"), ("b", "1")]);
        watched.interrupted(true);
        watched.note::<Service>(Event::Init);
        let told = |name, version| {
            let event = Event::InitApply(service(name, version));
            watched.note(event).len()
        };
        assert_eq!((told("a", "1"), told("b", "2"), told("c", "2")), (0, 1, 1));
        assert!(watched.note::<Service>(Event::InitDone).is_empty());
        assert_eq!(seen(&versions, "a").as_deref(), Some("1"));
    }

    #[test]
    fn what_loses_a_label_is_told_as_it_was_too() {
        let (_versions, watched) = versions(None);
        listed(&watched, &[("a", "1")]);
        let mut without = service("a", "2");
        without.metadata.labels = None;
        let told = watched.note(Event::Apply(without));
        let owners: Vec<_> = told.iter().map(|it| it.labels().get(OWNER)).collect();
        assert_eq!(owners, [None, Some(&"shop".to_owned())]);
        assert_eq!(watched.note(Event::Apply(service("a", "3"))).len(), 1);
    }

    #[test]
    fn of_a_restless_kind_only_what_is_not_its_status_moves_it() {
        let versions = WatchedVersions::default();
        let watched = versions.watch("HorizontalPodAutoscaler", None, &[OWNER]);
        let autoscaler = |version: &str, second: i64, status: i64| {
            let mut it = service("a", version);
            let entry = |subresource: Option<&str>, second: i64| ManagedFieldsEntry {
                manager: Some("somebody".into()),
                subresource: subresource.map(str::to_owned),
                time: Some(Time(Timestamp::from_second(second).unwrap())),
                ..ManagedFieldsEntry::default()
            };
            let entries = vec![entry(None, second), entry(Some("status"), status)];
            it.metadata.managed_fields = Some(entries);
            it
        };
        let told = |it| watched.note(Event::Apply(it)).len();
        assert_eq!(told(autoscaler("1", 1, 1)), 1);
        watched.note::<Service>(Event::InitDone);
        let seen = || versions.of("HorizontalPodAutoscaler", "ns", "a");
        let before = seen();
        assert_eq!(told(autoscaler("2", 1, 2)), 0);
        assert_eq!(seen(), before);
        assert_eq!(told(autoscaler("3", 2, 2)), 1);
        assert_ne!(seen(), before);
    }

    #[test]
    fn objects_are_found_by_a_label_that_is_kept() {
        let (versions, watched) = versions(None);
        listed(&watched, &[("a", "1"), ("b", "7")]);
        let found = |label| versions.labelled("Service", "ns", &[label]).unwrap();
        let names: Vec<_> = found((OWNER, "shop")).into_keys().collect();
        assert_eq!(names, ["a", "b"]);
        assert!(found((OWNER, "other")).is_empty());
        assert!(found(("other", "long and of no use")).is_empty());
    }
}
