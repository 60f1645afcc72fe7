//! The reconciliation: read, check, build, roll out stage by stage, report.

pub mod apply;
pub mod approval;
pub mod batch;
pub mod bridge;
pub mod certificate;
pub mod check;
pub mod course;
pub mod desired;
pub mod events;
pub mod gates;
pub mod gather;
pub mod inputs;
pub mod ledger;
pub mod names;
pub mod observe;
pub mod plan;
pub mod prepare;
pub mod record;
pub mod release;
pub mod request;
pub mod revocation;
pub mod roles;
pub mod rollout;
pub mod scaling;
pub mod stack;
pub mod status;
pub mod tries;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use self::apply::Writer;
use self::course::{Course, Serving};
use self::gates::{Gate, Trial};
use self::inputs::{Inputs, Records};
use self::ledger::Page;
use self::observe::{Images, Observer};
use self::record::{Failure, Record};
use self::roles::Revocation;
use self::rollout::{Beside, Plan, Rollout, Visits};
use self::stack::Stack;
use self::status::{Outcome, Progress};
use crate::api::{AppStack, AppStackStatus, OnFailure, SchemaRollback, StageName, Urls};
use crate::context::Context;
use crate::error::{Class, Error, Result};

/// How soon a stack is looked at again whose gate is shut. Watches wake us; this is for the change that was missed.
const WAITING: Duration = Duration::from_secs(20);
/// How soon a stack at rest is looked at again: often enough for a certificate that is due.
const AT_REST: Duration = Duration::from_hours(1);
/// How soon a faulty spec is looked at again; what it refers to may be there by then.
const INVALID: Duration = Duration::from_mins(5);
/// How soon we try again after somebody else wrote at the same time.
const CONFLICT: Duration = Duration::from_secs(1);

/// One reconciliation. The status is written whether the roll-out worked or not.
///
/// # Errors
/// What kept the roll-out from going on, or the status from being written.
#[tracing::instrument(skip_all, fields(namespace = app.namespace(), stack = app.name_any()))]
pub async fn reconcile(app: Arc<AppStack>, ctx: Arc<Context>) -> Result<Action> {
    if app.metadata.deletion_timestamp.is_some() {
        // What we own goes by its owner references; anything we made now would only be in the way.
        return Ok(Action::await_change());
    }
    let now = now();
    let page = ctx.ledger.page(&ctx.sightings, &app);
    let writer = Writer::new(&ctx.client, &page, &app, ctx.traefik_kinds);
    // On the heap: the state of all its requests is large, and every waiting reconciliation would carry it.
    let outcome = Box::pin(roll_out(&app, &ctx, &page, &writer, now)).await;
    let status = status::compute(&app, &outcome, now);
    let written = writer.status(&status).await;
    if let (Err(error), Err(_)) = (&outcome, &written) {
        tracing::warn!(
            error = error.chain(),
            "the roll-out failed, and so does the report of it"
        );
    }
    written?;
    report(&app, &ctx, &status).await;
    let outcome = outcome?;
    ctx.backoff.reset(&key(&app));
    Ok(next_look(&outcome, now))
}

/// What to do after an error.
#[must_use]
pub fn error_policy(app: Arc<AppStack>, error: &Error, ctx: Arc<Context>) -> Action {
    match error.class() {
        Class::User => Action::requeue(INVALID),
        // Nothing tells us when somebody else's object goes.
        Class::Taken => Action::requeue(WAITING),
        Class::Ending => Action::await_change(),
        Class::Conflict => Action::requeue(CONFLICT),
        Class::Transient => Action::requeue(ctx.backoff.next(&key(&app), rand::random())),
    }
}

/// The name of a stack in logs, metrics and the back-off.
#[must_use]
pub fn key(app: &AppStack) -> String {
    format!("{}/{}", app.namespace().unwrap_or_default(), app.name_any())
}

