//! One look at a stack whose spec is right: goes the way that was plotted as far as the gates let it, and writes down what
//! became of it.
//!
//! The order of the steps is all that is decided here: what is released is `course`'s to say, when a gate opens `gates`'.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::{AppStack, OnFailure, SchemaRollback, StageName, Urls};
use crate::build::{self, Desired};
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::context::Context;
use crate::error::Result;
use crate::model::fact::{Failure, Hold, Holder, Record};
use crate::model::inputs::{Inputs, Records};
use crate::model::stack::Stack;
use crate::plan::{self, Course, Serving, debounce};
use crate::reconcile::status::{Outcome, Progress};
use crate::reconcile::{events, key, publish};
use crate::release::database_roles::Revocation;
use crate::release::history;
use crate::release::{approval, data};
use crate::rollout::gates::{Gate, Trial};
use crate::rollout::{self, Beside, Plan, Rollout, Visits, revocation};

/// What a look at a stack works with.
pub(super) struct Look<'a> {
    pub(super) app: &'a AppStack,
    pub(super) ctx: &'a Context,
    pub(super) writer: &'a Writer<'a>,
    pub(super) inputs: &'a Inputs,
    pub(super) serving: &'a Serving,
    pub(super) now: Timestamp,
    /// What `hibernate` waits for, where it does.
    pub(super) waits: Option<String>,
}

