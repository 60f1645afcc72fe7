//! When a stack comes again if nothing wakes it.
//!
//! Invariant: pure but for the back-off; time and chance are arguments.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;

use crate::api::{AppStack, Reason, StageName};
use crate::context::Context;
use crate::error::{Class, Error};
use crate::model::observed::Images;
use crate::reconcile::report::key;
use crate::reconcile::status::{Outcome, Progress};
use crate::rollout::gates::Gate;
use crate::runtime::backoff::spread;

/// How soon a stack is looked at again whose gate is shut. Watches wake us; this is for the change that was missed.
const WAITING: Duration = Duration::from_secs(20);
/// How soon a stack is looked at again whose pods are not ready and do not say why: the cause is to be told within five seconds.
const UNTOLD: Duration = Duration::from_secs(4);
/// How soon a stack is looked at again whose first pods failed: the cause may be another one by then.
const FAILED: Duration = Duration::from_mins(1);
/// How soon a stack is looked at again whose hosts DNS does not know: nothing wakes us when somebody makes a record.
const UNKNOWN: Duration = Duration::from_mins(1);
/// How soon a stack at rest is looked at again: often enough for a certificate that is due. The end of it is left to chance,
/// or all would come together each hour after a start.
const AT_REST: Duration = Duration::from_hours(1);
/// How soon a faulty spec is looked at again; what it refers to may be there by then.
const INVALID: Duration = Duration::from_mins(5);
/// How soon we try again after somebody else wrote at the same time.
const CONFLICT: Duration = Duration::from_secs(1);

/// After an error.
#[must_use]
pub(super) fn after_error(app: &AppStack, error: &Error, ctx: &Context, now: Timestamp) -> Action {
    match error.class() {
        Class::User => {
            let cache = ctx.cache.of_stack(&ctx.versions, app);
            let postponed = cache.propagation(|it| it.postponed(now));
            Action::requeue(postponed.map_or(INVALID, |it| wait(Some(it), now)))
        }
        // Nothing tells us when somebody else's object goes.
        Class::Taken => Action::requeue(WAITING),
        Class::Ending => Action::await_change(),
        Class::Conflict => Action::requeue(CONFLICT),
        Class::Transient => Action::requeue(ctx.backoff.next(&key(app), (ctx.jitter)())),
    }
}

/// After a reconciliation, in which something may have been postponed. `jitter` is a random number from 0 to 1.
pub(super) fn after(
    outcome: &Outcome,
    postponed: Option<Timestamp>,
    now: Timestamp,
    jitter: f64,
) -> Action {
    match outcome {
        Outcome::Suspended => Action::await_change(),
        Outcome::Deleting(_) => Action::requeue(WAITING),
        Outcome::RolledOut(progress) if progress.failed => Action::requeue(Duration::ZERO),
        Outcome::RolledOut(_) if postponed.is_some() => Action::requeue(wait(postponed, now)),
        Outcome::RolledOut(progress) => match progress.rollout.blocking() {
            // What Events tell wakes nobody.
            Some((
                _,
                Gate::Waiting {
                    reason:
                        Reason::ReplicasPending
                        | Reason::ReplicasOutdated
                        | Reason::JobRunning
                        | Reason::CertificatePending
                        | Reason::RoutePending
                        // Nor do the last pods of a Job that is gone.
                        | Reason::DataInUse,
                    until: None,
                    ..
                },
            )) => Action::requeue(UNTOLD),
            Some((_, Gate::Waiting { until, .. })) => Action::requeue(wait(*until, now)),
            // Nothing wakes us when the way from outside is mended.
            Some((StageName::Edge, Gate::Failed { .. })) => Action::requeue(WAITING),
            Some((_, Gate::Failed { .. })) if progress.may_still_become_well() => {
                Action::requeue(FAILED)
            }
            None if progress.waits.is_some() => Action::requeue(WAITING),
            None if progress.queued.is_some() => Action::requeue(WAITING),
            // A run that cannot start says so to nobody whom we watch.
            None if is_starting(progress) => Action::requeue(UNTOLD),
            // Nor do pods of tools, and nobody tells when the name is free that one of them needs.
            None if tools_are_missing(progress) => Action::requeue(WAITING),
            None if progress.rests.is_some() => Action::requeue(wait(progress.rests, now)),
            None if progress.rollout.images != Images::Pulled => Action::requeue(WAITING),
            None if progress.rollout.reached.again.is_some() => {
                Action::requeue(left(progress.rollout.reached.again, now).unwrap_or(UNKNOWN))
            }
            None if progress.way_in.unknown_hosts.is_some() => Action::requeue(UNKNOWN),
            _ => Action::requeue(spread(AT_REST, jitter)),
        },
    }
}

/// Whether a run of a schedule has yet to start.
fn is_starting(progress: &Progress) -> bool {
    let mut schedules = progress.rollout.schedules.iter().flatten();
    schedules.any(|it| it.starting)
}

fn tools_are_missing(progress: &Progress) -> bool {
    progress.rollout.tools.as_ref().is_some_and(Gate::is_shut)
}

/// Until a gate opens by itself, or until the next reconcile if that is sooner.
fn wait(until: Option<Timestamp>, now: Timestamp) -> Duration {
    left(until, now).unwrap_or(WAITING).min(WAITING)
}

fn left(until: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    until.and_then(|it| Duration::try_from(it.duration_since(now)).ok())
}
