//! What is said of the whole: Ready, Reconciling and Stalled, and whether a release was rolled back or waits for an
//! approval.
//!
//! Invariant: pure.

use crate::api::{ConditionType, Reason, ReleaseStatus, StageName, annotation};
use crate::model::fact::Failure;
use crate::model::message;
use crate::model::observed::Images;
use crate::reconcile::status::Progress;
use crate::reconcile::status::commands::{NOW, annotate};
use crate::reconcile::status::conditions::Conditions;
use crate::reconcile::status::edge::MAINTENANCE;
use crate::reconcile::status::stages::explain;
use crate::rollout::gates::Gate;

/// Sets the conditions of the whole.
pub(super) fn set(conditions: &mut Conditions, progress: &Progress) {
    rolled_back(conditions, progress);
    approval(conditions, progress);
    known(conditions, progress);
    templates(conditions, progress);
    whole(conditions, progress);
    if progress.way_in.maintenance {
        conditions.add(ConditionType::Ready, MAINTENANCE);
    }
}

/// Whether it is done, goes on, or waits.
fn whole(conditions: &mut Conditions, progress: &Progress) {
    if let Some(why) = &progress.waits {
        return data_in_use(conditions, "hibernate", why);
    }
    match (progress.rollout.blocking(), &progress.failure) {
        (Some((stage, gate)), _) => under_way(conditions, progress, stage, gate),
        (None, _) if progress.hibernates => asleep(conditions),
        (None, Some(failure)) => gone_back(conditions, progress, failure),
        (None, None) => match (&progress.pending, &progress.approved) {
            (Some(changes), None) => waits(conditions, progress, changes),
            (Some(_), Some(_)) => prepares(conditions, progress),
            (None, _) if progress.rests.is_some() => rests(conditions, progress),
            (None, _) if progress.queued.is_some() => queued(conditions, progress),
            (None, _) => done(conditions, progress),
        },
    }
}

/// What is said of a stack that is being deleted, while something changes its data.
pub(super) fn deletes(conditions: &mut Conditions, why: &str) {
    data_in_use(conditions, "the deletion", why);
}

fn data_in_use(conditions: &mut Conditions, what: &str, why: &str) {
    let message = format!("{what} waits, since a change of data is never broken off: {why}");
    conditions.set(ConditionType::Ready, false, Reason::DataInUse, &message);
    conditions.set(
        ConditionType::Reconciling,
        true,
        Reason::DataInUse,
        &message,
    );
    let going = "it goes on by itself";
    conditions.set(ConditionType::Stalled, false, Reason::DataInUse, going);
}

fn approval(conditions: &mut Conditions, progress: &Progress) {
    const TYPE: ConditionType = ConditionType::AwaitingApproval;
    match (&progress.pending, &progress.approved) {
        (Some(changes), None) => {
            conditions.set(
                TYPE,
                true,
                Reason::AwaitingApproval,
                &ask(progress, changes),
            );
        }
        (_, Some(by)) => {
            let message = format!("{} was approved by {by}", progress.requested.name);
            conditions.set(TYPE, false, Reason::Valid, &message);
        }
        (None, None) => {
            let message = "the requested release needs no approval";
            conditions.set(TYPE, false, Reason::NotNeeded, message);
        }
    }
}

fn known(conditions: &mut Conditions, progress: &Progress) {
    const TYPE: ConditionType = ConditionType::ServingKnown;
    match (&progress.unknown, &progress.serving) {
        (Some(why), _) => {
            let message = format!(
                "{why}; so all pods stay, and nothing is deleted, until the requested release has passed all its gates beside them"
            );
            conditions.set(TYPE, false, Reason::RecordLost, &message);
        }
        (None, Some(serving)) => {
            let message = format!("{} serves", serving.name);
            conditions.set(TYPE, true, Reason::Available, &message);
        }
        (None, None) => {
            conditions.set(TYPE, true, Reason::NotNeeded, "no release serves yet");
        }
    }
}