impl Look<'_> {
    /// Goes a way as far as the gates let it.
    ///
    /// # Errors
    /// At the first request that fails.
    pub(super) async fn follow(&self, course: Course) -> Result<Outcome> {
        let course = self.in_turn(self.rested(course));
        let mut hidden = course.target.secrets.hidden.clone();
        hidden.extend(course.asked.secrets.hidden.iter().cloned());
        let observer = Observer {
            client: &self.ctx.client,
            namespace: &course.target.namespace,
            secrets: &hidden,
            edge_host: self.ctx.settings.edge_host.as_deref(),
        };
        for (record, keeper) in &self.inputs.records.misplaced {
            self.writer.keep_with(record, keeper).await?;
        }
        let target = build::build(&course.target, course.direction);
        let plan = self.plan(&course, &target);
        let mut current = self.inputs.records.hold.clone();
        if course.target.hibernates && current.is_none() {
            self.hibernate(&course.target).await?;
        }
        if let Some(record) = build::database_record(&course.target) {
            self.writer.record(&record, 1).await?;
        }
        let rollout = rollout::run(self.writer, &observer, &plan, &mut current).await?;
        let failed = self.give_up(&course, &rollout).await?;
        let verified = if rollout.is_shut() {
            None
        } else {
            let verified = self.verify(&course.target).await?;
            self.forget(&course.target).await?;
            verified
        };
        rollout::prune(self.writer, &plan, &rollout).await?;
        if !matches!(rollout.blocking(), Some((_, Gate::Waiting { .. }))) {
            self.ctx.turns.give_back(&key(self.app));
        }
        let revocation = self
            .revoke(&observer, &course, &rollout, &mut current)
            .await?;
        let progress = self.progress(course, rollout, failed, verified, revocation);
        Ok(Outcome::RolledOut(Box::new(progress)))
    }

    /// The same, or the way to the release that serves while the values that make another one are still changing.
    fn rested(&self, course: Course) -> Course {
        let Serving::Release(served) = self.serving else {
            return course;
        };
        let failures = self.inputs.records.failures.iter();
        let asked = debounce::Asked {
            generation: self.app.metadata.generation,
            values: debounce::values(&self.app.spec, self.inputs),
            release: &course.asked.release,
            serving: &served.stack.release,
            failed: failures.map(|it| it.release.as_str()).collect(),
        };
        match self.ctx.batch.due(&key(self.app), &asked, self.now) {
            Some(due) if course.is_ahead() => Course {
                rests: Some(due),
                ..course.back_to(served)
            },
            _ => course,
        }
    }

    /// The same, or the way to the release that serves while another stack follows changed settings of the operator.
    fn in_turn(&self, course: Course) -> Course {
        let key = key(self.app);
        match self.serving {
            Serving::Release(served) if course.is_ahead() && course.is_of_settings(served) => {
                match self.ctx.turns.take(&key, self.now) {
                    Ok(()) => course,
                    Err(other) => Course {
                        queued: Some(other),
                        ..course.back_to(served)
                    },
                }
            }
            _ => {
                self.ctx.turns.give_back(&key);
                course
            }
        }
    }

    /// How the target of a course is rolled out.
    fn plan<'b>(&'b self, course: &'b Course, target: &'b Desired) -> Plan<'b> {
        let beside = match self.serving {
            Serving::Nothing => Beside::Nothing,
            // What failed may be all that still answers, until the serving release has turned out to be whole.
            Serving::Release(_) if course.failure.is_some() => Beside::Everything,
            // What it keeps would end before what needs it.
            Serving::Release(_) if course.target.hibernates => Beside::Everything,
            Serving::Release(served) => Beside::Release(&served.desired),
            Serving::Unknown { .. } => Beside::Everything,
        };
        Plan {
            trial: course.is_trial(self.serving).then_some(Trial {
                soak: course.target.rollout.soak,
                now: self.now,
            }),
            unproven: course.is_unproven(self.serving),
            visits: Visits {
                memory: &self.ctx.tries,
                stack: key(self.app),
                attempt: history::attempt(self.app),
                now: self.now,
            },
            pulls: course.pulls(),
            retained: self.retained(course),
            target,
            beside,
        }
    }

    /// What kept releases need, so that they can be restored, what is at work on the roles that they left, and what pulls the
    /// images of one that has not begun.
    fn retained(&self, course: &Course) -> BTreeSet<(&'static str, String)> {
        let names = &course.target.names;
        let Records {
            releases,
            revocations,
            hold,
            ..
        } = &self.inputs.records;
        let values = releases.iter().map(|it| names.values(&it.values));
        // While there is no database it would only fail; it is made again.
        let jobs = revocations.iter().filter(|_| !course.target.hibernates);
        let jobs = jobs.map(|it| names.revocation(it));
        // What changes the data is never deleted while it runs.
        let running = hold.iter().filter_map(|it| it.job.clone());
        let running = running.filter(|_| !course.target.hibernates);
        let pulls = course.pulls().iter().map(|it| &it.object);
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
        course: &Course,
        rollout: &Rollout,
        current: &mut Option<Hold>,
    ) -> Result<Option<Revocation>> {
        let at_rest = !rollout.is_shut() && !course.is_unproven(self.serving);
        let both = (&course.target, &course.asked);
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

    /// Writes down that a release failed, if it is one that is to be given up for the one that serves. The next look goes back.
    async fn give_up(&self, course: &Course, rollout: &Rollout) -> Result<bool> {
        let Some((stage, Gate::Failed { reason, message })) = rollout.blocking() else {
            return Ok(false);
        };
        // Nothing of a release runs before its migration is done, so that there is nothing to go back from.
        let runs = stage > StageName::Migration;
        let asked = course.target.rollout.on_failure == OnFailure::Rollback;
        let Serving::Release(served) = self.serving else {
            return Ok(false);
        };
        if !(runs && asked && course.is_trial(self.serving) && course.barrier.is_none()) {
            return Ok(false);
        }
        let allowed = course.target.rollout.schema_rollback == SchemaRollback::Allow;
        let change = plan::schema_change(&served.stack, self.inputs).filter(|_| !allowed);
        let stays = change.map_or_else(String::new, |it| {
            format!("; the schema is not rolled back with it: {it}")
        });
        let failure = Failure {
            release: course.target.release.clone(),
            attempt: history::attempt(self.app),
            stage: stage.as_str().into(),
            reason: reason.as_str().into(),
            message: format!("{message}{stays}"),
        };
        self.writer.record(&Record::Failure(failure), 1).await?;
        Ok(true)
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

    /// Forgets the releases that are too old to be kept beside the one that serves. What they alone needed goes with the
    /// next look, which sees that they are gone.
    async fn forget(&self, serving: &Stack) -> Result<()> {
        let releases = &self.inputs.records.releases;
        let old = history::forgotten(&self.app.spec, &self.inputs.records, &serving.release);
        if old.is_empty() {
            return Ok(());
        }
        for it in &old {
            self.writer.forget(&serving.names.release(&it.hash)).await?;
        }
        let kept = releases
            .iter()
            .filter(|it| old.iter().all(|old| old.hash != it.hash));
        let mut needed: BTreeSet<String> = kept.filter_map(|it| it.manifests.clone()).collect();
        needed.insert(build::manifests(serving).hash());
        self.writer.forget_manifests(&needed).await
    }

    /// Whether the release that serves is as the templates of now would make it.
    fn is_current(&self, course: &Course, verified: bool) -> Option<bool> {
        let stack = match self.serving {
            _ if verified => &course.target,
            Serving::Release(served) => &served.stack,
            Serving::Nothing | Serving::Unknown { .. } => return None,
        };
        let kept = build::manifests(stack).hash();
        Some(build::rendered(stack).hash() == kept)
    }

    /// What the status is computed from.
    fn progress(
        &self,
        course: Course,
        rollout: Rollout,
        failed: bool,
        verified: Option<Timestamp>,
        revocation: Option<Revocation>,
    ) -> Progress {
        let names = &course.target.names;
        let records = &self.inputs.records;
        let kept = |it| history::kept_summary(names, it);
        let (serving, previous) = match verified {
            Some(_) => (
                Some(history::summary(&course.target, verified)),
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
            .find(|it| it.hash == course.asked.release)
            .and_then(|it| it.verified_at);
        let unknown = match self.serving {
            Serving::Unknown { why } if verified.is_none() => Some(why.clone()),
            _ => None,
        };
        Progress {
            stack: names.stack().to_owned(),
            current: self.is_current(&course, verified.is_some()),
            unknown,
            asked: history::summary(&course.asked, verified.or(asked_before)),
            urls: urls(&course.target),
            failure: course.failure,
            approved: approval::approval(
                self.app,
                course.asked.names.release(&course.asked.release).as_str(),
            ),
            pending: course.pending.map(|it| it.changes),
            waits: self.waits.clone(),
            rests: course.rests,
            queued: course.queued,
            hibernates: course.target.hibernates,
            barrier: course.barrier.as_ref().map(ToString::to_string),
            rollout,
            serving,
            previous,
            failed,
            revocation,
        }
    }
}

fn urls(stack: &Stack) -> Urls {
    let api = stack.edge.api_url();
    Urls {
        dashboard: stack.edge.dashboard_url(),
        docs: format!("{api}/docs"),
        api,
    }
}
