//! One pass over a stack whose spec is right: follows the plan as far as the gates let it, and writes down what
//! became of it.
//!
//! The order of the steps is all that is decided here: what is released is `plan`'s to say, when a gate opens `gates`'.

mod progress;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::{AppStack, Environment, OnFailure, SchemaRollback, StageName};
use crate::build::{self, Desired, Direction};
use crate::check::hosts;
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::context::Context;
use crate::error::{Error, Invalid, Result};
use crate::model::fact::{Failure, Hold, Holder, Record};
use crate::model::identity::ManifestsHash;
use crate::model::inputs::{Inputs, Records};
use crate::model::message;
use crate::model::redaction::Redactor;
use crate::model::stack::Stack;
use crate::plan::{self, Plan, Serving, debounce};
use crate::reconcile::events;
use crate::reconcile::report::{key, publish};
use crate::reconcile::status::{Outcome, UnknownHosts};
use crate::release::database_roles::Revocation;
use crate::release::{data, history};
use crate::rollout::deadline::JobLimits;
use crate::rollout::gates::{Gate, Trial};
use crate::rollout::{self, Beside, Rollout, RolloutStatus, Visits, hold, rehearsal, revocation};

/// What a pass over a stack works with.
pub(super) struct Pass<'a> {
    pub(super) app: &'a AppStack,
    pub(super) ctx: &'a Context,
    pub(super) writer: &'a Writer<'a>,
    pub(super) inputs: &'a Inputs,
    pub(super) serving: &'a Serving,
    pub(super) now: Timestamp,
    /// What `hibernate` waits for, where it does.
    pub(super) waits: Option<String>,
}

