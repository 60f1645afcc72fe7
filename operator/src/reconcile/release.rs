//! What a release is, which one serves, and which one is asked for.
//!
//! Invariant: pure. A release is the spec and the values it was made from; its record is written by `apply` when all of
//! its gates are open.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};
use kube::ResourceExt as _;
use serde_json::json;

use super::check::image;
use super::inputs::{MigrationRecord, Records, ReleaseRecord};
use super::names::{Names, short_hash};
use super::record::{Attempt, Failure};
use super::stack::{Command, Connection, Stack};
use crate::api::{AppStack, AppStackSpec, ReleaseStatus, annotation};

/// How many releases are kept unless the spec says otherwise.
const HISTORY: usize = 10;

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

/// How the schema of a kept release differs from the one that the database has; `None` if it does not, or nobody knows.
///
/// Schemas are compared by what `migrate.headCommand` printed for both, else by the migrations themselves.
#[must_use]
pub fn schema_change(
    records: &Records,
    volume: Option<&String>,
    kept: Option<&String>,
) -> Option<SchemaChange> {
    let mut done = records
        .migrations
        .iter()
        .filter(|it| it.volume.as_ref() == volume);
    let then = done.clone().find(|it| Some(&it.hash) == kept)?;
    let now = done.next_back()?;
    let of = |it: &MigrationRecord| it.head.clone().unwrap_or_else(|| it.hash.clone());
    let differs = match (&then.head, &now.head) {
        (Some(then), Some(now)) => then != now,
        _ => then.hash != now.hash,
    };
    differs.then(|| SchemaChange {
        kept: of(then),
        now: of(now),
    })
}

/// Two schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// The one that a kept release was released with.
    pub kept: String,
    /// The one that the database has.
    pub now: String,
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, now } = self;
        write!(
            f,
            "it was released with schema {kept}, and the database has {now}"
        )
    }
}

/// The release that serves: the one that passed its gates last.
#[must_use]
pub fn serving(records: &Records) -> Option<&ReleaseRecord> {
    records.releases.iter().max_by_key(|it| it.revision)
}

/// The release that served before it.
#[must_use]
pub fn previous(records: &Records) -> Option<&ReleaseRecord> {
    newest_first(records).get(1).copied()
}

/// The kept release that `rollout.pin` names.
#[must_use]
pub fn pinned<'a>(
    spec: &AppStackSpec,
    names: &Names,
    records: &'a Records,
) -> Option<&'a ReleaseRecord> {
    let pin = spec.rollout.as_ref()?.pin.as_ref()?;
    records
        .releases
        .iter()
        .find(|it| names.release(&it.hash).as_str() == pin)
}

/// Which try of a release this is.
#[must_use]
pub fn attempt(app: &AppStack) -> Attempt {
    let annotations = app.metadata.annotations.as_ref();
    Attempt {
        generation: app.metadata.generation.unwrap_or_default(),
        request: annotations
            .and_then(|it| it.get(annotation::RETRY))
            .cloned(),
    }
}

/// Who approved a release and when, as far as the API tells: the tool that wrote the annotation. `None` if nobody did.
#[must_use]
pub fn approval(app: &AppStack, release: &str) -> Option<String> {
    let approved = app.annotations().get(annotation::APPROVE)?;
    (approved == release).then(|| {
        let entry = app.managed_fields().iter().find(|it| wrote_approval(it));
        let by = entry.and_then(|it| it.manager.clone());
        let at = entry.and_then(|it| it.time.as_ref());
        let at = at.map_or_else(String::new, |it| format!(" at {}", it.0));
        format!("{}{at}", by.unwrap_or_else(|| "somebody".into()))
    })
}

/// Whether a manager of an AppStack wrote its approval.
#[must_use]
pub fn wrote_approval(manager: &ManagedFieldsEntry) -> bool {
    let fields = manager.fields_v1.as_ref();
    let annotations = fields.map(|it| &it.0["f:metadata"]["f:annotations"]);
    let key = format!("f:{}", annotation::APPROVE);
    annotations.is_some_and(|it| it.get(&key).is_some())
}

