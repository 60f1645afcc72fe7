//! The way in by a Gateway: HTTPRoutes that are added to its listeners.
//!
//! What the Gateway API has no word for is told to Traefik by its Middlewares, where the Gateway is Traefik's.

use kube::Resource as _;

use super::limits::SECURITY_HEADERS;
use super::traefik::HSTS_SECONDS;
use crate::build::meta::{self, Component};
use crate::build::workload::backend;
use crate::model::child_name::ChildName;
use crate::model::kinds::gateway::{
    BackendRef, Header, HeaderModifier, Listener, LocalObject, ParentRef, PathMatch,
    RequestRedirect, RouteFilter, RouteMatch, RouteRule, RouteTimeouts,
};
use crate::model::kinds::{HTTPRoute, HTTPRouteSpec, Middleware};
use crate::model::object::Object;
use crate::model::stack::{Gateway, Stack, Tls};

/// How many requests a rule may tell apart: older versions of the Gateway API take no more.
const MOST_MATCHES: usize = 8;
/// Moved for good.
const MOVED: u16 = 301;

/// A route that there is to be.
struct Route<'a> {
    name: ChildName,
    hosts: Vec<&'a String>,
    /// By listeners of these protocols.
    protocols: &'static [&'static str],
    rules: Vec<RouteRule>,
}

/// The way in.
pub(super) fn objects(stack: &Stack, gateway: &Gateway) -> Vec<Object> {
    const ENCRYPTED: &[&str] = &[Listener::HTTPS];
    const PLAIN: &[&str] = &[Listener::HTTP];
    const BOTH: &[&str] = &[Listener::HTTPS, Listener::HTTP];
    let (names, edge) = (&stack.names, &stack.edge);
    let (serving, both) = match edge.tls {
        Tls::Off => (PLAIN, PLAIN),
        _ if edge.redirect => (ENCRYPTED, BOTH),
        _ => (BOTH, BOTH),
    };
    let has_own_host = edge.dashboard_host.is_some() && edge.api_paths.is_none();
    let api_host = has_own_host.then_some(&edge.api_host);
    let first = edge.dashboard_host.as_ref().unwrap_or(&edge.api_host);
    let mut routes = vec![Route {
        name: names.ingress(),
        hosts: vec![first],
        protocols: serving,
        rules: of_first(stack),
    }];
    routes.extend(api_host.map(|host| Route {
        name: names.api_ingress(),
        hosts: vec![host],
        protocols: serving,
        rules: vec![leading(stack, &["/"], &names.backend())],
    }));
    routes.extend(edge.redirect.then(|| Route {
        name: names.http_ingress(),
        hosts: [first].into_iter().chain(api_host).collect(),
        protocols: PLAIN,
        rules: vec![sending(to_https(stack))],
    }));
    routes.extend((!edge.redirect_hosts.is_empty()).then(|| Route {
        name: names.redirect_ingress(),
        hosts: edge.redirect_hosts.iter().collect(),
        protocols: both,
        rules: vec![sending(to_site(stack, first))],
    }));
    let made = routes.into_iter().filter_map(|it| it.make(stack, gateway));
    made.map(|it| Object::HTTPRoute(Box::new(it))).collect()
}

/// The rules of the first host of a stack: that of the site, which the API may share.
fn of_first(stack: &Stack) -> Vec<RouteRule> {
    let (site, api) = (stack.names.frontend(), stack.names.backend());
    let paths: Vec<&str> = stack
        .edge
        .api_paths
        .iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let of_api = paths.chunks(MOST_MATCHES);
    let of_api = of_api.map(|paths| leading(stack, paths, &api));
    let everything = match stack.edge.dashboard_host {
        Some(_) => &site,
        None => &api,
    };
    of_api.chain([leading(stack, &["/"], everything)]).collect()
}

impl Route<'_> {
    /// The object, if there is a listener for one of its hosts.
    fn make(self, stack: &Stack, gateway: &Gateway) -> Option<HTTPRoute> {
        let mut parents: Vec<ParentRef> = Vec::new();
        let hosts = self.hosts.iter();
        let wanted = hosts.flat_map(|host| self.protocols.iter().map(move |it| (host, it)));
        for listener in wanted.flat_map(|(host, it)| gateway.listeners_for(host, it)) {
            let parent = ParentRef {
                namespace: gateway.namespace.clone(),
                name: gateway.name.clone(),
                section_name: Some(listener.name.clone()),
            };
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        if parents.is_empty() {
            return None;
        }
        let mut route = HTTPRoute::new(
            self.name.as_str(),
            HTTPRouteSpec {
                parent_refs: parents,
                hostnames: self.hosts.into_iter().cloned().collect(),
                rules: self.rules,
            },
        );
        route.metadata = meta::object(stack, &self.name, Component::Edge);
        Some(route)
    }
}

