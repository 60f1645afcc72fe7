//! Judges whether a stage may let the next one go.
//!
//! Invariant: pure. A gate is judged from what was observed, and from nothing else.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::Reason;
use crate::model::message;
use crate::model::observed::{
    Admission, Cause, Issuance, JobRun, JobState, Observed, OldPod, RouteSeen, Standing, Trouble,
    Workload,
};
use crate::release::assets;
use crate::rollout::public_check::Verdict;

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

/// The pods that are in the way of their own correction: they are of an older template and not ready, and Kubernetes may
/// wait for them to become so before it replaces them (its issue 67250).
pub fn stuck(observed: &[Observed]) -> impl Iterator<Item = &OldPod> {
    let workloads = observed.iter().filter_map(|it| match it {
        // What its controller has not seen yet has its newest template still to come.
        Observed::Workload(workload) => Some(workload).filter(|it| it.seen && it.wanted > 0),
        Observed::Job(_)
        | Observed::Certificate(_)
        | Observed::Route(_)
        | Observed::EndingClaim(_)
        | Observed::Nothing => None,
    });
    workloads.flat_map(|it| &it.old).filter(|it| !it.ready)
}

/// The gate of a release that is asked through its public address; `due` is when the next try is.
#[must_use]
pub fn of_check(verdict: Verdict, due: Timestamp) -> Gate {
    match verdict {
        Verdict::Passed => Gate::Open,
        Verdict::Holding { steady } => Gate::Waiting {
            reason: Reason::PublicCheckPending,
            message: format!(
                "the public address answers well, and must do so for {steady:?} before the release goes on"
            ),
            until: Some(due),
        },
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
        Observed::Workload(workload) => {
            let trial = trial.filter(|_| workload.standing == Standing::OnTrial);
            ends_too_often(workload)
                .or_else(|| WORKLOAD_CHECKS.iter().find_map(|check| check(workload)))
                .or_else(|| soaking(workload, trial?))
                .unwrap_or(Gate::Open)
        }
        Observed::Job(run) => judge_job(run),
        Observed::EndingClaim(name) => waiting(
            Reason::ClaimDeleted,
            format!(
                "somebody deleted claim {name}: it goes as soon as no pod uses it, and the data with it unless its volume is kept; save them while the database runs"
            ),
        ),
        Observed::Certificate(it) => judge_certificate(it),
        Observed::Route(it) => judge_route(it),
        Observed::Nothing => Gate::Open,
    }
}

/// A route that is refused fails no release: another one would be refused as well. Of one that was there before it is told beside.
fn judge_route(it: &RouteSeen) -> Gate {
    match &it.admission {
        _ if !it.is_new => Gate::Open,
        Admission::Taken => Gate::Open,
        Admission::Pending => waiting(
            Reason::RoutePending,
            "the Gateway has yet to take up the routes".to_owned(),
        ),
        Admission::Refused(why) => waiting(Reason::RouteRefused, why.clone()),
    }
}

/// A certificate that does not come fails no release: the authority may be away for hours, and visitors have the one of before.
fn judge_certificate(it: &Issuance) -> Gate {
    let Issuance { name, cause, .. } = it;
    match cause.as_ref().or(it.last_error.as_ref()) {
        _ if it.issued => Gate::Open,
        Some(why) => {
            let said = format!("certificate {name} does not come: {why}{}", next_try(it));
            waiting(Reason::CertificateNotIssued, said)
        }
        None if it.requested => awaits(&format!("certificate {name} is being issued")),
        None => awaits(&format!(
            "certificate {name} is asked for once no other one of this stack is being issued"
        )),
    }
}

/// When a certificate is asked for again, where that is known.
#[must_use]
pub fn next_try(it: &Issuance) -> String {
    it.next_try.map_or_else(String::new, |at| {
        format!("; cert-manager tries again at about {at}")
    })
}

/// The gate of a stage that waits for something else to be there.
#[must_use]
pub fn awaits(what: &str) -> Gate {
    waiting(Reason::CertificatePending, what.to_owned())
}

/// The gate of a stage whose Services say what Traefik may not know yet: it would answer none of their requests.
#[must_use]
pub fn awaits_proxy() -> Gate {
    let what = "Traefik has yet to take up edge.timeouts";
    waiting(Reason::RoutePending, what.to_owned())
}

type Check = fn(&Workload) -> Option<Gate>;