async fn roll_out(
    app: &AppStack,
    ctx: &Context,
    page: &Page<'_>,
    writer: &Writer<'_>,
    now: Timestamp,
) -> Result<Outcome> {
    if app.spec.suspend == Some(true) {
        return Ok(Outcome::Suspended);
    }
    let inputs = gather::inputs(&ctx.client, page, app, ctx.traefik_kinds, now).await?;
    let serving = course::serving(app, &inputs, &ctx.settings);
    let course = match course::plot(app, &inputs, &ctx.settings, &serving) {
        Ok(course) => course,
        Err(invalid) => {
            if let Serving::Release(served) = &serving {
                rollout::heal(writer, &served.desired).await?;
            }
            return Err(Error::Invalid(invalid));
        }
    };
    let course = rested(app, ctx, course, &serving, &inputs, now);
    warn(app, ctx, &course.asked, &inputs).await;
    let mut hidden = course.target.secrets.hidden.clone();
    hidden.extend(course.asked.secrets.hidden.iter().cloned());
    let observer = Observer {
        client: &ctx.client,
        namespace: &course.target.namespace,
        secrets: &hidden,
        edge_host: ctx.settings.edge_host.as_deref(),
    };
    let rollout = work(
        app,
        ctx,
        (writer, &observer),
        &course,
        &serving,
        &inputs,
        now,
    )
    .await?;
    let failed = give_up(app, writer, &course, &serving, &inputs, &rollout).await?;
    let verified = if rollout.is_shut() {
        None
    } else {
        let verified = verify(writer, &inputs, &course.target).await?;
        forget(app, writer, &inputs, &course.target).await?;
        verified
    };
    let revocation = revoke(app, ctx, (writer, &observer), &course, &inputs, &rollout).await?;
    let whole = progress(app, rollout, course, &inputs, verified, failed);
    Ok(Outcome::RolledOut(Box::new(Progress {
        revocation,
        ..whole
    })))
}

/// The same, or the way to the release that serves while the values that make another one are still changing.
fn rested(
    app: &AppStack,
    ctx: &Context,
    course: Course,
    serving: &Serving,
    inputs: &Inputs,
    now: Timestamp,
) -> Course {
    let Serving::Release(served) = serving else {
        return course;
    };
    let failures = inputs.records.failures.iter();
    let asked = batch::Asked {
        generation: app.metadata.generation,
        values: batch::values(&app.spec, inputs),
        release: &course.asked.release,
        serving: &served.stack.release,
        failed: failures.map(|it| it.release.as_str()).collect(),
    };
    match ctx.batch.due(&key(app), &asked, now) {
        Some(due) if course.is_ahead() => Course {
            rests: Some(due),
            ..course.back_to(served)
        },
        _ => course,
    }
}

/// Rolls the target of a course out, as far as its gates let it.
async fn work(
    app: &AppStack,
    ctx: &Context,
    (writer, observer): (&Writer<'_>, &Observer<'_>),
    course: &Course,
    serving: &Serving,
    inputs: &Inputs,
    now: Timestamp,
) -> Result<Rollout> {
    let target = desired::build(&course.target, course.direction);
    let beside = match serving {
        Serving::Nothing => Beside::Nothing,
        // What failed may be all that still answers, until the serving release has turned out to be whole.
        Serving::Release(_) if course.failure.is_some() => Beside::Everything,
        // What it keeps would end before what needs it.
        Serving::Release(_) if course.target.hibernates => Beside::Everything,
        Serving::Release(served) => Beside::Release(&served.desired),
        Serving::Unknown => Beside::Everything,
    };
    let plan = Plan {
        trial: course.is_trial(serving, inputs).then_some(Trial {
            soak: course.target.rollout.soak,
            now,
        }),
        unproven: course.is_unproven(inputs),
        visits: Visits {
            memory: &ctx.tries,
            stack: key(app),
            attempt: release::attempt(app),
            now,
        },
        pulls: course.pulls(),
        retained: retained(course, inputs),
        target: &target,
        beside,
    };
    rollout::run(writer, observer, &plan).await
}

