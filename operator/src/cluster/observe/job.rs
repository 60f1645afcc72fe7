//! What is known of a Job.

use k8s_openapi::api::batch::v1::Job;

use crate::build::{HEAD, REVOKE};
use crate::model::observed::{JobRun, JobState};

/// How many characters of a last line are kept.
const LONGEST_LINE: usize = 200;

/// The container of the Job whose last line is something to know.
pub(super) fn telling(job: &Job) -> Option<&str> {
    let spec = job.spec.as_ref().and_then(|it| it.template.spec.as_ref());
    let mut names = spec?.containers.iter().map(|it| it.name.as_str());
    names.find(|it| [HEAD, REVOKE].contains(it))
}

/// The last line of what was printed, as far as a record has room for it.
pub(super) fn last_line(printed: &str) -> Option<String> {
    let line = printed.lines().map(str::trim).rfind(|it| !it.is_empty())?;
    Some(line.chars().take(LONGEST_LINE).collect())
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
        uid: job.metadata.uid.clone(),
        told: None,
    }
}

/// Whether a Job will do nothing more.
#[must_use]
pub fn job_ended(job: &Job) -> bool {
    state(job) != JobState::Running
}

/// Whether a Job is bound to fail, and pods of it have yet to end.
#[must_use]
pub fn job_is_failing(job: &Job) -> bool {
    let status = job.status.iter();
    let conditions = status.flat_map(|it| it.conditions.iter().flatten());
    let is = |type_: &str| {
        let mut conditions = conditions.clone();
        conditions.any(|it| it.type_ == type_ && it.status == "True")
    };
    is("FailureTarget") && !is("Failed")
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
    fn what_is_told_is_the_last_line_that_is_printed() {
        assert_eq!(
            last_line("connecting\n 0042_prices \n\n").as_deref(),
            Some("0042_prices")
        );
        assert_eq!(last_line(" \n"), None);
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
