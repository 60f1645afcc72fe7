//! The reconciliation of an AppStack, and when it comes again.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use crate::api::AppStack;
use crate::check::hosts::Hosts;
use crate::cluster::apply::Writer;
use crate::cluster::cache::StackCache;
use crate::cluster::gather;
use crate::context::Context;
use crate::error::{Class, Error, Result, Unreadable};
use crate::plan::{self, Plan, Serving};
use crate::reconcile::pass::{self, Pass, routed};
use crate::reconcile::status::Outcome;
use crate::reconcile::{data, deletion, report, requeue, status};
use crate::rollout;

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
    let writer = Writer::new(&ctx.client, &cache, &app, &ctx.optional, now);
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
    report::changes(&app, &ctx, &status).await;
    let outcome = outcome?;
    ctx.backoff.reset(&report::key(&app));
    Ok(requeue::after(
        &outcome,
        writer.postponed(),
        now,
        (ctx.jitter)(),
    ))
}

/// When an AppStack comes again after an error.
#[must_use]
pub fn after_error(app: &AppStack, error: &Error, ctx: &Context) -> Action {
    requeue::after_error(app, error, ctx, now())
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
    let mut inputs = gather::inputs(&ctx.client, cache, app, ctx.kinds(), now).await?;
    if data::are_given_back(app, ctx, writer, &inputs, now).await? {
        inputs = gather::inputs(&ctx.client, cache, app, ctx.kinds(), now).await?;
    }
    let waits = data::hibernate_waits(app, &inputs, now);
    let awake;
    let app = if waits.is_some() {
        awake = data::awake(app);
        &awake
    } else {
        app
    };
    let serving = plan::serving(app, &inputs, &ctx.settings);
    if !inputs.records.unreadable.is_empty() {
        keep(app, ctx, writer, &serving).await?;
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
    let plan = Plan::new(app, &inputs, &ctx.settings, &serving).map_err(Error::Invalid);
    match plan.and_then(|plan| has_its_hosts(app, ctx, &serving, plan)) {
        Ok(plan) => {
            report::warnings(app, ctx, &plan.requested, &inputs).await;
            match Box::pin(pass.run(plan)).await {
                Err(error @ Error::Invalid(_)) => {
                    Err(kept(app, ctx, writer, &serving, error).await?)
                }
                outcome => outcome,
            }
        }
        Err(error) => Err(kept(app, ctx, writer, &serving, error).await?),
    }
}

/// The same error, once what serves is as it is to be. What the API server refuses of that for good is said beside it: a policy that
/// came later is no reason to keep silent about what can be mended.
async fn kept(
    app: &AppStack,
    ctx: &Context,
    writer: &Writer<'_>,
    serving: &Serving,
    mut error: Error,
) -> Result<Error> {
    match (keep(app, ctx, writer, serving).await, &mut error) {
        (Err(other), Error::Invalid(it)) if other.class() == Class::User => {
            let other = other.chain();
            it.faults
                .push(format!("and what serves stays as it was: {other}"));
        }
        (outcome, _) => outcome?,
    }
    Ok(error)
}

/// The plan, unless it asks for hosts of other AppStacks.
fn has_its_hosts(app: &AppStack, ctx: &Context, serving: &Serving, plan: Plan) -> Result<Plan> {
    let taken = ctx.stacks.taken(Hosts {
        app,
        wanted: &plan.requested.edge.hosts().into_iter().collect(),
        routed: &routed(app, serving),
    });
    if taken.is_empty() {
        Ok(plan)
    } else {
        Err(Error::HostConflict(taken))
    }
}

/// What serves goes on as it is, whatever is wrong with what is requested.
async fn keep(app: &AppStack, ctx: &Context, writer: &Writer<'_>, serving: &Serving) -> Result<()> {
    match serving {
        Serving::Release(served) => {
            let healed = rollout::heal(writer, &served.desired).await;
            healed.map_err(|it| {
                let redactor = pass::redactor(ctx, app, serving, &[]);
                it.retold(|text| redactor.redact(text))
            })
        }
        Serving::Nothing | Serving::Unknown { .. } => Ok(()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