impl Pass<'_> {
    /// Follows a plan as far as the gates let it.
    ///
    /// # Errors
    /// At the first request that fails.
    pub(super) async fn run(&self, plan: Plan) -> Result<Outcome> {
        let plan = self.in_turn(self.rested(plan));
        self.forget_failures(&plan.requested).await?;
        let redactor = redactor(
            self.ctx,
            self.app,
            self.serving,
            &[&plan.target, &plan.requested],
        );
        let outcome = Box::pin(self.follow(plan, &redactor)).await;
        outcome.map_err(|it| it.retold(|text| redactor.redact(text)))
    }

    async fn follow(&self, plan: Plan, redactor: &Redactor) -> Result<Outcome> {
        let observer = Observer {
            client: &self.ctx.client,
            namespace: &plan.target.namespace,
            redactor,
            edge_host: match plan.target.edge.gateway() {
                Some(gateway) => gateway.address.as_deref(),
                None => self.ctx.settings.edge_host.as_deref(),
            },
            now: self.now,
        };
        if let Some(claim) = self.lost_claim(&plan.target) {
            publish(self.app, self.ctx, &events::claim_lost(&claim)).await;
        }
        for (record, keeper) in &self.inputs.records.misplaced {
            self.writer.keep_with(record, keeper).await?;
        }
        let target = build::build(&plan.target, plan.direction);
        let rollout = self.rollout(&plan, &target);
        let mut current = self.inputs.records.hold.clone();
        if plan.target.hibernates && current.is_none() {
            self.hibernate(&plan.target).await?;
        }
        if let Some(record) = build::database_record(&plan.target) {
            self.writer.record(&record, 1).await?;
        }
        hold::replace_unstarted(self.writer, &observer, current.as_ref(), &target).await?;
        self.rehearse(&plan, &rollout, redactor).await?;
        let status = rollout::run(self.writer, &observer, &rollout, &mut current).await?;
        let failed = self.give_up(&plan, &status).await?;
        let verified = if status.is_shut() {
            None
        } else {
            let verified = self.verify(&plan.target).await?;
            if verified.is_some() {
                self.tell_of_values(&plan.target).await;
            }
            self.forget(&plan.target).await?;
            verified
        };
        rollout::prune(self.writer, &rollout, &status).await?;
        if !matches!(status.blocking(), Some((_, Gate::Waiting { .. }))) {
            self.ctx.turns.give_back(&key(self.app));
        }
        let revocation = self.revoke(&observer, &plan, &status, &mut current).await?;
        self.count_down(&plan.target, &status);
        let unknown_hosts = self.unknown_hosts(&observer, &plan.target, &status).await;
        let mut progress = self.progress(plan, status, failed, verified, revocation);
        progress.way_in.unknown_hosts = unknown_hosts;
        Ok(Outcome::RolledOut(Box::new(progress)))
    }

    /// Asks whether the API server would take what is to come: the target, or the release that waits to be it.
    async fn rehearse(
        &self,
        plan: &Plan,
        rollout: &Rollout<'_>,
        redactor: &Redactor,
    ) -> Result<()> {
        let requested;
        let target = match &plan.pending {
            Some(_) => {
                requested = build::build(&plan.requested, Direction::Forward);
                &requested
            }
            None if rollout.unverified => rollout.target,
            None => return Ok(()),
        };
        let (writer, known) = (self.writer, &self.ctx.rehearsals);
        let faults = rehearsal::faults(writer, target, &rollout.visits, known).await?;
        if faults.is_empty() {
            return Ok(());
        }
        let faults = faults.iter().map(|it| redactor.redact(it)).collect();
        Err(Error::Invalid(Invalid { faults }))
    }

    /// Tells when the certificate expires that others renew.
    fn count_down(&self, target: &Stack, status: &RolloutStatus) {
        let served = status.reached.ends_first.as_ref();
        let served = served.map(|(_, it)| it.until);
        let expires = target.edge.expires().map(|(_, at)| at).or(served);
        let expires = expires.map(Timestamp::as_second);
        self.ctx.metrics.certificate_expires(key(self.app), expires);
    }

    /// Which hosts of a stack that visitors are led to are not known to DNS, and where they are to lead. Those of a local stack are
    /// none of the public DNS.
    async fn unknown_hosts(
        &self,
        observer: &Observer<'_>,
        target: &Stack,
        status: &RolloutStatus,
    ) -> Option<UnknownHosts> {
        let is_open = status.gate(StageName::Edge) == Some(&Gate::Open);
        if !is_open || target.environment == Environment::Local {
            return None;
        }
        let hosts = target.edge.hosts().into_iter().collect();
        let hosts = self.ctx.dns.missing(hosts, self.now).await;
        if hosts.is_empty() {
            return None;
        }
        let address = match target.edge.gateway() {
            Some(gateway) => gateway.address.clone(),
            None => observer.address_of(&target.names.ingress()).await,
        };
        Some(UnknownHosts { hosts, address })
    }

    /// The same, or the way to the release that serves while the values that make another one are still changing.
    fn rested(&self, plan: Plan) -> Plan {
        let Serving::Release(served) = self.serving else {
            return plan;
        };
        let failures = self.inputs.records.failures.iter();
        let requested = debounce::Request {
            spec: debounce::spec(&plan.requested.spec),
            values: debounce::values(&self.app.spec, self.inputs),
            release: &plan.requested.release,
            serving: &served.stack.release,
            failed: failures.map(|it| &it.release).collect(),
        };
        match self.ctx.debounce.due(&key(self.app), &requested, self.now) {
            Some(due) if plan.is_ahead() => Plan {
                rests: Some(due),
                ..plan.back_to(served)
            },
            _ => plan,
        }
    }

    /// The same, or the way to the release that serves while another stack follows changed settings of the operator.
    fn in_turn(&self, plan: Plan) -> Plan {
        let key = key(self.app);
        match self.serving {
            Serving::Release(served) if plan.is_ahead() && plan.is_of_settings(served) => {
                match self.ctx.turns.take(&key, self.now) {
                    Ok(()) => plan,
                    Err(other) => Plan {
                        queued: Some(other),
                        ..plan.back_to(served)
                    },
                }
            }
            _ => {
                self.ctx.turns.give_back(&key);
                plan
            }
        }
    }

    /// The volume claim that the release that serves had, if it is not there any more. It is made again in this pass, so this is
    /// told once.
    fn lost_claim(&self, target: &Stack) -> Option<String> {
        let Serving::Release(served) = self.serving else {
            return None;
        };
        let both_have_one = [&served.stack, target]
            .iter()
            .all(|it| it.database.embedded.is_some());
        (both_have_one && target.data.is_none()).then(|| target.names.database_volume().into())
    }

    /// How the target of a plan is rolled out.
    fn rollout<'b>(&'b self, plan: &'b Plan, target: &'b Desired) -> Rollout<'b> {
        let beside = match self.serving {
            Serving::Nothing => Beside::Nothing,
            // What failed may be all that still answers, until the serving release has turned out to be whole.
            Serving::Release(_) if plan.failure.is_some() => Beside::Everything,
            // What it keeps would end before what needs it.
            Serving::Release(_) if plan.target.hibernates => Beside::Everything,
            Serving::Release(served) => Beside::Release(&served.desired),
            Serving::Unknown { .. } => Beside::Everything,
        };
        Rollout {
            trial: plan.is_trial(self.serving).then_some(Trial {
                soak: plan.target.rollout.soak,
                now: self.now,
            }),
            unverified: plan.is_unverified(self.serving),
            visits: Visits {
                checks: &self.ctx.public_checks,
                reach: &self.ctx.reach,
                stack: key(self.app),
                attempt: history::attempt(self.app),
                now: self.now,
            },
            job_limits: JobLimits {
                start: plan.target.rollout.progress_deadline,
                now: self.now,
            },
            pulls: plan.pulls(),
            retained: self.retained(plan),
            target,
            beside,
        }
    }

    /// What kept releases need, so that they can be restored, what is at work on the roles that they left, and what pulls the
    /// images of one that has not begun.
    fn retained(&self, plan: &Plan) -> BTreeSet<(&'static str, String)> {
        let names = &plan.target.names;
        let Records {
            releases,
            revocations,
            hold,
            ..
        } = &self.inputs.records;
        let values = releases.iter().map(|it| names.values(&it.values));
        // While there is no database it would only fail; it is made again.
        let jobs = revocations.iter().filter(|_| !plan.target.hibernates);
        let jobs = jobs.map(|it| names.revocation(it));
        // What changes the data is never deleted while it runs.
        let running = hold.iter().filter_map(|it| it.job.clone());
        let running = running.filter(|_| !plan.target.hibernates);
        let pulls = plan.pulls().iter().map(|it| &it.object);
        values
            .map(|it| ("Secret", it.into()))
            .chain(jobs.map(|it| ("Job", it.into())))
            .chain(running.map(|it| ("Job", it)))
            .chain(pulls.map(|it| (it.kind(), it.name())))
            .collect()
    }

    /// Takes away the roles of the database that no release needs any more, and tells of it when they are gone.
    async fn revoke(
        &self,
        observer: &Observer<'_>,
        plan: &Plan,
        status: &RolloutStatus,
        current: &mut Option<Hold>,
    ) -> Result<Option<Revocation>> {
        let at_rest = !status.is_shut() && !plan.is_unverified(self.serving);
        let both = (&plan.target, &plan.requested);
        let (writer, inputs) = (self.writer, self.inputs);
        let revocation =
            revocation::step(writer, observer, inputs, both, at_rest, current, self.now).await?;
        if let Some(Revocation::Done { roles, ended }) = &revocation {
            publish(self.app, self.ctx, &events::revoked(roles, *ended)).await;
        }
        Ok(revocation)
    }

    /// Nothing changes data that sleep.
    async fn hibernate(&self, stack: &Stack) -> Result<()> {
        let hold = Hold {
            holder: Holder::Hibernation,
            job: None,
            release: stack.release.clone(),
            since: self.now,
            until: None,
            fact: None,
        };
        self.writer.hold(&hold).await
    }

    /// Writes down that a release failed, if it is one that is to be given up for the one that serves. The next reconcile goes back.
    async fn give_up(&self, plan: &Plan, status: &RolloutStatus) -> Result<bool> {
        let Some((stage, Gate::Failed { reason, message })) = status.blocking() else {
            return Ok(false);
        };
        // Nothing of a release runs before its migration is done, so that there is nothing to go back from.
        let runs = stage > StageName::Migration;
        let requested = plan.target.rollout.on_failure == OnFailure::Rollback;
        let Serving::Release(served) = self.serving else {
            return Ok(false);
        };
        if !(runs && requested && plan.is_trial(self.serving) && plan.rollback_blocked.is_none()) {
            return Ok(false);
        }
        let allowed = plan.target.rollout.schema_rollback == SchemaRollback::Allow;
        let change = plan::schema_change(&served.stack, self.inputs).filter(|_| !allowed);
        let stays = change.map_or_else(String::new, |it| {
            format!("; the schema is not rolled back with it: {it}")
        });
        let failure = Failure {
            release: plan.target.release.clone(),
            attempt: history::attempt(self.app),
            stage: stage.as_str().into(),
            reason: reason.as_str().into(),
            message: message::and(message, &stays),
        };
        self.writer.record(&Record::Failure(failure), 1).await?;
        Ok(true)
    }

    /// Forgets how releases failed that the spec does not ask for any more.
    async fn forget_failures(&self, requested: &Stack) -> Result<()> {
        let attempt = history::attempt(self.app);
        let records = &self.inputs.records;
        for it in history::outdated_failures(records, &requested.release, &attempt) {
            let name = requested.names.failure(&it.release, &it.attempt);
            self.writer.forget(&name).await?;
        }
        Ok(())
    }

    /// Writes down that every gate was open for a release, and forgets what failed before it. Returns since when it is so, if
    /// it was not known before.
    async fn verify(&self, stack: &Stack) -> Result<Option<Timestamp>> {
        let manifests = build::manifests(stack);
        let hash = manifests.hash();
        let latest = history::serving(&self.inputs.records);
        if latest.is_some_and(|it| it.hash == stack.release && it.manifests.as_ref() == Some(&hash))
        {
            return Ok(None);
        }
        let keep = Record::Manifests {
            operator: env!("CARGO_PKG_VERSION").into(),
            manifests: Box::new(manifests),
        };
        self.writer.record(&keep, 1).await?;
        let record = Record::Release {
            hash: stack.release.clone(),
            spec: Box::new(stack.spec.clone()),
            values: stack.secrets.hash.clone(),
            migration: stack.migration.as_ref().map(|it| it.hash.clone()),
            ports: Some(stack.edge.ports()),
            renewal: stack.renewal.clone(),
            manifests: Some(hash),
            assets: stack.older_assets().to_vec(),
        };
        let serves_already = latest.filter(|it| it.hash == stack.release);
        let next = || latest.map_or(1, |it| it.revision + 1);
        let revision = serves_already.map_or_else(next, |it| it.revision);
        let recorded = self.writer.record(&record, revision).await?;
        if serves_already.is_some() {
            return Ok(None);
        }
        for failure in &self.inputs.records.failures {
            let name = stack.names.failure(&failure.release, &failure.attempt);
            self.writer.forget(&name).await?;
        }
        let embedded = stack.database.embedded.as_ref();
        let chosen = embedded.map(|it| &it.choice);
        let databases = self.inputs.records.databases.keys();
        for old in databases.filter(|it| Some(*it) != chosen) {
            self.writer
                .forget(&stack.names.database_record(old))
                .await?;
        }
        for pulled in &self.inputs.records.pulled {
            self.writer.forget(&stack.names.pull(pulled)).await?;
        }
        let migration = stack.migration.as_ref().map(|it| &it.hash);
        let facts = data::forgotten(
            &stack.names,
            &self.inputs.records,
            stack.data.as_ref(),
            migration,
        );
        for old in facts {
            self.writer.forget(&old).await?;
        }
        Ok(recorded)
    }

    /// Tells what changed values do and what they do not, once it is this release that serves with them.
    async fn tell_of_values(&self, stack: &Stack) {
        if let Serving::Release(served) = self.serving {
            for name in plan::changes::changed_values(&served.stack, stack) {
                if let Some(event) = events::changed_value(name) {
                    publish(self.app, self.ctx, &event).await;
                }
            }
        }
    }

    /// Forgets the releases that are too old to be kept beside the one that serves. What they alone needed goes with the
    /// next reconcile, which sees that they are gone.
    async fn forget(&self, serving: &Stack) -> Result<()> {
        let records = &self.inputs.records;
        let releases = &records.releases;
        let old = history::forgotten(&self.app.spec, records, &serving.release);
        let objects = build::manifests(serving).hash();
        let before = history::serving(records);
        // Those of a release are written down anew when their numbers change.
        let rewritten = before.is_some_and(|it| {
            it.hash == serving.release && it.manifests.as_ref().is_some_and(|it| *it != objects)
        });
        if old.is_empty() && !rewritten {
            return Ok(());
        }
        for it in &old {
            self.writer.forget(&serving.names.release(&it.hash)).await?;
        }
        let kept = releases
            .iter()
            .filter(|it| it.hash != serving.release && old.iter().all(|old| old.hash != it.hash));
        let mut needed: BTreeSet<ManifestsHash> =
            kept.filter_map(|it| it.manifests.clone()).collect();
        needed.insert(objects);
        self.writer.forget_manifests(&needed).await
    }
}

/// The hosts whose requests come to a stack: those of the release that serves, and those that its status tells of.
pub(super) fn routed(app: &AppStack, serving: &Serving) -> BTreeSet<String> {
    let mut hosts = hosts::routed(app);
    if let Serving::Release(served) = serving {
        hosts.extend(served.stack.edge.hosts());
    }
    hosts
}

/// Cuts out the secret values of an AppStack as these stacks and the release that serves have them, and those that it had.
pub(super) fn redactor(
    ctx: &Context,
    app: &AppStack,
    serving: &Serving,
    stacks: &[&Stack],
) -> Redactor {
    let served = match serving {
        Serving::Release(served) => Some(&served.stack),
        Serving::Nothing | Serving::Unknown { .. } => None,
    };
    let all = stacks.iter().copied().chain(served);
    let now = all.flat_map(|it| it.secrets.hidden.iter().cloned());
    Redactor::new(ctx.seen_values.with(&key(app), now.collect()))
}
