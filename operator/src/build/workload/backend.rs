//! The backend stage: Service, Deployment, disruption budget and autoscaler of the API, and the jobs; and how such a part
//! is made, which the frontend shares.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::StageName;
use crate::build::meta::{self, Component};
use crate::build::workload::deployment::Workload;
use crate::build::workload::jobs;
use crate::build::workload::pod::{self, Pod};
use crate::build::workload::writable;
use crate::build::{self, Check, CheckTarget, Stage};
use crate::model::child_name::ChildName;
use crate::model::manifests;
use crate::model::object::Object;
use crate::model::stack::{CheckLimits, Stack};

/// The port of both Services, whatever the containers listen on.
pub(in crate::build) const SERVICE_PORT: i32 = 80;
/// How long Kubernetes lets a pod go on where nobody says.
const KUBERNETES_GRACE: i64 = 30;

/// The stage of the backend.
pub(in crate::build) fn stage(stack: &Stack, part: manifests::Part) -> Stage {
    let url = stack.rollout.public_check.as_ref().map(|it| it.api.clone());
    stage_of(stack, StageName::Backend, part, url, stack.backend.port)
}

/// The backend and its jobs, by the templates of now.
pub(in crate::build) fn part(stack: &Stack) -> manifests::Part {
    let part = Part {
        component: Component::Backend,
        name: stack.names.backend(),
        template: template(stack),
    };
    let mut part = part.render(stack, Vec::new());
    jobs::add(stack, &mut part);
    part
}

/// The stage of a part whose pods listen on a port, and the public address by which a new release of it is asked, if it is.
pub(in crate::build) fn stage_of(
    stack: &Stack,
    name: StageName,
    rendered: manifests::Part,
    url: Option<String>,
    port: i32,
) -> Stage {
    let serving = rendered.serving().and_then(|it| it.spec.as_ref());
    let selector = serving.and_then(|it| it.selector.match_labels.clone());
    let asked = || {
        Some(Check {
            decides: true,
            urls: vec![url?],
            aside: None,
            limits: CheckLimits {
                timeout: stack.rollout.public_check.as_ref()?.timeout,
                // They have been ready for the soak.
                steady: Duration::ZERO,
            },
            target: CheckTarget::Pods {
                selector: selector?,
                port,
            },
            refusals: Vec::new(),
        })
    };
    Stage {
        check: asked(),
        opens: rendered.opens,
        ..Stage::new(name, rendered.objects)
    }
}

/// A part of the stack that serves HTTP behind a Service.
pub(in crate::build) struct Part {
    pub(in crate::build) component: Component,
    pub(in crate::build) name: ChildName,
    pub(in crate::build) template: PodTemplateSpec,
}

impl Part {
    /// Pods of its own for each content of the template; once they may serve, the Service turns to them.
    pub(in crate::build) fn render(
        self,
        stack: &Stack,
        mut objects: Vec<Object>,
    ) -> manifests::Part {
        let workload = Workload {
            component: self.component,
            job: None,
            name: &self.name,
            steady_seconds: None,
            template: self.template.clone(),
        };
        let built = workload.build(stack);
        objects.push(built.deployment);
        let service = service(stack, &self.name, self.component, built.selector);
        let service = Object::Service(Box::new(service));
        manifests::Part {
            objects,
            opens: vec![service],
        }
    }
}

/// What turns requests to pods that serve HTTP.
pub(in crate::build) fn service(
    stack: &Stack,
    name: &ChildName,
    component: Component,
    selector: BTreeMap<String, String>,
) -> Service {
    Service {
        metadata: meta::object(stack, name, component),
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

/// How long a pod of the backend goes on after it was told to stop.
pub(in crate::build) fn grace_seconds(stack: &Stack) -> i64 {
    let manifests = build::manifests(stack);
    let spec = manifests.backend.serving().and_then(|it| it.spec.as_ref());
    let pod = spec.and_then(|it| it.template.spec.as_ref());
    let grace = pod.and_then(|it| it.termination_grace_period_seconds);
    grace.unwrap_or(KUBERNETES_GRACE)
}

fn template(stack: &Stack) -> PodTemplateSpec {
    let backend = &stack.backend;
    let health = backend.health_port;
    let ports = [pod::port(pod::PORT, backend.port)].into_iter();
    let ports = ports.chain(health.map(|it| pod::port(pod::HEALTH_PORT, it)));
    let asked = health.map_or(pod::PORT, |_| pod::HEALTH_PORT);
    let check = pod::http(asked, &backend.health_path);
    let container = Container {
        name: Component::Backend.as_str().into(),
        image: Some(backend.image.clone()),
        command: pod::words(&backend.run.command),
        args: pod::words(&backend.run.args),
        ports: Some(ports.collect()),
        env: Some(pod::backend_env(stack)),
        resources: Some(backend.resources.clone()),
        volume_mounts: Some(writable::mounts(&backend.writable_paths).collect()),
        startup_probe: Some(pod::startup_probe(check.clone(), stack.rollout.startup)),
        readiness_probe: Some(pod::readiness_probe(check)),
        liveness_probe: Some(pod::liveness_probe(pod::tcp())),
        ..Container::default()
    };
    pod::template(
        stack,
        Pod {
            component: Component::Backend,
            run_as_user: backend.run_as_user,
            before: Vec::new(),
            container,
            volumes: writable::volumes(&backend.writable_paths).collect(),
            serving: true,
            template: backend.pod_template.as_ref(),
        },
    )
}