/// A rule that leads paths, each with all that is below it, to a Service.
fn leading(stack: &Stack, paths: &[&str], service: &ChildName) -> RouteRule {
    let matches = paths.iter().map(|path| RouteMatch {
        path: PathMatch {
            type_: "PathPrefix".into(),
            value: (*path).to_owned(),
        },
    });
    let mut rule = RouteRule {
        matches: matches.collect(),
        backend_refs: vec![BackendRef {
            name: service.into(),
            port: backend::SERVICE_PORT,
        }],
        ..RouteRule::default()
    };
    if stack.edge.hsts {
        let hsts = format!("max-age={HSTS_SECONDS}");
        set_headers(&mut rule, &[("Strict-Transport-Security", &hsts)]);
    }
    rule
}

/// Gives the answers of a rule these headers beside those that it has. A rule has one filter of each kind.
fn set_headers(rule: &mut RouteRule, more: &[(&str, &str)]) {
    let more = more.iter().map(|(name, value)| Header {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    });
    for filter in &mut rule.filters {
        if let RouteFilter::ResponseHeaderModifier {
            response_header_modifier: own,
        } = filter
        {
            own.set.extend(more);
            return;
        }
    }
    rule.filters.push(RouteFilter::ResponseHeaderModifier {
        response_header_modifier: HeaderModifier {
            set: more.collect(),
        },
    });
}

/// A rule that sends every client to another address.
fn sending(request_redirect: RequestRedirect) -> RouteRule {
    RouteRule {
        filters: vec![RouteFilter::RequestRedirect { request_redirect }],
        ..RouteRule::default()
    }
}

fn to_https(stack: &Stack) -> RequestRedirect {
    RequestRedirect {
        scheme: "https".into(),
        hostname: None,
        port: Some(stack.edge.https_port).filter(|it| *it != 443),
        status_code: MOVED,
    }
}

fn to_site(stack: &Stack, host: &str) -> RequestRedirect {
    let edge = &stack.edge;
    let (scheme, port, usual) = match edge.tls {
        Tls::Off => ("http", edge.http_port, 80),
        _ => ("https", edge.https_port, 443),
    };
    RequestRedirect {
        scheme: scheme.into(),
        hostname: Some(host.to_owned()),
        port: Some(port).filter(|it| *it != usual),
        status_code: MOVED,
    }
}

/// Has the requests of a route pass these middlewares before its own filters, and those that are led to what is guarded the
/// password beside; gives the answers the headers that browsers are careful by, and says how long they may take, where that is wanted.
pub(super) fn guard(
    stack: &Stack,
    route: &mut HTTPRoute,
    names: &[&ChildName],
    password: Option<&ChildName>,
) {
    let api: String = stack.names.backend().into();
    let has_site = stack.edge.dashboard_host.is_some();
    let limits = &stack.edge.limits;
    for rule in &mut route.spec.rules {
        let mut led = rule.backend_refs.iter();
        let is_guarded = led.any(|it| !has_site || it.name != api);
        let password = password.filter(|_| is_guarded);
        let passed = names.iter().copied().chain(password);
        rule.filters.splice(0..0, passed.map(by_middleware));
        if rule.backend_refs.is_empty() {
            continue;
        }
        if limits.security_headers {
            set_headers(rule, &SECURITY_HEADERS);
        }
        rule.timeouts = limits.response_timeout.map(|it| RouteTimeouts {
            request: format!("{}ms", it.as_millis()),
        });
    }
}

/// Leads all requests of a route to another Service.
pub(super) fn lead(route: &mut HTTPRoute, service: &ChildName) {
    let rules = route.spec.rules.iter_mut();
    for led in rules.flat_map(|it| &mut it.backend_refs) {
        led.name = service.into();
    }
}

fn by_middleware(name: &ChildName) -> RouteFilter {
    RouteFilter::ExtensionRef {
        extension_ref: LocalObject {
            group: Middleware::group(&()).into_owned(),
            kind: Middleware::kind(&()).into_owned(),
            name: name.into(),
        },
    }
}
