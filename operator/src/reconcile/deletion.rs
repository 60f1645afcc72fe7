//! The end of a stack: what we own goes by its owner references, once nothing changes the data any more.
//!
//! Invariant: makes nothing. A finalizer is there only while a Job changes the data, so that no AppStack waits for an operator
//! that is gone unless it was at work on them.

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action;

use crate::api::{AppStack, DATA_FINALIZER};
use crate::cluster::apply::Writer;
use crate::cluster::gather;
use crate::context::Context;
use crate::error::{Class, Result};
use crate::reconcile::status::{self, Outcome};
use crate::reconcile::{data, requeue};
use crate::rollout::hold;

/// One step of a deletion.
///
/// # Errors
/// At the first request that fails.
pub(super) async fn step(app: &AppStack, ctx: &Context, now: Timestamp) -> Result<Action> {
    if !app.finalizers().iter().any(|it| it == DATA_FINALIZER) {
        return Ok(Action::await_change());
    }
    let cache = ctx.cache.of_stack(&ctx.versions, app);
    let writer = Writer::new(&ctx.client, &cache, app, &ctx.optional, now);
    let inputs = gather::inputs(&ctx.client, &cache, app, ctx.kinds(), now).await?;
    let hold = inputs.records.hold.as_ref();
    let Some(hold) = hold.filter(|it| it.is_waited_for(now)) else {
        writer.keep_from_deletion(false).await?;
        return Ok(Action::await_change());
    };
    match data::settle(app, ctx, &writer, &inputs, hold, now).await {
        Ok(true) => Ok(Action::await_change()),
        // Nothing can be written down in a namespace that is being deleted, the data included.
        Err(error) if error.class() == Class::Ending => {
            writer.keep_from_deletion(false).await?;
            Ok(Action::await_change())
        }
        Ok(false) => {
            let outcome = Outcome::Deleting(hold::in_use(hold));
            let action = requeue::after(&outcome, None, now, 0.0);
            writer
                .status(&status::compute(app, &Ok(outcome), now))
                .await?;
            Ok(action)
        }
        Err(error) => Err(error),
    }
}
