//! The few facts that gates judge, as they were seen in the cluster.
//!
//! Invariant: data only, and no type of Kubernetes: `cluster::observe` makes them, `rollout::gates` judges them.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::HostStep;

/// What was seen of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Pods that are to run.
    Workload(Workload),
    /// A Job.
    Job(JobRun),
    /// A certificate that cert-manager looks after.
    Certificate(Issuance),
    /// A route that a Gateway is to take.
    Route(RouteSeen),
    /// The volume claim of this name was deleted, and goes once no pod uses it.
    EndingClaim(String),
    /// Nothing to wait for.
    Nothing,
}

impl Observed {
    /// How far a certificate is, where it is one.
    #[must_use]
    pub const fn certificate(&self) -> Option<&Issuance> {
        match self {
            Self::Certificate(it) => Some(it),
            _ => None,
        }
    }

    /// Why a Gateway does not take a route, where it is one and that is so.
    #[must_use]
    pub fn refused_route(&self) -> Option<&str> {
        match self {
            Self::Route(RouteSeen {
                admission: Admission::Refused(why),
                ..
            }) => Some(why),
            _ => None,
        }
    }

    /// The run of a Job, where it is one.
    #[must_use]
    pub const fn job(&self) -> Option<&JobRun> {
        match self {
            Self::Job(run) => Some(run),
            _ => None,
        }
    }
}

/// A route that a Gateway is to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSeen {
    /// Whether the release that serves has none for the same hosts at the same listeners.
    pub is_new: bool,
    /// Whether it is taken.
    pub admission: Admission,
}

/// What a Gateway says of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It leads visitors by it.
    Taken,
    /// Nothing yet.
    Pending,
    /// It does not, for this reason.
    Refused(String),
}

/// How far a certificate is that cert-manager looks after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuance {
    /// The name of the Certificate.
    pub name: String,
    /// Whether cert-manager was asked for it.
    pub requested: bool,
    /// Whether there is one as the spec wants it.
    pub issued: bool,
    /// What is in the way, where there is none and that is known.
    pub cause: Option<String>,
    /// The address of the authority that is asked by ACME, where there is none yet.
    pub authority: Option<String>,
    /// What was wrong when it was last asked for, if that was in vain.
    pub last_error: Option<String>,
    /// When it is asked for again after that.
    pub next_try: Option<Timestamp>,
    /// When the one that is there expires.
    pub expires: Option<Timestamp>,
    /// When it will be renewed.
    pub renews: Option<Timestamp>,
    /// How many were issued so far.
    pub times: i64,
    /// How many tries have failed since then.
    pub failed: i64,
}

/// What is known of pods before they are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// They have been good, or nobody judges them by how they begin.
    #[default]
    Known,
    /// Nothing serves that they could harm: they may still become well whatever they did before.
    First,
    /// They have yet to prove themselves beside what serves.
    OnTrial,
}

/// Pods that are to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// How they stand.
    pub standing: Standing,
    /// Whether the object's controller has seen the spec that we applied.
    pub seen: bool,
    /// How many pods there are to be. More than the least of an autoscaler is asked of new pods alone: those that serve
    /// are as they should be while their number follows the load.
    pub wanted: i32,
    /// How many there are of the current template.
    pub updated: i32,
    /// How many of the current template are available. Kubernetes counts available pods of all templates, so this
    /// is known to be all of them once no old pod is left.
    pub available: i32,
    /// How many there are in all, old ones included.
    pub total: i32,
    /// Whether the deadline for becoming ready has passed.
    pub late: bool,
    /// Why pods could not be made, where they could not.
    pub refused: Option<String>,
    /// What keeps the newest pod from becoming ready, where something does.
    pub trouble: Option<Trouble>,
    /// Since when the last of the pods is ready. Looked at in a trial alone, and only once all pods are there.
    pub ready_since: Option<Timestamp>,
    /// How often the container that ended most did so. Not looked at of what is known.
    pub ends: i32,
    /// How that container ended last. Looked at only where all pods are there again.
    pub ended: Option<Trouble>,
    /// Pods of an older template, of a StatefulSet that is not complete: those of a Deployment are replaced whatever
    /// state they are in.
    pub old: Vec<OldPod>,
}

impl Workload {
    /// Whether every pod is of the current template and available.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.seen
            && self.updated >= self.wanted
            && self.total <= self.updated
            && self.available >= self.wanted
    }
}

/// A run of a Job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobRun {
    /// The name of the Job.
    pub name: String,
    /// How far it is.
    pub state: JobState,
    /// How many attempts failed.
    pub failed: i32,
    /// How many attempts there may be.
    pub attempts: i32,
    /// What keeps the pod from running, where something does.
    pub trouble: Option<Trouble>,
    /// How the last failed attempt ended, where that is known.
    pub ended: Option<String>,
    /// What the last failed attempt printed in the end.
    pub printed: Option<Printed>,
    /// The UID of the Job.
    pub uid: Option<String>,
    /// The last line that it printed, where that is something to know.
    pub told: Option<String>,
    /// How long it may take from the start of its container on.
    pub timeout: Option<Duration>,
    /// When a container of it started first.
    pub started: Option<Timestamp>,
    /// Since when its newest pod waits for its first container to start, or since when none can be made; `None` if neither is
    /// so.
    pub waits_since: Option<Timestamp>,
    /// When it will be late; see `rollout::deadline`.
    pub due: Option<Timestamp>,
    /// Why it was ended before it came to an end of its own.
    pub late: Option<String>,
    /// Whether it asks an external database if it lets the application in. Then the last line is known of one that runs or failed, too.
    pub asks: bool,
}

