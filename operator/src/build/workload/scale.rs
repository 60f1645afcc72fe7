//! How many pods the parts of a stack have: what the spec of now says, whichever release the objects are of. It stands in
//! Deployments, disruption budgets, autoscalers and schedules, and nowhere else.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::{annotation, label};
use crate::build::meta::{self, Component};
use crate::model::child_name::ChildName;
use crate::model::manifests::{Manifests, Part};
use crate::model::object::Object;
use crate::model::stack::{Autoscaling, Replicas, Rhythm, Stack};

/// Says the numbers of a stack in the objects of its release. What says them already stays as it is, byte for byte.
pub(in crate::build) fn scale(manifests: &mut Manifests, stack: &Stack) {
    let backend = Scale {
        component: Component::Backend,
        job: None,
        name: &stack.names.backend(),
        replicas: stack.backend.replicas,
    };
    backend.apply(stack, &mut manifests.backend);
    for job in &stack.jobs {
        match &job.rhythm {
            Rhythm::Always(count) => Scale {
                component: Component::Job,
                job: Some(&job.name),
                name: &stack.names.worker(&job.name),
                replicas: Replicas::Fixed(*count),
            }
            .apply(stack, &mut manifests.backend),
            Rhythm::At(times) => suspend(&mut manifests.backend, &job.name, times.suspended),
        }
    }
    if let (Some(part), Some(frontend)) = (&mut manifests.frontend, &stack.frontend) {
        let frontend = Scale {
            component: Component::Frontend,
            job: None,
            name: &stack.names.frontend(),
            replicas: frontend.replicas,
        };
        frontend.apply(stack, part);
    }
}

/// Whether a schedule starts no run.
fn suspend(part: &mut Part, job: &str, suspended: bool) {
    for it in &mut part.opens {
        if let Object::CronJob(it) = it
            && is_of_job(&it.metadata, Some(job))
            && let Some(spec) = &mut it.spec
        {
            spec.suspend = Some(suspended);
        }
    }
}

fn is_of_job(metadata: &ObjectMeta, job: Option<&str>) -> bool {
    let labels = metadata.labels.as_ref();
    labels.and_then(|it| it.get(label::JOB)).map(String::as_str) == job
}

/// The pods that run all the time in a part.
struct Scale<'a> {
    component: Component,
    /// Which of the jobs they are, where they are one.
    job: Option<&'a str>,
    /// The name of the part, which its disruption budget and its autoscaler have.
    name: &'a ChildName,
    replicas: Replicas,
}

