//! How long a Job may take: to start its container as long as pods may take to become ready, and to end its own time from that
//! start on. Kubernetes knows one time for both, from the making of the Job on, so it has their sum, for when the operator is away.
//!
//! A Job that is late is ended by its own `activeDeadlineSeconds` and not deleted: it stays as the fact that it failed, with the
//! cause written on it, and is not repeated until something changes.

use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::apply::Writer;
use crate::error::Result;
use crate::model::observed::{JobRun, JobState, Observed};
use crate::rollout::gates::with_cause;

/// By what Jobs are judged.
#[derive(Clone, Copy, Debug)]
pub struct JobLimits {
    /// How long it may take until the container of a Job starts: `rollout.progressDeadline`.
    pub start: Duration,
    /// The time of now.
    pub now: Timestamp,
}

/// Ends the Jobs that are late, and notes when the others would be.
///
/// # Errors
/// If the API server refuses it.
pub(super) async fn enforce(
    writer: &Writer<'_>,
    seen: &mut [Observed],
    limits: JobLimits,
) -> Result<()> {
    for it in seen {
        let Observed::Job(run) = it else { continue };
        match due(run, limits.start) {
            Some((due, why)) if due <= limits.now => {
                writer.end_late_job(run, &why).await?;
                run.late = Some(why);
            }
            other => run.due = other.map(|(due, _)| due),
        }
    }
    Ok(())
}

/// When a Job that runs is late, and what is said of it then.
fn due(run: &JobRun, start: Duration) -> Option<(Timestamp, String)> {
    if run.state != JobState::Running || run.late.is_some() {
        return None;
    }
    let after = |since: Option<Timestamp>, limit| since?.saturating_add(limit).ok();
    let to_start = after(run.waits_since, start).map(|due| {
        let said =
            format!("its container did not start within {start:?} (rollout.progressDeadline)");
        (due, with_cause(&said, run))
    });
    let to_end = run.timeout.and_then(|limit| {
        let due = after(run.started, limit)?;
        let said = format!("it ran longer than {limit:?}, its timeout");
        Some((due, with_cause(&said, run)))
    });
    to_start
        .into_iter()
        .chain(to_end)
        .min_by_key(|(due, _)| *due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observed::{Cause, Printed, Trouble};

    const START: Duration = Duration::from_secs(30);

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn running() -> JobRun {
        JobRun {
            timeout: Some(Duration::from_mins(10)),
            ..JobRun::default()
        }
    }

    #[test]
    fn a_job_whose_container_does_not_start_is_late_with_the_cause() {
        let message = "cannot pull a/b:1: not found".to_owned();
        let run = JobRun {
            waits_since: at(100),
            trouble: Some(Trouble::new("p".into(), "c".into(), Cause::Image, message)),
            ..running()
        };
        let (due, why) = due(&run, START).unwrap();
        assert_eq!(Some(due), at(130));
        assert_eq!(
            why,
            "its container did not start within 30s (rollout.progressDeadline): pod p: cannot pull a/b:1: not found"
        );
    }

    #[test]
    fn its_own_time_counts_from_the_start_of_its_container_over_all_attempts() {
        let run = JobRun {
            started: at(1000),
            printed: Some(Printed {
                telling: "half done".into(),
                others: String::new(),
            }),
            ..running()
        };
        let (end, why) = due(&run, START).unwrap();
        assert_eq!(Some(end), at(1600));
        assert_eq!(
            why,
            "it ran longer than 600s, its timeout; it said: half done"
        );
        // The next attempt has to start too.
        let again = JobRun {
            waits_since: at(1200),
            ..run.clone()
        };
        assert_eq!(due(&again, START).map(|(due, _)| due), at(1230));
        let last = JobRun {
            waits_since: at(1590),
            ..run
        };
        assert_eq!(due(&last, START).map(|(due, _)| due), at(1600));
    }

    #[test]
    fn what_has_ended_or_has_not_begun_to_wait_is_not_late() {
        for run in [
            running(),
            JobRun {
                state: JobState::Failed,
                waits_since: at(1),
                ..running()
            },
            JobRun {
                late: Some("it was".into()),
                waits_since: at(1),
                ..running()
            },
            // One of an earlier version of the operator has all its time from Kubernetes.
            JobRun {
                started: at(1),
                timeout: None,
                ..running()
            },
        ] {
            assert_eq!(due(&run, START), None, "{run:?}");
        }
    }
}
