//! Computes the status from what a reconciliation came to.
//!
//! Invariant: pure; time is an argument. The transition time of a condition moves only when its status does, and the
//! conditions are sorted, so that the same outcome gives the same status.

mod commands;
mod conditions;
mod edge;
mod stages;
mod whole;

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::conditions::Conditions;
pub use self::edge::{CertificateKeeper, Keeper, UnknownHosts, WayIn};
use crate::api::{
    AppStack, AppStackStatus, CertificateStatus, ConditionType, Reason, ReleaseStatus, Urls,
};
use crate::error::{Class, Error};
use crate::model::fact::Failure;
use crate::model::message;
use crate::model::observed::Issuance;
use crate::release::database_roles::Revocation;
use crate::rollout::RolloutStatus;

/// What a reconciliation came to, when it came to anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing was done, because `suspend` is true.
    Suspended,
    /// It is being deleted, and waits for this.
    Deleting(String),
    /// The roll-out went as far as its gates.
    RolledOut(Box<Progress>),
}

/// How far a release came.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The name of the stack.
    pub stack: String,
    /// Its namespace.
    pub namespace: String,
    /// The stages.
    pub rollout: RolloutStatus,
    /// The requested release.
    pub requested: ReleaseStatus,
    /// The release that serves.
    pub serving: Option<ReleaseStatus>,
    /// The release that served before it.
    pub previous: Option<ReleaseStatus>,
    /// How the requested release failed, where it did and the serving one is worked towards instead.
    pub failure: Option<Failure>,
    /// What the requested release would change, where it waits for somebody's approval or for its images.
    pub pending: Option<Vec<String>>,
    /// When the requested release begins, where it waits for more changes of values.
    pub rests: Option<Timestamp>,
    /// The stack that follows changed settings of the operator just now, where this one waits for its turn.
    pub queued: Option<String>,
    /// Who approved it, where somebody did.
    pub approved: Option<String>,
    /// What `hibernate` waits for: who has the data, where somebody does.
    pub waits: Option<String>,
    /// Whether nothing is to run.
    pub hibernates: bool,
    /// Of which other release there is an approval, where the requested one waits for its own.
    pub other_approval: Option<String>,
    /// How the schema of the database differs from that of the release that is pinned.
    pub schema: Option<String>,
    /// What bars the way back to the release that serves.
    pub rollback_blocked: Option<String>,
    /// How far the roles are that nothing needs any more, where there are some.
    pub revocation: Option<Revocation>,
    /// Whether it was found to have failed just now, so that the way back begins with the next reconcile.
    pub failed: bool,
    /// Why it cannot be told what serves, where something does.
    pub unknown: Option<String>,
    /// Whether the release that serves is as the templates of now would make it; `None` where nothing serves.
    pub current: Option<bool>,
    /// Who comes in.
    pub way_in: WayIn,
    /// Where the stack is reached.
    pub urls: Urls,
    /// The hosts whose requests come to it.
    pub hosts: BTreeSet<String>,
}

/// What is said of a spec that is right.
const ACCEPTED: &str = "the spec can be rolled out";

/// The status after an outcome.
#[must_use]
pub fn compute(app: &AppStack, outcome: &Result<Outcome, Error>, now: Timestamp) -> AppStackStatus {
    let before = app.status.clone().unwrap_or_default();
    let mut conditions = Conditions::after(before.conditions.clone(), app.metadata.generation, now);
    let mut status = AppStackStatus {
        observed_generation: app.metadata.generation,
        ..before
    };
    match outcome {
        Ok(Outcome::Suspended) => suspended(&mut conditions),
        Ok(Outcome::Deleting(why)) => whole::deletes(&mut conditions, why),
        Ok(Outcome::RolledOut(progress)) => {
            rolled_out(&mut conditions, progress);
            let stage = progress
                .rollout
                .blocking()
                .map_or("done", |(stage, _)| stage.as_str());
            status.stage = Some(stage.into());
            status.release.clone_from(&progress.serving);
            status.previous.clone_from(&progress.previous);
            status.target = Some(progress.requested.clone());
            status.urls = Some(progress.urls.clone());
            status.hosts = progress.hosts.iter().cloned().collect();
            status.unreached_hosts = edge::unreached(progress);
            status.certificate = progress.rollout.certificate.as_ref().map(certificate);
        }
        Err(error) => {
            let hibernates = app.spec.hibernate == Some(true);
            failed(
                &mut conditions,
                error,
                (status.release.as_ref(), hibernates),
            );
        }
    }
    status.conditions = conditions.sorted();
    status
}

