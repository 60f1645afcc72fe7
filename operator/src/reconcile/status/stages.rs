//! The conditions of the stages, each from its gate, and those of the schedules and the tools.
//!
//! Invariant: pure. What belongs to no stage is for `whole` to say.

use crate::api::{ConditionType, Reason, StageName, annotation};
use crate::model::message;
use crate::model::observed::Schedule;
use crate::reconcile::status::commands::{NOW, annotate, run_now};
use crate::reconcile::status::conditions::Conditions;
use crate::reconcile::status::{Progress, edge};
use crate::release::database_roles::Revocation;
use crate::rollout::Report;
use crate::rollout::gates::Gate;
use crate::rollout::schedules;

/// Of how many more schedules the cause is told, beside that of the first one.
const OTHER_CAUSES: usize = 2;

/// Sets them all.
pub(super) fn set(conditions: &mut Conditions, progress: &Progress) {
    for stage in StageName::ALL {
        let report = progress.rollout.reports.iter().find(|it| it.stage == stage);
        stage_condition(conditions, stage, report);
    }
    schedules_condition(conditions, progress);
    tools_condition(conditions, progress);
    edge::set(conditions, progress);
    if let Some(Revocation::Pending { roles, trouble }) = &progress.revocation {
        let again = annotate(progress, annotation::RETRY, NOW);
        outgoing_roles(conditions, roles, trouble.as_deref(), &again);
    }
}

/// Of schedules that were not asked, and of runs that are about to begin, nothing new is known.
fn schedules_condition(conditions: &mut Conditions, progress: &Progress) {
    const TYPE: ConditionType = ConditionType::SchedulesHealthy;
    let Some(all) = &progress.rollout.schedules else {
        return;
    };
    let faults = all
        .iter()
        .filter_map(|it| Some((it, schedules::fault(it)?)));
    let faults: Vec<(&Schedule, (Reason, String))> = faults.collect();
    if let Some(((first, (reason, said)), others)) = faults.split_first() {
        let others = others.iter().enumerate();
        let others = others.map(|(place, (it, (_, said)))| match place {
            0..OTHER_CAUSES => format!("; and {}", message::brief(said)),
            _ => format!("; and job {}", it.job),
        });
        let others: String = others.collect();
        let now = run_now(progress, &first.name);
        let more = format!("{others}; to run it at once: {now}");
        conditions.set(TYPE, false, *reason, &message::and(said, &more));
    } else if all.is_empty() {
        let message = "nothing runs by a schedule";
        conditions.set(TYPE, true, Reason::NotNeeded, message);
    } else if !all.iter().any(|it| it.starting) || !conditions.is_current(TYPE) {
        let message = "the last run of each schedule ended well, or the first one is still to come";
        conditions.set(TYPE, true, Reason::Available, message);
    }
}

/// A stack without tools says nothing of them.
fn tools_condition(conditions: &mut Conditions, progress: &Progress) {
    const TYPE: ConditionType = ConditionType::ToolsReady;
    match &progress.rollout.tools {
        None => conditions.forget(TYPE),
        Some(gate) => {
            let (reason, message) = explain(gate);
            conditions.set(TYPE, !gate.is_shut(), reason, &message);
        }
    }
}

/// Roles that are on their way out hold nothing up, so that they only add to what is said of a database that is well.
fn outgoing_roles(conditions: &mut Conditions, roles: &str, trouble: Option<&str>, again: &str) {
    let said = match trouble {
        None => format!("role {roles} goes once nothing uses it any more"),
        Some(why) => format!(
            "role {roles} is not needed any more and there still: {why}; one that failed is tried again with the next release, or: {again}"
        ),
    };
    conditions.add(ConditionType::DatabaseReady, &said);
}

fn stage_condition(conditions: &mut Conditions, stage: StageName, report: Option<&Report>) {
    let type_ = stage.condition();
    match report.map(|it| &it.gate) {
        None => {
            let message = format!("this stack has no {}", stage.as_str());
            conditions.set(type_, true, Reason::NotNeeded, &message);
        }
        Some(None) => {
            let message = "an earlier stage is not done; until it is, this one stays as it is";
            conditions.set(type_, false, Reason::WaitingForEarlierStage, message);
        }
        Some(Some(gate)) => {
            let (reason, message) = explain(gate);
            conditions.set(type_, !gate.is_shut(), reason, &message);
        }
    }
}

/// Why a gate is as it is, and the same for people.
pub(super) fn explain(gate: &Gate) -> (Reason, String) {
    match gate {
        Gate::Open => (Reason::Available, "as the spec says".into()),
        Gate::Waiting {
            reason, message, ..
        }
        | Gate::Failed { reason, message } => (*reason, message.clone()),
    }
}