fn templates(conditions: &mut Conditions, progress: &Progress) {
    const TYPE: ConditionType = ConditionType::TemplatesCurrent;
    match progress.current {
        Some(false) => {
            let message = format!(
                "the operator would make other objects of the release that serves today; they stay as they are until the next release, or: {}",
                annotate(progress, annotation::RENEW, NOW)
            );
            conditions.set(TYPE, false, Reason::OlderTemplates, &message);
        }
        Some(true) => conditions.set(TYPE, true, Reason::Available, "as this operator makes them"),
        None => conditions.set(TYPE, true, Reason::NotNeeded, "no release serves yet"),
    }
}

fn ask(progress: &Progress, changes: &[String]) -> String {
    let ReleaseStatus { version, name, .. } = &progress.requested;
    let other = progress.other_approval.as_ref();
    let other = other.map_or_else(String::new, |it| {
        format!(" (the one that is there is of {it})")
    });
    format!(
        "{version} waits for an approval{other}: {}; it changes: {}; {}",
        annotate(progress, annotation::APPROVE, name),
        changes.join("; "),
        images(progress)
    )
}

fn images(progress: &Progress) -> String {
    match &progress.rollout.images {
        Images::Pulled => "its images are pulled".into(),
        Images::Pulling => "its images are being pulled".into(),
        Images::Stuck { why } => format!("its images do not come: {why}"),
    }
}

/// All is well with what serves, and what is requested has not begun.
fn waits(conditions: &mut Conditions, progress: &Progress, changes: &[String]) {
    let message = ask(progress, changes);
    let why = "somebody is to decide";
    not_begun(
        conditions,
        progress,
        Reason::AwaitingApproval,
        &message,
        why,
    );
}

/// It is approved, and its images are not there yet.
fn prepares(conditions: &mut Conditions, progress: &Progress) {
    let reason = match &progress.rollout.images {
        Images::Stuck { .. } => Reason::ImagePullFailed,
        Images::Pulled | Images::Pulling => Reason::ImagesPending,
    };
    let message = format!(
        "{} is approved and begins when its images are pulled: {}",
        progress.requested.version,
        images(progress)
    );
    not_begun(
        conditions,
        progress,
        reason,
        &message,
        "images are waited for",
    );
}

/// Values have changed, and more of them may.
fn rests(conditions: &mut Conditions, progress: &Progress) {
    let when = progress
        .rests
        .map_or_else(String::new, |it| format!(" at {it:.0}"));
    let message =
        format!("values have changed; their release begins{when}, unless more of them change");
    let why = "values are waited for";
    not_begun(conditions, progress, Reason::ValuesChanging, &message, why);
}

/// The operator's settings have changed, and another stack follows them.
fn queued(conditions: &mut Conditions, progress: &Progress) {
    let other = progress.queued.as_deref().unwrap_or_default();
    let message = format!(
        "settings of the operator have changed; stacks follow one after the other, and it is the turn of {other}"
    );
    let why = "other stacks are waited for";
    not_begun(conditions, progress, Reason::WaitingForTurn, &message, why);
}

fn not_begun(
    conditions: &mut Conditions,
    progress: &Progress,
    reason: Reason,
    message: &str,
    why: &str,
) {
    let serving = progress.serving.as_ref().map_or("", |it| &it.version);
    let message = format!("{serving} serves; {message}");
    conditions.set(ConditionType::Ready, false, reason, &message);
    conditions.set(ConditionType::Reconciling, true, reason, &message);
    conditions.set(ConditionType::Stalled, false, reason, why);
}

fn asleep(conditions: &mut Conditions) {
    let message = "hibernate is true: nothing runs, and the data stay";
    for type_ in [
        ConditionType::Ready,
        ConditionType::Reconciling,
        ConditionType::Stalled,
    ] {
        conditions.set(type_, false, Reason::Hibernated, message);
    }
}

fn rolled_back(conditions: &mut Conditions, progress: &Progress) {
    match &progress.failure {
        Some(failure) => conditions.say(
            ConditionType::RolledBack,
            true,
            &failure.reason,
            &describe(progress, failure),
        ),
        None => conditions.set(
            ConditionType::RolledBack,
            false,
            Reason::NotNeeded,
            "no release was rolled back",
        ),
    }
}