/// What kept releases need, so that they can be restored, what is at work on the roles that they left, and what pulls the
/// images of one that has not begun.
fn retained(course: &Course, inputs: &Inputs) -> BTreeSet<(&'static str, String)> {
    let names = &course.target.names;
    let Records {
        releases,
        revocations,
        ..
    } = &inputs.records;
    let values = releases.iter().map(|it| names.values(&it.values));
    // While there is no database it would only fail; it is made again.
    let jobs = revocations.iter().filter(|_| !course.target.hibernates);
    let jobs = jobs.map(|it| names.revocation(it));
    let pulls = course.pulls().iter().map(|it| &it.object);
    values
        .map(|it| ("Secret", it.into()))
        .chain(jobs.map(|it| ("Job", it.into())))
        .chain(pulls.map(|it| (it.kind(), it.name())))
        .collect()
}

/// Takes away the roles of the database that no release needs any more, and tells of it when they are gone.
async fn revoke(
    app: &AppStack,
    ctx: &Context,
    (writer, observer): (&Writer<'_>, &Observer<'_>),
    course: &Course,
    inputs: &Inputs,
    rollout: &Rollout,
) -> Result<Option<Revocation>> {
    let at_rest = !rollout.is_shut() && !course.is_unproven(inputs);
    let both = (&course.target, &course.asked);
    let revocation = revocation::step(writer, observer, inputs, both, at_rest).await?;
    if let Some(Revocation::Done { roles, ended }) = &revocation {
        publish(app, ctx, &events::revoked(roles, *ended)).await;
    }
    Ok(revocation)
}

/// Writes down that a release failed, if it is one that is to be given up for the one that serves. The next look goes back.
async fn give_up(
    app: &AppStack,
    writer: &Writer<'_>,
    course: &Course,
    serving: &Serving,
    inputs: &Inputs,
    rollout: &Rollout,
) -> Result<bool> {
    let Some((stage, Gate::Failed { reason, message })) = rollout.blocking() else {
        return Ok(false);
    };
    // Nothing of a release runs before its migration is done, so that there is nothing to go back from.
    let runs = stage > StageName::Migration;
    let asked = course.target.rollout.on_failure == OnFailure::Rollback;
    let Serving::Release(served) = serving else {
        return Ok(false);
    };
    if !(runs && asked && course.is_trial(serving, inputs) && course.barrier.is_none()) {
        return Ok(false);
    }
    let allowed = course.target.rollout.schema_rollback == SchemaRollback::Allow;
    let change = course::schema_change(&served.stack, inputs).filter(|_| !allowed);
    let stays = change.map_or_else(String::new, |it| {
        format!("; the schema is not rolled back with it: {it}")
    });
    let failure = Failure {
        release: course.target.release.clone(),
        attempt: release::attempt(app),
        stage: stage.as_str().into(),
        reason: reason.as_str().into(),
        message: format!("{message}{stays}"),
    };
    writer.record(&Record::Failure(failure), 1).await?;
    Ok(true)
}

/// Writes down that every gate was open for a release, and forgets what failed before it. Returns since when it is so, if
/// it was not known before.
async fn verify(writer: &Writer<'_>, inputs: &Inputs, stack: &Stack) -> Result<Option<Timestamp>> {
    let latest = release::serving(&inputs.records);
    if latest.is_some_and(|it| it.hash == stack.release) {
        return Ok(None);
    }
    let record = Record::Release {
        hash: stack.release.clone(),
        spec: Box::new(stack.spec.clone()),
        values: stack.secrets.hash.clone(),
        migration: stack.migration.as_ref().map(|it| it.hash.clone()),
        assets: stack.older_assets().to_vec(),
    };
    let revision = latest.map_or(1, |it| it.revision + 1);
    let recorded = writer.record(&record, revision).await?;
    for failure in &inputs.records.failures {
        let name = stack.names.failure(&failure.release, &failure.attempt);
        writer.forget(&name).await?;
    }
    for pulled in &inputs.records.pulled {
        writer.forget(&stack.names.pull(pulled)).await?;
    }
    Ok(recorded)
}

