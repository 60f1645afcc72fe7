//! How far a Job is, told by its conditions.

use k8s_openapi::api::batch::v1::Job;

use crate::model::observed::JobState;

/// The state of a Job.
#[must_use]
pub fn state(job: &Job) -> JobState {
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

/// Whether a Job will do nothing more.
#[must_use]
pub fn has_ended(job: &Job) -> bool {
    state(job) != JobState::Running
}

/// Whether a Job is bound to fail, and pods of it have yet to end.
#[must_use]
pub fn is_failing(job: &Job) -> bool {
    let status = job.status.iter();
    let conditions = status.flat_map(|it| it.conditions.iter().flatten());
    let is = |type_: &str| {
        let mut conditions = conditions.clone();
        conditions.any(|it| it.type_ == type_ && it.status == "True")
    };
    is("FailureTarget") && !is("Failed")
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
        assert_eq!(state(&job), expected);
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
