//! Judges whether a stage may let the next one go.
//!
//! Invariant: pure. A gate is judged from what was observed, and from nothing else.

use std::time::Duration;

use jiff::Timestamp;

use super::observe::{Cause, JobRun, JobState, Observed, Trouble, Workload};
use super::tries::Verdict;
use crate::api::Reason;

/// Whether the next stage may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// Not yet; it is expected to.
    Waiting {
        /// Why not.
        reason: Reason,
        /// The same for people.
        message: String,
        /// When it opens by itself, where that is known.
        until: Option<Timestamp>,
    },
    /// Not without a change.
    Failed {
        /// Why not.
        reason: Reason,
        /// The same for people.
        message: String,
    },
}

/// What new pods must stand beside being available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How long they must have been ready.
    pub soak: Duration,
    /// The time of now.
    pub now: Timestamp,
}

/// How often a container of a new release may end: programs that start before what they need is there end once or twice.
const ENDS: i32 = 2;

/// The gate of a stage: the worst of what was observed of it.
#[must_use]
pub fn judge(observed: &[Observed], trial: Option<&Trial>) -> Gate {
    observed
        .iter()
        .map(|it| judge_one(it, trial))
        .fold(Gate::Open, Gate::worst)
}

impl Gate {
    /// Whether the next stage must wait.
    #[must_use]
    pub const fn is_shut(&self) -> bool {
        !matches!(self, Self::Open)
    }

    /// The worse of two; of equals the first, whose objects come first.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Failed { .. }, _)
            | (Self::Waiting { .. }, Self::Open | Self::Waiting { .. }) => self,
            (Self::Open, _) | (Self::Waiting { .. }, Self::Failed { .. }) => other,
        }
    }
}

/// The gate of a release that is asked through its public address; `due` is when the next try is.
#[must_use]
pub fn of_check(verdict: Verdict, due: Timestamp) -> Gate {
    match verdict {
        Verdict::Passed => Gate::Open,
        Verdict::Again { why } => Gate::Waiting {
            reason: Reason::PublicCheckPending,
            message: format!("the public address does not answer well yet: {why}"),
            until: Some(due),
        },
        Verdict::Failed { reason, message } => Gate::Failed { reason, message },
    }
}

fn judge_one(observed: &Observed, trial: Option<&Trial>) -> Gate {
    match observed {
        Observed::Workload(workload) => trial
            .and_then(|_| ends_too_often(workload))
            .or_else(|| WORKLOAD_CHECKS.iter().find_map(|check| check(workload)))
            .or_else(|| soaking(workload, trial?))
            .unwrap_or(Gate::Open),
        Observed::Job(run) => judge_job(run),
        Observed::Nothing => Gate::Open,
    }
}

type Check = fn(&Workload) -> Option<Gate>;

/// The first that finds something speaks; the order is that of what helps most to know.
const WORKLOAD_CHECKS: [Check; 6] = [
    spec_not_seen_yet,    // the object's controller has not observed our change
    deadline_exceeded,    // the pods had their time
    pod_in_trouble,       // something keeps the newest pod from becoming ready
    pods_refused,         // pods cannot even be made
    replicas_outdated,    // some pods still run the old template
    replicas_unavailable, // pods of the new template are not available yet
];

fn spec_not_seen_yet(workload: &Workload) -> Option<Gate> {
    (!workload.seen).then(|| {
        waiting(
            Reason::SpecNotSeenYet,
            "the change has not been picked up yet",
        )
    })
}

fn deadline_exceeded(workload: &Workload) -> Option<Gate> {
    let why = workload
        .trouble
        .as_ref()
        .map_or_else(String::new, |it| format!("; {}", describe(it)));
    workload.late.then(|| Gate::Failed {
        reason: Reason::ProgressDeadlineExceeded,
        message: format!("the new pods did not become ready within rollout.progressDeadline{why}"),
    })
}

fn pod_in_trouble(workload: &Workload) -> Option<Gate> {
    let trouble = workload.trouble.as_ref()?;
    Some(waiting(reason(trouble.cause), describe(trouble)))
}

fn pods_refused(workload: &Workload) -> Option<Gate> {
    let why = workload.refused.as_ref()?;
    Some(waiting(
        Reason::PodsRefused,
        format!("pods cannot be made: {why}"),
    ))
}

