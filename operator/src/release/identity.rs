//! What makes a release another one: what of the spec belongs to it, and the values that its pods read.
//!
//! Invariant: pure.

use crate::api::AppStackSpec;
use crate::model::hash::short_hash;
use crate::model::inputs::ReleaseRecord;
use crate::model::stack::{Command, Connection};
use serde_json::json;
/// What of a spec belongs to a release: all that reaches pods or the edge. What says how the operator works is left out.
#[must_use]
pub fn lasting(spec: &AppStackSpec) -> AppStackSpec {
    AppStackSpec {
        suspend: None,
        hibernate: None,
        deletion_policy: None,
        rollout: None,
        ..spec.clone()
    }
}

/// The spec of a kept release under the rules of now.
#[must_use]
pub fn restored(release: &ReleaseRecord, now: &AppStackSpec) -> AppStackSpec {
    AppStackSpec {
        suspend: now.suspend,
        hibernate: now.hibernate,
        deletion_policy: now.deletion_policy,
        rollout: now.rollout.clone(),
        ..release.spec.clone()
    }
}

/// The hash of all that makes a release: what of the spec belongs to it, and the values that its pods read.
#[must_use]
pub fn hash(spec: &AppStackSpec, values: &str) -> String {
    short_hash(&[&json!(lasting(spec)).to_string(), values])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Rollout;

    const MINIMAL: &str = "{environment: local, domain: localhost, backend: {image: 'a/b:1'}}";

    fn spec(yaml: &str) -> AppStackSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn a_release_changes_with_the_spec_and_with_secret_values() {
        let other = "{environment: local, domain: localhost, backend: {image: 'a/b:2'}}";
        let base = hash(&spec(MINIMAL), "s");
        assert_ne!(base, hash(&spec(other), "s"));
        assert_ne!(base, hash(&spec(MINIMAL), "t"));
        assert_eq!(base, hash(&spec(MINIMAL), "s"));
    }

    #[test]
    fn what_says_how_the_operator_works_makes_no_new_release_and_is_not_restored() {
        let mut changed = spec(MINIMAL);
        changed.suspend = Some(true);
        changed.hibernate = Some(true);
        changed.rollout = Some(Rollout {
            history: Some(3),
            ..Rollout::default()
        });
        assert_eq!(hash(&spec(MINIMAL), "s"), hash(&changed, "s"));
        let kept = ReleaseRecord {
            hash: "h".into(),
            revision: 1,
            verified_at: None,
            spec: spec(MINIMAL),
            values: "s".into(),
            migration: None,
            assets: Vec::new(),
        };
        assert_eq!(restored(&kept, &changed), changed);
    }
}