/// The first that finds something speaks; the order is that of what helps most to know.
const WORKLOAD_CHECKS: [Check; 7] = [
    spec_not_seen_yet,    // the object's controller has not observed our change
    deadline_exceeded,    // the pods had their time
    pod_in_trouble,       // something keeps the newest pod from becoming ready
    pods_refused,         // pods cannot even be made
    pods_ending,          // none are wanted any more, and some are there still
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
    let why = workload.trouble.as_ref().map(describe);
    let why = why.or_else(|| workload.refused.as_deref().map(refused));
    let why = why.map_or_else(String::new, |it| format!("; {it}"));
    workload.late.then(|| Gate::Failed {
        reason: Reason::ProgressDeadlineExceeded,
        message: format!("the new pods did not become ready within rollout.progressDeadline{why}"),
    })
}

fn refused(why: &str) -> String {
    format!("pods cannot be made: {why}")
}

fn pod_in_trouble(workload: &Workload) -> Option<Gate> {
    let trouble = workload.trouble.as_ref()?;
    Some(waiting(reason(trouble.cause), describe(trouble)))
}

fn pods_refused(workload: &Workload) -> Option<Gate> {
    let why = workload.refused.as_ref()?;
    Some(waiting(Reason::PodsRefused, refused(why)))
}

fn pods_ending(workload: &Workload) -> Option<Gate> {
    (workload.wanted == 0 && workload.total > 0).then(|| {
        waiting(
            Reason::ReplicasOutdated,
            format!("{} pods are still to end", workload.total),
        )
    })
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

/// Pods on trial are judged by what they did, and the first ones of a stack only as long as they are not well.
fn ends_too_often(workload: &Workload) -> Option<Gate> {
    let is_judged = match workload.standing {
        Standing::Known => false,
        Standing::First => !workload.is_complete(),
        Standing::OnTrial => true,
    };
    if !is_judged || workload.ends <= ENDS {
        return None;
    }
    let trouble = workload.trouble.as_ref().or(workload.ended.as_ref());
    let (reason, message) = match trouble {
        Some(trouble) => (reason(trouble.cause), describe(trouble)),
        None => (
            Reason::ContainerCrashing,
            format!("a container ended {} times", workload.ends),
        ),
    };
    Some(Gate::Failed { reason, message })
}

fn soaking(workload: &Workload, trial: &Trial) -> Option<Gate> {
    let Some(since) = workload.ready_since else {
        // A pod that ended just now is still counted as available.
        let message = "not every pod is ready";
        return (workload.wanted > 0).then(|| waiting(Reason::ReplicasPending, message));
    };
    let until = since.saturating_add(trial.soak).ok()?;
    (trial.now < until).then(|| Gate::Waiting {
        reason: Reason::Soaking,
        message: format!(
            "the new pods are ready, and must stay so until {until} before the release goes on"
        ),
        until: Some(until),
    })
}

/// What is said of a Job, with how its last attempt ended, or what keeps it from starting, and what it printed.
pub(super) fn with_cause(said: &str, run: &JobRun) -> String {
    let why = match (&run.ended, &run.trouble) {
        (Some(ended), _) => format!(": {ended}"),
        (None, Some(trouble)) => format!(": {}", describe(trouble)),
        (None, None) => String::new(),
    };
    message::with(&format!("{said}{why}"), run.printed.as_ref())
}

/// Of a Job that asks an external database: it prints in words what is wrong, also while it asks on.
fn judge_question(run: &JobRun) -> Option<Gate> {
    let said = run.told.as_ref().filter(|_| run.asks)?;
    let reason = Reason::DatabaseUnreachable;
    let is_over = run.late.is_some() || matches!(run.state, JobState::Failed | JobState::Late);
    if is_over {
        let message = format!(
            "the external database does not let the application in, and is not asked again until something changes: {said}"
        );
        return Some(Gate::Failed { reason, message });
    }
    (run.state == JobState::Running && run.trouble.is_none()).then(|| {
        waiting(
            reason,
            format!("the external database is asked until it lets the application in: {said}"),
        )
    })
}

fn judge_job(run: &JobRun) -> Gate {
    if let Some(gate) = judge_question(run) {
        return gate;
    }
    let (failed, attempts) = (run.failed, run.attempts);
    match (run.state, &run.late) {
        (JobState::Done, _) => Gate::Open,
        (_, Some(why)) => Gate::Failed {
            reason: Reason::JobDeadlineExceeded,
            message: message::and(why, "; it is not repeated until something changes"),
        },
        (JobState::Failed, None) => Gate::Failed {
            reason: Reason::JobFailed,
            message: with_cause(
                &format!(
                    "it failed {} time(s) and is not repeated until something changes",
                    // The pod of the last attempt may not be counted yet.
                    failed.max(1)
                ),
                run,
            ),
        },
        (JobState::Late, None) => Gate::Failed {
            reason: Reason::JobDeadlineExceeded,
            message: with_cause("it ran longer than it may", run),
        },
        (JobState::Running, None) => match &run.trouble {
            Some(trouble) => Gate::Waiting {
                reason: reason(trouble.cause),
                message: describe(trouble),
                until: run.due,
            },
            None if failed > 0 => waiting(
                Reason::JobRetrying,
                with_cause(
                    &format!("attempt {failed} of {attempts} failed, the next one follows"),
                    run,
                ),
            ),
            None => waiting(Reason::JobRunning, "it runs"),
        },
    }
}

pub(super) const fn reason(cause: Cause) -> Reason {
    match cause {
        Cause::Image => Reason::ImagePullFailed,
        Cause::Root => Reason::ImageRunsAsRoot,
        Cause::Config => Reason::ContainerConfigInvalid,
        Cause::Crashing => Reason::ContainerCrashing,
        Cause::Starting => Reason::ReplicasPending,
        Cause::OutOfMemory => Reason::OutOfMemory,
        Cause::Probe => Reason::ProbeFailing,
        Cause::Volume => Reason::VolumeNotMounted,
        Cause::Unschedulable => Reason::Unschedulable,
        Cause::Refused => Reason::PodsRefused,
        Cause::Evicted => Reason::PodEvicted,
        Cause::NodeLost => Reason::NodeLost,
    }
}

pub(super) fn describe(trouble: &Trouble) -> String {
    let Trouble {
        pod,
        container,
        cause,
        message,
        printed,
    } = trouble;
    let fix: Cow<'_, str> = match cause {
        Cause::Root => not_as_root(container, message).into(),
        Cause::Image | Cause::Config | Cause::Crashing if assets::is_older(container) => {
            "; it brings the assets of an earlier release, whose image must still be there and have sh and cp; to go without: frontend.assets.releases: 0".into()
        }
        Cause::Config | Cause::Crashing if container == assets::OWN => {
            "; frontend.assets.path must be a folder of the image, and the image needs sh and cp to copy it".into()
        }
        Cause::OutOfMemory => "; give it more by resources.limits.memory".into(),
        _ => "".into(),
    };
    if *cause == Cause::Refused {
        return refused(message);
    }
    let said = message::with(&format!("pod {pod}: {message}"), printed.as_ref());
    message::and(&said, &fix)
}