fn replicas_outdated(workload: &Workload) -> Option<Gate> {
    let old = workload.total - workload.updated;
    let missing = workload.wanted - workload.updated;
    (old > 0 || missing > 0).then(|| {
        waiting(
            Reason::ReplicasOutdated,
            format!(
                "{} of {} pods run the new template, {old} the old one",
                workload.updated, workload.wanted
            ),
        )
    })
}

fn replicas_unavailable(workload: &Workload) -> Option<Gate> {
    (workload.available < workload.wanted).then(|| {
        waiting(
            Reason::ReplicasPending,
            format!(
                "{} of {} pods are available",
                workload.available, workload.wanted
            ),
        )
    })
}

fn ends_too_often(workload: &Workload) -> Option<Gate> {
    let why = match &workload.trouble {
        Some(trouble) => describe(trouble),
        None => format!("a container ended {} times", workload.ends),
    };
    (workload.ends > ENDS).then_some(Gate::Failed {
        reason: Reason::ContainerCrashing,
        message: why,
    })
}

fn soaking(workload: &Workload, trial: &Trial) -> Option<Gate> {
    let until = workload.ready_since?.saturating_add(trial.soak).ok()?;
    (trial.now < until).then(|| Gate::Waiting {
        reason: Reason::Soaking,
        message: format!(
            "the new pods are ready, and must stay so until {until} before requests go to them"
        ),
        until: Some(until),
    })
}

fn judge_job(run: &JobRun) -> Gate {
    let log = run
        .log
        .as_ref()
        .map_or_else(String::new, |log| format!("; its last lines: {log}"));
    let (failed, attempts) = (run.failed, run.attempts);
    match run.state {
        JobState::Done => Gate::Open,
        JobState::Failed => Gate::Failed {
            reason: Reason::JobFailed,
            message: format!(
                "it failed {failed} time(s) and is not repeated until something changes{log}"
            ),
        },
        JobState::Late => Gate::Failed {
            reason: Reason::JobDeadlineExceeded,
            message: format!("it ran longer than it may{log}"),
        },
        JobState::Running => match &run.trouble {
            Some(trouble) => waiting(reason(trouble.cause), describe(trouble)),
            None if failed > 0 => waiting(
                Reason::JobRetrying,
                format!("attempt {failed} of {attempts} failed, the next one follows{log}"),
            ),
            None => waiting(Reason::JobRunning, "it runs"),
        },
    }
}

const fn reason(cause: Cause) -> Reason {
    match cause {
        Cause::Image => Reason::ImagePullFailed,
        Cause::Root => Reason::ImageRunsAsRoot,
        Cause::Config => Reason::ContainerConfigInvalid,
        Cause::Crashing => Reason::ContainerCrashing,
        Cause::Unschedulable => Reason::Unschedulable,
    }
}

fn describe(trouble: &Trouble) -> String {
    let Trouble {
        pod,
        cause,
        message,
        log,
        ..
    } = trouble;
    let log = log
        .as_ref()
        .map_or_else(String::new, |log| format!("; its last lines: {log}"));
    let fix = match cause {
        Cause::Root => {
            "; give the image a numeric USER, or allow it: podTemplate: {spec: {securityContext: {runAsNonRoot: false}}}, or name the user: podTemplate: {spec: {securityContext: {runAsUser: 1000}}}"
        }
        _ => "",
    };
    format!("pod {pod}: {message}{log}{fix}")
}

