//! The backend stage: Service, Deployment and disruption budget of the API; and how such a part is made, which the
//! frontend shares.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::names::{ChildName, Names, short_hash};
use super::super::stack::Stack;
use super::super::tries::Patience;
use super::meta::{self, Component};
use super::pod::{self, Pod};
use super::{Asked, Check, Object, Stage};
use crate::api::{StageName, label};

/// The port of both Services, whatever the containers listen on.
pub(super) const SERVICE_PORT: i32 = 80;
/// How long Kubernetes lets a pod go on where nobody says.
const KUBERNETES_GRACE: i64 = 30;

/// The stage of the backend.
pub(super) fn stage(stack: &Stack) -> Stage {
    let part = Part {
        stage: StageName::Backend,
        component: Component::Backend,
        name: stack.names.backend(),
        port: stack.backend.port,
        url: stack.rollout.public_check.as_ref().map(|it| it.api.clone()),
        replicas: pod::replicas(stack, stack.backend.replicas),
        template: template(stack),
    };
    part.stage(stack, Vec::new())
}

/// A part of the stack that serves HTTP behind a Service.
pub(super) struct Part {
    pub(super) stage: StageName,
    pub(super) component: Component,
    pub(super) name: ChildName,
    /// The port that its pods listen on.
    pub(super) port: i32,
    /// The public address by which a new release is asked, if it is.
    pub(super) url: Option<String>,
    pub(super) replicas: i32,
    pub(super) template: PodTemplateSpec,
}

impl Part {
    /// Pods of its own for each content of the template; once they may serve, the Service turns to them. Where there are
    /// two pods or more there is a disruption budget: with one pod it would block every drain of a node.
    pub(super) fn stage(mut self, stack: &Stack, mut objects: Vec<Object>) -> Stage {
        let revision = short_hash(&[&serde_json::json!(self.template).to_string()]);
        let selector = self.selector(stack, &revision);
        let labels = &mut self.template.metadata.get_or_insert_default().labels;
        labels.get_or_insert_default().extend(selector.clone());
        let budget =
            (self.replicas >= 2).then(|| Object::PodDisruptionBudget(Box::new(self.budget(stack))));
        let service = Object::Service(Box::new(self.service(stack, selector.clone())));
        let name = Names::revision(&self.name, &revision);
        let check = self.check(stack, selector.clone());
        objects.push(Object::Deployment(Box::new(
            self.deployment(stack, &name, selector),
        )));
        objects.extend(budget);
        Stage {
            check,
            opens: vec![service],
            ..Stage::new(self.stage, objects)
        }
    }

    fn check(&self, stack: &Stack, selector: BTreeMap<String, String>) -> Option<Check> {
        Some(Check {
            urls: vec![self.url.clone()?],
            patience: Patience {
                timeout: stack.rollout.public_check.as_ref()?.timeout,
                // They have been ready for the soak.
                steady: Duration::ZERO,
            },
            asked: Asked::Pods {
                selector,
                port: self.port,
            },
        })
    }

    /// The pods of one revision.
    fn selector(&self, stack: &Stack, revision: &str) -> BTreeMap<String, String> {
        let mut selector = meta::selector(stack.names.stack(), self.component.as_str());
        selector.insert(label::REVISION.into(), revision.into());
        selector
    }

    fn service(&self, stack: &Stack, selector: BTreeMap<String, String>) -> Service {
        Service {
            metadata: meta::object(stack, &self.name, self.component),
            spec: Some(ServiceSpec {
                selector: Some(selector),
                ports: Some(vec![ServicePort {
                    name: Some(pod::PORT.into()),
                    port: SERVICE_PORT,
                    protocol: Some("TCP".into()),
                    target_port: Some(IntOrString::String(pod::PORT.into())),
                    ..ServicePort::default()
                }]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        }
    }

    /// Within a revision, new pods come before old ones go: so a restart takes nothing away.
    fn deployment(
        &self,
        stack: &Stack,
        name: &ChildName,
        selector: BTreeMap<String, String>,
    ) -> Deployment {
        Deployment {
            metadata: meta::object(stack, name, self.component),
            spec: Some(DeploymentSpec {
                replicas: Some(self.replicas),
                selector: LabelSelector {
                    match_labels: Some(selector),
                    match_expressions: None,
                },
                template: self.template.clone(),
                progress_deadline_seconds: Some(
                    i32::try_from(stack.rollout.progress_deadline.as_secs()).unwrap_or(i32::MAX),
                ),
                revision_history_limit: Some(2),
                strategy: Some(DeploymentStrategy {
                    type_: Some("RollingUpdate".into()),
                    rolling_update: Some(RollingUpdateDeployment {
                        max_surge: Some(IntOrString::String("25%".into())),
                        max_unavailable: Some(IntOrString::Int(0)),
                    }),
                }),
                ..DeploymentSpec::default()
            }),
            status: None,
        }
    }

    fn budget(&self, stack: &Stack) -> PodDisruptionBudget {
        PodDisruptionBudget {
            metadata: meta::object(stack, &self.name, self.component),
            spec: Some(PodDisruptionBudgetSpec {
                max_unavailable: Some(IntOrString::Int(1)),
                selector: Some(meta::label_selector(stack, self.component)),
                // A pod that never became ready must not keep a node from being drained.
                unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
                ..PodDisruptionBudgetSpec::default()
            }),
            status: None,
        }
    }
}

/// How long a pod goes on after it was told to stop.
pub(super) fn grace_seconds(stack: &Stack) -> i64 {
    let spec = template(stack).spec.unwrap_or_default();
    spec.termination_grace_period_seconds
        .unwrap_or(KUBERNETES_GRACE)
}

fn template(stack: &Stack) -> PodTemplateSpec {
    let backend = &stack.backend;
    let check = pod::http(&backend.health_path);
    let container = Container {
        name: Component::Backend.as_str().into(),
        image: Some(backend.image.clone()),
        ports: Some(pod::port(backend.port)),
        env: Some(pod::backend_env(stack)),
        resources: Some(backend.resources.clone()),
        startup_probe: Some(pod::startup_probe(
            check.clone(),
            pod::patience(stack.rollout.progress_deadline),
        )),
        readiness_probe: Some(pod::readiness_probe(check)),
        liveness_probe: Some(pod::liveness_probe(pod::tcp())),
        ..Container::default()
    };
    pod::template(
        stack,
        Pod {
            component: Component::Backend,
            before: Vec::new(),
            container,
            volumes: Vec::new(),
            serving: true,
            overlay: backend.overlay.as_ref(),
        },
    )
}
