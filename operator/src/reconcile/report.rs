//! What is told of a stack beside its status: Events, metrics and lines in the log.

use std::time::Duration;

use k8s_controller::events::{Event, PublishError};
use kube::ResourceExt as _;

use crate::api::{AppStack, AppStackStatus};
use crate::check;
use crate::context::Context;
use crate::error::CallError;
use crate::model::inputs::Inputs;
use crate::model::stack::Stack;
use crate::reconcile::{events, status};

/// The name of a stack in logs, metrics and the back-off.
#[must_use]
pub fn key(app: &AppStack) -> String {
    format!("{}/{}", app.namespace().unwrap_or_default(), app.name_any())
}

/// Warns of what is allowed and likely not meant, once for each spec.
pub(super) async fn warnings(app: &AppStack, ctx: &Context, stack: &Stack, inputs: &Inputs) {
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
pub(super) async fn changes(app: &AppStack, ctx: &Context, status: &AppStackStatus) {
    let before = app.status.as_ref();
    ctx.metrics.stack_is(key(app), status::state(status));
    for (stage, seconds) in events::opened(before, status) {
        ctx.metrics.stage_took(stage, Duration::from_secs(seconds));
    }
    let (issued, failed) = events::orders(before, status);
    ctx.metrics.certificates_ordered("issued", issued);
    ctx.metrics.certificates_ordered("failed", failed);
    for event in events::of_change(before, status) {
        tracing::info!(
            reason = event.reason,
            note = event.note,
            "the stack changed"
        );
        publish(app, ctx, &event).await;
    }
}

/// An Event that cannot be told is no reason to stop.
pub(super) async fn publish(app: &AppStack, ctx: &Context, event: &Event) {
    if let Err(error) = ctx.recorder.publish(app, event).await {
        let error = match error {
            PublishError::Kube(error) => CallError::Kube(Box::new(error)).to_string(),
            other => other.to_string(),
        };
        tracing::warn!(error, reason = event.reason, "cannot publish an Event");
    }
}
