//! Names, labels and owners of every object: the only source of labels.
//!
//! Labels of the AppStack itself are never copied: a label that means something to another tool, such as a GitOps
//! tool's instance label, would make that tool prune our objects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta,
};

use crate::api::{DeletionPolicy, MANAGER, label};
use crate::model::child_name::ChildName;
use crate::model::stack::Stack;
use crate::release::record;

/// The part of the stack that an object belongs to; the value of `app.kubernetes.io/component`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Component {
    /// Used by all parts.
    Shared,
    Database,
    Role,
    Migration,
    Seed,
    Backend,
    Job,
    Frontend,
    Edge,
    /// Answers visitors in place of the application.
    Maintenance,
    /// Shows the data.
    Adminer,
    /// Takes the application's mail.
    Mail,
    /// Pulls the images of a release that has not begun.
    Images,
}

impl Component {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Database => "database",
            Self::Role => "role",
            Self::Migration => "migration",
            Self::Seed => "seed",
            Self::Backend => "backend",
            Self::Job => "job",
            Self::Frontend => "frontend",
            Self::Edge => "edge",
            Self::Maintenance => "maintenance",
            Self::Adminer => "adminer",
            Self::Mail => "mail",
            Self::Images => "images",
        }
    }
}

/// The metadata of an object that goes when the AppStack goes.
pub(super) fn object(stack: &Stack, name: &ChildName, component: Component) -> ObjectMeta {
    ObjectMeta {
        owner_references: Some(vec![stack.owner.clone()]),
        ..kept_object(stack, name, component)
    }
}

/// The metadata of an object that holds data: it goes with the AppStack only if the deletion policy says so.
pub(super) fn data(stack: &Stack, name: &ChildName, component: Component) -> ObjectMeta {
    match stack.deletion_policy {
        DeletionPolicy::Retain => outliving(stack, name, component),
        DeletionPolicy::Delete => object(stack, name, component),
    }
}

/// The metadata of an object without an owner. An application of the stack's name in a GitOps tool must not take it for its own
/// and take it away.
fn outliving(stack: &Stack, name: &ChildName, component: Component) -> ObjectMeta {
    let mut metadata = kept_object(stack, name, component);
    metadata
        .labels
        .get_or_insert_default()
        .remove(label::INSTANCE);
    metadata.annotations = Some(record::unpruned());
    metadata
}

fn kept_object(stack: &Stack, name: &ChildName, component: Component) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some(stack.namespace.clone()),
        labels: Some(labels(stack, component)),
        ..ObjectMeta::default()
    }
}

/// The labels of an object and of the pods it makes.
pub(super) fn labels(stack: &Stack, component: Component) -> BTreeMap<String, String> {
    let mut labels = selector(stack.names.stack(), component.as_str());
    for (key, value) in [
        ("app.kubernetes.io/name", component.as_str()),
        (label::INSTANCE, stack.names.stack()),
        ("app.kubernetes.io/part-of", stack.names.stack()),
        (label::MANAGED_BY, MANAGER),
    ] {
        labels.insert(key.into(), value.into());
    }
    labels
}

/// The label that tells a job's objects and pods from those of other jobs.
pub(super) fn job(name: &str) -> BTreeMap<String, String> {
    [(label::JOB.to_owned(), name.to_owned())].into()
}

/// The labels that select the pods of a component. They are part of immutable fields and must never change.
#[must_use]
pub fn selector(stack: &str, component: &str) -> BTreeMap<String, String> {
    [(label::STACK, stack), (label::COMPONENT, component)]
        .map(|(key, value)| (key.into(), value.into()))
        .into()
}

/// The same as text, for lists.
#[must_use]
pub fn selector_text(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// Selects every pod of the stack.
pub(super) fn every_selector(stack: &Stack) -> LabelSelector {
    LabelSelector {
        match_labels: Some([(label::STACK.to_owned(), stack.names.stack().to_owned())].into()),
        match_expressions: None,
    }
}

/// Selects the pods of several components.
pub(super) fn any_selector(stack: &Stack, components: &[Component]) -> LabelSelector {
    let values = components.iter().map(|it| it.as_str().to_owned()).collect();
    LabelSelector {
        match_labels: Some([(label::STACK.to_owned(), stack.names.stack().to_owned())].into()),
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: label::COMPONENT.into(),
            operator: "In".into(),
            values: Some(values),
        }]),
    }
}

/// The same as a selector of an object.
pub(super) fn label_selector(stack: &Stack, component: Component) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(stack.names.stack(), component.as_str())),
        match_expressions: None,
    }
}
