//! What Traefik needs for a redirect and HSTS: Middlewares, and Ingresses that name them.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::IngressRule;

use super::{ingress, rules, tls, whole};
use crate::api::annotation;
use crate::build::meta::{self, Component};
use crate::model::child_name::ChildName;
use crate::model::kinds::{
    ForwardingTimeouts, Headers, Middleware, MiddlewareSpec, RedirectRegex, RedirectScheme,
    ServersTransport, ServersTransportSpec,
};
use crate::model::manifests::Manifests;
use crate::model::object::Object;
use crate::model::stack::{Stack, Tls};

/// For how long browsers remember to use HTTPS alone: a year, in seconds.
pub(super) const HSTS_SECONDS: i64 = 31_536_000;
/// Traefik's entry points, as its chart and most installations name them.
const ENTRYPOINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";
/// What makes a way one of HTTPS, whose certificates a resolver asks for.
const TLS: &str = "traefik.ingress.kubernetes.io/router.tls";
const RESOLVER: &str = "traefik.ingress.kubernetes.io/router.tls.certresolver";
/// The middlewares that a request passes, in their order, with commas between them.
pub(super) const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";

/// The way in.
pub(super) fn objects(stack: &Stack, class: &str) -> Vec<Object> {
    let mut objects = middlewares(stack);
    objects.extend(ingresses((stack, class)));
    objects
}

fn middlewares(stack: &Stack) -> Vec<Object> {
    let https_port = stack.edge.https_port;
    let redirect = stack.edge.redirect.then(|| {
        let redirect_scheme = RedirectScheme {
            scheme: "https".into(),
            port: (https_port != 443).then(|| https_port.to_string()),
            permanent: true,
        };
        let spec = MiddlewareSpec {
            redirect_scheme: Some(redirect_scheme),
            ..MiddlewareSpec::default()
        };
        middleware(stack, &stack.names.redirect(), spec)
    });
    let hsts = stack.edge.hsts.then(|| {
        let spec = MiddlewareSpec {
            headers: Some(Headers {
                sts_seconds: Some(HSTS_SECONDS),
                ..Headers::default()
            }),
            ..MiddlewareSpec::default()
        };
        middleware(stack, &stack.names.hsts(), spec)
    });
    let sends_on = (!stack.edge.redirect_hosts.is_empty()).then(|| {
        let redirect_regex = RedirectRegex {
            regex: "^https?://[^/]+/(.*)".into(),
            replacement: format!("{}/${{1}}", stack.edge.dashboard_url()),
            permanent: true,
        };
        let spec = MiddlewareSpec {
            redirect_regex: Some(redirect_regex),
            ..MiddlewareSpec::default()
        };
        middleware(stack, &stack.names.redirect_hosts(), spec)
    });
    redirect.into_iter().chain(hsts).chain(sends_on).collect()
}

/// Has Traefik wait for the pods of a stack no longer than the spec of now says: an object, and Services that name it.
pub(super) fn limit_time(stack: &Stack, manifests: &mut Manifests) {
    let can = stack.edge.gateway().is_none() && stack.edge.middlewares;
    let Some(time) = stack.edge.limits.response_timeout.filter(|_| can) else {
        return;
    };
    let name = stack.names.transport();
    let forwarding_timeouts = ForwardingTimeouts {
        response_header_timeout: format!("{}ms", time.as_millis()),
    };
    let spec = ServersTransportSpec {
        forwarding_timeouts,
    };
    let mut transport = ServersTransport::new(name.as_str(), spec);
    transport.metadata = meta::object(stack, &name, Component::Edge);
    let transport = Object::ServersTransport(Box::new(transport));
    // It is there before the Services.
    manifests.shared.push(transport);
    let parts = [Some(&mut manifests.backend), manifests.frontend.as_mut()];
    for opens in parts.into_iter().flatten().flat_map(|it| &mut it.opens) {
        if let Object::Service(it) = opens {
            let annotations = it.metadata.annotations.get_or_insert_default();
            annotations.insert(annotation::TRANSPORT.to_owned(), reference(stack, &name));
        }
    }
}

/// A middleware of the stack.
pub(super) fn middleware(stack: &Stack, name: &ChildName, spec: MiddlewareSpec) -> Object {
    let mut middleware = Middleware::new(name.as_str(), spec);
    middleware.metadata = meta::object(stack, name, Component::Edge);
    Object::Middleware(Box::new(middleware))
}

/// How an Ingress names a middleware of the stack.
pub(super) fn reference(stack: &Stack, name: &ChildName) -> String {
    format!("{}-{name}@kubernetescrd", stack.namespace)
}

/// Traefik serves an Ingress with TLS on HTTPS alone, so plain HTTP has an Ingress of its own.
fn ingresses(of: (&Stack, &str)) -> Vec<Object> {
    let (stack, _) = of;
    let (names, edge) = (&stack.names, &stack.edge);
    let redirect = edge.redirect.then(|| names.redirect());
    let hsts = edge.hsts.then(|| names.hsts());
    let of_stack = || rules(stack);
    let is_encrypted = !matches!(edge.tls, Tls::Off);
    let mut all = if is_encrypted {
        vec![
            encrypted(of, &names.ingress(), of_stack(), hsts),
            plain(of, &names.http_ingress(), of_stack(), redirect),
        ]
    } else {
        vec![plain(of, &names.ingress(), of_stack(), redirect)]
    };
    if !edge.redirect_hosts.is_empty() {
        let others = || redirected(stack);
        let sends = || Some(names.redirect_hosts());
        let (https, http) = (names.redirect_ingress(), names.http_redirect_ingress());
        all.extend(is_encrypted.then(|| encrypted(of, &https, others(), sends())));
        all.push(plain(of, &http, others(), sends()));
    }
    all
}

fn plain(
    of: (&Stack, &str),
    name: &ChildName,
    rules: Vec<IngressRule>,
    middleware: Option<ChildName>,
) -> Object {
    let annotations = annotations(of.0, "web", middleware);
    ingress(of, name, rules, None, annotations)
}

fn encrypted(
    of: (&Stack, &str),
    name: &ChildName,
    rules: Vec<IngressRule>,
    middleware: Option<ChildName>,
) -> Object {
    let (stack, _) = of;
    let mut annotations = annotations(stack, "websecure", middleware);
    if let Some(resolver) = stack.edge.resolver() {
        let named = [(TLS, "true"), (RESOLVER, resolver)];
        annotations.extend(named.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    ingress(of, name, rules, tls(stack), annotations)
}

fn annotations(
    stack: &Stack,
    entrypoint: &str,
    middleware: Option<ChildName>,
) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::from([(ENTRYPOINTS.to_owned(), entrypoint.to_owned())]);
    let named = middleware.map(|name| (MIDDLEWARES.to_owned(), reference(stack, &name)));
    annotations.extend(named);
    annotations
}

/// The requests of hosts whose visitors are sent on. A rule needs a Service that is there.
fn redirected(stack: &Stack) -> Vec<IngressRule> {
    let names = &stack.names;
    let service = match stack.edge.dashboard_host {
        Some(_) => names.frontend(),
        None => names.backend(),
    };
    let hosts = stack.edge.redirect_hosts.iter();
    hosts.map(|host| whole(host, &service)).collect()
}
