//! The reconciliation: read, check, build, roll out stage by stage, report.

pub mod apply;
pub mod certificate;
pub mod check;
pub mod desired;
pub mod events;
pub mod gates;
pub mod gather;
pub mod inputs;
pub mod ledger;
pub mod names;
pub mod observe;
pub mod record;
pub mod release;
pub mod request;
pub mod rollout;
pub mod stack;
pub mod status;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use self::apply::Writer;
use self::gates::Gate;
use self::inputs::Inputs;
use self::observe::Observer;
use self::record::Record;
use self::rollout::Serving;
use self::stack::Stack;
use self::status::{Outcome, Progress};
use crate::api::{AppStack, AppStackStatus, ReleaseStatus, Urls};
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
    let writer = Writer::new(&ctx.client, &ctx.ledger, &app, ctx.traefik_kinds);
    // On the heap: the state of all its requests is large, and every waiting reconciliation would carry it.
    let outcome = Box::pin(roll_out(&app, &ctx, &writer, now)).await;
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
    Ok(next_look(&outcome))
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
    writer: &Writer<'_>,
    now: Timestamp,
) -> Result<Outcome> {
    if app.spec.suspend == Some(true) {
        return Ok(Outcome::Suspended);
    }
    let inputs = gather::inputs(&ctx.client, app, ctx.traefik_kinds, now).await?;
    let serving = serving(app, &inputs, ctx);
    let stack = match check::stack(app, &inputs, &ctx.settings) {
        Ok(stack) => stack,
        Err(invalid) => {
            rollout::heal(writer, &serving).await?;
            return Err(Error::Invalid(invalid));
        }
    };
    warn(app, ctx, &stack, &inputs).await;
    let target = desired::build(&stack);
    let observer = Observer {
        client: &ctx.client,
        namespace: &stack.namespace,
        secrets: &stack.secrets.values,
    };
    let rollout = rollout::run(writer, &observer, &target, &serving).await?;
    let verified = if rollout.is_shut() {
        None
    } else {
        verify(app, writer, &inputs, &stack).await?
    };
    Ok(Outcome::RolledOut(Box::new(Progress {
        rollout,
        release: release_status(&stack, verified),
        urls: urls(&stack),
    })))
}

/// The objects of the release that serves.
fn serving(app: &AppStack, inputs: &Inputs, ctx: &Context) -> Serving {
    let Some(record) = release::serving(&inputs.records) else {
        return Serving::Nothing;
    };
    let mut app = app.clone();
    app.spec = record.spec.clone();
    match check::stack(&app, &inputs.of_serving(), &ctx.settings) {
        Ok(mut stack) => {
            // Changed secret values are part of the new release; pods of this one are not rolled for them.
            stack.secrets.hash.clone_from(&record.secrets_hash);
            Serving::Release(desired::build(&stack))
        }
        Err(_) => Serving::Unknown,
    }
}

/// Writes down that every gate was open for a release, and forgets the oldest ones. Returns since when it is so.
async fn verify(
    app: &AppStack,
    writer: &Writer<'_>,
    inputs: &Inputs,
    stack: &Stack,
) -> Result<Option<Timestamp>> {
    let latest = release::serving(&inputs.records);
    if let Some(latest) = latest.filter(|it| it.hash == stack.release) {
        return Ok(latest.verified_at);
    }
    let record = Record::Release {
        hash: stack.release.clone(),
        spec: Box::new(app.spec.clone()),
        secrets_hash: stack.secrets.hash.clone(),
    };
    let revision = latest.map_or(1, |it| it.revision + 1);
    let recorded = writer.record(&record, revision).await?;
    for hash in release::forgotten(&inputs.records) {
        writer.forget_release(hash).await?;
    }
    Ok(recorded)
}

async fn warn(app: &AppStack, ctx: &Context, stack: &Stack, inputs: &Inputs) {
    let seen = app.status.as_ref().and_then(|it| it.observed_generation);
    if seen == app.metadata.generation {
        return;
    }
    for note in check::warnings(app, stack, inputs) {
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

fn next_look(outcome: &Outcome) -> Action {
    match outcome {
        Outcome::Suspended => Action::await_change(),
        Outcome::RolledOut(progress) => match progress.rollout.blocking() {
            Some((_, Gate::Waiting { .. })) => Action::requeue(WAITING),
            _ => Action::requeue(AT_REST),
        },
    }
}

fn release_status(stack: &Stack, verified: Option<Timestamp>) -> ReleaseStatus {
    ReleaseStatus {
        name: stack.names.release(&stack.release).into(),
        version: stack.version.clone(),
        backend_image: stack.backend.image.clone(),
        frontend_image: stack.frontend.as_ref().map(|it| it.image.clone()),
        migration: stack.migration.as_ref().map(|it| it.hash.clone()),
        verified_at: verified.map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time),
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

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
