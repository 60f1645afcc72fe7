//! The Gateway that visitors come in by: whether it is there, and which of its listeners take the hosts of the stack.
//!
//! Invariant: pure. What a Gateway says of a route that it has seen is no matter of the spec's: `cluster::observe` reads that.

use kube::ResourceExt as _;

use crate::api::{AppStack, GatewayRef};
use crate::check::Faults;
use crate::model::inputs::{Gateways, asked_gateway, gateway as key};
use crate::model::kinds;
use crate::model::kinds::gateway::{Feature, Listener};
use crate::model::stack::Gateway;

const FIELD: &str = "edge.gateway";
/// How many hosts a route may have.
const MOST_HOSTS: usize = 16;

/// The Gateway that a spec asks for, if it asks for one; `encrypted` says by which of its listeners.
pub(super) fn check(
    app: &AppStack,
    known: &Gateways,
    (hosts, encrypted): (&[&str], bool),
    faults: &mut Faults,
) -> Option<Gateway> {
    let asked = asked_gateway(&app.spec)?;
    let (namespace, name) = key(app)?;
    let gateway = Gateway {
        namespace,
        name,
        ..Gateway::default()
    };
    Some(match found(&gateway, known) {
        Ok(found) => {
            let mut gateway = of(gateway, asked, found, known);
            judge(&gateway, found, app, (hosts, encrypted), faults);
            if app.namespace().as_ref() != Some(&gateway.namespace) {
                gateway.listeners.retain(Listener::takes_others);
            }
            gateway
        }
        Err(why) => {
            faults.add(FIELD, why);
            gateway
        }
    })
}

/// Why a route of a Gateway cannot be for so many hosts.
pub(super) fn unable_to_redirect(hosts: &[String]) -> Option<String> {
    (hosts.len() > MOST_HOSTS)
        .then(|| format!("a route of a Gateway has at most {MOST_HOSTS} hosts; take some away"))
}

fn found<'a>(gateway: &Gateway, known: &'a Gateways) -> Result<&'a kinds::Gateway, String> {
    if !known.served {
        return Err("the Gateway API is not installed here (there is no CustomResourceDefinition gateways.gateway.networking.k8s.io); install it and a program that implements it, or take edge.className".into());
    }
    let is_it = |it: &kinds::Gateway| {
        it.name_any() == gateway.name && it.namespace().as_ref() == Some(&gateway.namespace)
    };
    let found = known.all.iter().find(|it| is_it(it));
    found.map(AsRef::as_ref).ok_or_else(|| {
        let all = known.all.iter();
        let all = all.map(|it| format!("{}/{}", it.namespace().unwrap_or_default(), it.name_any()));
        let there = or_none(all);
        format!("there is no {gateway}; this cluster has: {there}")
    })
}

/// A Gateway that is there, by those of its listeners that are asked for.
fn of(gateway: Gateway, asked: &GatewayRef, found: &kinds::Gateway, known: &Gateways) -> Gateway {
    let class = &found.spec.gateway_class_name;
    let class = known.classes.iter().find(|it| it.name_any() == *class);
    let section = asked.section_name.as_ref();
    let listeners = found.spec.listeners.iter();
    let is_meant = |it: &&Listener| section.is_none_or(|name| *name == it.name);
    let listeners = listeners.filter(is_meant);
    let addresses = found.status.iter().flat_map(|it| &it.addresses);
    Gateway {
        listeners: listeners.cloned().collect(),
        sets_headers: class.is_some_and(|it| it.supports(Feature::RESPONSE_HEADERS)),
        keeps_time: class.is_some_and(|it| it.supports(Feature::REQUEST_TIMEOUT)),
        is_traefik: class.is_some_and(|it| it.is_traefik()),
        address: addresses.map(|it| it.value.clone()).next(),
        ..gateway
    }
}

/// What keeps a Gateway from leading visitors here.
fn judge(
    gateway: &Gateway,
    found: &kinds::Gateway,
    app: &AppStack,
    (hosts, encrypted): (&[&str], bool),
    faults: &mut Faults,
) {
    let all = or_none(found.spec.listeners.iter().map(described));
    if gateway.listeners.is_empty() {
        let problem = format!("{gateway} has no such listener; it has: {all}");
        faults.add("edge.gateway.sectionName", problem);
        return;
    }
    let (protocol, otherwise) = if encrypted {
        (
            Listener::HTTPS,
            "or say `tls: {disabled: {}}` for plain HTTP",
        )
    } else {
        (
            Listener::HTTP,
            "or leave `tls: {disabled: {}}` out for HTTPS",
        )
    };
    let is_own = app.namespace().as_ref() == Some(&gateway.namespace);
    let is_there = |host: &&&str| gateway.listeners_for(host, protocol).next().is_some();
    let (there, missing): (Vec<&str>, Vec<&str>) = hosts.iter().partition(is_there);
    if !missing.is_empty() {
        let problem = format!(
            "{gateway} has no listener of {protocol} for {}; it has: {all}. Ask whoever looks after it for one, {otherwise}",
            missing.join(", ")
        );
        faults.add(FIELD, problem);
    }
    let takes_ours = |host: &str| {
        let mut listeners = gateway.listeners_for(host, protocol);
        is_own || listeners.any(Listener::takes_others)
    };
    let shut: Vec<&str> = there.into_iter().filter(|host| !takes_ours(host)).collect();
    if !shut.is_empty() {
        let problem = format!(
            "{gateway} takes routes for {} of its own namespace alone; ask whoever looks after it to let in those of namespace {} (allowedRoutes of the listener)",
            shut.join(", "),
            app.namespace().unwrap_or_default()
        );
        faults.add(FIELD, problem);
    }
}

fn described(it: &Listener) -> String {
    let host = it.hostname.as_deref().filter(|it| !it.is_empty());
    let host = host.unwrap_or("every host");
    format!("{} ({}, port {}, {host})", it.name, it.protocol, it.port)
}

fn or_none(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        "none".into()
    } else {
        all.join(", ")
    }
}
