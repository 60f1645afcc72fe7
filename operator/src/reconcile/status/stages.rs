//! The conditions of the stages, each from its gate, and that of the schedules.
//!
//! Invariant: pure. What belongs to no stage is for `whole` to say.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::api::{ConditionType, Reason, StageName, annotation};
use crate::model::message;
use crate::model::observed::Schedule;
use crate::reconcile::status::commands::{NOW, annotate, run_now};
use crate::reconcile::status::conditions::Conditions;
use crate::reconcile::status::{Progress, UnknownHosts};
use crate::release::database_roles::Revocation;
use crate::rollout::Report;
use crate::rollout::gates::{Gate, next_try};
use crate::rollout::schedules;

/// What is said where the default limit of production is not in force.
const UNLIMITED: &str = "the number of requests is not limited: the operator can tell Traefik alone, with its CustomResourceDefinitions; limit it at the load balancer and say so by edge.rateLimit.disabled, or set edge.className";

/// What is said while nobody may come in.
pub(super) const MAINTENANCE: &str = "visitors get the maintenance page, by edge.maintenance";

/// What is said of a stack that is not production, and asks where each try counts.
const STAGING_AUTHORITY: &str = "this stack is not production: Let's Encrypt has a staging authority for those, with wider limits (https://acme-staging-v02.api.letsencrypt.org/directory)";

/// Of how many more schedules the cause is told, beside that of the first one.
const OTHER_CAUSES: usize = 2;

/// Sets them all.
pub(super) fn set(conditions: &mut Conditions, progress: &Progress) {
    for stage in StageName::ALL {
        let report = progress.rollout.reports.iter().find(|it| it.stage == stage);
        stage_condition(conditions, stage, report);
    }
    schedules_condition(conditions, progress);
    if progress.way_in.tries_in_production {
        conditions.add(ConditionType::EdgeReady, STAGING_AUTHORITY);
    }
    if progress.rollout.gate(StageName::Edge) == Some(&Gate::Open) {
        let unlimited = progress.way_in.unlimited.then_some(UNLIMITED);
        let caveat = progress.rollout.caveat.as_deref();
        let closed = progress.way_in.maintenance.then_some(MAINTENANCE);
        let expires = certificate(progress);
        let records = progress.way_in.unknown_hosts.as_ref().map(dns_records);
        let said = closed.into_iter().chain(unlimited).chain(caveat);
        let first = records.as_deref().into_iter().chain(expires.as_deref());
        for said in first.chain(said) {
            conditions.add(ConditionType::EdgeReady, said);
        }
    }
    if let Some(Revocation::Pending { roles, trouble }) = &progress.revocation {
        let again = annotate(progress, annotation::RETRY, NOW);
        outgoing_roles(conditions, roles, trouble.as_deref(), &again);
    }
}

/// Which DNS records are to be made.
fn dns_records(unknown: &UnknownHosts) -> String {
    let UnknownHosts { hosts, address } = unknown;
    let record = match address {
        Some(address) if address.parse::<Ipv4Addr>().is_ok() => {
            format!("an A record with {address}")
        }
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => {
            format!("an AAAA record with {address}")
        }
        Some(name) => format!("a CNAME record with {name}"),
        None => "a record with the address of the ingress controller, which it does not say".into(),
    };
    let (hosts, each) = match hosts.as_slice() {
        [one] => (one.clone(), ""),
        many => (many.join(", "), " for each"),
    };
    format!("DNS does not know {hosts}, as seen from the cluster: make {record}{each}")
}

/// What is to be said of a certificate that serves: that it expires soon, or could not be renewed.
fn certificate(progress: &Progress) -> Option<String> {
    let soon = progress.way_in.expires.as_ref();
    let soon =
        soon.map(|(secret, at)| format!("the certificate of Secret {secret} expires at {at}"));
    let Some(issuance) = &progress.rollout.certificate else {
        return Some(format!("{}; renew it", soon?));
    };
    let name = &issuance.name;
    let failed = issuance.last_error.as_ref().map(|why| {
        format!(
            "certificate {name} could not be renewed: {why}{}",
            next_try(issuance)
        )
    });
    match (soon, failed) {
        (None, failed) => failed,
        (Some(soon), Some(failed)) => Some(format!("{soon}; {failed}")),
        (Some(soon), None) => Some(format!(
            "{soon} and is not renewed: kubectl -n {} describe certificate {name}",
            progress.namespace
        )),
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