/// How far a Job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobState {
    /// It runs, or waits for its next attempt.
    #[default]
    Running,
    /// It succeeded.
    Done,
    /// It failed for good.
    Failed,
    /// It ran longer than it may.
    Late,
}

impl JobRun {
    /// Whether it has run for longer than it may.
    #[must_use]
    pub fn is_out_of_time(&self, now: Timestamp) -> bool {
        let due = self.started.zip(self.timeout);
        let due = due.and_then(|(since, limit)| since.saturating_add(limit).ok());
        due.is_some_and(|it| it <= now)
    }

    /// A run that is known to have succeeded.
    #[must_use]
    pub fn done(uid: Option<String>) -> Self {
        Self {
            state: JobState::Done,
            uid,
            ..Self::default()
        }
    }
}

/// How it is with a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The name of its job in the spec.
    pub job: String,
    /// The name of the CronJob.
    pub name: String,
    /// Whether a run of it has yet to start a container, and nobody says why it has not.
    pub starting: bool,
    /// How its last run ended, or goes.
    pub last: LastRun,
}

/// How the last run of a schedule ended, or goes. One that runs as it should says nothing yet, so the one before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastRun {
    /// It ended well, or there was none yet.
    Well,
    /// It failed, or does not go on.
    Bad(Box<JobRun>),
    /// It did not end well, and its Job is not there any more.
    Gone,
}

/// What keeps a pod from becoming ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The pod.
    pub pod: String,
    /// The container; empty if it is the pod itself that has it.
    pub container: String,
    /// The kind of trouble.
    pub cause: Cause,
    /// What Kubernetes says of it.
    pub message: String,
    /// What its container printed in the end, where it ran.
    pub printed: Option<Printed>,
}

/// What a container printed in the end, without secret values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The line that tells why it ended.
    pub telling: String,
    /// The other lines at the end, in their order; empty if there are none.
    pub others: String,
}

impl Trouble {
    /// Without what was printed. `container` is empty where it is the pod itself that has it.
    #[must_use]
    pub const fn new(pod: String, container: String, cause: Cause, message: String) -> Self {
        Self {
            pod,
            container,
            cause,
            message,
            printed: None,
        }
    }

    /// No pod can be made, in the words of the API server.
    #[must_use]
    pub const fn refused(message: String) -> Self {
        Self::new(String::new(), String::new(), Cause::Refused, message)
    }
}

/// The kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The image cannot be pulled.
    Image,
    /// The image would run as root.
    Root,
    /// The container cannot be made.
    Config,
    /// The container ends again and again.
    Crashing,
    /// The pod is not in trouble that anybody tells of: it waits for something, such as a container that is to end first.
    Starting,
    /// The container was killed because it used more memory than it may.
    OutOfMemory,
    /// The container runs, and does not answer its probe well.
    Probe,
    /// A volume cannot be mounted.
    Volume,
    /// No node takes the pod.
    Unschedulable,
    /// The pod cannot be made.
    Refused,
    /// The pod was ended by its node.
    Evicted,
    /// The pod's node does not answer.
    NodeLost,
}

impl Cause {
    /// Whether no container of the pod runs while it lasts.
    #[must_use]
    pub const fn keeps_from_starting(self) -> bool {
        matches!(
            self,
            Self::Image
                | Self::Root
                | Self::Config
                | Self::Volume
                | Self::Unschedulable
                | Self::Refused
        )
    }
}

/// A pod as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodVersion {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
}

/// A pod of a StatefulSet that was made from an older template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it is ready.
    pub ready: bool,
}

/// How far images are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Images {
    /// They are on the nodes.
    #[default]
    Pulled,
    /// They are on their way.
    Pulling,
    /// They do not come.
    Stuck {
        /// Why not.
        why: String,
    },
}

impl Images {
    /// The worse of two; of equals the first.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Stuck { .. }, _) | (Self::Pulling, Self::Pulled | Self::Pulling) => self,
            (Self::Pulled, _) | (Self::Pulling, Self::Stuck { .. }) => other,
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The application answered well: 2xx, or 3xx.
    Good,
    /// The application itself answered badly.
    Application {
        /// The status of the answer.
        status: u16,
        /// The start of its body; as `cluster::observe` hands it on, in one line and without secret values.
        said: String,
    },
    /// The way there does not work yet.
    Infrastructure {
        /// The step of it that does not.
        step: HostStep,
        /// The status of the answer, where somebody on the way gave one.
        status: Option<u16>,
        /// Why not, in words that people can act on.
        why: String,
    },
}
