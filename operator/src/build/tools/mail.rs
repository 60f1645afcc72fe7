//! Mailpit, which takes the application's mail. What it holds is gone when its pod is.

use k8s_openapi::api::core::v1::{Container, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{USER, resources};
use crate::build::meta::{self, Component};
use crate::build::network;
use crate::build::workload::pod::{self, Pod};
use crate::build::workload::{backend, deployment};
use crate::model::object::Object;
use crate::model::stack::{SMTP_PORT, Stack};

/// The port of its pages.
const PORT: i32 = 8025;
const ARGS: [&str; 4] = [
    "--disable-version-check",
    // A sender would wait for the name of its address, which the cluster's DNS does not know.
    "--smtp-disable-rdns",
    // SMTP_USER and SMTP_PASSWORD may be set for a server that asks for them.
    "--smtp-auth-accept-any",
    "--smtp-auth-allow-insecure",
];

pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let Some(image) = &stack.tools.mail else {
        return Vec::new();
    };
    let name = stack.names.mail();
    let of_health = |path| pod::http(pod::PORT, path);
    let container = Container {
        name: Component::Mail.as_str().into(),
        image: Some(image.clone()),
        args: Some(ARGS.map(str::to_owned).into()),
        ports: Some(vec![
            pod::port(pod::PORT, PORT),
            pod::port(network::SMTP, SMTP_PORT),
        ]),
        resources: Some(resources()),
        startup_probe: Some(pod::startup_probe(
            of_health("/readyz"),
            stack.rollout.startup,
        )),
        readiness_probe: Some(pod::readiness_probe(of_health("/readyz"))),
        liveness_probe: Some(pod::liveness_probe(of_health("/livez"))),
        ..Container::default()
    };
    let template = pod::template(
        stack,
        Pod {
            component: Component::Mail,
            run_as_user: Some(USER),
            before: Vec::new(),
            container,
            volumes: Vec::new(),
            serving: false,
            template: None,
        },
    );
    let deployment = deployment::single(stack, &name, Component::Mail, template);
    vec![
        network::mail(stack),
        Object::Deployment(Box::new(deployment)),
        Object::Service(Box::new(service(stack))),
    ]
}

fn service(stack: &Stack) -> Service {
    let selector = meta::selector(stack.names.stack(), Component::Mail.as_str());
    let mut service = backend::service(stack, &stack.names.mail(), Component::Mail, selector);
    let ports = service.spec.as_mut().map(|it| &mut it.ports);
    ports.into_iter().flatten().for_each(|it| {
        it.push(ServicePort {
            name: Some(network::SMTP.into()),
            port: SMTP_PORT,
            protocol: Some("TCP".into()),
            target_port: Some(IntOrString::String(network::SMTP.into())),
            ..ServicePort::default()
        });
    });
    service
}