/// The word for a stack's state in metrics.
#[must_use]
pub fn state(status: &AppStackStatus) -> &'static str {
    let is = |type_: ConditionType, value: &str| {
        status
            .conditions
            .iter()
            .any(|it| it.type_ == type_.as_str() && it.status == value)
    };
    let suspended = status
        .conditions
        .iter()
        .any(|it| it.reason == Reason::Suspended.as_str());
    let hibernated = status
        .conditions
        .iter()
        .any(|it| it.reason == Reason::Hibernated.as_str());
    match () {
        () if suspended => "suspended",
        () if hibernated => "hibernated",
        () if is(ConditionType::Ready, "True") => "ready",
        () if is(ConditionType::Stalled, "True") => "failed",
        () if is(ConditionType::Reconciling, "True") => "progressing",
        () => "unknown",
    }
}

fn certificate(it: &Issuance) -> CertificateStatus {
    // The API server keeps whole seconds, as cert-manager does.
    let time = |it: Option<Timestamp>| it.map(Time);
    CertificateStatus {
        name: it.name.clone(),
        expires_at: time(it.expires),
        renews_at: time(it.renews),
        last_error: it.last_error.as_deref().map(message::shortened),
        next_try_at: time(it.next_try),
        issued: it.times,
        failed: it.failed,
    }
}

fn suspended(conditions: &mut Conditions) {
    let message = "suspend is true: nothing is changed";
    conditions.set(
        ConditionType::Reconciling,
        false,
        Reason::Suspended,
        message,
    );
    conditions.set(ConditionType::Stalled, false, Reason::Suspended, message);
}

fn rolled_out(conditions: &mut Conditions, progress: &Progress) {
    conditions.set(ConditionType::Accepted, true, Reason::Valid, ACCEPTED);
    stages::set(conditions, progress);
    whole::set(conditions, progress);
    if let Some(why) = &progress.rollout.unkept {
        let said = format!("the release that serves stays as it was: {why}");
        conditions.add(ConditionType::Ready, &said);
    }
}

