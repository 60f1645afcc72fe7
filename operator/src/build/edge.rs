//! The edge stage: Ingresses, the self-signed certificate, and what Traefik needs for a redirect and HSTS.
//!
//! A plain Ingress alone works with every controller. What Ingress cannot say is told in the words of the
//! controller that implements its class.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, IngressTLS, ServiceBackendPort,
};
use kube::api::ObjectMeta;
use secrecy::{ExposeSecret as _, SecretString};

use crate::api::StageName;
use crate::build::meta::{self, Component};
use crate::build::workload::pod;
use crate::build::{Check, CheckTarget, Stage};
use crate::model::kinds::{Headers, Middleware, MiddlewareSpec, RedirectScheme};
use crate::model::names::ChildName;
use crate::model::object::Object;
use crate::model::self_signed::Certificate;
use crate::model::stack::{CheckLimits, IngressController, STEADY, Stack, Tls};

/// For how long browsers remember to use HTTPS alone: a year, in seconds.
const HSTS_SECONDS: i64 = 31_536_000;
/// Traefik's entry points, as its chart and most installations name them.
const ENTRYPOINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";
const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const NGINX_REDIRECT: &str = "nginx.ingress.kubernetes.io/ssl-redirect";

/// The stage of the edge.
pub(super) fn stage(stack: &Stack, kept: Vec<Object>) -> Stage {
    let check = stack.rollout.public_check.as_ref().map(|it| Check {
        urls: [it.api.clone()]
            .into_iter()
            .chain(it.site.clone())
            .collect(),
        target: CheckTarget::Edge {
            certificate: it.certificate.clone(),
        },
        limits: CheckLimits {
            timeout: it.timeout,
            steady: STEADY,
        },
    });
    let certificates = match &stack.edge.tls {
        Tls::SelfSigned(certificate) => self_signed(stack, certificate).into(),
        Tls::Off | Tls::Secret { .. } => Vec::new(),
    };
    let objects = certificates.into_iter().chain(kept).collect();
    Stage {
        check,
        ..Stage::new(StageName::Edge, objects)
    }
}

/// The way in, by the templates of now.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let mut objects = Vec::new();
    if stack.edge.controller == IngressController::Traefik {
        objects.extend(middlewares(stack));
        objects.extend(traefik_ingresses(stack));
    } else {
        objects.push(plain_ingress(stack));
    }
    objects
}

fn self_signed(stack: &Stack, certificate: &Certificate) -> [Object; 2] {
    let pair = |name: &ChildName, crt: &str, key: &SecretString| Secret {
        metadata: meta::object(stack, name, Component::Edge),
        type_: Some("kubernetes.io/tls".into()),
        data: Some(pod::string_data([
            ("tls.crt", crt.to_owned()),
            ("tls.key", key.expose_secret().to_owned()),
            ("ca.crt", certificate.authority.clone()),
        ])),
        ..Secret::default()
    };
    let names = &stack.names;
    [
        pair(
            &names.authority(),
            &certificate.authority,
            &certificate.authority_key,
        ),
        pair(
            &names.certificate(),
            &certificate.certificate,
            &certificate.key,
        ),
    ]
    .map(|secret| Object::Secret(Box::new(secret)))
}

fn middlewares(stack: &Stack) -> Vec<Object> {
    let make = |name: ChildName, spec: MiddlewareSpec| {
        let mut middleware = Middleware::new(name.as_str(), spec);
        middleware.metadata = meta::object(stack, &name, Component::Edge);
        Object::Middleware(Box::new(middleware))
    };
    let https_port = stack.edge.https_port;
    let redirect = stack.edge.redirect.then(|| {
        let redirect_scheme = RedirectScheme {
            scheme: "https".into(),
            port: (https_port != 443).then(|| https_port.to_string()),
            permanent: true,
        };
        let spec = MiddlewareSpec {
            redirect_scheme: Some(redirect_scheme),
            headers: None,
        };
        make(stack.names.redirect(), spec)
    });
    let hsts = stack.edge.hsts.then(|| {
        let spec = MiddlewareSpec {
            redirect_scheme: None,
            headers: Some(Headers {
                sts_seconds: HSTS_SECONDS,
            }),
        };
        make(stack.names.hsts(), spec)
    });
    redirect.into_iter().chain(hsts).collect()
}

/// Traefik serves an Ingress with TLS on HTTPS alone, so plain HTTP has an Ingress of its own.
fn traefik_ingresses(stack: &Stack) -> Vec<Object> {
    let reference = |name: ChildName| format!("{}-{name}@kubernetescrd", stack.namespace);
    let annotations = |entrypoint: &str, middleware: Option<ChildName>| {
        let mut annotations = BTreeMap::from([(ENTRYPOINTS.to_owned(), entrypoint.to_owned())]);
        annotations.extend(middleware.map(|name| (MIDDLEWARES.to_owned(), reference(name))));
        annotations
    };
    let names = &stack.names;
    let http = |name: ChildName| {
        let redirect = stack.edge.redirect.then(|| names.redirect());
        ingress(stack, &name, None, annotations("web", redirect))
    };
    match tls(stack) {
        None => vec![http(names.ingress())],
        Some(tls) => {
            let hsts = stack.edge.hsts.then(|| names.hsts());
            vec![
                ingress(
                    stack,
                    &names.ingress(),
                    Some(tls),
                    annotations("websecure", hsts),
                ),
                http(names.http_ingress()),
            ]
        }
    }
}

fn plain_ingress(stack: &Stack) -> Object {
    let redirect = (stack.edge.controller == IngressController::Nginx)
        .then(|| (NGINX_REDIRECT.to_owned(), stack.edge.redirect.to_string()));
    ingress(
        stack,
        &stack.names.ingress(),
        tls(stack),
        redirect.into_iter().collect(),
    )
}

fn tls(stack: &Stack) -> Option<IngressTLS> {
    let secret = match &stack.edge.tls {
        Tls::Off => return None,
        Tls::Secret { name, .. } => name.clone(),
        Tls::SelfSigned(_) => stack.names.certificate().into(),
    };
    Some(IngressTLS {
        hosts: Some(stack.edge.hosts()),
        secret_name: Some(secret),
    })
}

fn ingress(
    stack: &Stack,
    name: &ChildName,
    tls: Option<IngressTLS>,
    annotations: BTreeMap<String, String>,
) -> Object {
    let api = (&stack.edge.api_host, stack.names.backend());
    let site = stack
        .edge
        .dashboard_host
        .as_ref()
        .map(|host| (host, stack.names.frontend()));
    Object::Ingress(Box::new(Ingress {
        metadata: ObjectMeta {
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..meta::object(stack, name, Component::Edge)
        },
        spec: Some(IngressSpec {
            ingress_class_name: Some(stack.edge.class.clone()),
            rules: Some(
                site.into_iter()
                    .chain([api])
                    .map(|(host, service)| rule(host, &service))
                    .collect(),
            ),
            tls: tls.map(|tls| vec![tls]),
            default_backend: None,
        }),
        status: None,
    }))
}

fn rule(host: &str, service: &ChildName) -> IngressRule {
    IngressRule {
        host: Some(host.into()),
        http: Some(HTTPIngressRuleValue {
            paths: vec![HTTPIngressPath {
                path: Some("/".into()),
                path_type: "Prefix".into(),
                backend: IngressBackend {
                    service: Some(IngressServiceBackend {
                        name: service.into(),
                        port: Some(ServiceBackendPort {
                            name: Some(pod::PORT.into()),
                            number: None,
                        }),
                    }),
                    resource: None,
                },
            }],
        }),
    }
}
