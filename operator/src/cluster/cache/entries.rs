//! What is remembered of one stack, and when it still counts.
//!
//! Invariant: pure; what the watches see is an argument. It is lean, because it is kept of every stack: of an answer only
//! what gates judge, and of a record its text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::JobTemplateSpec;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use kube::api::ObjectMeta;
use sha2::{Digest as _, Sha256};

use crate::cluster::cache::{Key, Propagation};
use crate::model::identity::ManifestsHash;
use crate::model::object::Object;
use crate::model::secret::SecretData;
use crate::runtime::kind::kind;
use crate::runtime::versions::{Known, Version, Versions};

/// What is remembered of one stack.
#[derive(Debug)]
pub(super) struct Entries {
    /// Until when it is trusted.
    pub(super) until: Instant,
    pub(super) claimed: BTreeMap<Key, String>,
    pub(super) records: Option<(Versions, Vec<KeptRecord>)>,
    pub(super) manifests: BTreeMap<ManifestsHash, Arc<str>>,
    pub(super) propagation: Propagation,
    applied: BTreeMap<Key, Entry>,
    reads: BTreeMap<Key, Read>,
    pruned: BTreeMap<&'static str, Pruned>,
}

/// What is remembered of a kind that was pruned.
#[derive(Debug)]
struct Pruned {
    /// The names of what was kept.
    kept: BTreeSet<String>,
    /// The UIDs of what was there beside it.
    others: BTreeSet<String>,
}

/// What is remembered of an object that was applied.
#[derive(Debug)]
struct Entry {
    hash: Hash,
    version: Version,
    /// What gates judge of the answer; `None` of kinds that they do not look at.
    judged: Option<Object>,
}

type Hash = [u8; 32];

/// What is remembered of an object that was read.
#[derive(Debug)]
struct Read {
    /// `None` if there was none.
    version: Option<Version>,
    content: Content,
    /// Whether we have written to it since, and do not know that this changed nothing.
    stale: bool,
}

/// What an object holds that specs refer to.
#[derive(Clone, Debug)]
pub enum Content {
    /// There is no such object.
    Absent,
    /// The values of a Secret, and the keys of those that are no text.
    Secret(SecretData, BTreeSet<String>),
    /// The values of a ConfigMap, and the keys of those that are no text.
    ConfigMap(BTreeMap<String, String>, BTreeSet<String>),
}

/// A record as the API server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    /// The name of its object.
    pub name: String,
    /// The order of verification.
    pub revision: i64,
    /// When it was written down.
    pub since: Option<Timestamp>,
    /// The images whose assets a release serves beside its own.
    pub assets: Vec<String>,
    /// The UID of what controls its object: of an AppStack.
    pub controller: Option<String>,
    /// The UID of what its object goes with.
    pub owner: Option<String>,
    /// The hash of the objects of a release as they were rendered.
    pub manifests: Option<ManifestsHash>,
    /// The record as JSON: what it is made of takes several times as much.
    pub text: Box<str>,
}

impl Entries {
    pub(super) fn new(until: Instant) -> Self {
        Self {
            until,
            claimed: BTreeMap::new(),
            records: None,
            manifests: BTreeMap::new(),
            propagation: Propagation::default(),
            applied: BTreeMap::new(),
            reads: BTreeMap::new(),
            pruned: BTreeMap::new(),
        }
    }

    /// The live object, if `wanted` was applied and is still as it was answered.
    pub(super) fn unchanged(&self, wanted: &Object, seen: &Known) -> Option<Object> {
        let entry = self.entry(wanted)?;
        let same = *seen == Known::At(entry.version.clone());
        same.then(|| entry.judged.as_ref().unwrap_or(wanted).clone())
    }

    /// Whether `wanted` was applied and nothing else since.
    pub(super) fn was_applied(&self, wanted: &Object) -> bool {
        self.entry(wanted).is_some()
    }

