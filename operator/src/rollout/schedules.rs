//! Says what is wrong with schedules. They hold up no release and take none back: a run may fail for what it works on.
//!
//! Invariant: pure.

use crate::api::Reason;
use crate::model::observed::{JobRun, JobState, LastRun, Schedule};
use crate::rollout::gates::{describe, reason, with_cause};

/// What is wrong with a schedule; `None` if nothing is known to be.
#[must_use]
pub fn fault(schedule: &Schedule) -> Option<(Reason, String)> {
    let (reason, said) = match &schedule.last {
        LastRun::Well => return None,
        LastRun::Gone => (
            Reason::JobFailed,
            "its last run did not end well, and its Job is not there any more".into(),
        ),
        LastRun::Bad(run) => of_run(run),
    };
    Some((reason, format!("job {}: {said}", schedule.job)))
}

fn of_run(run: &JobRun) -> (Reason, String) {
    let JobRun { name, failed, .. } = run;
    match (run.state, &run.trouble) {
        (JobState::Running, Some(trouble)) => (
            reason(trouble.cause),
            format!("its run {name} does not go on: {}", describe(trouble)),
        ),
        (JobState::Running | JobState::Done, _) => (
            Reason::JobRetrying,
            with_cause(
                &format!(
                    "attempt {failed} of {} of its run {name} failed, the next one follows",
                    run.attempts
                ),
                run,
            ),
        ),
        (JobState::Failed, _) => (
            Reason::JobFailed,
            with_cause(&format!("its run {name} failed"), run),
        ),
        (JobState::Late, _) => (
            Reason::JobDeadlineExceeded,
            with_cause(&format!("its run {name} took longer than it may"), run),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observed::{Cause, Trouble};

    fn told(last: LastRun) -> Option<(Reason, String)> {
        fault(&Schedule {
            job: "tidy".into(),
            name: "shop-tidy".into(),
            starting: false,
            last,
        })
    }

    fn bad(run: JobRun) -> LastRun {
        LastRun::Bad(Box::new(JobRun {
            name: "shop-tidy-1".into(),
            attempts: 3,
            ..run
        }))
    }

    #[test]
    fn a_schedule_names_the_run_that_ended_badly_and_why() {
        assert_eq!(told(LastRun::Well), None);
        let failed = JobRun {
            state: JobState::Failed,
            ended: Some("container tidy ended with exit code 3".into()),
            ..JobRun::default()
        };
        let said = "job tidy: its run shop-tidy-1 failed: container tidy ended with exit code 3";
        assert_eq!(told(bad(failed)), Some((Reason::JobFailed, said.into())));
        let late = JobRun {
            state: JobState::Late,
            ..JobRun::default()
        };
        let said = "job tidy: its run shop-tidy-1 took longer than it may";
        assert_eq!(
            told(bad(late)),
            Some((Reason::JobDeadlineExceeded, said.into()))
        );
        let (reason, said) = told(LastRun::Gone).unwrap();
        assert_eq!(reason, Reason::JobFailed);
        assert!(said.contains("not there any more"), "{said}");
    }

    #[test]
    fn a_run_that_cannot_start_says_what_keeps_it() {
        let trouble = Trouble::new(
            "shop-tidy-1-x".into(),
            "tidy".into(),
            Cause::Image,
            "cannot pull a/b:9".into(),
        );
        let stuck = JobRun {
            trouble: Some(trouble),
            failed: 1,
            ..JobRun::default()
        };
        let said =
            "job tidy: its run shop-tidy-1 does not go on: pod shop-tidy-1-x: cannot pull a/b:9";
        assert_eq!(
            told(bad(stuck)),
            Some((Reason::ImagePullFailed, said.into()))
        );
        let again = JobRun {
            failed: 1,
            ..JobRun::default()
        };
        let said = "job tidy: attempt 1 of 3 of its run shop-tidy-1 failed, the next one follows";
        assert_eq!(told(bad(again)), Some((Reason::JobRetrying, said.into())));
    }
}
