//! The edge stage: the way in, and its certificate.
//!
//! A plain Ingress alone works with every controller. What Ingress cannot say is told in the words of the
//! controller that implements its class, each of which has a file, as has the Gateway API.

mod certificate;
mod gateway;
mod issued;
mod limits;
mod maintenance;
mod nginx;
mod traefik;

pub(super) use self::limits::limit;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, IngressTLS, ServiceBackendPort,
};
use kube::api::ObjectMeta;

use crate::api::StageName;
use crate::build::meta::{self, Component};
use crate::build::workload::pod;
use crate::build::{Check, CheckTarget, Refusal, Stage};
use crate::model::child_name::ChildName;
use crate::model::manifests::Manifests;
use crate::model::object::Object;
use crate::model::stack::{CheckLimits, IngressController, Proxy, STEADY, Stack, Tls};

/// How long an ingress controller is waited for that does not lead to the stack: one that is well takes a second or two.
const ROUTED: Duration = Duration::from_secs(30);
/// The same where it asks an authority for the certificate first.
const RESOLVED: Duration = Duration::from_mins(2);

/// The stage of the edge.
pub(super) fn stage(stack: &Stack, manifests: &Manifests) -> Stage {
    let refusals = limits::refusals(stack, manifests.rate_limit);
    let check = match &stack.rollout.public_check {
        Some(it) => Some(Check {
            urls: [it.api.clone()]
                .into_iter()
                .chain(it.site.clone())
                .collect(),
            aside: None,
            target: CheckTarget::Edge {
                served: it.served.clone(),
            },
            limits: CheckLimits {
                timeout: it.timeout,
                steady: STEADY,
            },
            decides: true,
            refusals,
        }),
        None => (!stack.hibernates).then(|| route(stack, refusals)),
    };
    let certificates = match &stack.edge.tls {
        Tls::SelfSigned(it) => certificate::self_signed(stack, it).into(),
        Tls::Off | Tls::Secret { .. } | Tls::Issued(_) | Tls::Resolver(_) | Tls::Gateway => {
            Vec::new()
        }
    };
    let awaits = stack.edge.issued().and_then(|it| it.pending.clone());
    let is_ready = |it: &Object| awaits.is_none() || matches!(it, Object::Certificate(_));
    let kept = manifests.edge.iter().cloned();
    let (kept, opens): (Vec<_>, Vec<_>) = kept.partition(is_ready);
    let page = maintenance::objects(stack).into_iter();
    let objects = certificates.into_iter().chain(page).chain(kept).collect();
    Stage {
        check,
        awaits,
        opens,
        ..Stage::new(StageName::Edge, objects)
    }
}

/// Whether the ingress controller has learnt of the way in. What the application says does not decide. Where there is no site,
/// visitors may begin at the root of the API, at which many an API has nothing to say.
fn route(stack: &Stack, refusals: Vec<Refusal>) -> Check {
    let edge = &stack.edge;
    let health = stack.backend.public_path();
    let mut paths = edge.api_paths.iter().flatten();
    let other = paths.find(|_| !edge.leads_to_api(health));
    let path = other.map_or(health, String::as_str);
    let api = format!("{}{path}", edge.api_url());
    let root = format!("{}/", edge.dashboard_url());
    let (site, aside) = match edge.dashboard_host {
        Some(_) => (Some(root), None),
        None => (None, Some(root)),
    };
    let redirects = edge.redirect_urls().map(|it| format!("{it}/"));
    Check {
        urls: [api].into_iter().chain(site).chain(redirects).collect(),
        aside,
        target: CheckTarget::Edge {
            served: edge.served(),
        },
        limits: CheckLimits {
            timeout: match edge.tls {
                Tls::Resolver(_) => RESOLVED,
                _ => ROUTED,
            },
            steady: Duration::ZERO,
        },
        decides: false,
        refusals,
    }
}

