//! Who has the data of a stack, and what waits for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::AppStack;
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::context::Context;
use crate::error::Result;
use crate::model::fact::{Hold, Holder};
use crate::model::inputs::Inputs;
use crate::model::redaction::Redactor;
use crate::rollout::hold;

/// Whether the data were somebody's, and are nobody's any more.
pub(super) async fn are_given_back(
    app: &AppStack,
    ctx: &Context,
    writer: &Writer<'_>,
    inputs: &Inputs,
    now: Timestamp,
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
        Some(hold) => settle(app, ctx, writer, inputs, hold, now).await,
    }
}

/// Looks whether a Job that changes the data has come to its end.
pub(super) async fn settle(
    app: &AppStack,
    ctx: &Context,
    writer: &Writer<'_>,
    inputs: &Inputs,
    hold: &Hold,
    now: Timestamp,
) -> Result<bool> {
    let values = inputs.secrets.values().flat_map(BTreeMap::values);
    let redactor = Redactor::new(values.cloned().collect());
    let observer = Observer {
        client: &ctx.client,
        namespace: &app.namespace().unwrap_or_default(),
        redactor: &redactor,
        edge_host: None,
        now,
    };
    let settled = hold::settle(writer, &observer, hold).await;
    settled.map_err(|it| it.retold(|text| redactor.redact(text)))
}

/// What `hibernate` waits for: a change of data is not broken off, unless it should have been over for long.
pub(super) fn hibernate_waits(app: &AppStack, inputs: &Inputs, now: Timestamp) -> Option<String> {
    let hold = inputs.records.hold.as_ref()?;
    let waits = app.spec.hibernate == Some(true) && hold.is_waited_for(now);
    waits.then(|| hold::in_use(hold))
}

/// A stack that does not hibernate yet.
pub(super) fn awake(app: &AppStack) -> AppStack {
    let mut app = app.clone();
    app.spec.hibernate = None;
    app
}
