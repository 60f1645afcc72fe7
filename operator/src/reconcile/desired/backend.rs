//! The backend stage: Service, Deployment and disruption budget of the API.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::names::ChildName;
use super::super::stack::Stack;
use super::Object;
use super::meta::{self, Component};
use super::pod::{self, Pod};

/// The port of both Services, whatever the containers listen on.
pub(super) const SERVICE_PORT: i32 = 80;

/// The objects of the backend.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let name = stack.names.backend();
    let workload = Workload {
        component: Component::Backend,
        replicas: stack.backend.replicas,
        template: template(stack),
    };
    serving_objects(stack, &name, workload)
}

/// What serves HTTP behind a Service.
pub(super) struct Workload {
    pub(super) component: Component,
    pub(super) replicas: i32,
    pub(super) template: PodTemplateSpec,
}

/// Service, Deployment and, where there are two pods or more, a disruption budget: with one pod it would block
/// every drain of a node.
pub(super) fn serving_objects(stack: &Stack, name: &ChildName, workload: Workload) -> Vec<Object> {
    let component = workload.component;
    let budget = (workload.replicas >= 2)
        .then(|| Object::PodDisruptionBudget(Box::new(budget(stack, name, component))));
    [
        Object::Service(Box::new(service(stack, name, component))),
        Object::Deployment(Box::new(deployment(stack, name, workload))),
    ]
    .into_iter()
    .chain(budget)
    .collect()
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
        startup_probe: Some(pod::startup_probe(check.clone(), stack.progress_deadline)),
        readiness_probe: Some(pod::readiness_probe(check)),
        liveness_probe: Some(pod::liveness_probe(pod::tcp())),
        ..Container::default()
    };
    let mut template = pod::template(
        stack,
        Pod {
            component: Component::Backend,
            container,
            volumes: Vec::new(),
            serving: Some(backend.replicas),
            overlay: backend.overlay.as_ref(),
        },
    );
    pod::annotate(&mut template, &stack.secrets.hash);
    template
}

fn service(stack: &Stack, name: &ChildName, component: Component) -> Service {
    Service {
        metadata: meta::object(stack, name, component),
        spec: Some(ServiceSpec {
            selector: Some(meta::selector(stack.names.stack(), component.as_str())),
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

/// New pods come before old ones go: a release whose pods never become ready takes nothing away.
fn deployment(stack: &Stack, name: &ChildName, workload: Workload) -> Deployment {
    Deployment {
        metadata: meta::object(stack, name, workload.component),
        spec: Some(DeploymentSpec {
            replicas: Some(workload.replicas),
            selector: meta::label_selector(stack, workload.component),
            template: workload.template,
            progress_deadline_seconds: Some(
                i32::try_from(stack.progress_deadline.as_secs()).unwrap_or(i32::MAX),
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

fn budget(stack: &Stack, name: &ChildName, component: Component) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta::object(stack, name, component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(meta::label_selector(stack, component)),
            // A pod that never became ready must not keep a node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