/// The way in, by the templates of now.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let issued = stack.edge.issued();
    let issued = issued.map(|it| issued::certificate(stack, it));
    let ways = match &stack.edge.proxy {
        Proxy::Gateway(it) => gateway::objects(stack, it),
        Proxy::Ingress {
            class,
            controller: IngressController::Traefik,
        } => traefik::objects(stack, class),
        Proxy::Ingress { class, .. } => vec![plain_ingress(stack, class)],
    };
    issued.into_iter().chain(ways).collect()
}

fn plain_ingress(stack: &Stack, class: &str) -> Object {
    let annotations = if stack.edge.proxy.is_nginx() {
        nginx::annotations(stack)
    } else {
        BTreeMap::new()
    };
    ingress(
        (stack, class),
        &stack.names.ingress(),
        rules(stack),
        tls(stack),
        annotations,
    )
}

fn tls(stack: &Stack) -> Option<IngressTLS> {
    let secret = match &stack.edge.tls {
        Tls::Off | Tls::Resolver(_) | Tls::Gateway => return None,
        Tls::Secret { name, .. } => name.clone(),
        Tls::SelfSigned(_) => stack.names.certificate().into(),
        Tls::Issued(it) => (&it.name).into(),
    };
    Some(IngressTLS {
        hosts: Some(stack.edge.hosts()),
        secret_name: Some(secret),
    })
}

fn ingress(
    (stack, class): (&Stack, &str),
    name: &ChildName,
    rules: Vec<IngressRule>,
    tls: Option<IngressTLS>,
    annotations: BTreeMap<String, String>,
) -> Object {
    Object::Ingress(Box::new(Ingress {
        metadata: ObjectMeta {
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..meta::object(stack, name, Component::Edge)
        },
        spec: Some(IngressSpec {
            ingress_class_name: Some(class.to_owned()),
            rules: Some(rules),
            tls: tls.map(|tls| vec![tls]),
            default_backend: None,
        }),
        status: None,
    }))
}

/// Which requests come to which Service.
fn rules(stack: &Stack) -> Vec<IngressRule> {
    let edge = &stack.edge;
    let (site, api) = (stack.names.frontend(), stack.names.backend());
    match (&edge.dashboard_host, &edge.api_paths) {
        (Some(host), Some(paths)) => {
            let is_traefik = edge.proxy.is_traefik();
            let below = paths.iter().flat_map(|it| below(it, is_traefik));
            let mut all: Vec<_> = below.map(|it| path(it, &api)).collect();
            all.push(path(everything_else(is_traefik), &site));
            vec![rule(host, all)]
        }
        (site_host, _) => {
            let site = site_host.iter().map(|host| (host, &site));
            let both = site.chain([(&edge.api_host, &api)]);
            both.map(|(host, service)| whole(host, service)).collect()
        }
    }
}

/// A path and what is below it. Traefik takes `/apis` to be below `/api`, and of two rules the longer one, so there the path
/// itself and what is below it are said apart.
fn below(path: &str, is_traefik: bool) -> Vec<(String, &'static str)> {
    if is_traefik {
        vec![(path.to_owned(), "Exact"), (format!("{path}/"), "Prefix")]
    } else {
        vec![(path.to_owned(), "Prefix")]
    }
}

/// What no other path of the host leads to. Traefik's rule for the prefix `/` would be longer than the one for `/api` alone, and go
/// before it: there it is the host without a path.
const fn everything_else(is_traefik: bool) -> (&'static str, &'static str) {
    if is_traefik {
        ("", "ImplementationSpecific")
    } else {
        ("/", "Prefix")
    }
}

/// All of a host leads to a Service.
fn whole(host: &str, service: &ChildName) -> IngressRule {
    rule(host, vec![path(("/", "Prefix"), service)])
}

fn rule(host: &str, paths: Vec<HTTPIngressPath>) -> IngressRule {
    IngressRule {
        host: Some(host.into()),
        http: Some(HTTPIngressRuleValue { paths }),
    }
}

fn path((path, kind): (impl Into<String>, &str), service: &ChildName) -> HTTPIngressPath {
    HTTPIngressPath {
        path: Some(path.into()).filter(|it: &String| !it.is_empty()),
        path_type: kind.into(),
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
    }
}
