//! What serves: told from what is written down and what is there, and never rendered anew.
//!
//! Invariant: pure. What cannot be told is never "nothing": while it is unknown, nothing is taken away.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::api::AppStack;
use crate::build::{self, Desired, Direction};
use crate::check;
use crate::error::Invalid;
use crate::model::identity::TemplateHash;
use crate::model::inputs::{Inputs, ReleaseRecord};
use crate::model::manifests::Manifests;
use crate::model::names::Names;
use crate::model::object::Object;
use crate::model::stack::Stack;
use crate::release::{history, identity};
use crate::settings::ClusterSettings;

/// The release that serves: the last one whose gates were all open.
#[derive(Clone, Debug)]
pub enum Serving {
    /// There was none yet.
    Nothing,
    /// It, and its objects.
    Release(Box<Served>),
    /// There is one, but what it is made of cannot be told.
    Unknown {
        /// Why not, for people.
        why: String,
    },
}

/// A release that serves.
#[derive(Clone, Debug)]
pub struct Served {
    /// The release.
    pub stack: Stack,
    /// Its objects.
    pub desired: Desired,
}

/// The release that serves, as it is kept.
#[must_use]
pub fn serving(app: &AppStack, inputs: &Inputs, settings: &ClusterSettings) -> Serving {
    let unreadable = inputs.records.unreadable.first();
    let Some(record) = history::serving(&inputs.records) else {
        return unreadable.map_or(Serving::Nothing, |why| Serving::Unknown {
            why: why.clone(),
        });
    };
    match kept(app, record, inputs, settings).and_then(|it| written_down(it, inputs)) {
        Ok(stack) => Serving::Release(Box::new(Served {
            desired: build::build(&stack, Direction::Back),
            stack,
        })),
        Err(invalid) => Serving::Unknown {
            why: invalid.to_string(),
        },
    }
}

/// A kept release with its objects. Those of a release of before they were kept, or whose record is lost, are known only if
/// they are what the templates of now make of it: then requests go to pods that are called so.
fn written_down(mut stack: Stack, inputs: &Inputs) -> Result<Stack, Invalid> {
    if stack.manifests.is_none() {
        let rendered = build::rendered(&stack);
        if !is_turned_to(&rendered, inputs) {
            let release = stack.names.release(&stack.release);
            return Err(Invalid {
                faults: vec![format!(
                    "what release {release} was made of is not written down, and the templates of now would make other pods of it"
                )],
            });
        }
        // There was no default limit when nobody wrote down what it is.
        stack.manifests = Some(Arc::new(Manifests {
            rate_limit: None,
            ..rendered
        }));
    }
    Ok(stack)
}

/// Whether each Service of a release turns requests to pods of the same revision as the live one.
fn is_turned_to(manifests: &Manifests, inputs: &Inputs) -> bool {
    let mut services = manifests.objects().filter_map(|it| match it {
        Object::Service(it) => Some(it),
        _ => None,
    });
    services.all(|it| {
        let selector = it.spec.as_ref().and_then(|it| it.selector.as_ref());
        let revision = selector.and_then(TemplateHash::of_selector);
        let name = it.metadata.name.as_deref().unwrap_or_default();
        revision.is_some() && inputs.turned.get(name) == revision.as_ref()
    })
}

/// A kept release, under the rules of now. Where the Secret with its values is gone, the values of now may be the same.
pub(super) fn kept(
    app: &AppStack,
    record: &ReleaseRecord,
    inputs: &Inputs,
    settings: &ClusterSettings,
) -> Result<Stack, Invalid> {
    let names = Names::of(&app.name_any());
    let mut app = app.clone();
    let last = inputs.manifests.get(&record.hash).map(Arc::as_ref);
    app.spec = identity::restored(record, &app.spec, last);
    let inputs = inputs.of_kept(&names, record);
    let mut stack = check::kept(&app, &inputs, &settings.under(record.ports));
    stack.renewal.clone_from(&record.renewal);
    if stack.secrets.hash != record.values {
        let secret = names.values(&record.values);
        let release = names.release(&record.hash);
        return Err(Invalid {
            faults: vec![format!(
                "spec.rollout.pin: release {release} cannot be restored, because Secret {secret} with its values is gone"
            )],
        });
    }
    Ok(stack)
}