/// The stages were not judged this time, so their conditions keep what they said, and the generation it was about.
fn failed(
    conditions: &mut Conditions,
    error: &Error,
    (serving, hibernates): (Option<&ReleaseStatus>, bool),
) {
    let (reason, message) = (error.reason(), error.chain());
    match error.class() {
        Class::User | Class::Taken => {
            match error {
                Error::Invalid(_) | Error::HostConflict(_) => {
                    conditions.set(ConditionType::Accepted, false, reason, &message);
                }
                Error::Unreadable(_) => {
                    conditions.set(ConditionType::ServingKnown, false, reason, &message);
                }
                // It was found to be right before anything was sent.
                _ => conditions.set(ConditionType::Accepted, true, Reason::Valid, ACCEPTED),
            }
            let serving = serving.filter(|_| !hibernates);
            let serves = serving.map_or_else(String::new, |it| {
                format!("; release {} goes on serving", it.name)
            });
            let ready = message::and(&message, &serves);
            conditions.set(ConditionType::Ready, false, reason, &ready);
            let going = "nothing more happens without a change";
            conditions.set(ConditionType::Reconciling, false, reason, going);
            conditions.set(ConditionType::Stalled, true, reason, &message);
        }
        Class::Ending | Class::Conflict | Class::Transient => {
            // What was ready goes on serving while the API server is away; a new spec is not ready before it was seen.
            if !conditions.is_current(ConditionType::Ready) {
                conditions.set(ConditionType::Ready, false, reason, &message);
            }
            conditions.set(ConditionType::Reconciling, true, reason, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;
    use crate::api::StageName;
    use crate::error::{CallError, Invalid};
    use crate::fixtures;
    use crate::model::fact::Attempt;
    use crate::rollout::Report;
    use crate::rollout::gates::Gate;

    fn app() -> AppStack {
        fixtures::app("")
    }

    #[expect(clippy::unnecessary_wraps, reason = "compute takes a result")]
    fn progress(gate: Gate) -> Result<Outcome, Error> {
        let reports = vec![
            Report {
                stage: StageName::Database,
                gate: Some(gate),
            },
            Report {
                stage: StageName::Backend,
                gate: None,
            },
        ];
        Ok(Outcome::RolledOut(Box::new(Progress {
            rollout: RolloutStatus {
                reports,
                ..RolloutStatus::default()
            },
            ..requested("v1")
        })))
    }

    fn waiting() -> Gate {
        Gate::Waiting {
            reason: Reason::ReplicasPending,
            message: "0 of 1 pods are available".into(),
            until: None,
        }
    }

    /// A release of which nothing has been rolled out yet.
    fn requested(version: &str) -> Progress {
        Progress {
            stack: "shop".into(),
            namespace: "demo".into(),
            unknown: None,
            current: None,
            rollout: RolloutStatus::default(),
            requested: release(version),
            serving: None,
            previous: None,
            failure: None,
            pending: None,
            rests: None,
            waits: None,
            queued: None,
            approved: None,
            other_approval: None,
            schema: None,
            hibernates: false,
            rollback_blocked: None,
            failed: false,
            revocation: None,
            way_in: WayIn::default(),
            urls: Urls::default(),
            hosts: BTreeSet::new(),
        }
    }

    fn release(version: &str) -> ReleaseStatus {
        ReleaseStatus {
            version: version.into(),
            ..ReleaseStatus::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn find(status: &AppStackStatus, type_: ConditionType) -> Condition {
        status
            .conditions
            .iter()
            .find(|it| it.type_ == type_.as_str())
            .unwrap()
            .clone()
    }

    #[test]
    fn the_blocking_stage_is_named_in_ready() {
        let status = compute(&app(), &progress(waiting()), at(1));
        let ready = find(&status, ConditionType::Ready);
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("False", "RollingOut")
        );
        assert_eq!(
            ready.message,
            "database of v1: ReplicasPending: 0 of 1 pods are available"
        );
        assert_eq!(status.stage.as_deref(), Some("database"));
        assert_eq!(
            find(&status, ConditionType::BackendReady).reason,
            "WaitingForEarlierStage"
        );
        assert_eq!(
            find(&status, ConditionType::FrontendReady).reason,
            "NotNeeded"
        );
    }

    #[test]
    fn the_same_outcome_gives_the_same_status_at_any_time() {
        let mut app = app();
        let first = compute(&app, &progress(waiting()), at(1));
        app.status = Some(first.clone());
        assert_eq!(compute(&app, &progress(waiting()), at(100)), first);
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let mut app = app();
        app.status = Some(compute(&app, &progress(waiting()), at(1)));
        let failed = Gate::Failed {
            reason: Reason::JobFailed,
            message: "no".into(),
        };
        let status = compute(&app, &progress(failed), at(9));
        assert_eq!(
            find(&status, ConditionType::Ready).last_transition_time,
            Time(at(1))
        );
        assert_eq!(
            find(&status, ConditionType::Stalled).last_transition_time,
            Time(at(9))
        );
    }

    #[test]
    fn every_fault_is_in_accepted_and_the_stages_keep_what_they_said_of_the_old_generation() {
        let mut app = app();
        app.status = Some(compute(&app, &progress(Gate::Open), at(1)));
        app.metadata.generation = Some(3);
        let faults = vec!["spec.a: wrong".into(), "spec.b: wrong".into()];
        let status = compute(&app, &Err(Error::Invalid(Invalid { faults })), at(2));
        let accepted = find(&status, ConditionType::Accepted);
        assert!(
            accepted.message.ends_with("spec.a: wrong; spec.b: wrong"),
            "{}",
            accepted.message
        );
        let database = find(&status, ConditionType::DatabaseReady);
        assert_eq!(
            (database.status.as_str(), database.observed_generation),
            ("True", Some(2))
        );
    }

    #[test]
    fn a_release_that_failed_is_named_with_its_cause_while_the_old_one_serves() {
        let failure = Failure {
            release: "h".into(),
            attempt: Attempt::default(),
            stage: "backend".into(),
            reason: Reason::ContainerCrashing.as_str().into(),
            message: "pod p: it ended".into(),
        };
        let progress = Progress {
            serving: Some(release("v1")),
            failure: Some(failure),
            ..requested("v2")
        };
        let status = compute(&app(), &Ok(Outcome::RolledOut(Box::new(progress))), at(1));
        let rolled_back = find(&status, ConditionType::RolledBack);
        assert_eq!(
            (rolled_back.status.as_str(), rolled_back.reason.as_str()),
            ("True", "ContainerCrashing")
        );
        assert!(
            rolled_back.message.contains("pod p: it ended"),
            "{rolled_back:?}"
        );
        let ready = find(&status, ConditionType::Ready);
        assert_eq!(ready.status, "False");
        assert_eq!(
            ready.message,
            "v1 serves again; v2 () failed at the backend: pod p: it ended; change the spec, or try again: kubectl annotate aps shop -n demo --overwrite appstack.dev/retry=\"$(date)\""
        );
        assert_eq!(find(&status, ConditionType::Stalled).status, "True");
        let version = |it: &Option<ReleaseStatus>| it.as_ref().unwrap().version.clone();
        assert_eq!(version(&status.release), "v1");
        assert_eq!(version(&status.target), "v2");
    }

    #[test]
    fn roles_on_their_way_out_are_told_of_and_hold_nothing_up() {
        let told = |trouble: Option<&str>| {
            let all_open = vec![Report {
                stage: StageName::Database,
                gate: Some(Gate::Open),
            }];
            let progress = Progress {
                rollout: RolloutStatus {
                    reports: all_open,
                    ..RolloutStatus::default()
                },
                revocation: Some(Revocation::Pending {
                    roles: "app_1".into(),
                    trouble: trouble.map(str::to_owned),
                }),
                ..requested("v1")
            };
            let status = compute(&app(), &Ok(Outcome::RolledOut(Box::new(progress))), at(1));
            assert_eq!(find(&status, ConditionType::Ready).status, "True");
            find(&status, ConditionType::DatabaseReady).message
        };
        assert_eq!(
            told(None),
            "as the spec says; role app_1 goes once nothing uses it any more"
        );
        let trouble = told(Some("it failed"));
        assert_eq!(
            trouble,
            "as the spec says; role app_1 is not needed any more and there still: it failed; one that failed is tried again with the next release, or: kubectl annotate aps shop -n demo --overwrite appstack.dev/retry=\"$(date)\""
        );
    }

    #[test]
    fn an_api_server_that_is_away_leaves_ready_as_it_was() {
        let mut app = app();
        let all_open = vec![Report {
            stage: StageName::Database,
            gate: Some(Gate::Open),
        }];
        let done = Outcome::RolledOut(Box::new(Progress {
            rollout: RolloutStatus {
                reports: all_open,
                ..RolloutStatus::default()
            },
            ..requested("v1")
        }));
        app.status = Some(compute(&app, &Ok(done), at(1)));
        let away = Err(Error::Status(CallError::TimedOut(10)));
        let status = compute(&app, &away, at(2));
        assert_eq!(find(&status, ConditionType::Ready).status, "True");
        assert_eq!(find(&status, ConditionType::Reconciling).reason, "ApiError");
        assert_eq!(state(&status), "ready");
    }
}