/// How a container gets a user that is not root. Who is root by `podTemplate` is so whatever else is said.
fn not_as_root(container: &str, message: &str) -> String {
    const ALLOWED: &str = "podTemplate: {spec: {securityContext: {runAsNonRoot: false}}}";
    let user = user_of(container);
    if message.contains("breaks non-root policy") {
        return format!(
            "; podTemplate names root: name another user there, or allow it: {ALLOWED}"
        );
    }
    if message.contains("non-numeric user") {
        return format!(
            "; Kubernetes cannot tell whether a user with a name is root: name its number, as `id` in the image prints it, such as {user}, or give the image a numeric USER"
        );
    }
    format!("; give the image a numeric USER, or name the user: {user}, or allow it: {ALLOWED}")
}

/// What names the user of a container. Jobs and what the user adds have names of their own.
fn user_of(container: &str) -> String {
    let of_assets = container == assets::OWN || assets::is_older(container);
    match container {
        "backend" | "migration" | "head" | "seed" => "backend.runAsUser: 1000".into(),
        _ if container == "frontend" || of_assets => "frontend.runAsUser: 1000".into(),
        _ => format!(
            "podTemplate: {{spec: {{containers: [{{name: {container}, securityContext: {{runAsUser: 1000}}}}]}}}}"
        ),
    }
}

fn waiting(reason: Reason, message: impl Into<String>) -> Gate {
    Gate::Waiting {
        reason,
        message: message.into(),
        until: None,
    }
}

#[cfg(test)]
mod tests;
