//! Facts that must outlive the objects they are about: a release passed its gates or failed, a migration or the seed
//! was done, images were pulled.
//!
//! Invariant: pure. Each fact is a `ControllerRevision` of its own, which the API server keeps from being changed;
//! `apply` writes it and `gather` reads it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::ResourceExt as _;
use serde::Deserialize;

use crate::api::{MANAGER, UNPRUNED, annotation, label};
use crate::model::child_name::ChildName;
use crate::model::fact::Record;
use crate::model::hash::canonical;
use crate::model::identity::ManifestsHash;
use crate::model::names::Names;

/// The name of a record.
#[must_use]
pub fn name(names: &Names, record: &Record) -> ChildName {
    match record {
        Record::Release { hash, .. } => names.release(hash),
        Record::Manifests { manifests, .. } => names.manifests(&manifests.hash()),
        Record::Database { choice, .. } => names.database_record(choice),
        Record::Failure(failure) => names.failure(&failure.release, &failure.attempt),
        Record::Migration { hash, data, .. } => names.migration_record(hash, data.as_ref()),
        Record::Role(login) => names.role_record(login),
        Record::Revocation { logins } => names.revocation(logins),
        Record::Seed { data } => names.seed_record(data.as_ref()),
        Record::Hold(_) => names.data_hold(),
        Record::Pulled { hash } => names.pull(hash),
    }
}

/// The version of what is written. A record of a later one is not read, and whoever cannot read a record may not act as if it
/// was not there.
const VERSION: u64 = 1;

/// The labels of all records of a stack but its manifests, which are large and read by name, as text for a list.
#[must_use]
pub fn selector(names: &Names) -> String {
    format!("{}={},{}", label::STACK, names.stack(), label::RECORD)
}

