//! What the status is computed from, after a pass.
//!
//! Invariant: nothing is read or written here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Pass, routed};
use crate::api::{Environment, SchemaRollback, StageName, Urls};
use crate::build;
use crate::model::stack::{Stack, Tls};
use crate::plan::{self, Plan, Serving};
use crate::reconcile::status::{CertificateKeeper, Keeper, Progress, WayIn};
use crate::release::database_roles::Revocation;
use crate::release::{approval, history};
use crate::rollout::RolloutStatus;

/// The host of Let's Encrypt's authority for production.
const PRODUCTION: &str = "//acme-v02.api.letsencrypt.org/";

impl Pass<'_> {
    /// Whether the release that serves is as the templates of now would make it.
    fn is_current(&self, plan: &Plan, verified: bool) -> Option<bool> {
        let stack = match self.serving {
            _ if verified => &plan.target,
            Serving::Release(served) => &served.stack,
            Serving::Nothing | Serving::Unknown { .. } => return None,
        };
        Some(build::is_current(stack))
    }

    /// The hosts whose requests come to the stack now: while a gate is shut those of before too, since they may be led there
    /// still, or again.
    fn hosts(&self, target: &Stack, status: &RolloutStatus) -> BTreeSet<String> {
        let mut hosts = BTreeSet::new();
        if status.is_shut() {
            hosts = routed(self.app, self.serving);
        }
        if status.gate(StageName::Edge).is_some() {
            hosts.extend(target.edge.hosts());
        }
        hosts
    }

    /// How the schema differs from that of a release that is pinned, where that is to be told.
    fn schema_left(&self, plan: &Plan) -> Option<String> {
        let is_pinned = self.app.spec.rollout.as_ref()?.pin.is_some() && plan.is_ahead();
        let is_told = plan.target.rollout.schema_rollback != SchemaRollback::Allow;
        let change = plan::schema_change(&plan.target, self.inputs);
        change
            .filter(|_| is_pinned && is_told)
            .map(|it| it.to_string())
    }

    /// How it is with certificates that the operator sees only where they are served.
    fn keeper(&self, target: &Stack, status: &RolloutStatus) -> Option<Keeper> {
        let first = status.reached.ends_first.as_ref();
        let soon = first.filter(|(_, it)| it.ends_soon(self.now));
        let who = match &target.edge.tls {
            Tls::Resolver(name) => CertificateKeeper::Resolver(name.clone()),
            Tls::Gateway => CertificateKeeper::Gateway(target.edge.gateway()?.to_string()),
            _ => return None,
        };
        Some(Keeper {
            who,
            ends_soon: soon.map(|(host, it)| (host.clone(), it.until)),
        })
    }

    /// What the status is computed from.
    pub(super) fn progress(
        &self,
        plan: Plan,
        status: RolloutStatus,
        failed: bool,
        verified: Option<Timestamp>,
        revocation: Option<Revocation>,
    ) -> Progress {
        let names = &plan.target.names;
        let records = &self.inputs.records;
        let kept = |it| history::kept_summary(names, it);
        let (serving, previous) = match verified {
            Some(_) => (
                Some(history::summary(&plan.target, verified)),
                history::serving(records).map(kept),
            ),
            None => (
                history::serving(records).map(kept),
                history::previous(records).map(kept),
            ),
        };
        let asked_before = records
            .releases
            .iter()
            .find(|it| it.hash == plan.requested.release)
            .and_then(|it| it.verified_at);
        let unknown = match self.serving {
            Serving::Unknown { why } if verified.is_none() => Some(why.clone()),
            _ => None,
        };
        let schema = self.schema_left(&plan);
        let release = names.release(&plan.requested.release);
        Progress {
            stack: names.stack().to_owned(),
            namespace: plan.target.namespace.clone(),
            current: self.is_current(&plan, verified.is_some()),
            unknown,
            requested: history::summary(&plan.requested, verified.or(asked_before)),
            way_in: WayIn {
                unlimited: plan.target.edge.is_unlimited(),
                maintenance: plan.target.edge.limits.maintenance.is_some(),
                expires: {
                    let soon = plan.target.edge.expires_soon(self.now);
                    soon.map(|(secret, at)| (secret.to_owned(), at))
                },
                keeper: self.keeper(&plan.target, &status),
                tries_in_production: tries_in_production(&plan.target, &status),
                unknown_hosts: None,
            },
            urls: urls(&plan.target),
            hosts: self.hosts(&plan.target, &status),
            failure: plan.failure,
            approved: approval::approval(self.app, &release),
            pending: plan.pending.map(|it| it.changes),
            waits: self.waits.clone(),
            rests: plan.rests,
            queued: plan.queued,
            hibernates: plan.target.hibernates,
            schema,
            other_approval: approval::of_another(self.app, &release),
            rollback_blocked: plan.rollback_blocked.as_ref().map(ToString::to_string),
            rollout: status,
            serving,
            previous,
            failed,
            revocation,
        }
    }
}

/// Whether a stack that is not production asks Let's Encrypt's authority for production.
fn tries_in_production(stack: &Stack, status: &RolloutStatus) -> bool {
    let issuance = status.certificate.as_ref();
    let authority = issuance.and_then(|it| it.authority.as_deref());
    stack.environment != Environment::Production
        && authority.is_some_and(|it| it.contains(PRODUCTION))
}

fn urls(stack: &Stack) -> Urls {
    let api = stack.edge.api_url();
    Urls {
        dashboard: stack.edge.dashboard_url(),
        docs: format!("{api}/docs"),
        api,
    }
}