/// How this try of a release failed, if it did.
#[must_use]
pub fn failure<'a>(records: &'a Records, release: &str, attempt: &Attempt) -> Option<&'a Failure> {
    let mut failures = records.failures.iter();
    failures.find(|it| it.release == release && it.attempt == *attempt)
}

/// The releases that are too old to be kept beside the one that serves now, of which there may be no record yet.
#[must_use]
pub fn forgotten<'a>(
    spec: &AppStackSpec,
    records: &'a Records,
    serving: &str,
) -> Vec<&'a ReleaseRecord> {
    let asked = spec.rollout.as_ref().and_then(|it| it.history);
    let kept = asked
        .and_then(|it| usize::try_from(it).ok())
        .unwrap_or(HISTORY);
    let others = newest_first(records).into_iter();
    let others = others.filter(|it| it.hash != serving);
    others.skip(kept.saturating_sub(1)).collect()
}

/// What the status says of a release.
#[must_use]
pub fn summary(stack: &Stack, verified: Option<Timestamp>) -> ReleaseStatus {
    ReleaseStatus {
        name: stack.names.release(&stack.release).into(),
        version: stack.version.clone(),
        backend_image: stack.backend.image.clone(),
        frontend_image: stack.frontend.as_ref().map(|it| it.image.clone()),
        migration: stack.migration.as_ref().map(|it| it.hash.clone()),
        verified_at: verified.map(Time),
    }
}

/// The same of a kept one.
#[must_use]
pub fn kept_summary(names: &Names, record: &ReleaseRecord) -> ReleaseStatus {
    let version = record.spec.version.as_deref();
    let backend_image = image::with_tag(&record.spec.backend.image, version);
    ReleaseStatus {
        name: names.release(&record.hash).into(),
        version: image::version(version, &backend_image),
        backend_image,
        frontend_image: frontend_image(record),
        migration: record.migration.clone(),
        verified_at: record.verified_at.map(Time),
    }
}

/// The image of a kept release's frontend, where it has one.
#[must_use]
pub fn frontend_image(record: &ReleaseRecord) -> Option<String> {
    let frontend = record.spec.frontend.as_ref()?;
    let version = record.spec.version.as_deref();
    Some(image::with_tag(&frontend.image, version))
}

