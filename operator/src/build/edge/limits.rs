//! Who may come in, how often, and whether anybody may just now: what the spec of now says, in the objects of whichever release serves.
//!
//! They are said when objects are applied and not kept with a release, so that a change holds at once and an operator that knows
//! of none of it takes them away as a whole. A middleware that does not exist takes its route away, so each comes before the
//! Ingresses that name it, and is pruned after them.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress};

use super::traefik::{MIDDLEWARES, limit_time, middleware, reference};
use super::{gateway, maintenance, nginx};
use crate::build::Refusal;
use crate::model::child_name::ChildName;
use crate::model::kinds::{
    self, BasicAuth, Buffering, Headers, IpAllowList, IpStrategy, MiddlewareSpec,
};
use crate::model::manifests::Manifests;
use crate::model::object::Object;
use crate::model::stack::{RateLimit, Stack};

/// What browsers are careful by: no guessing of types, no frame of another site's, and no path in what other sites are told of.
pub(super) const SECURITY_HEADERS: [(&str, &str); 3] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
];

/// Says the limits of a stack in the objects of its release. Where they are faulty, what is in force stays: Ingresses and routes are
/// not touched.
pub(in crate::build) fn limit(manifests: &mut Manifests, stack: &Stack) {
    limit_time(stack, manifests);
    if !stack.edge.limits.faults.is_empty() {
        manifests
            .edge
            .retain(|it| !matches!(it, Object::Ingress(_) | Object::HTTPRoute(_)));
        return;
    }
    let rate = rate(stack, manifests.rate_limit);
    let all: Vec<(ChildName, MiddlewareSpec)> = everywhere(stack, rate).collect();
    let password = password(stack);
    let objects = all.iter().chain(&password);
    let mut limited: Vec<Object> = objects
        .map(|(name, spec)| middleware(stack, name, spec.clone()))
        .collect();
    let names: Vec<&ChildName> = all.iter().map(|(name, _)| name).collect();
    let password = password.as_ref().map(|(name, _)| name);
    for object in manifests.edge.drain(..) {
        match object {
            Object::HTTPRoute(mut it) => {
                gateway::guard(stack, &mut it, &names, password);
                maintenance::lead_route(stack, &mut it);
                limited.push(Object::HTTPRoute(it));
            }
            Object::Ingress(it) => {
                let mut it = *it;
                nginx::limit(stack, &mut it);
                let ways = guarded(stack, it, &names, password).into_iter();
                limited.extend(ways.map(|mut it| {
                    maintenance::lead(stack, &mut it);
                    Object::Ingress(Box::new(it))
                }));
            }
            other => limited.push(other),
        }
    }
    manifests.edge = limited;
}

/// By which answers the edge turns visitors of a stack away; `default` is the limit of its release.
pub(super) fn refusals(stack: &Stack, default: Option<RateLimit>) -> Vec<Refusal> {
    let edge = &stack.edge;
    let site = edge.dashboard_host.as_ref().map(|_| edge.dashboard_url());
    let first = site.clone().unwrap_or_else(|| edge.api_url());
    let limits = [
        (403, !edge.limits.allow.is_empty()),
        (429, rate(stack, default).is_some()),
        (503, edge.limits.maintenance.is_some()),
    ];
    let limits = limits.into_iter().filter(|(_, is_set)| *is_set);
    let everywhere = limits.flat_map(|(status, _)| {
        let hosts = [edge.api_url()].into_iter().chain(site.clone());
        hosts.map(move |host| Refusal {
            host,
            status,
            free: Vec::new(),
        })
    });
    let password = edge.limits.users.as_ref();
    let password = password.map(|_| Refusal {
        host: first,
        status: 401,
        free: edge.api_paths.clone().unwrap_or_default(),
    });
    everywhere.chain(password).collect()
}

/// How many requests a client may send, where there is such a limit.
fn rate(stack: &Stack, default: Option<RateLimit>) -> Option<RateLimit> {
    let rate = stack.edge.limits.rate(default);
    rate.filter(|_| stack.edge.middlewares)
}

