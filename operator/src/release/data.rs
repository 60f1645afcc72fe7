//! Which data a fact is about, and with what its record goes: what is true of a volume stays as long as the volume does.
//!
//! Invariant: pure. Data are told apart by the UID of the embedded database's volume claim, or by where an external database
//! is; its host, port and name come from a Secret, so only their hash is written down.

use crate::api::DeletionPolicy;
use crate::model::child_name::ChildName;
use crate::model::fact::{Keeper, Record};
use crate::model::identity::{DataId, MigrationHash, VolumeUid};
use crate::model::inputs::Records;
use crate::model::names::Names;
use crate::model::stack::Connection;

/// The data of an external database.
#[must_use]
pub fn external(connection: &Connection) -> DataId {
    let Connection {
        host, port, dbname, ..
    } = connection;
    DataId::of_external(host, port, dbname)
}

/// Whether a fact is about these data. Earlier versions did not write down which external database a fact was about: it counts
/// for each, since a seed of data that are in use is worse than one that is missing.
#[must_use]
pub fn is_about(fact: Option<&DataId>, data: Option<&DataId>) -> bool {
    let is_external = data.is_some_and(DataId::is_external);
    fact == data || (fact.is_none() && is_external)
}

/// With what a record goes under a deletion policy.
#[must_use]
pub fn keeper(record: &Record, policy: DeletionPolicy) -> Keeper {
    match record {
        Record::Migration { data, .. } | Record::Seed { data } => match data {
            Some(it) if it.is_external() && policy == DeletionPolicy::Retain => Keeper::Nobody,
            it => volume(it.as_ref().and_then(DataId::volume)),
        },
        Record::Role(login) => volume(login.volume.clone()),
        Record::Revocation { logins } => volume(logins.iter().find_map(|it| it.volume.clone())),
        Record::Release { .. }
        | Record::Manifests { .. }
        | Record::Database { .. }
        | Record::Failure(_)
        | Record::Hold(_)
        | Record::Pulled { .. } => Keeper::Stack,
    }
}

fn volume(uid: Option<VolumeUid>) -> Keeper {
    uid.map_or(Keeper::Stack, Keeper::Volume)
}

