//! Pods that run all the time: a Deployment for each content of their template. How many there are is for `scale` to say.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::label;
use crate::build::meta::{self, Component};
use crate::model::child_name::ChildName;
use crate::model::hash::canonical;
use crate::model::identity::TemplateHash;
use crate::model::manifests::Part;
use crate::model::names::Names;
use crate::model::object::Object;
use crate::model::stack::Stack;

/// Pods that run all the time.
pub(in crate::build) struct Workload<'a> {
    pub(in crate::build) component: Component,
    /// Which of the jobs they are, where they are one.
    pub(in crate::build) job: Option<&'a str>,
    /// The name of the part, which that of the Deployment begins with.
    pub(in crate::build) name: &'a ChildName,
    /// How long a pod must have been ready to be counted on.
    pub(in crate::build) steady_seconds: Option<i32>,
    pub(in crate::build) template: PodTemplateSpec,
}

/// What a workload is made of.
pub(in crate::build) struct Built {
    /// The labels of its pods.
    pub(in crate::build) selector: BTreeMap<String, String>,
    pub(in crate::build) deployment: Object,
}

impl Workload<'_> {
    /// The Deployment is named by the template.
    pub(in crate::build) fn build(mut self, stack: &Stack) -> Built {
        let revision = revision(&self.template);
        let mut selector = self.labels(stack);
        selector.insert(label::REVISION.into(), (&revision).into());
        let labels = &mut self.template.metadata.get_or_insert_default().labels;
        labels.get_or_insert_default().extend(selector.clone());
        let name = Names::revision(self.name, &revision);
        let deployment = self.deployment(stack, &name, selector.clone());
        Built {
            selector,
            deployment: Object::Deployment(Box::new(deployment)),
        }
    }

    /// The labels of its pods, whatever their revision.
    fn labels(&self, stack: &Stack) -> BTreeMap<String, String> {
        let mut labels = meta::selector(stack.names.stack(), self.component.as_str());
        labels.extend(self.job.map(meta::job).unwrap_or_default());
        labels
    }

    fn metadata(&self, stack: &Stack, name: &ChildName) -> ObjectMeta {
        let mut metadata = meta::object(stack, name, self.component);
        let labels = metadata.labels.get_or_insert_default();
        labels.extend(self.job.map(meta::job).unwrap_or_default());
        metadata
    }

    /// Within a revision, new pods come before old ones go: so a restart takes nothing away.
    fn deployment(
        &self,
        stack: &Stack,
        name: &ChildName,
        selector: BTreeMap<String, String>,
    ) -> Deployment {
        Deployment {
            metadata: self.metadata(stack, name),
            spec: Some(DeploymentSpec {
                min_ready_seconds: self.steady_seconds,
                selector: LabelSelector {
                    match_labels: Some(selector),
                    match_expressions: None,
                },
                template: self.template.clone(),
                progress_deadline_seconds: Some(
                    i32::try_from(stack.rollout.progress_deadline.as_secs()).unwrap_or(i32::MAX),
                ),
                revision_history_limit: Some(2),
                strategy: Some(strategy()),
                ..DeploymentSpec::default()
            }),
            status: None,
        }
    }
}

/// One pod of something that stands beside the releases. New pods come before old ones go, so that a newer image takes nothing away.
pub(in crate::build) fn single(
    stack: &Stack,
    name: &ChildName,
    component: Component,
    template: PodTemplateSpec,
) -> Deployment {
    Deployment {
        metadata: meta::object(stack, name, component),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            revision_history_limit: Some(2),
            selector: meta::label_selector(stack, component),
            strategy: Some(strategy()),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// New pods are there before old ones go.
fn strategy() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::String("25%".into())),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

/// The revision of pods: the hash of their template without the label that says it.
fn revision(template: &PodTemplateSpec) -> TemplateHash {
    TemplateHash::of(&[&canonical(template)])
}

/// Gives the pods that a part turns requests to another template, and with it another revision. `name` is the part's.
pub(in crate::build) fn replace_template(
    part: &mut Part,
    name: &ChildName,
    before: &Deployment,
    mut template: PodTemplateSpec,
) {
    let old = before.metadata.name.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|it| it.labels.as_mut()) {
        labels.remove(label::REVISION);
    }
    let revision = revision(&template);
    let new: String = Names::revision(name, &revision).into();
    let mark = |labels: Option<&mut BTreeMap<String, String>>| {
        if let Some(labels) = labels {
            labels.insert(label::REVISION.into(), (&revision).into());
        }
    };
    for it in part.objects.iter_mut().chain(&mut part.opens) {
        match it {
            Object::Deployment(it) if it.metadata.name == old => {
                it.metadata.name = Some(new.clone());
                if let Some(spec) = &mut it.spec {
                    spec.template = template.clone();
                    mark(spec.selector.match_labels.as_mut());
                    let metadata = spec.template.metadata.get_or_insert_default();
                    mark(Some(metadata.labels.get_or_insert_default()));
                }
            }
            Object::Service(it) => {
                let spec = it.spec.as_mut();
                mark(spec.and_then(|it| it.selector.as_mut()));
            }
            Object::HorizontalPodAutoscaler(it) => {
                if let Some(spec) = &mut it.spec {
                    spec.scale_target_ref.name.clone_from(&new);
                }
            }
            _ => {}
        }
    }
}