fn waiting(reason: Reason, message: impl Into<String>) -> Gate {
    Gate::Waiting {
        reason,
        message: message.into(),
        until: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pods, all new and available.
    fn complete() -> Workload {
        Workload {
            seen: true,
            wanted: 3,
            updated: 3,
            available: 3,
            total: 3,
            ..Workload::default()
        }
    }

    fn check(workload: Workload, expected: Option<Reason>) {
        let found = match judge(&[Observed::Workload(workload)], None) {
            Gate::Open => None,
            Gate::Waiting { reason, .. } | Gate::Failed { reason, .. } => Some(reason),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_complete_workload_opens_the_gate() {
        check(complete(), None);
    }

    #[test]
    fn new_pods_must_stay_ready_for_the_soak_and_old_ones_need_not() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let workload = || {
            let workload = Workload {
                ready_since: Some(at(100)),
                ..complete()
            };
            [Observed::Workload(workload)]
        };
        let trial = |second| Trial {
            soak: Duration::from_secs(30),
            now: at(second),
        };
        let Gate::Waiting { reason, until, .. } = judge(&workload(), Some(&trial(129))) else {
            panic!("the gate is not waiting");
        };
        assert_eq!((reason, until), (Reason::Soaking, Some(at(130))));
        assert_eq!(judge(&workload(), Some(&trial(130))), Gate::Open);
        assert_eq!(judge(&workload(), None), Gate::Open);
    }

    #[test]
    fn a_container_of_a_new_release_may_end_twice() {
        let judged = |ends, trial: Option<Trial>| {
            let workload = Workload { ends, ..complete() };
            judge(&[Observed::Workload(workload)], trial.as_ref())
        };
        let trial = Trial {
            soak: Duration::ZERO,
            now: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(judged(2, Some(trial)), Gate::Open);
        assert!(matches!(judged(3, Some(trial)), Gate::Failed { .. }));
        assert_eq!(judged(3, None), Gate::Open);
    }

    #[test]
    fn no_pods_at_all_open_the_gate_when_none_are_wanted() {
        check(
            Workload {
                seen: true,
                ..Workload::default()
            },
            None,
        );
    }

    #[test]
    fn a_change_that_was_not_seen_waits_though_all_old_pods_are_available() {
        check(
            Workload {
                seen: false,
                ..complete()
            },
            Some(Reason::SpecNotSeenYet),
        );
    }

    #[test]
    fn a_backend_with_an_old_pod_is_waiting() {
        check(
            Workload {
                updated: 2,
                ..complete()
            },
            Some(Reason::ReplicasOutdated),
        );
        check(
            Workload {
                total: 4,
                ..complete()
            },
            Some(Reason::ReplicasOutdated),
        );
    }

    #[test]
    fn a_pod_that_is_not_available_is_waited_for() {
        check(
            Workload {
                available: 2,
                ..complete()
            },
            Some(Reason::ReplicasPending),
        );
    }

    #[test]
    fn a_deadline_that_passed_fails_the_stage_and_tells_the_pods_trouble() {
        let trouble = Trouble {
            pod: "p".into(),
            container: "c".into(),
            cause: Cause::Image,
            message: "cannot pull a/b:1".into(),
            log: None,
        };
        let late = Workload {
            late: true,
            available: 0,
            trouble: Some(trouble),
            ..complete()
        };
        let Gate::Failed { reason, message } = judge(&[Observed::Workload(late)], None) else {
            panic!("the gate is not failed");
        };
        assert_eq!(reason, Reason::ProgressDeadlineExceeded);
        assert!(message.contains("cannot pull a/b:1"), "{message}");
    }

    #[test]
    fn an_image_that_runs_as_root_is_told_with_the_lines_that_allow_it() {
        let trouble = Trouble {
            pod: "p".into(),
            container: "c".into(),
            cause: Cause::Root,
            message: "image will run as root".into(),
            log: None,
        };
        let Gate::Waiting {
            reason, message, ..
        } = judge(
            &[Observed::Workload(Workload {
                available: 0,
                trouble: Some(trouble),
                ..complete()
            })],
            None,
        )
        else {
            panic!("the gate is not waiting");
        };
        assert_eq!(reason, Reason::ImageRunsAsRoot);
        assert!(message.contains("podTemplate"), "{message}");
    }

    #[test]
    fn a_failed_job_shows_its_log() {
        let run = JobRun {
            state: JobState::Failed,
            failed: 3,
            attempts: 3,
            trouble: None,
            log: Some("no such column".into()),
            head: None,
        };
        let Gate::Failed { message, .. } = judge(&[Observed::Job(run)], None) else {
            panic!("the gate is not failed");
        };
        assert!(message.contains("no such column"), "{message}");
    }

    #[test]
    fn the_worst_object_makes_the_gate() {
        let open = || Gate::Open;
        let wait = || waiting(Reason::JobRunning, "w");
        let fail = || Gate::Failed {
            reason: Reason::JobFailed,
            message: "f".into(),
        };
        assert_eq!(open().worst(wait()), wait());
        assert_eq!(wait().worst(fail()), fail());
        assert_eq!(fail().worst(wait()), fail());
        assert_eq!(wait().worst(open()), wait());
    }
}
