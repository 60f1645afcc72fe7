//! The self-signed certificate of a stack.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::AppStack;
use crate::check;
use crate::error::{Error, Result};
use crate::model::names::Names;
use crate::model::secret::SecretData;
use crate::model::self_signed::{self, Certificate};

/// The one that is kept.
pub(super) fn stored(names: &Names, secrets: &BTreeMap<String, SecretData>) -> Option<Certificate> {
    let authority = secrets.get(names.authority().as_str());
    let stored = secrets.get(names.certificate().as_str());
    self_signed::stored(authority, stored)
}

/// The one that is kept, while it is good for the hosts; else a new one. `None` where the spec brings its own, or wants none.
///
/// # Errors
/// If none can be made.
pub(super) fn current(
    app: &AppStack,
    names: &Names,
    secrets: &BTreeMap<String, SecretData>,
    stored: Option<&Certificate>,
    now: Timestamp,
) -> Result<Option<Certificate>> {
    let tls = app.spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    if tls.is_some_and(|it| it.self_signed.is_none()) {
        return Ok(None);
    }
    let (dashboard, api) = check::hosts(&app.spec);
    let hosts: Vec<String> = dashboard.into_iter().chain([api]).collect();
    if let Some(current) = stored.filter(|it| self_signed::is_current(it, &hosts, now)) {
        return Ok(Some(current.clone()));
    }
    let authority = secrets.get(names.authority().as_str());
    self_signed::issue(authority, &hosts, now)
        .map(Some)
        .map_err(Error::Certificate)
}
