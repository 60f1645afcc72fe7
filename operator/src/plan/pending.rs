//! What is done for a release that needs an approval before it begins.
//!
//! Invariant: pure. An approval is for one release; whoever approves what cannot be pulled yet has approved it for when it
//! can.

use crate::api::{AppStack, Approval};
use crate::build::{self, Pull};
use crate::model::inputs::Records;
use crate::model::stack::Stack;
use crate::plan::changes;
use crate::release::approval;

/// A release that needs an approval and has not begun.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What it would change.
    pub changes: Vec<String>,
    /// What pulls those of its images that are not known to be there.
    pub pulls: Vec<Pull>,
}

/// What is done for a release until it is approved and its images are there, if it needs that. Who pins a kept release has
/// decided.
#[must_use]
pub fn pending(
    app: &AppStack,
    serving: &Stack,
    requested: &Stack,
    records: &Records,
) -> Option<Pending> {
    let pinned = app.spec.rollout.as_ref().is_some_and(|it| it.pin.is_some());
    if requested.rollout.approval != Approval::Required || pinned {
        return None;
    }
    let name = requested.names.release(&requested.release);
    let approved = approval::approval(app, &name).is_some();
    let mut pulls = build::pulls(serving, requested);
    pulls.retain(|it| !records.pulled.contains(&it.hash));
    (!approved || !pulls.is_empty()).then(|| Pending {
        changes: changes::changes(serving, requested),
        pulls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::annotation;
    use crate::fixtures::{self, stack};

    fn app(backend: &str, rollout: &str) -> AppStack {
        fixtures::app(&format!("rollout: {{{rollout}}}, backend: {backend}"))
    }

    /// What is done for this backend beside one that serves, and how many images are pulled for it.
    fn pulls(app: &AppStack, records: &Records) -> Option<usize> {
        let serving = stack(&self::app("{image: 'a/b:1'}", ""));
        let pending = pending(app, &serving, &stack(app), records)?;
        assert!(!pending.changes.is_empty());
        Some(pending.pulls.len())
    }

    fn approve(app: &mut AppStack) {
        let requested = stack(app);
        let name: String = requested.names.release(&requested.release).into();
        let annotations = [(annotation::APPROVE.to_owned(), name)];
        app.metadata.annotations = Some(annotations.into());
    }

    const REQUIRED: &str = "approval: Required";

    #[test]
    fn an_approved_release_waits_for_its_images() {
        let mut app = app("{image: 'a/b:2'}", REQUIRED);
        let mut records = Records::default();
        assert_eq!(pulls(&app, &records), Some(1));
        approve(&mut app);
        assert_eq!(pulls(&app, &records), Some(1));
        let serving = stack(&self::app("{image: 'a/b:1'}", ""));
        for pull in build::pulls(&serving, &stack(&app)) {
            records.pulled.insert(pull.hash);
        }
        assert_eq!(pulls(&app, &records), None);
    }

    #[test]
    fn a_release_without_new_images_waits_for_its_approval_alone() {
        let mut app = app("{image: 'a/b:1', workers: 7}", REQUIRED);
        assert_eq!(pulls(&app, &Records::default()), Some(0));
        approve(&mut app);
        assert_eq!(pulls(&app, &Records::default()), None);
    }

    #[test]
    fn a_release_that_needs_no_approval_waits_for_nothing() {
        for rollout in ["", "approval: Required, pin: shop-1"] {
            let app = app("{image: 'a/b:2'}", rollout);
            assert_eq!(pulls(&app, &Records::default()), None, "{rollout}");
        }
    }
}
