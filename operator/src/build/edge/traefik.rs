//! What Traefik needs for a redirect and HSTS: Middlewares, and Ingresses that name them.

use std::collections::BTreeMap;

use super::{ingress, tls};
use crate::build::meta::{self, Component};
use crate::model::child_name::ChildName;
use crate::model::kinds::{Headers, Middleware, MiddlewareSpec, RedirectScheme};
use crate::model::object::Object;
use crate::model::stack::Stack;

/// For how long browsers remember to use HTTPS alone: a year, in seconds.
const HSTS_SECONDS: i64 = 31_536_000;
/// Traefik's entry points, as its chart and most installations name them.
const ENTRYPOINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";
/// The middlewares that a request passes, in their order, with commas between them.
pub(super) const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";

/// The way in.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let mut objects = middlewares(stack);
    objects.extend(ingresses(stack));
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
                sts_seconds: HSTS_SECONDS,
            }),
            ..MiddlewareSpec::default()
        };
        middleware(stack, &stack.names.hsts(), spec)
    });
    redirect.into_iter().chain(hsts).collect()
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
fn ingresses(stack: &Stack) -> Vec<Object> {
    let annotations = |entrypoint: &str, middleware: Option<ChildName>| {
        let mut annotations = BTreeMap::from([(ENTRYPOINTS.to_owned(), entrypoint.to_owned())]);
        let named = middleware.map(|name| (MIDDLEWARES.to_owned(), reference(stack, &name)));
        annotations.extend(named);
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