    fn entry(&self, wanted: &Object) -> Option<&Entry> {
        let entry = self.applied.get(&key(wanted))?;
        (hash(wanted)? == entry.hash).then_some(entry)
    }

    pub(super) fn note_applied(&mut self, wanted: &Object, answer: &Object) {
        let version = answer
            .metadata()
            .and_then(|it| Version::of(wanted.kind(), it));
        let known = version.zip(hash(wanted));
        // What was not answered by the API server, such as a Job that is about to be made, is in no state.
        if let Some((version, hash)) = known {
            if let Some(read) = self.reads.get_mut(&key(wanted)) {
                read.stale &= read.version.as_ref() != Some(&version);
            }
            let entry = Entry {
                hash,
                version,
                judged: judged(answer),
            };
            self.applied.insert(key(wanted), entry);
        }
    }

    pub(super) fn invalidate(&mut self, key: &Key) {
        self.applied.remove(key);
        if let Some(read) = self.reads.get_mut(key) {
            read.stale = true;
        }
        if key.0 == kind::<ControllerRevision>() {
            self.records = None;
        }
    }

    pub(super) fn content(&self, key: &Key, seen: &Known) -> Option<Content> {
        let read = self.reads.get(key).filter(|it| !it.stale)?;
        let then = read.version.clone().map_or(Known::Absent, Known::At);
        (*seen == then).then(|| read.content.clone())
    }

    pub(super) fn note_read(&mut self, key: Key, version: Option<Version>, found: &Content) {
        let read = Read {
            version,
            content: found.clone(),
            stale: false,
        };
        self.reads.insert(key, read);
    }

    pub(super) fn read_only(&mut self, kind: &'static str, wanted: &BTreeSet<String>) {
        self.reads
            .retain(|(of, name), _| *of != kind || wanted.contains(name));
    }

    /// What is seen of a kind and was not there when it was pruned has come since.
    pub(super) fn is_pruned(
        &self,
        kind: &'static str,
        kept: &BTreeSet<String>,
        seen: &Versions,
    ) -> bool {
        let Some(pruned) = self.pruned.get(kind) else {
            return false;
        };
        let mut rest = seen.iter().filter(|(name, _)| !kept.contains(*name));
        pruned.kept == *kept && rest.all(|(_, version)| pruned.others.contains(&*version.uid))
    }

    pub(super) fn note_pruned(
        &mut self,
        kind: &'static str,
        kept: BTreeSet<String>,
        others: BTreeSet<String>,
    ) {
        self.pruned.insert(kind, Pruned { kept, others });
    }

    pub(super) fn records(&self, seen: &Versions) -> Option<Vec<KeptRecord>> {
        let (versions, records) = self.records.as_ref()?;
        (versions == seen).then(|| records.clone())
    }
}

fn key(object: &Object) -> Key {
    (object.kind(), object.name())
}

/// The hash of all that we say of an object. It may be a Secret, so it must not lead back to what it was made of.
fn hash(object: &Object) -> Option<Hash> {
    let text = serde_json::to_vec(object).ok()?;
    Some(Sha256::digest(text).into())
}

/// What gates judge of an answer.
fn judged(answer: &Object) -> Option<Object> {
    let mut answer = answer.clone();
    match &mut answer {
        Object::Deployment(it) => {
            strip(
                &mut it.metadata,
                it.spec.as_mut().map(|it| &mut it.template),
            );
        }
        Object::StatefulSet(it) => {
            strip(
                &mut it.metadata,
                it.spec.as_mut().map(|it| &mut it.template),
            );
        }
        Object::Job(it) => {
            strip(
                &mut it.metadata,
                it.spec.as_mut().map(|it| &mut it.template),
            );
        }
        Object::PersistentVolumeClaim(it) => strip(&mut it.metadata, None),
        Object::Certificate(it) => strip(&mut it.metadata, None),
        Object::HTTPRoute(it) => strip(&mut it.metadata, None),
        Object::CronJob(it) => {
            strip(&mut it.metadata, None);
            it.spec.get_or_insert_default().job_template = JobTemplateSpec::default();
        }
        _ => return None,
    }
    Some(answer)
}