/// The names of the records of facts that nobody asks for any more: migrations of before the oldest kept release, and what is
/// known of a volume in whose place there is another one by now. `verified` is the migration of the release that serves from
/// now on. What is known of data that are merely not used now stays: a release that uses them may be restored.
#[must_use]
pub fn forgotten(
    names: &Names,
    records: &Records,
    data: Option<&DataId>,
    verified: Option<&MigrationHash>,
) -> Vec<ChildName> {
    let is_needed = |hash: &MigrationHash| {
        let kept = records
            .releases
            .iter()
            .filter_map(|it| it.migration.as_ref());
        kept.chain(verified).any(|it| it == hash)
    };
    let volume = data.and_then(DataId::volume);
    let is_gone =
        |other: Option<&VolumeUid>| other.is_some() && volume.is_some() && other != volume.as_ref();
    let is_lost = |fact: Option<&DataId>| is_gone(fact.and_then(DataId::volume).as_ref());
    let ours: Vec<_> = records
        .migrations
        .iter()
        .filter(|it| is_about(it.data.as_ref(), data))
        .collect();
    // The newest says which schema there is, whatever release it was for.
    let newest = ours.len().saturating_sub(1);
    let first = ours.iter().position(|it| is_needed(&it.hash));
    let old = ours.into_iter().take(first.unwrap_or(newest));
    let lost = records.migrations.iter();
    let lost = lost.filter(|it| is_lost(it.data.as_ref()));
    let migrations = old
        .chain(lost)
        .map(|it| names.migration_record(&it.hash, it.data.as_ref()));
    let seeds = records.seeds.iter().filter(|it| is_lost(it.as_ref()));
    let seeds = seeds.map(|it| names.seed_record(it.as_ref()));
    let roles = records.roles.iter();
    let roles = roles.filter(|it| is_gone(it.volume.as_ref()));
    let roles = roles.map(|it| names.role_record(it));
    migrations.chain(seeds).chain(roles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::Login;
    use crate::model::inputs::MigrationRecord;

    fn connection(host: &str) -> Connection {
        Connection {
            host: host.into(),
            port: "5432".into(),
            dbname: "app".into(),
            user: "u".into(),
            password: "p".into(),
            sslmode: "prefer".into(),
        }
    }

    #[test]
    fn an_external_database_is_told_by_its_place_and_an_old_fact_is_about_each() {
        let (a, b) = (external(&connection("a")), external(&connection("b")));
        assert_ne!(a, b);
        assert!(!a.as_str().contains("5432"), "{a}");
        assert!(is_about(Some(&a), Some(&a)));
        assert!(!is_about(Some(&a), Some(&b)));
        assert!(is_about(None, Some(&b)));
        let uid = DataId::from("uid");
        assert!(!is_about(None, Some(&uid)));
        assert!(!is_about(Some(&uid), None));
    }

    #[test]
    fn what_is_true_of_data_is_kept_as_long_as_the_data_are() {
        let seed = |data: Option<&DataId>| Record::Seed {
            data: data.cloned(),
        };
        let kept = |record: &Record| {
            [DeletionPolicy::Retain, DeletionPolicy::Delete].map(|it| keeper(record, it))
        };
        let volume = || Keeper::Volume("uid".into());
        assert_eq!(kept(&seed(Some(&"uid".into()))), [volume(), volume()]);
        let external = external(&connection("a"));
        let of_external = [Keeper::Nobody, Keeper::Stack];
        assert_eq!(kept(&seed(Some(&external))), of_external);
        assert_eq!(kept(&seed(None)), [Keeper::Stack, Keeper::Stack]);
        let pulled = Record::Pulled { hash: "h".into() };
        assert_eq!(kept(&pulled), [Keeper::Stack, Keeper::Stack]);
    }

    #[test]
    fn facts_of_other_volumes_and_of_before_the_oldest_kept_release_are_forgotten() {
        let (our_volume, other_volume) = (VolumeUid::from("ours"), VolumeUid::from("other"));
        let [ours, other] = [&our_volume, &other_volume].map(DataId::of_volume);
        let migration = |hash: &str, data: &DataId| MigrationRecord {
            hash: hash.into(),
            data: Some(data.clone()),
            head: None,
        };
        let login = |volume: &VolumeUid| Login {
            role: "r".into(),
            volume: Some(volume.clone()),
            made_by: "j".into(),
        };
        let records = Records {
            migrations: vec![
                migration("m1", &ours),
                migration("m2", &ours),
                migration("m3", &ours),
                migration("m1", &other),
            ],
            seeds: vec![Some(ours.clone()), Some(other.clone())],
            roles: vec![login(&our_volume), login(&other_volume)],
            ..Records::default()
        };
        let names = Names::of("shop");
        let check = |data: &DataId, verified: &str, expected: Vec<ChildName>| {
            let found = forgotten(&names, &records, Some(data), Some(&verified.into()));
            assert_eq!(found, expected, "{data} {verified}");
        };
        let of_migration =
            |hash: &str, data: &DataId| names.migration_record(&hash.into(), Some(data));
        let of_other = || {
            let seed = names.seed_record(Some(&other));
            [
                of_migration("m1", &other),
                seed,
                names.role_record(&login(&other_volume)),
            ]
        };
        let old = [of_migration("m1", &ours)].into_iter();
        check(&ours, "m2", old.chain(of_other()).collect());
        // One that was never verified has changed the schema last.
        let old = [of_migration("m1", &ours), of_migration("m2", &ours)].into_iter();
        check(&ours, "none", old.chain(of_other()).collect());
        // A volume may be used again after an external database.
        check(&external(&connection("a")), "m2", Vec::new());
    }
}
