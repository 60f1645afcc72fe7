//! The reconciliation: read, check, build, roll out stage by stage, report.

mod deletion;
pub mod events;
mod pass;
pub mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use self::pass::Pass;
use self::status::Outcome;
use crate::api::{AppStack, AppStackStatus, StageName};
use crate::cluster::apply::Writer;
use crate::cluster::cache::StackCache;
use crate::cluster::gather;
use crate::cluster::observe::Observer;
use crate::context::Context;
use crate::error::{Class, Error, Result, Unreadable};
use crate::model::fact::{Hold, Holder};
use crate::model::inputs::Inputs;
use crate::model::kinds::Middleware;
use crate::model::observed::Images;
use crate::model::stack::Stack;
use crate::plan::{self, Plan, Serving};
use crate::rollout::gates::Gate;
use crate::rollout::hold;
use crate::runtime::backoff::spread;
use crate::{check, rollout};

/// How soon a stack is looked at again whose gate is shut. Watches wake us; this is for the change that was missed.
const WAITING: Duration = Duration::from_secs(20);
/// How soon a stack at rest is looked at again: often enough for a certificate that is due. The end of it is left to chance,
/// or all would come together each hour after a start.
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
        return Box::pin(deletion::step(&app, &ctx, now())).await;
    }
    let now = now();
    let cache = ctx.cache.of_stack(&ctx.versions, &app);
    let writer = Writer::new(
        &ctx.client,
        &cache,
        &app,
        ctx.optional.serves::<Middleware>(),
    );
    // On the heap, here and below: the state of all its requests is large, and every waiting reconciliation would carry it.
    let outcome = Box::pin(roll_out(&app, &ctx, &cache, &writer, now)).await;
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
    Ok(next_look(&outcome, now, (ctx.jitter)()))
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
        Class::Transient => Action::requeue(ctx.backoff.next(&key(&app), (ctx.jitter)())),
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
    cache: &StackCache<'_>,
    writer: &Writer<'_>,
    now: Timestamp,
) -> Result<Outcome> {
    if app.spec.suspend == Some(true) {
        return Ok(Outcome::Suspended);
    }
    let mut inputs = gather(app, ctx, cache, now).await?;
    if data_are_given_back(app, ctx, writer, &inputs).await? {
        inputs = gather(app, ctx, cache, now).await?;
    }
    let waits = hibernate_waits(app, &inputs, now);
    let awake;
    let app = if waits.is_some() {
        awake = awake_still(app);
        &awake
    } else {
        app
    };
    let serving = plan::serving(app, &inputs, &ctx.settings);
    if !inputs.records.unreadable.is_empty() {
        keep(writer, &serving).await?;
        let records = inputs.records.unreadable.clone();
        return Err(Error::Unreadable(Unreadable { records }));
    }
    let pass = Pass {
        app,
        ctx,
        writer,
        inputs: &inputs,
        serving: &serving,
        now,
        waits,
    };
    match Plan::new(app, &inputs, &ctx.settings, &serving) {
        Ok(plan) => {
            warn(app, ctx, &plan.requested, &inputs).await;
            Box::pin(pass.run(plan)).await
        }
        Err(invalid) => {
            keep(writer, &serving).await?;
            Err(Error::Invalid(invalid))
        }
    }
}

/// Everything that a roll-out depends on beside the spec.
async fn gather(
    app: &AppStack,
    ctx: &Context,
    cache: &StackCache<'_>,
    now: Timestamp,
) -> Result<Inputs> {
    let traefik = ctx.optional.serves::<Middleware>();
    gather::inputs(&ctx.client, cache, app, traefik, now).await
}

/// Whether the data were somebody's, and are nobody's any more.
async fn data_are_given_back(
    app: &AppStack,
    ctx: &Context,
    writer: &Writer<'_>,
    inputs: &Inputs,
) -> Result<bool> {
    match &inputs.records.hold {
        None => Ok(false),
        Some(hold) if hold.holder == Holder::Hibernation => {
            let is_over = app.spec.hibernate != Some(true);
            if is_over {
                writer.release(hold).await?;
            }
            Ok(is_over)
        }
        Some(hold) => settle(app, ctx, writer, inputs, hold).await,
    }
}

/// Looks whether a Job that changes the data has come to its end.
async fn settle(
    app: &AppStack,
    ctx: &Context,
    writer: &Writer<'_>,
    inputs: &Inputs,
    hold: &Hold,
) -> Result<bool> {
    let values = inputs.secrets.values().flat_map(BTreeMap::values);
    let secrets: Vec<_> = values.cloned().collect();
    let observer = Observer {
        client: &ctx.client,
        namespace: &app.namespace().unwrap_or_default(),
        secrets: &secrets,
        edge_host: None,
    };
    hold::settle(writer, &observer, hold).await
}

/// What `hibernate` waits for: a change of data is not broken off, unless it should have been over for long.
fn hibernate_waits(app: &AppStack, inputs: &Inputs, now: Timestamp) -> Option<String> {
    let hold = inputs.records.hold.as_ref()?;
    let waits = app.spec.hibernate == Some(true) && hold.is_waited_for(now);
    waits.then(|| hold::in_use(hold))
}

/// A stack that does not hibernate yet.
fn awake_still(app: &AppStack) -> AppStack {
    let mut app = app.clone();
    app.spec.hibernate = None;
    app
}

/// What serves goes on as it is, whatever is wrong with what is requested.
async fn keep(writer: &Writer<'_>, serving: &Serving) -> Result<()> {
    match serving {
        Serving::Release(served) => rollout::heal(writer, &served.desired).await,
        Serving::Nothing | Serving::Unknown { .. } => Ok(()),
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

/// When to look again if nothing wakes us. `jitter` is a random number from 0 to 1.
fn next_look(outcome: &Outcome, now: Timestamp, jitter: f64) -> Action {
    match outcome {
        Outcome::Suspended => Action::await_change(),
        Outcome::Deleting(_) => Action::requeue(WAITING),
        Outcome::RolledOut(progress) if progress.failed => Action::requeue(Duration::ZERO),
        Outcome::RolledOut(progress) => match progress.rollout.blocking() {
            Some((_, Gate::Waiting { until, .. })) => Action::requeue(wait(*until, now)),
            // Nothing wakes us when the way from outside is mended.
            Some((StageName::Edge, Gate::Failed { .. })) => Action::requeue(WAITING),
            None if progress.waits.is_some() => Action::requeue(WAITING),
            None if progress.queued.is_some() => Action::requeue(WAITING),
            None if progress.rests.is_some() => Action::requeue(wait(progress.rests, now)),
            None if progress.rollout.images != Images::Pulled => Action::requeue(WAITING),
            _ => Action::requeue(spread(AT_REST, jitter)),
        },
    }
}

/// Until a gate opens by itself, or until the next reconcile if that is sooner.
fn wait(until: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = until.and_then(|it| Duration::try_from(it.duration_since(now)).ok());
    left.unwrap_or(WAITING).min(WAITING)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