/// The kept releases, the one that serves first.
#[must_use]
pub fn newest_first(records: &Records) -> Vec<&ReleaseRecord> {
    let mut releases: Vec<_> = records.releases.iter().collect();
    releases.sort_by_key(|it| std::cmp::Reverse(it.revision));
    releases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Rollout;

    fn spec(yaml: &str) -> AppStackSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    const MINIMAL: &str = "{environment: local, domain: localhost, backend: {image: 'a/b:1'}}";

    fn records(revisions: impl Iterator<Item = i64>) -> Records {
        let record = |revision: i64| ReleaseRecord {
            hash: format!("h{revision}"),
            revision,
            verified_at: None,
            spec: spec(MINIMAL),
            values: "s".into(),
            migration: None,
            assets: Vec::new(),
        };
        Records {
            releases: revisions.map(record).collect(),
            ..Records::default()
        }
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
        let kept = &records(1..=1).releases[0];
        assert_eq!(restored(kept, &changed), changed);
    }

    #[test]
    fn the_release_with_the_highest_revision_serves_and_old_ones_are_forgotten() {
        let records = records((1..=12).rev());
        assert_eq!(serving(&records).unwrap().hash, "h12");
        assert_eq!(previous(&records).unwrap().hash, "h11");
        let hashes = |yaml: &str, serving: &str| -> Vec<String> {
            let spec = spec(yaml);
            let forgotten = forgotten(&spec, &records, serving);
            forgotten.iter().map(|it| it.hash.clone()).collect()
        };
        assert_eq!(hashes(MINIMAL, "h12"), ["h2", "h1"]);
        let history =
            |n: u8| MINIMAL.replace("backend:", &format!("rollout: {{history: {n}}}, backend:"));
        assert_eq!(hashes(&history(11), "h12"), ["h1"]);
        // Of a new one there is no record yet; an old one that serves again is none of the others.
        assert_eq!(hashes(&history(11), "new"), ["h2", "h1"]);
        assert_eq!(hashes(&history(11), "h1"), ["h2"]);
        let least = hashes(&history(2), "new");
        assert_eq!(least.first().map(String::as_str), Some("h11"));
        assert_eq!(least.len(), 11);
    }

    #[test]
    fn schemas_are_compared_by_their_heads_else_by_the_migrations() {
        let migration = |hash: &str, head: Option<&str>| MigrationRecord {
            hash: hash.into(),
            volume: None,
            head: head.map(str::to_owned),
        };
        let change = |migrations: Vec<MigrationRecord>| {
            let records = Records {
                migrations,
                ..Records::default()
            };
            schema_change(&records, None, Some(&"m1".into())).map(|it| (it.kept, it.now))
        };
        let both = |kept: &str, now: &str| Some((kept.to_owned(), now.to_owned()));
        let same = vec![migration("m1", Some("1")), migration("m2", Some("1"))];
        assert_eq!(change(same), None);
        let other = vec![migration("m1", Some("1")), migration("m2", Some("2"))];
        assert_eq!(change(other), both("1", "2"));
        let untold = vec![migration("m1", None), migration("m2", None)];
        assert_eq!(change(untold), both("m1", "m2"));
        assert_eq!(change(vec![migration("m1", None)]), None);
        assert_eq!(change(vec![migration("m2", None)]), None);
    }

    #[test]
    fn a_failure_holds_until_the_spec_changes_or_somebody_asks() {
        let attempt = |generation: i64, request: Option<&str>| Attempt {
            generation,
            request: request.map(str::to_owned),
        };
        let failed = Failure {
            release: "h".into(),
            attempt: attempt(2, None),
            stage: "backend".into(),
            reason: "ContainerCrashing".into(),
            message: "it ended".into(),
        };
        let records = Records {
            failures: vec![failed],
            ..Records::default()
        };
        assert!(failure(&records, "h", &attempt(2, None)).is_some());
        assert!(failure(&records, "h", &attempt(3, None)).is_none());
        assert!(failure(&records, "h", &attempt(2, Some("again"))).is_none());
        assert!(failure(&records, "other", &attempt(2, None)).is_none());
    }

    #[test]
    fn an_approval_is_for_one_release_and_names_the_tool_that_gave_it() {
        let app: AppStack = serde_saphyr::from_str(
            "{apiVersion: appstack.dev/v1alpha1, kind: AppStack,
              metadata: {name: shop, annotations: {appstack.dev/approve: shop-1}, managedFields: [
                {manager: kubectl-create, operation: Update, fieldsV1: {f:spec: {}}},
                {manager: kubectl-annotate, operation: Update, time: '2026-01-02T03:04:05Z',
                 fieldsV1: {f:metadata: {f:annotations: {f:appstack.dev/approve: {}}}}}]},
              spec: {environment: local, domain: localhost, backend: {image: 'a/b:1'}}}",
        )
        .unwrap();
        let by = approval(&app, "shop-1");
        assert_eq!(
            by.as_deref(),
            Some("kubectl-annotate at 2026-01-02T03:04:05Z")
        );
        assert_eq!(approval(&app, "shop-2"), None);
    }

    #[test]
    fn a_pin_is_the_name_of_a_kept_release() {
        let pin = |name: &str| {
            spec(&MINIMAL.replace("backend:", &format!("rollout: {{pin: {name}}}, backend:")))
        };
        let names = Names::of("shop");
        let records = records(1..=3);
        let found = |name| pinned(&pin(name), &names, &records).map(|it| it.hash.as_str());
        assert_eq!(found("shop-h2"), Some("h2"));
        assert_eq!(found("shop-h9"), None);
    }
}