fn describe(progress: &Progress, failure: &Failure) -> String {
    let ReleaseStatus { version, name, .. } = &progress.requested;
    let Failure { stage, message, .. } = failure;
    format!("{version} ({name}) failed at the {stage}: {message}")
}

fn done(conditions: &mut Conditions, progress: &Progress) {
    let version = &progress.requested.version;
    let schema = progress.schema.as_ref();
    let schema = schema.map_or_else(String::new, |it| {
        format!("; the schema is not rolled back with it: {it}")
    });
    let message = format!("{version} serves at {}{schema}", progress.urls.dashboard);
    let nothing = "nothing is left to do";
    conditions.set(ConditionType::Ready, true, Reason::RolledOut, &message);
    conditions.set(
        ConditionType::Reconciling,
        false,
        Reason::RolledOut,
        nothing,
    );
    conditions.set(ConditionType::Stalled, false, Reason::RolledOut, nothing);
}

/// All is well, but not with the requested release.
fn gone_back(conditions: &mut Conditions, progress: &Progress, failure: &Failure) {
    let serving = progress.serving.as_ref().map_or("", |it| &it.version);
    let message = message::and(
        &format!("{serving} serves again; {}", describe(progress, failure)),
        &format!(
            "; change the spec, or try again: {}",
            annotate(progress, annotation::RETRY, NOW)
        ),
    );
    let nothing = "nothing more happens without a change";
    conditions.set(ConditionType::Ready, false, Reason::RolledBack, &message);
    conditions.set(
        ConditionType::Reconciling,
        false,
        Reason::RolledBack,
        nothing,
    );
    conditions.set(ConditionType::Stalled, true, Reason::RolledBack, &message);
}

impl Progress {
    /// Whether what failed are pods that Kubernetes goes on to start, of a stack that has nothing to go back to.
    #[must_use]
    pub fn may_still_become_well(&self) -> bool {
        let of_pods = [StageName::Backend, StageName::Frontend];
        let stage = self.rollout.blocking().map(|(stage, _)| stage);
        self.serving.is_none() && stage.is_some_and(|it| of_pods.contains(&it))
    }
}

fn under_way(conditions: &mut Conditions, progress: &Progress, stage: StageName, gate: &Gate) {
    let (stalled, reason) = match (gate, &progress.failure) {
        (Gate::Failed { .. }, _) => (true, Reason::StageFailed),
        (_, Some(_)) => (false, Reason::RollingBack),
        (_, None) => (false, Reason::RollingOut),
    };
    let heals = stalled && progress.may_still_become_well();
    let (why, said) = explain(gate);
    let release = match &progress.failure {
        Some(_) => progress.serving.as_ref().unwrap_or(&progress.requested),
        None => &progress.requested,
    };
    let more = match (&progress.rollback_blocked, stalled) {
        (Some(rollback_blocked), true) => {
            format!(
                "; the release that serves is not restored: {rollback_blocked} (rollout.schemaRollback)"
            )
        }
        (None, true) if heals => {
            "; correct the spec, or what it needs: it goes on by itself once its pods are well"
                .into()
        }
        (None, true) => format!(
            "; change the spec, or try again: {}",
            annotate(progress, annotation::RETRY, NOW)
        ),
        // Why there is a way back at all must not be lost by what is in its way.
        (_, false) => (progress.failure.as_ref())
            .map_or_else(String::new, |it| format!("; {}", describe(progress, it))),
    };
    let message = format!(
        "{} of {}: {}: {}",
        stage.as_str(),
        release.version,
        why.as_str(),
        message::and(&said, &more)
    );
    conditions.set(ConditionType::Ready, false, reason, &message);
    let (going, stuck) = if heals {
        ("its pods are started again and again", message.as_str())
    } else if stalled {
        ("nothing more happens without a change", message.as_str())
    } else {
        (message.as_str(), "work goes on")
    };
    conditions.set(ConditionType::Reconciling, !stalled, reason, going);
    conditions.set(ConditionType::Stalled, stalled, reason, stuck);
}
