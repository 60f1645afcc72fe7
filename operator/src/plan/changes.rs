//! What a release would change, in words for whoever is to approve it.
//!
//! Invariant: pure, and no value of a secret is in it: of values only the names are told.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::CronJob;

use crate::api::label;
use crate::build::{self, Direction};
use crate::model::object::Object;
use crate::model::stack::{Stack, value};

/// What changes from one release to another, one sentence for each.
#[must_use]
pub fn changes(from: &Stack, to: &Stack) -> Vec<String> {
    let backend = image(
        "backend",
        Some(&from.backend.image),
        Some(&to.backend.image),
    );
    let site = |stack: &Stack| stack.frontend.as_ref().map(|it| it.image.clone());
    let frontend = image("frontend", site(from).as_deref(), site(to).as_deref());
    let values = values(from, to);
    let all = [
        backend,
        frontend,
        values,
        Some(migration(to)),
        restarts(from, to),
        schedules(from, to),
    ];
    all.into_iter().flatten().collect()
}

fn image(part: &str, from: Option<&str>, to: Option<&str>) -> Option<String> {
    match (from, to) {
        (Some(from), Some(to)) if from != to => Some(format!("{part} {from} -> {to}")),
        (Some(from), None) => Some(format!("{part} {from} goes")),
        (None, Some(to)) => Some(format!("{part} {to} comes")),
        _ => None,
    }
}

fn values(from: &Stack, to: &Stack) -> Option<String> {
    let names = changed_values(from, to);
    (!names.is_empty()).then(|| format!("changed values: {}", names.join(", ")))
}

/// The names of the values that differ between two releases, as users know them.
#[must_use]
pub fn changed_values<'a>(from: &'a Stack, to: &'a Stack) -> Vec<&'a str> {
    let (from, to) = (&from.secrets.values, &to.secrets.values);
    let differs = |key: &&String| {
        use secrecy::ExposeSecret as _;
        let text = |values: &crate::model::secret::SecretData| {
            values.get(*key).map(|it| it.expose_secret().to_owned())
        };
        text(from) != text(to)
    };
    let mut names: Vec<&str> = from
        .keys()
        .chain(to.keys().filter(|key| !from.contains_key(*key)))
        .filter(differs)
        .map(|key| {
            let of_secret = key.strip_prefix(value::OF_SECRET);
            of_secret
                .or_else(|| key.strip_prefix(value::OF_CONFIG_MAP))
                .unwrap_or(key)
        })
        .collect();
    names.sort_unstable();
    names
}

fn migration(to: &Stack) -> String {
    match &to.migration {
        Some(migration) if !migration.done => {
            let run: Vec<&str> = migration
                .run
                .command
                .iter()
                .chain(&migration.run.args)
                .map(String::as_str)
                .collect();
            format!("the migration runs: {}", run.join(" "))
        }
        _ => "no migration runs".into(),
    }
}

/// The parts whose pods are replaced.
fn restarts(from: &Stack, to: &Stack) -> Option<String> {
    let before = build::build(from, Direction::Forward);
    let after = build::build(to, Direction::Forward);
    let new = after
        .objects()
        .filter(|it| matches!(it, Object::Deployment(_)) && !before.has(it));
    let parts: Vec<&str> = new.filter_map(part).collect();
    (!parts.is_empty()).then(|| format!("new pods: {}", parts.join(", ")))
}

/// The jobs that run otherwise, or at other times.
fn schedules(from: &Stack, to: &Stack) -> Option<String> {
    let runs = |stack: &Stack| -> BTreeMap<String, CronJob> {
        let built = build::build(stack, Direction::Forward);
        let schedules = built.objects().filter_map(|it| match it {
            Object::CronJob(schedule) => Some((part(it)?.to_owned(), schedule.as_ref().clone())),
            _ => None,
        });
        schedules.collect()
    };
    let (before, after) = (runs(from), runs(to));
    let names: BTreeSet<&str> = before
        .keys()
        .chain(after.keys())
        .filter(|it| before.get(*it) != after.get(*it))
        .map(String::as_str)
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| format!("changed schedules: {}", names.join(", ")))
}

/// What people call the part that an object belongs to.
fn part(object: &Object) -> Option<&str> {
    let labels = object.metadata()?.labels.as_ref()?;
    let name = labels.get(label::JOB).or(labels.get(label::COMPONENT))?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::model::inputs::Inputs;

    fn stack(fields: &str, key: &str) -> Stack {
        let app = fixtures::app(fields);
        let mut inputs = Inputs::offline(&app);
        inputs.random.secret_key = key.into();
        fixtures::stack_of(&app, &inputs)
    }

    #[test]
    fn images_values_migration_and_restarts_are_told_and_no_secret_is() {
        let old = stack("", "the old key");
        let new = stack(
            "backend: {image: 'a/b:2', migrate: {args: [migrate]}}",
            "the new key",
        );
        assert_eq!(
            changes(&old, &new),
            [
                "backend a/b:1 -> a/b:2",
                "changed values: SECRET_KEY",
                "the migration runs: migrate",
                "new pods: backend"
            ]
        );
    }

    #[test]
    fn jobs_are_told_by_their_names() {
        let with = |jobs: &str| {
            stack(
                &format!("jobs: [{{name: mails, args: [mails]}}, {jobs}]"),
                "k",
            )
        };
        let old = with("{name: tidy, args: [tidy], schedule: '@daily'}");
        let new =
            with("{name: tidy, args: [tidy], schedule: '@hourly'}, {name: sums, args: [sums]}");
        assert_eq!(
            changes(&old, &new),
            [
                "no migration runs",
                "new pods: sums",
                "changed schedules: tidy"
            ]
        );
    }

    #[test]
    fn more_replicas_restart_nothing() {
        let old = stack("backend: {image: 'a/b:1', replicas: 1}", "k");
        let new = stack("backend: {image: 'a/b:1', replicas: 3}", "k");
        assert_eq!(changes(&old, &new), ["no migration runs"]);
    }
}
