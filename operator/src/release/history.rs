//! What a release is, which one serves, and which one is asked for.
//!
//! Invariant: pure. A release is the spec and the values it was made from; its record is written by `apply` when all of
//! its gates are open.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::{AppStack, AppStackSpec, ReleaseStatus, annotation};
use crate::model::fact::{Attempt, Failure};
use crate::model::identity::ReleaseHash;
use crate::model::image;
use crate::model::inputs::{Records, ReleaseRecord};
use crate::model::names::Names;
use crate::model::stack::Stack;
use crate::release::approval;

/// How many releases are kept unless the spec says otherwise.
const HISTORY: usize = 10;

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

/// The releases that may be restored: the one that serves, and the one that is pinned. They may be the same.
pub fn restorable<'a>(
    spec: &AppStackSpec,
    names: &Names,
    records: &'a Records,
) -> impl Iterator<Item = &'a ReleaseRecord> + use<'a> {
    serving(records)
        .into_iter()
        .chain(pinned(spec, names, records))
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

/// How a release failed, if it did and nobody asked to try it again since. Another generation of the spec that asks for the
/// same release is no such wish.
#[must_use]
pub fn failure<'a>(
    records: &'a Records,
    release: &ReleaseHash,
    attempt: &Attempt,
) -> Option<&'a Failure> {
    let mut failures = records.failures.iter();
    failures.find(|it| it.release == *release && it.attempt.request == attempt.request)
}

/// The failures of releases that the spec asked for once and does not any more: whoever comes back to one of them tries it
/// again.
pub fn outdated_failures<'a>(
    records: &'a Records,
    requested: &ReleaseHash,
    attempt: &Attempt,
) -> impl Iterator<Item = &'a Failure> {
    let is_outdated =
        |it: &&Failure| it.release != *requested && it.attempt.generation != attempt.generation;
    records.failures.iter().filter(is_outdated)
}

/// Whether something is known of a release that has yet to be verified: that it failed, or that somebody approved it.
#[must_use]
pub fn is_known(app: &AppStack, names: &Names, records: &Records, release: &ReleaseHash) -> bool {
    let mut failures = records.failures.iter();
    failures.any(|it| it.release == *release)
        || approval::approval(app, &names.release(release)).is_some()
}

/// The releases that are too old to be kept beside the one that serves now, of which there may be no record yet.
#[must_use]
pub fn forgotten<'a>(
    spec: &AppStackSpec,
    records: &'a Records,
    serving: &ReleaseHash,
) -> Vec<&'a ReleaseRecord> {
    let requested = spec.rollout.as_ref().and_then(|it| it.history);
    let kept = requested
        .and_then(|it| usize::try_from(it).ok())
        .unwrap_or(HISTORY);
    let others = newest_first(records).into_iter();
    let others = others.filter(|it| it.hash != *serving);
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
        migration: stack.migration.as_ref().map(|it| (&it.hash).into()),
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
        migration: record.migration.as_ref().map(Into::into),
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
    use crate::fixtures::{release, spec};

    fn records(revisions: impl Iterator<Item = i64>) -> Records {
        let record = |revision: i64| ReleaseRecord {
            revision,
            ..release(&format!("h{revision}"), &spec(""))
        };
        Records {
            releases: revisions.map(record).collect(),
            ..Records::default()
        }
    }

    #[test]
    fn the_release_with_the_highest_revision_serves_and_old_ones_are_forgotten() {
        let records = records((1..=12).rev());
        assert_eq!(serving(&records).unwrap().hash, "h12".into());
        assert_eq!(previous(&records).unwrap().hash, "h11".into());
        let hashes = |fields: &str, serving: &str| -> Vec<String> {
            let forgotten = forgotten(&spec(fields), &records, &serving.into());
            forgotten.iter().map(|it| (&it.hash).into()).collect()
        };
        assert_eq!(hashes("", "h12"), ["h2", "h1"]);
        let history = |n: u8| format!("rollout: {{history: {n}}}");
        assert_eq!(hashes(&history(11), "h12"), ["h1"]);
        // Of a new one there is no record yet; an old one that serves again is none of the others.
        assert_eq!(hashes(&history(11), "new"), ["h2", "h1"]);
        assert_eq!(hashes(&history(11), "h1"), ["h2"]);
        let least = hashes(&history(2), "new");
        assert_eq!(least.first().map(String::as_str), Some("h11"));
        assert_eq!(least.len(), 11);
    }

    #[test]
    fn a_failure_holds_until_another_release_is_asked_for_or_somebody_asks() {
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
        assert!(failure(&records, &"h".into(), &attempt(2, None)).is_some());
        assert!(failure(&records, &"h".into(), &attempt(3, None)).is_some());
        assert!(failure(&records, &"h".into(), &attempt(2, Some("again"))).is_none());
        assert!(failure(&records, &"other".into(), &attempt(2, None)).is_none());
        let outdated = |release: &str, generation| {
            outdated_failures(&records, &release.into(), &attempt(generation, None)).count()
        };
        assert_eq!(outdated("other", 3), 1);
        assert_eq!(outdated("h", 3), 0);
        // Values that went to and fro are no edit.
        assert_eq!(outdated("other", 2), 0);
    }

    #[test]
    fn a_pin_is_the_name_of_a_kept_release() {
        let pin = |name: &str| spec(&format!("rollout: {{pin: {name}}}"));
        let names = Names::of("shop");
        let records = records(1..=3);
        let found = |name| pinned(&pin(name), &names, &records).map(|it| it.hash.as_str());
        assert_eq!(found("shop-h2"), Some("h2"));
        assert_eq!(found("shop-h9"), None);
    }
}
