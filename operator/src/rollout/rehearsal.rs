//! Asks the API server whether it would take the workloads of a release, before anything of it is applied: its migration changes
//! data for good, and a workload that is refused after that leaves the release of before with a schema that is not its own.
//!
//! Invariant: writes nothing. What the API server does not say for good (it is away, or a webhook takes no trial) counts as taken.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::api::label;
use crate::build::Desired;
use crate::cluster::apply::Writer;
use crate::error::{CallError, Result};
use crate::model::fact::Attempt;
use crate::model::identity::ReleaseHash;
use crate::model::object::Object;
use crate::rollout::Visits;

/// The release of each stack that was asked about and taken, kept in memory: forgetting it costs questions, never correctness.
#[derive(Debug, Default)]
pub struct Rehearsals(Mutex<HashMap<String, (ReleaseHash, Attempt)>>);

impl Rehearsals {
    /// Forgets a stack that is gone.
    pub fn forget(&self, stack: &str) {
        self.entries().remove(stack);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, (ReleaseHash, Attempt)>> {
        // A panic elsewhere leaves the map whole: each change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a release that is not known to be good the API server would refuse, also while it waits for an approval, each with the field of the spec that it is made of.
///
/// # Errors
/// If a Job cannot be read.
pub async fn faults(
    writer: &Writer<'_>,
    target: &Desired,
    visits: &Visits<'_>,
    rehearsals: &Rehearsals,
) -> Result<Vec<String>> {
    let this = (target.release.clone(), visits.attempt.clone());
    if rehearsals.entries().get(&visits.stack) == Some(&this) {
        return Ok(Vec::new());
    }
    let mut faults = Vec::new();
    for object in target.of_stages() {
        if !is_workload(object) {
            continue;
        }
        if let Some(why) = writer.refusal(object).await? {
            faults.push(fault(object, &why));
        }
    }
    if faults.is_empty() {
        rehearsals.entries().insert(visits.stack.clone(), this);
    }
    Ok(faults)
}

/// Whether an object is made of what users say of pods. The StatefulSet of the database is not: it changes by their choice alone.
const fn is_workload(object: &Object) -> bool {
    matches!(
        object,
        Object::Deployment(_) | Object::Job(_) | Object::CronJob(_)
    )
}

fn fault(object: &Object, why: &CallError) -> String {
    let labels = object.metadata().and_then(|it| it.labels.as_ref());
    let component = labels.and_then(|it| it.get(label::COMPONENT));
    let field = match component.map(String::as_str) {
        Some("backend") => "spec.backend",
        Some("frontend") => "spec.frontend",
        Some("migration") => "spec.backend.migrate",
        Some("seed") => "spec.backend.seed",
        Some("job") => "spec.jobs",
        _ => "spec",
    };
    let (kind, name) = (object.kind(), object.name());
    format!("{field}: the API server would refuse {kind} {name}, so nothing is rolled out: {why}")
}
