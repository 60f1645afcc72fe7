//! One change to the data at a time: whatever runs against a stack's data is written down first, and nothing else runs against
//! them until it is over.
//!
//! Invariant: a Job that changes data is never deleted once a container of it has started, but for the one that drops old roles: that can be begun
//! again at any time, and gives way to a release. A record that says who has the data is the only lock; it is released when
//! the Job and all of its pods have ended, and what was achieved is written down before.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::api::{Reason, annotation};
use crate::build::{Desired, Stage};
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::error::Result;
use crate::model::fact::{Hold, Holder, Record};
use crate::model::identity::ReleaseHash;
use crate::model::job;
use crate::model::object::Object;
use crate::model::observed::{JobState, Observed};
use crate::rollout::gates::Gate;
use crate::rollout::noted;

/// How long after its deadline a Job may still be ending before nobody waits for it any more.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// The hold that a stage needs while its Job runs; `None` if it changes no data, or has done so.
pub(super) fn of_stage(stage: &Stage, release: &ReleaseHash, now: Timestamp) -> Option<Hold> {
    let fact = stage.record.as_ref()?;
    let holder = match fact {
        Record::Migration { .. } => Holder::Migration,
        Record::Seed { .. } => Holder::Seed,
        Record::Role(_) => Holder::Role,
        _ => return None,
    };
    let job = stage.objects.iter().find_map(|it| match it {
        Object::Job(it) => Some(it),
        _ => None,
    })?;
    Some(Hold {
        fact: Some(Box::new(fact.clone())),
        ..of_job(job, holder, release, now)
    })
}

/// The hold that a Job needs.
pub(super) fn of_job(job: &Job, holder: Holder, release: &ReleaseHash, now: Timestamp) -> Hold {
    let limit = job.spec.as_ref().and_then(|it| it.active_deadline_seconds);
    let limit = SignedDuration::from_secs(limit.unwrap_or_default());
    Hold {
        holder,
        job: job.metadata.name.clone(),
        release: release.clone(),
        since: now,
        until: now.saturating_add(limit + GRACE).ok(),
        fact: None,
    }
}

/// Takes the data for a Job that is about to run, or runs already. `current` says who has them, and is told who has them then.
/// Says what the Job waits for, if somebody else has them.
pub(super) async fn take(
    writer: &Writer<'_>,
    current: &mut Option<Hold>,
    wanted: Hold,
) -> Result<Option<Gate>> {
    match current {
        Some(ours) if ours.job == wanted.job => {
            let job = wanted.job.as_deref().unwrap_or_default();
            let there = writer.existing_job(job).await?.is_some();
            // Its pods have yet to end if somebody deleted it, or it would not have the data any more.
            Ok((!there).then(|| waiting(ours)))
        }
        Some(other) => {
            let gate = waiting(other);
            if let (Holder::Revocation, Some(job)) = (other.holder, &other.job) {
                writer.end_job(job).await?;
                // It is not to begin again before what it gave way to.
                *current = Some(wanted);
            }
            Ok(Some(gate))
        }
        None => {
            let job = wanted.job.as_deref().unwrap_or_default();
            let there = writer.existing_job(job).await?;
            // One that has ended is judged, or made anew with the next reconcile.
            if there.is_none_or(|it| !job::has_ended(&it)) {
                writer.hold(&wanted).await?;
                *current = Some(wanted);
            }
            Ok(None)
        }
    }
}

/// Ends the Job that has the data if it is not what `target` wants any more and none of its containers has ever started, nor can
/// as things are: a wrong tag, a missing key, an image that runs as root. What is wanted instead follows once its pods are gone.
///
/// Why this breaks no migration off: its pods are read right before, and each is deleted as it was read (by UID and
/// resourceVersion), so that a start which the kubelet has told of since is a conflict, and the Job is left to run. Only then the Job
/// is deleted, by UID. A start that the kubelet has yet to tell of is some moments old: that process is told to end and has its
/// grace period, as on a node that is drained, and nothing else runs against the data until it is gone.
///
/// # Errors
/// At the first request that fails.
pub async fn replace_unstarted(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    current: Option<&Hold>,
    target: &Desired,
) -> Result<()> {
    let Some(name) = current
        .filter(|it| it.fact.is_some())
        .and_then(|it| it.job.as_deref())
    else {
        return Ok(());
    };
    let Some(job) = writer.existing_job(name).await? else {
        return Ok(());
    };
    if job::has_ended(&job) || target.objects().any(|it| is_as_wanted(&job, it)) {
        return Ok(());
    }
    if let Some(pods) = observer.unstarted(&job).await? {
        writer.end_unstarted_job(&job, &pods).await?;
    }
    Ok(())
}

/// Whether a Job is one that is wanted, with all that it reads.
fn is_as_wanted(job: &Job, wanted: &Object) -> bool {
    let Object::Job(wanted) = wanted else {
        return false;
    };
    let inputs = |it: &Job| it.annotations().get(annotation::INPUTS_HASH).cloned();
    wanted.metadata.name == job.metadata.name && inputs(wanted) == inputs(job)
}

/// Gives the data back that a Job had, once what it achieved is written down.
pub(super) async fn release(
    writer: &Writer<'_>,
    current: &mut Option<Hold>,
    wanted: &Hold,
) -> Result<()> {
    if let Some(hold) = current.take_if(|it| it.job == wanted.job) {
        writer.release(&hold).await?;
    }
    Ok(())
}

/// Looks whether whoever has the data is done with them; then what was achieved is written down, and they are given back.
/// Says whether they are.
///
/// # Errors
/// At the first request that fails.
pub async fn settle(writer: &Writer<'_>, observer: &Observer<'_>, hold: &Hold) -> Result<bool> {
    let Some(job) = &hold.job else {
        return Ok(false);
    };
    let over = match writer.existing_job(job).await? {
        Some(it) => {
            let ended = job::has_ended(&it) && !job::is_failing(&it);
            if let (true, Some(fact)) = (ended, &hold.fact) {
                let seen = observer.job(&it).await?;
                if seen.state == JobState::Done {
                    let seen = [Observed::Job(seen)];
                    writer.record(&noted(fact, &seen), 1).await?;
                }
            }
            ended
        }
        // Somebody deleted it: its pods have yet to end.
        None => !observer.runs_pods_of(job).await?,
    };
    if over {
        writer.release(hold).await?;
    }
    Ok(over)
}

/// What somebody waits for who needs the data.
fn waiting(other: &Hold) -> Gate {
    Gate::Waiting {
        reason: Reason::DataInUse,
        message: in_use(other),
        until: None,
    }
}

/// Who has the data, for people.
#[must_use]
pub fn in_use(hold: &Hold) -> String {
    let Hold {
        holder,
        release,
        since,
        ..
    } = hold;
    let what = match holder {
        Holder::Migration => "the migration",
        Holder::Seed => "the seed",
        Holder::Role => "the Job that makes the role of the database",
        Holder::Revocation => "the Job that drops old roles of the database",
        Holder::Hibernation => "the hibernation",
    };
    let until = hold
        .until
        .map_or_else(String::new, |it| format!(", until {it:.0} at most"));
    format!("{what} of release {release} has the data since {since:.0}{until}")
}
