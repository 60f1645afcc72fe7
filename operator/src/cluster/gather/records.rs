//! Reads records: what the objects that keep them say.
//!
//! Invariant: asks nothing of the API server. A record that cannot be read is noted as such, and never taken for one that is
//! not there.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt as _;

use crate::api::AppStack;
use crate::cluster::cache::KeptRecord;
use crate::model::fact::{Keeper, Record};
use crate::model::inputs::{MigrationRecord, Records, ReleaseRecord};
use crate::release::{data, record};

/// What is remembered of the object of a record.
pub(super) fn kept(revision: &ControllerRevision) -> KeptRecord {
    let data = revision.data.as_ref();
    let owners = revision.owner_references();
    let controller = owners.iter().find(|it| it.controller == Some(true));
    KeptRecord {
        controller: controller.map(|it| it.uid.clone()),
        owner: owners.first().map(|it| it.uid.clone()),
        revision: revision.revision,
        since: revision.creation_timestamp().map(|time| time.0),
        assets: record::assets(revision),
        manifests: record::manifests(revision),
        name: revision.name_any(),
        text: data.map(|it| it.0.to_string()).unwrap_or_default().into(),
    }
}

/// What the records say. Those of an AppStack of the same name that was deleted are about to go and say nothing.
pub(super) fn parsed(kept: &[KeptRecord], app: &AppStack) -> Records {
    let uid = app.metadata.uid.as_ref();
    let mut records = Records::default();
    for it in kept
        .iter()
        .filter(|it| it.controller.is_none() || it.controller.as_ref() == uid)
    {
        match record::parse(&it.text) {
            Ok(record) => {
                records.misplaced.extend(misplaced(it, &record, app));
                note(&mut records, it, record);
            }
            Err(why) => records.unreadable.push(format!("{}: {why}", it.name)),
        }
    }
    records
}

/// The name of a record and what it should go with, if it does not.
fn misplaced(kept: &KeptRecord, record: &Record, app: &AppStack) -> Option<(String, Keeper)> {
    let keeper = data::keeper(record, app.spec.deletion_policy());
    let goes_with = match &keeper {
        Keeper::Stack => app.metadata.uid.as_deref(),
        Keeper::Volume(volume) => Some(volume.as_str()),
        Keeper::Nobody => None,
    };
    (kept.owner.as_deref() != goes_with).then(|| (kept.name.clone(), keeper))
}

/// Adds a record to what is known.
fn note(records: &mut Records, it: &KeptRecord, record: Record) {
    match record {
        Record::Release {
            hash,
            spec,
            values,
            migration,
            ports,
            renewal,
            manifests: _,
            assets: _,
        } => records.releases.push(ReleaseRecord {
            assets: it.assets.clone(),
            revision: it.revision,
            verified_at: it.since,
            hash,
            spec: *spec,
            values,
            migration,
            ports,
            renewal,
            manifests: it.manifests.clone(),
        }),
        Record::Database {
            choice,
            stateful_set,
        } => {
            records.databases.insert(choice, Arc::from(stateful_set));
        }
        Record::Failure(failure) => records.failures.push(failure),
        Record::Migration { hash, data, head } => {
            records
                .migrations
                .push(MigrationRecord { hash, data, head });
        }
        Record::Role(login) => records.roles.push(login),
        Record::Revocation { logins } => records.revocations.push(logins),
        Record::Seed { data } => records.seeds.push(data),
        Record::Hold(hold) => records.hold = Some(hold),
        Record::Pulled { hash } => {
            records.pulled.insert(hash);
        }
        // They are read by name.
        Record::Manifests { .. } => {}
    }
}