/// What every request passes. Who may not come in at all is not counted.
fn everywhere(
    stack: &Stack,
    rate: Option<RateLimit>,
) -> impl Iterator<Item = (ChildName, MiddlewareSpec)> {
    let limits = &stack.edge.limits;
    let client = (limits.proxies > 0).then_some(IpStrategy {
        depth: limits.proxies,
    });
    let allow = (!limits.allow.is_empty()).then(|| MiddlewareSpec {
        ip_allow_list: Some(IpAllowList {
            source_range: limits.allow.clone(),
            ip_strategy: client.clone(),
        }),
        ..MiddlewareSpec::default()
    });
    let source_criterion = client.map(|ip_strategy| kinds::SourceCriterion { ip_strategy });
    let rate = rate.map(|RateLimit { average, burst }| MiddlewareSpec {
        rate_limit: Some(kinds::RateLimit {
            average,
            burst,
            source_criterion,
        }),
        ..MiddlewareSpec::default()
    });
    let max_body = limits
        .max_body
        .map(|max_request_body_bytes| MiddlewareSpec {
            buffering: Some(Buffering {
                max_request_body_bytes,
            }),
            ..MiddlewareSpec::default()
        });
    let is_by_filter = stack.edge.gateway().is_some();
    let headers = (limits.security_headers && !is_by_filter).then(|| MiddlewareSpec {
        headers: Some(Headers {
            custom_response_headers: BTreeMap::from(
                SECURITY_HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            ..Headers::default()
        }),
        ..MiddlewareSpec::default()
    });
    let names = &stack.names;
    [
        (names.allow_list(), allow),
        (names.rate_limit(), rate),
        // What is said of the answer is said of refusals too.
        (names.security_headers(), headers),
        (
            names.max_body(),
            max_body.filter(|_| stack.edge.middlewares),
        ),
    ]
    .into_iter()
    .filter_map(|(name, spec)| Some((name, spec?)))
}

/// What asks for a password.
fn password(stack: &Stack) -> Option<(ChildName, MiddlewareSpec)> {
    let secret = stack.edge.limits.users.clone()?;
    let spec = MiddlewareSpec {
        basic_auth: Some(BasicAuth {
            secret,
            remove_header: true,
        }),
        ..MiddlewareSpec::default()
    };
    Some((stack.names.password(), spec))
}

/// An Ingress whose requests pass these middlewares, and those of the site the password beside. A middleware counts for all of
/// an Ingress, so a site with a password and its API are two; that of the API comes first, so that it is never without one.
/// Where everything is sent to HTTPS nobody is asked for a password in plain text.
fn guarded(
    stack: &Stack,
    ingress: Ingress,
    names: &[&ChildName],
    password: Option<&ChildName>,
) -> Vec<Ingress> {
    let Some(password) = password.filter(|_| !redirects(stack, &ingress)) else {
        return vec![passing(stack, ingress, names)];
    };
    let with_password: Vec<&ChildName> = names.iter().copied().chain([password]).collect();
    if stack.edge.dashboard_host.is_none() {
        return vec![passing(stack, ingress, &with_password)];
    }
    let backend: String = stack.names.backend().into();
    let is_api = |it: &HTTPIngressPath| {
        it.backend
            .service
            .as_ref()
            .is_some_and(|it| it.name == backend)
    };
    let mut site = ingress.clone();
    let mut api = ingress;
    let is_plain = api.metadata.name.as_deref() == Some(stack.names.http_ingress().as_str());
    api.metadata.name = Some(if is_plain {
        stack.names.http_api_ingress().into()
    } else {
        stack.names.api_ingress().into()
    });
    keep_paths(&mut api, is_api);
    keep_paths(&mut site, |it| !is_api(it));
    vec![
        passing(stack, api, names),
        passing(stack, site, &with_password),
    ]
}

fn keep_paths(ingress: &mut Ingress, is_kept: impl Fn(&HTTPIngressPath) -> bool) {
    let spec = ingress.spec.as_mut();
    if let Some(rules) = spec.and_then(|it| it.rules.as_mut()) {
        rules.retain_mut(|rule| {
            let paths = rule.http.as_mut().map(|it| &mut it.paths);
            paths.is_some_and(|it| {
                it.retain(&is_kept);
                !it.is_empty()
            })
        });
    }
}

/// An Ingress whose requests pass these middlewares before its own.
fn passing(stack: &Stack, mut ingress: Ingress, names: &[&ChildName]) -> Ingress {
    if names.is_empty() {
        return ingress;
    }
    let annotations: &mut BTreeMap<_, _> = ingress.metadata.annotations.get_or_insert_default();
    let own = annotations.remove(MIDDLEWARES);
    let names = names.iter().map(|it| reference(stack, it));
    let all: Vec<String> = names.chain(own).collect();
    annotations.insert(MIDDLEWARES.to_owned(), all.join(","));
    ingress
}

fn redirects(stack: &Stack, ingress: &Ingress) -> bool {
    let annotations = ingress.metadata.annotations.as_ref();
    let named = annotations.and_then(|it| it.get(MIDDLEWARES));
    let both = [stack.names.redirect(), stack.names.redirect_hosts()];
    let redirects = both.map(|it| reference(stack, &it));
    named.is_some_and(|it| {
        it.split(',')
            .any(|it| redirects.iter().any(|other| other == it))
    })
}

#[cfg(test)]
mod tests;