/// The object that keeps a record. `revision` orders releases and is 1 for the others.
#[must_use]
pub fn object(
    names: &Names,
    namespace: &str,
    owner: Option<OwnerReference>,
    record: &Record,
    revision: i64,
) -> ControllerRevision {
    let kind = match record {
        Record::Release { .. } => "release",
        Record::Manifests { .. } => "manifests",
        Record::Database { .. } => "database",
        Record::Failure(_) => "failure",
        Record::Migration { .. } => "migration",
        Record::Role(_) => "role",
        Record::Revocation { .. } => "revocation",
        Record::Seed { .. } => "seed",
        Record::Hold(_) => "hold",
        Record::Pulled { .. } => "pulled",
    };
    let mut data = serde_json::json!(record);
    data["version"] = VERSION.into();
    let key = match record {
        Record::Manifests { .. } => label::MANIFESTS,
        _ => label::RECORD,
    };
    let labels = [
        (label::STACK, names.stack()),
        (label::MANAGED_BY, MANAGER),
        (key, kind),
    ];
    let outlives = owner.as_ref().is_none_or(|it| it.controller != Some(true));
    ControllerRevision {
        metadata: ObjectMeta {
            annotations: annotations(record).or_else(|| outlives.then(unpruned)),
            name: Some(name(names, record).into()),
            namespace: Some(namespace.into()),
            labels: Some(
                labels
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            owner_references: owner.map(|it| vec![it]),
            ..ObjectMeta::default()
        },
        data: Some(RawExtension(data)),
        revision,
    }
}

/// The marks of what outlives its AppStack.
#[must_use]
pub fn unpruned() -> BTreeMap<String, String> {
    UNPRUNED
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// What of a record may change.
#[must_use]
pub fn annotations(record: &Record) -> Option<BTreeMap<String, String>> {
    let Record::Release {
        assets, manifests, ..
    } = record
    else {
        return None;
    };
    let assets = (!assets.is_empty()).then(|| (annotation::ASSETS.to_owned(), assets.join(",")));
    let manifests = manifests.clone();
    let manifests = manifests.map(|it| (annotation::MANIFESTS.to_owned(), it.into()));
    Some(assets.into_iter().chain(manifests).collect())
}

/// The hash of the objects of a release as they were rendered, as the object of its record says.
#[must_use]
pub fn manifests(revision: &ControllerRevision) -> Option<ManifestsHash> {
    let annotations = revision.annotations();
    let hash = annotations.get(annotation::MANIFESTS).cloned();
    hash.map(ManifestsHash::of_annotation)
}

/// The images whose assets a release serves beside its own, as the object of its record says.
#[must_use]
pub fn assets(revision: &ControllerRevision) -> Vec<String> {
    let text = revision.annotations().get(annotation::ASSETS);
    let images = text.iter().flat_map(|it| it.split(','));
    images.map(str::to_owned).collect()
}

/// The hash of the objects of a release in the data of an object, as they are there and not as they are read.
#[must_use]
pub fn manifests_hash(data: &str) -> Option<ManifestsHash> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    Some(ManifestsHash::of(&[&canonical(&data["manifests"])]))
}

/// The record in the data of an object.
///
/// # Errors
/// Why it cannot be read, for people.
pub fn parse(data: &str) -> Result<Record, String> {
    #[derive(Deserialize)]
    struct Head {
        record: String,
        // Those of before there were versions have none.
        #[serde(default)]
        version: u64,
    }
    let head: Head =
        serde_json::from_str(data).map_err(|error| format!("it is no record: {error}"))?;
    let Head { record, version } = head;
    if version > VERSION {
        return Err(format!(
            "it is of version {version}, and this operator reads records up to version {VERSION}; a later one wrote it"
        ));
    }
    serde_json::from_str(data).map_err(|error| {
        format!("it is no record of kind {record:?} that this operator reads: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::model::fact::{Attempt, Failure, Login};

    fn login() -> Login {
        Login {
            role: "app_0123456789".into(),
            volume: Some("uid".into()),
            made_by: "job".into(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let records = [
            Record::Release {
                hash: "0123456789".into(),
                spec: Box::new(fixtures::spec("")),
                values: "s".into(),
                migration: Some("m".into()),
                ports: None,
                renewal: None,
                manifests: None,
                assets: Vec::new(),
            },
            Record::Failure(Failure {
                release: "0123456789".into(),
                attempt: Attempt {
                    generation: 7,
                    request: Some("again".into()),
                },
                stage: "backend".into(),
                reason: "ContainerCrashing".into(),
                message: "it ended".into(),
            }),
            Record::Migration {
                hash: "abc".into(),
                data: Some("uid".into()),
                head: Some("0042_prices".into()),
            },
            Record::Role(login()),
            Record::Revocation {
                logins: vec![login()],
            },
            Record::Seed { data: None },
            Record::Pulled { hash: "abc".into() },
        ];
        for record in records {
            let object = object(&Names::of("shop"), "ns", None, &record, 1);
            let data = object.data.unwrap().0.to_string();
            let read = parse(&data).unwrap();
            assert_eq!(serde_json::json!(read), serde_json::json!(record));
        }
    }

    #[test]
    fn what_else_a_release_serves_changes_without_its_data() {
        let written = |assets: &[&str]| {
            let record = Record::Release {
                hash: "0123456789".into(),
                spec: Box::new(fixtures::spec("")),
                values: "s".into(),
                migration: None,
                ports: None,
                renewal: None,
                manifests: None,
                assets: assets.iter().map(|&it| it.to_owned()).collect(),
            };
            let owner = OwnerReference::default();
            object(&Names::of("shop"), "ns", Some(owner.clone()), &record, 1)
        };
        let (none, two) = (written(&[]), written(&["a/c:1", "a/c:2"]));
        assert_eq!(none.data, two.data);
        assert_eq!(assets(&none), [""; 0]);
        assert_eq!(assets(&two), ["a/c:1", "a/c:2"]);
    }
}