/// Forgets the releases that are too old to be kept beside the one that serves. What they alone needed goes with the
/// next look, which sees that they are gone.
async fn forget(
    app: &AppStack,
    writer: &Writer<'_>,
    inputs: &Inputs,
    serving: &Stack,
) -> Result<()> {
    for old in release::forgotten(&app.spec, &inputs.records, &serving.release) {
        writer.forget(&serving.names.release(&old.hash)).await?;
    }
    Ok(())
}

fn progress(
    app: &AppStack,
    rollout: Rollout,
    course: Course,
    inputs: &Inputs,
    verified: Option<Timestamp>,
    failed: bool,
) -> Progress {
    let names = &course.target.names;
    let records = &inputs.records;
    let kept = |it| release::kept_summary(names, it);
    let (serving, previous) = match verified {
        Some(_) => (
            Some(release::summary(&course.target, verified)),
            release::serving(records).map(kept),
        ),
        None => (
            release::serving(records).map(kept),
            release::previous(records).map(kept),
        ),
    };
    let asked_before = records
        .releases
        .iter()
        .find(|it| it.hash == course.asked.release)
        .and_then(|it| it.verified_at);
    Progress {
        asked: release::summary(&course.asked, verified.or(asked_before)),
        urls: urls(&course.target),
        failure: course.failure,
        approved: release::approval(
            app,
            course.asked.names.release(&course.asked.release).as_str(),
        ),
        pending: course.pending.map(|it| it.changes),
        rests: course.rests,
        hibernates: course.target.hibernates,
        barrier: course.barrier.as_ref().map(ToString::to_string),
        rollout,
        serving,
        previous,
        failed,
        revocation: None,
    }
}

async fn warn(app: &AppStack, ctx: &Context, stack: &Stack, inputs: &Inputs) {
    let seen = app.status.as_ref().and_then(|it| it.observed_generation);
    let mut notes: Vec<String> = check::unanswerable(app, inputs).into_iter().collect();
    if seen != app.metadata.generation {
        notes.extend(check::warnings(app, stack, inputs));
    }
    for note in notes {
        publish(app, ctx, &events::warning(note)).await;
    }
}

/// Tells of what changed: Events, metrics and a line in the log.
async fn report(app: &AppStack, ctx: &Context, status: &AppStackStatus) {
    let before = app.status.as_ref();
    ctx.metrics.stack_is(key(app), status::state(status));
    for (stage, seconds) in events::opened(before, status) {
        ctx.metrics.stage_took(stage, Duration::from_secs(seconds));
    }
    for event in events::of_change(before, status) {
        tracing::info!(
            reason = event.reason,
            note = event.note,
            "the stack changed"
        );
        publish(app, ctx, &event).await;
    }
}

async fn publish(app: &AppStack, ctx: &Context, event: &k8s_controller::events::Event) {
    if let Err(error) = ctx.recorder.publish(app, event).await {
        tracing::warn!(%error, reason = event.reason, "cannot publish an Event");
    }
}

fn next_look(outcome: &Outcome, now: Timestamp) -> Action {
    match outcome {
        Outcome::Suspended => Action::await_change(),
        Outcome::RolledOut(progress) if progress.failed => Action::requeue(Duration::ZERO),
        Outcome::RolledOut(progress) => match progress.rollout.blocking() {
            Some((_, Gate::Waiting { until, .. })) => Action::requeue(wait(*until, now)),
            // Nothing wakes us when the way from outside is mended.
            Some((StageName::Edge, Gate::Failed { .. })) => Action::requeue(WAITING),
            None if progress.rests.is_some() => Action::requeue(wait(progress.rests, now)),
            None if progress.rollout.images != Images::Pulled => Action::requeue(WAITING),
            _ => Action::requeue(AT_REST),
        },
    }
}

/// Until a gate opens by itself, or until the next look if that is sooner.
fn wait(until: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = until.and_then(|it| Duration::try_from(it.duration_since(now)).ok());
    left.unwrap_or(WAITING).min(WAITING)
}

fn urls(stack: &Stack) -> Urls {
    let api = stack.edge.api_url();
    Urls {
        dashboard: stack.edge.dashboard_url(),
        docs: format!("{api}/docs"),
        api,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
