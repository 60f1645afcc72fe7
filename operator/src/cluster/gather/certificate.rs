//! The self-signed certificate of a stack.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::{AppStack, AppStackSpec};
use crate::check;
use crate::error::{Error, Result};
use crate::model::inputs::Records;
use crate::model::names::Names;
use crate::model::secret::SecretData;
use crate::model::self_signed::{self, Certificate};
use crate::release::history;

/// The one that is kept.
pub(super) fn stored(names: &Names, secrets: &BTreeMap<String, SecretData>) -> Option<Certificate> {
    let authority = secrets.get(names.authority().as_str());
    let stored = secrets.get(names.certificate().as_str());
    self_signed::stored(authority, stored)
}

/// The one that is kept, while it is good for the hosts; else a new one. `None` where the spec brings its own, or wants none.
///
/// It is for the hosts of what is requested and of what serves or comes back: both write it, and if each wrote one of its own,
/// drawn by chance, a stack whose edge is refused would wake itself without end.
///
/// # Errors
/// If none can be made.
pub(super) fn current(
    app: &AppStack,
    names: &Names,
    secrets: &BTreeMap<String, SecretData>,
    records: &Records,
    stored: Option<&Certificate>,
    now: Timestamp,
) -> Result<Option<Certificate>> {
    if !is_self_signed(&app.spec) {
        return Ok(None);
    }
    let kept = history::restorable(&app.spec, names, records).map(|it| &it.spec);
    let specs = [&app.spec].into_iter().chain(kept);
    let mut hosts = Vec::new();
    for spec in specs.filter(|it| is_self_signed(it)) {
        hosts.extend(check::hosts(spec));
    }
    // The first one names the certificate, so the order stays.
    let mut seen = BTreeSet::new();
    // Those that DNS cannot hold are refused by the check, which says so.
    hosts.retain(|it| it.is_ascii() && seen.insert(it.clone()));
    if let Some(current) = stored.filter(|it| self_signed::is_current(it, &hosts, now)) {
        return Ok(Some(current.clone()));
    }
    let authority = secrets.get(names.authority().as_str());
    self_signed::issue(authority, &hosts, now)
        .map(Some)
        .map_err(Error::Certificate)
}

fn is_self_signed(spec: &AppStackSpec) -> bool {
    let tls = spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    tls.is_none_or(|it| it.self_signed.is_some())
}
