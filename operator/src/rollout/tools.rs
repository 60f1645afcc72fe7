//! Applies what helps developers beside a release, and judges it. Nothing waits for it: what is wrong with it is told and stops
//! nothing.

use crate::api::Reason;
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::error::{Class, Error, Result};
use crate::model::object::Object;
use crate::model::observed::Standing;
use crate::rollout::gates::{Gate, judge};

/// Whether the tools run; `None` where there are none.
///
/// # Errors
/// If a request fails that is to be tried again.
pub(super) async fn step(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    tools: &[Object],
) -> Result<Option<Gate>> {
    if tools.is_empty() {
        return Ok(None);
    }
    let applied = match writer.apply(tools).await {
        Ok(applied) => applied,
        Err(error) => return refused(observer, error).map(Some),
    };
    let seen = observer.stage(&applied, |_| Standing::Known).await?;
    Ok(Some(judge(&seen, None)))
}

/// What the API server does not take, or somebody else has the name of.
fn refused(observer: &Observer<'_>, error: Error) -> Result<Gate> {
    let reason = match error.class() {
        Class::User => Reason::ApiError,
        Class::Taken => Reason::NameTaken,
        Class::Ending | Class::Conflict | Class::Transient => return Err(error),
    };
    Ok(Gate::Failed {
        reason,
        message: observer.redactor.redact(&error.chain()),
    })
}