impl Scale<'_> {
    fn apply(&self, stack: &Stack, part: &mut Part) {
        let deployment = part
            .objects
            .iter_mut()
            .enumerate()
            .find_map(|(at, it)| match it {
                Object::Deployment(it) if self.is_made_by(it) => Some((at, it)),
                _ => None,
            });
        let Some((at, deployment)) = deployment else {
            return;
        };
        self.count(deployment);
        let name = deployment.metadata.name.clone().unwrap_or_default();
        self.limit_disruptions(stack, &mut part.objects, at + 1);
        self.autoscale(stack, &mut part.opens, name);
    }

    fn is_made_by(&self, deployment: &Deployment) -> bool {
        let labels = deployment.metadata.labels.as_ref();
        let component = labels.and_then(|it| it.get(label::COMPONENT));
        component.is_some_and(|it| it == self.component.as_str())
            && is_of_job(&deployment.metadata, self.job)
    }

    fn count(&self, deployment: &mut Deployment) {
        let annotations = deployment.metadata.annotations.get_or_insert_default();
        match self.replicas {
            Replicas::Auto(rules) => {
                annotations.insert(annotation::MIN_REPLICAS.to_owned(), rules.min.to_string());
            }
            Replicas::Fixed(_) => {
                annotations.remove(annotation::MIN_REPLICAS);
            }
        }
        if annotations.is_empty() {
            deployment.metadata.annotations = None;
        }
        if let Some(spec) = &mut deployment.spec {
            spec.replicas = Some(self.replicas.least());
        }
    }

    /// Where there are two pods or more there is a disruption budget, behind their Deployment: with one pod it would block
    /// every drain of a node.
    fn limit_disruptions(&self, stack: &Stack, objects: &mut Vec<Object>, at: usize) {
        let is_ours = |it: &Object| {
            matches!(it, Object::PodDisruptionBudget(_)) && it.name() == self.name.as_str()
        };
        if self.replicas.least() < 2 {
            objects.retain(|it| !is_ours(it));
        } else if !objects.iter().any(is_ours) {
            let budget = Object::PodDisruptionBudget(Box::new(self.budget(stack)));
            objects.insert(at, budget);
        }
    }

    fn autoscale(&self, stack: &Stack, opens: &mut Vec<Object>, deployment: String) {
        let Replicas::Auto(rules) = self.replicas else {
            let is_ours = |it: &Object| {
                matches!(it, Object::HorizontalPodAutoscaler(_)) && it.name() == self.name.as_str()
            };
            return opens.retain(|it| !is_ours(it));
        };
        let there = opens.iter_mut().find_map(|it| match it {
            Object::HorizontalPodAutoscaler(it) => it.spec.as_mut(),
            _ => None,
        });
        match there {
            Some(spec) => {
                spec.min_replicas = Some(rules.min);
                spec.max_replicas = rules.max;
                let metrics = spec.metrics.iter_mut().flatten();
                for it in metrics.filter_map(|it| it.container_resource.as_mut()) {
                    it.target.average_utilization = Some(rules.cpu);
                }
            }
            None => opens.push(Object::HorizontalPodAutoscaler(Box::new(
                self.autoscaler(stack, deployment, rules),
            ))),
        }
    }

    fn budget(&self, stack: &Stack) -> PodDisruptionBudget {
        let of_job = || self.job.map(meta::job).unwrap_or_default();
        let mut metadata = meta::object(stack, self.name, self.component);
        metadata.labels.get_or_insert_default().extend(of_job());
        let mut selector: BTreeMap<String, String> =
            meta::selector(stack.names.stack(), self.component.as_str());
        selector.extend(of_job());
        PodDisruptionBudget {
            metadata,
            spec: Some(PodDisruptionBudgetSpec {
                max_unavailable: Some(IntOrString::Int(1)),
                selector: Some(LabelSelector {
                    match_labels: Some(selector),
                    match_expressions: None,
                }),
                // A pod that never became ready must not keep a node from being drained.
                unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
                ..PodDisruptionBudgetSpec::default()
            }),
            status: None,
        }
    }

    fn autoscaler(
        &self,
        stack: &Stack,
        deployment: String,
        rules: Autoscaling,
    ) -> HorizontalPodAutoscaler {
        HorizontalPodAutoscaler {
            metadata: meta::object(stack, self.name, self.component),
            spec: Some(HorizontalPodAutoscalerSpec {
                scale_target_ref: CrossVersionObjectReference {
                    api_version: Some("apps/v1".into()),
                    kind: "Deployment".into(),
                    name: deployment,
                },
                min_replicas: Some(rules.min),
                max_replicas: rules.max,
                metrics: Some(vec![self.metric(rules)]),
                behavior: None,
            }),
            status: None,
        }
    }

    /// It goes by the container that serves: one beside it, which the user adds, may request no CPU.
    fn metric(&self, rules: Autoscaling) -> MetricSpec {
        MetricSpec {
            type_: "ContainerResource".into(),
            container_resource: Some(ContainerResourceMetricSource {
                container: self.component.as_str().into(),
                name: "cpu".into(),
                target: MetricTarget {
                    type_: "Utilization".into(),
                    average_utilization: Some(rules.cpu),
                    ..MetricTarget::default()
                },
            }),
            ..MetricSpec::default()
        }
    }
}
