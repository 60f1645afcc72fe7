//! What a release is, and which one serves.
//!
//! Invariant: pure. A release is the spec and the secret values it was made from; its record is written by
//! `apply` when all of its gates are open.

use serde_json::json;

use super::inputs::{Records, ReleaseRecord};
use super::names::short_hash;
use super::stack::{Command, Connection};
use crate::api::AppStackSpec;

/// How many releases are remembered.
pub const HISTORY: usize = 10;

/// The hash of all that makes a release: what of the spec reaches pods or the edge, and the secret values.
///
/// `suspend` and `deletionPolicy` are left out: they say what the operator does, not what runs.
#[must_use]
pub fn hash(spec: &AppStackSpec, secrets_hash: &str) -> String {
    let spec = AppStackSpec {
        suspend: None,
        deletion_policy: None,
        ..spec.clone()
    };
    short_hash(&[&json!(spec).to_string(), secrets_hash])
}

/// The hash of a migration's content: it runs once for each image, command and database.
#[must_use]
pub fn migration_hash(image: &str, run: &Command, database: &Connection) -> String {
    let run = json!([run.command, run.args]).to_string();
    short_hash(&[
        image,
        &run,
        &database.host,
        &database.port,
        &database.dbname,
    ])
}

/// The release that serves: the one that passed its gates last.
#[must_use]
pub fn serving(records: &Records) -> Option<&ReleaseRecord> {
    records.releases.iter().max_by_key(|it| it.revision)
}

/// Hashes of the releases that are too old to be remembered.
#[must_use]
pub fn forgotten(records: &Records) -> Vec<&str> {
    let mut releases: Vec<_> = records.releases.iter().collect();
    releases.sort_by_key(|it| std::cmp::Reverse(it.revision));
    let old = releases.into_iter().skip(HISTORY);
    old.map(|it| it.hash.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(yaml: &str) -> AppStackSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    const MINIMAL: &str = "{environment: local, domain: localhost, backend: {image: 'a/b:1'}}";

    #[test]
    fn a_release_changes_with_the_spec_and_with_secret_values() {
        let other = "{environment: local, domain: localhost, backend: {image: 'a/b:2'}}";
        let base = hash(&spec(MINIMAL), "s");
        assert_ne!(base, hash(&spec(other), "s"));
        assert_ne!(base, hash(&spec(MINIMAL), "t"));
        assert_eq!(base, hash(&spec(MINIMAL), "s"));
    }

    #[test]
    fn suspending_a_stack_is_no_new_release() {
        let mut suspended = spec(MINIMAL);
        suspended.suspend = Some(true);
        assert_eq!(hash(&spec(MINIMAL), "s"), hash(&suspended, "s"));
    }

    #[test]
    fn the_release_with_the_highest_revision_serves_and_old_ones_are_forgotten() {
        let record = |revision: i64| ReleaseRecord {
            hash: format!("h{revision}"),
            revision,
            verified_at: None,
            spec: spec(MINIMAL),
            secrets_hash: "s".into(),
        };
        let records = Records {
            releases: (1..=12).rev().map(record).collect(),
            ..Records::default()
        };
        assert_eq!(serving(&records).unwrap().hash, "h12");
        assert_eq!(forgotten(&records), ["h2", "h1"]);
    }
}
