//! What is known of a Job.

use k8s_openapi::api::batch::v1::Job;

use super::super::desired::HEAD;
use super::pods::Trouble;

/// How many characters of a head are kept.
const LONGEST_HEAD: usize = 200;

/// A run of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    /// How far it is.
    pub state: JobState,
    /// How many attempts failed.
    pub failed: i32,
    /// How many attempts there may be.
    pub attempts: i32,
    /// What keeps the pod from running, where something does.
    pub trouble: Option<Trouble>,
    /// The last lines of the last failed attempt.
    pub log: Option<String>,
    /// Which schema the database has now, where the Job tells.
    pub head: Option<String>,
}

/// How far a Job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It runs, or waits for its next attempt.
    Running,
    /// It succeeded.
    Done,
    /// It failed for good.
    Failed,
    /// It ran longer than it may.
    Late,
}

impl JobRun {
    /// A run that is known to have succeeded.
    #[must_use]
    pub const fn done() -> Self {
        Self {
            state: JobState::Done,
            failed: 0,
            attempts: 1,
            trouble: None,
            log: None,
            head: None,
        }
    }
}

/// Whether a container of the Job prints which schema the database has.
pub(super) fn tells_the_head(job: &Job) -> bool {
    let spec = job.spec.as_ref().and_then(|it| it.template.spec.as_ref());
    spec.is_some_and(|it| it.containers.iter().any(|it| it.name == HEAD))
}

/// The head in what was printed: the last line, as far as a record has room for it.
pub(super) fn head(printed: &str) -> Option<String> {
    let line = printed.lines().map(str::trim).rfind(|it| !it.is_empty())?;
    Some(line.chars().take(LONGEST_HEAD).collect())
}

/// What is known of a Job from itself.
pub(super) fn run(job: &Job) -> JobRun {
    let status = job.status.clone().unwrap_or_default();
    let limit = job
        .spec
        .as_ref()
        .and_then(|it| it.backoff_limit)
        .unwrap_or(6);
    JobRun {
        state: state(job),
        failed: status.failed.unwrap_or(0),
        attempts: limit + 1,
        trouble: None,
        log: None,
        head: None,
    }
}

/// Whether a Job will do nothing more.
#[must_use]
pub fn job_ended(job: &Job) -> bool {
    state(job) != JobState::Running
}

fn state(job: &Job) -> JobState {
    let conditions = job
        .status
        .iter()
        .flat_map(|it| it.conditions.iter().flatten());
    for condition in conditions.filter(|it| it.status == "True") {
        match (condition.type_.as_str(), condition.reason.as_deref()) {
            ("Complete" | "SuccessCriteriaMet", _) => return JobState::Done,
            // FailureTarget comes as soon as failure is certain, Failed when the last pod is gone.
            ("Failed" | "FailureTarget", Some("DeadlineExceeded")) => return JobState::Late,
            ("Failed" | "FailureTarget", _) => return JobState::Failed,
            _ => {}
        }
    }
    JobState::Running
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(conditions: serde_json::Value, expected: JobState) {
        let job: Job = serde_json::from_value(json!({
            "metadata": {}, "status": {"conditions": conditions}
        }))
        .unwrap();
        assert_eq!(run(&job).state, expected);
    }

    #[test]
    fn the_head_is_the_last_line_that_is_printed() {
        assert_eq!(
            head("connecting\n 0042_prices \n\n").as_deref(),
            Some("0042_prices")
        );
        assert_eq!(head(" \n"), None);
    }

    #[test]
    fn a_job_without_a_condition_runs() {
        check(json!([]), JobState::Running);
    }

    #[test]
    fn a_complete_job_is_done() {
        check(
            json!([{"type": "Complete", "status": "True"}]),
            JobState::Done,
        );
    }

    #[test]
    fn a_job_that_is_bound_to_fail_has_failed() {
        check(
            json!([{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]),
            JobState::Failed,
        );
    }

    #[test]
    fn a_job_past_its_deadline_is_late() {
        check(
            json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]),
            JobState::Late,
        );
    }
}
