//! What is known of the runs of a schedule.
//!
//! Invariant: nothing is read of a schedule that is at rest and whose last run ended well.

use std::cmp::Reverse;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::ResourceExt as _;

use super::Observer;
use crate::api::label;
use crate::cluster::apply::Applied;
use crate::error::Result;
use crate::model::object::Object;
use crate::model::observed::{JobRun, JobState, LastRun, Schedule};

impl Observer<'_> {
    /// How it is with the schedules among applied objects.
    ///
    /// # Errors
    /// If the API server refuses a read.
    pub async fn schedules(&self, applied: &[Applied]) -> Result<Vec<Schedule>> {
        let mut schedules = Vec::new();
        for it in applied {
            if let Object::CronJob(it) = it.object() {
                schedules.push(self.schedule(it).await?);
            }
        }
        Ok(schedules)
    }

    async fn schedule(&self, it: &CronJob) -> Result<Schedule> {
        let job = it.labels().get(label::JOB).cloned().unwrap_or_default();
        let mut schedule = Schedule {
            job,
            name: it.name_any(),
            starting: false,
            last: LastRun::Well,
        };
        if !runs(it) && !ended_badly(it) {
            return Ok(schedule);
        }
        let mut jobs = self.runs_of(it).await?;
        jobs.sort_by_key(|it| Reverse(it.metadata.creation_timestamp.as_ref().map(|time| time.0)));
        if jobs.is_empty() && !runs(it) {
            schedule.last = LastRun::Gone;
        }
        for job in &jobs {
            let run = self.job(job).await?;
            schedule.starting |= is_starting(&run);
            if run.state == JobState::Done {
                break;
            }
            if is_bad(&run) {
                schedule.last = LastRun::Bad(Box::new(run));
                break;
            }
        }
        Ok(schedule)
    }

    /// The Jobs that a schedule has made and that are there.
    pub(super) async fn runs_of(&self, it: &CronJob) -> Result<Vec<Job>> {
        let labels = it.labels().iter();
        let ours = labels
            .filter(|(key, _)| [label::STACK, label::COMPONENT, label::JOB].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()));
        self.list("Jobs", &ours.collect()).await
    }
}

fn runs(schedule: &CronJob) -> bool {
    let active = schedule.status.as_ref().and_then(|it| it.active.as_ref());
    active.is_some_and(|it| !it.is_empty())
}

/// Whether there was a run since the last one that ended well. One that is stopped has none to come, so nobody asks.
fn ended_badly(schedule: &CronJob) -> bool {
    let is_stopped = schedule.spec.as_ref().and_then(|it| it.suspend) == Some(true);
    schedule.status.as_ref().is_some_and(|it| {
        let (begun, ended_well) = (&it.last_schedule_time, &it.last_successful_time);
        !is_stopped && begun.is_some() && ended_well < begun
    })
}

/// Whether a run has yet to start a container, and nobody says why it has not.
const fn is_starting(run: &JobRun) -> bool {
    matches!(run.state, JobState::Running) && run.started.is_none() && run.trouble.is_none()
}

/// Whether something bad is known of a run.
const fn is_bad(run: &JobRun) -> bool {
    match run.state {
        JobState::Failed | JobState::Late => true,
        JobState::Running => run.trouble.is_some() || run.failed > 0,
        JobState::Done => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn schedule(suspend: bool, status: Value) -> CronJob {
        serde_json::from_value(json!({
            "spec": {"schedule": "@daily", "suspend": suspend, "jobTemplate": {}}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_schedule_ended_badly_if_nothing_ended_well_since_it_began() {
        let badly = |suspend, status| ended_badly(&schedule(suspend, status));
        let (early, late) = ("2026-01-02T03:00:00Z", "2026-01-02T03:00:09Z");
        assert!(!badly(false, json!({})));
        assert!(badly(false, json!({"lastScheduleTime": early})));
        assert!(!badly(
            false,
            json!({"lastScheduleTime": early, "lastSuccessfulTime": late})
        ));
        assert!(badly(
            false,
            json!({"lastScheduleTime": late, "lastSuccessfulTime": early})
        ));
        assert!(!badly(true, json!({"lastScheduleTime": early})));
        // One that somebody started by hand.
        assert!(!badly(false, json!({"lastSuccessfulTime": early})));
    }

    #[test]
    fn a_schedule_runs_while_it_lists_a_job() {
        assert!(runs(&schedule(false, json!({"active": [{"name": "r"}]}))));
        assert!(!runs(&schedule(false, json!({"active": []}))));
        assert!(!runs(&schedule(false, json!({}))));
    }
}
