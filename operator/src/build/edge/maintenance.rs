//! What answers visitors while nobody may come in: a pod of the operator's own image, and Ingresses that lead to it.
//!
//! It answers before they do, and is still there while the ingress controller may lead to it. Like the limits it is said when
//! objects are applied, whichever release they are of.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, PodTemplateSpec, Service, Volume,
};
use k8s_openapi::api::networking::v1::Ingress;

use super::gateway;
use crate::build::meta::{self, Component};
use crate::build::network;
use crate::build::workload::pod::{self, Pod};
use crate::build::workload::{backend, deployment};
use crate::model::kinds::HTTPRoute;
use crate::model::object::Object;
use crate::model::stack::{Maintenance, Stack};

/// Where the container finds the user's page.
const FOLDER: &str = "/page";
/// The port of the container.
const PORT: i32 = 8080;

/// What answers visitors, where something is to.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let Some(maintenance) = &stack.edge.limits.maintenance else {
        return Vec::new();
    };
    let (name, template) = (stack.names.maintenance(), template(stack, maintenance));
    let deployment = deployment::single(stack, &name, Component::Maintenance, template);
    let deployment = Object::Deployment(Box::new(deployment));
    let service = maintenance.answers.then(|| service(stack));
    let service = service.map(|it| Object::Service(Box::new(it)));
    [network::maintenance(stack), deployment]
        .into_iter()
        .chain(service)
        .collect()
}

/// Leads all requests of a route there, once they are answered.
pub(super) fn lead_route(stack: &Stack, route: &mut HTTPRoute) {
    if is_answered(stack) {
        gateway::lead(route, &stack.names.maintenance());
    }
}

fn is_answered(stack: &Stack) -> bool {
    let maintenance = stack.edge.limits.maintenance.as_ref();
    maintenance.is_some_and(|it| it.answers)
}

/// Leads all requests of an Ingress there, once they are answered.
pub(super) fn lead(stack: &Stack, ingress: &mut Ingress) {
    if !is_answered(stack) {
        return;
    }
    let rules = ingress.spec.iter_mut().flat_map(|it| &mut it.rules);
    let paths = rules.flatten().flat_map(|it| &mut it.http);
    let services = paths.flat_map(|it| &mut it.paths);
    for service in services.flat_map(|it| &mut it.backend.service) {
        service.name = stack.names.maintenance().into();
    }
}

fn template(stack: &Stack, maintenance: &Maintenance) -> PodTemplateSpec {
    let page = maintenance.page.as_ref();
    let file = page.map(|_| format!("--page={FOLDER}/{}", Maintenance::KEY));
    let words = [
        "maintenance".to_owned(),
        format!("--address=0.0.0.0:{PORT}"),
    ];
    let check = pod::tcp();
    let container = Container {
        name: Component::Maintenance.as_str().into(),
        image: Some(maintenance.image.clone()),
        args: Some(words.into_iter().chain(file).collect()),
        ports: Some(vec![pod::port(pod::PORT, PORT)]),
        // A few times what it takes. All of them are said, so that it passes every quota.
        resources: Some(pod::resources(("10m", "16Mi"), ("500m", "64Mi"))),
        volume_mounts: page.map(|_| vec![pod::mount("page", FOLDER)]),
        startup_probe: Some(pod::startup_probe(check.clone(), stack.rollout.startup)),
        readiness_probe: Some(pod::readiness_probe(check.clone())),
        liveness_probe: Some(pod::liveness_probe(check)),
        ..Container::default()
    };
    let volume = page.map(|it| Volume {
        name: "page".into(),
        config_map: Some(ConfigMapVolumeSource {
            name: it.clone(),
            // One that goes meanwhile leaves the operator's page.
            optional: Some(true),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    });
    pod::template(
        stack,
        Pod {
            component: Component::Maintenance,
            run_as_user: None,
            before: Vec::new(),
            container,
            volumes: Vec::from_iter(volume),
            serving: true,
            template: None,
        },
    )
}

fn service(stack: &Stack) -> Service {
    let name = stack.names.maintenance();
    let selector = meta::selector(stack.names.stack(), Component::Maintenance.as_str());
    backend::service(stack, &name, Component::Maintenance, selector)
}