/// Takes away what is large and judged by nobody: of a template the names of its containers are left.
fn strip(metadata: &mut ObjectMeta, template: Option<&mut PodTemplateSpec>) {
    metadata.managed_fields = None;
    if let Some(template) = template {
        let containers = template.spec.take().map(|it| it.containers);
        let named = |it: Container| Container {
            name: it.name,
            ..Container::default()
        };
        template.metadata = None;
        template.spec = Some(PodSpec {
            containers: containers.into_iter().flatten().map(named).collect(),
            ..PodSpec::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: &str = "shop-backend";

    fn version(resource_version: &str) -> Version {
        Version {
            uid: "uid".into(),
            resource_version: resource_version.into(),
        }
    }

    fn seen(resource_version: &str) -> Known {
        Known::At(version(resource_version))
    }

    fn deployment(image: &str, answer: serde_json::Value) -> Object {
        let mut object = json!({
            "metadata": {"name": NAME},
            "spec": {
                "replicas": 2, "selector": {},
                "template": {"spec": {"containers": [{"name": "backend", "image": image}]}},
            },
        });
        json_merge(&mut object, answer);
        Object::Deployment(serde_json::from_value(object).unwrap())
    }

    fn json_merge(into: &mut serde_json::Value, from: serde_json::Value) {
        match (into, from) {
            (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
                for (key, value) in from {
                    json_merge(into.entry(key).or_insert(serde_json::Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }

    fn answer(image: &str, resource_version: &str) -> Object {
        let metadata = json!({
            "uid": "uid", "resourceVersion": resource_version, "generation": 3,
            "managedFields": [{"manager": "somebody"}],
        });
        deployment(
            image,
            json!({"metadata": metadata, "status": {"availableReplicas": 2}}),
        )
    }

    fn secret(answer: &ObjectMeta) -> Object {
        let mut secret = k8s_openapi::api::core::v1::Secret::default();
        secret.metadata.clone_from(answer);
        secret.metadata.name = Some(NAME.into());
        Object::Secret(Box::new(secret))
    }

    #[test]
    fn an_object_is_known_while_neither_we_nor_anybody_else_changes_it() {
        let mut entries = Entries::new(Instant::now());
        let wanted = deployment("a:1", json!({}));
        entries.note_applied(&wanted, &answer("a:1", "7"));
        assert!(entries.unchanged(&wanted, &seen("7")).is_some());
        for moved in [seen("8"), Known::Absent, Known::Unknown] {
            assert!(entries.unchanged(&wanted, &moved).is_none(), "{moved:?}");
        }
        let other = deployment("a:2", json!({}));
        assert!(entries.unchanged(&other, &seen("7")).is_none());
        let applied = |entries: &Entries| [&wanted, &other].map(|it| entries.was_applied(it));
        assert_eq!(applied(&entries), [true, false]);
        entries.invalidate(&("Deployment", NAME.into()));
        assert!(entries.unchanged(&wanted, &seen("7")).is_none());
        assert_eq!(applied(&entries), [false, false]);
    }

    #[test]
    fn what_gates_judge_is_kept_and_the_rest_is_not() {
        let mut entries = Entries::new(Instant::now());
        let wanted = deployment("a:1", json!({}));
        entries.note_applied(&wanted, &answer("a:1", "7"));
        let Some(Object::Deployment(known)) = entries.unchanged(&wanted, &seen("7")) else {
            panic!("it is not known");
        };
        assert_eq!(known.metadata.generation, Some(3));
        assert_eq!(known.status.unwrap().available_replicas, Some(2));
        let spec = known.spec.unwrap();
        assert_eq!(spec.replicas, Some(2));
        let names = json!({"spec": {"containers": [{"name": "backend"}]}});
        assert_eq!(json!(spec.template), names);
        assert_eq!(known.metadata.managed_fields, None);
    }

    #[test]
    fn what_no_api_server_answered_is_not_remembered() {
        let mut entries = Entries::new(Instant::now());
        let wanted = deployment("a:1", json!({}));
        entries.note_applied(&wanted, &wanted);
        for known in [Known::Absent, Known::Unknown] {
            assert!(entries.unchanged(&wanted, &known).is_none());
        }
    }

    #[test]
    fn a_secret_that_we_wrote_to_is_read_again_unless_that_changed_nothing() {
        let key = || ("Secret", NAME.to_owned());
        let mut entries = Entries::new(Instant::now());
        entries.note_read(
            key(),
            Some(version("7")),
            &Content::Secret(SecretData::new(), BTreeSet::new()),
        );
        assert!(entries.content(&key(), &seen("7")).is_some());
        assert!(entries.content(&key(), &seen("8")).is_none());

        entries.invalidate(&key());
        assert!(entries.content(&key(), &seen("7")).is_none());
        let answered = |resource_version: &str| ObjectMeta {
            uid: Some("uid".into()),
            resource_version: Some(resource_version.into()),
            ..ObjectMeta::default()
        };
        let wanted = secret(&ObjectMeta::default());
        entries.note_applied(&wanted, &secret(&answered("8")));
        assert!(entries.content(&key(), &seen("7")).is_none());
        entries.note_applied(&wanted, &secret(&answered("7")));
        assert!(entries.content(&key(), &seen("7")).is_some());
    }

    #[test]
    fn that_there_is_none_is_known_until_one_is_made() {
        let key = || ("Secret", NAME.to_owned());
        let mut entries = Entries::new(Instant::now());
        assert!(entries.content(&key(), &Known::Absent).is_none());
        entries.note_read(key(), None, &Content::Absent);
        assert!(entries.content(&key(), &Known::Absent).is_some());
        assert!(entries.content(&key(), &Known::Unknown).is_none());
        // The watch may not have seen it yet.
        entries.invalidate(&key());
        assert!(entries.content(&key(), &Known::Absent).is_none());
    }

    #[test]
    fn a_kind_is_pruned_again_when_other_names_are_kept_or_something_has_come() {
        let mut entries = Entries::new(Instant::now());
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        let seen = |all: &[(&str, &str)]| -> Versions {
            let version = |uid: &str| Version {
                uid: uid.into(),
                resource_version: "1".into(),
            };
            let all = all.iter();
            all.map(|(name, uid)| ((*name).to_owned(), version(uid)))
                .collect()
        };
        let kept: BTreeSet<String> = names(&["kept"]);
        assert!(!entries.is_pruned("Service", &kept, &seen(&[])));
        entries.note_pruned("Service", kept.clone(), names(&["gone"]));
        // The watch may not have seen yet that it is gone.
        let late = [("kept", "1"), ("old", "gone")];
        assert!(entries.is_pruned("Service", &kept, &seen(&late)));
        let back = [("kept", "2"), ("old", "again")];
        assert!(!entries.is_pruned("Service", &kept, &seen(&back)));
        assert!(!entries.is_pruned("Service", &names(&["kept", "new"]), &seen(&[])));
        assert!(!entries.is_pruned("Secret", &kept, &seen(&[])));
    }

    #[test]
    fn records_are_listed_again_when_one_moves_or_is_written() {
        let mut entries = Entries::new(Instant::now());
        let versions = Versions::from([("shop-1".to_owned(), version("1"))]);
        entries.records = Some((versions.clone(), Vec::new()));
        assert!(entries.records(&versions).is_some());
        assert!(entries.records(&Versions::new()).is_none());
        entries.invalidate(&("ControllerRevision", "shop-2".into()));
        assert!(entries.records(&versions).is_none());
    }
}
