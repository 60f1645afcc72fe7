//! Who may come in at the edge, how often, and whether anybody may just now: what the spec says of it, and what of that cannot be.
//!
//! Invariant: pure, and no value of a Secret is in a fault: lines are told by their number.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{self, AppStackSpec, Environment};
use crate::check::{Faults, resources};
use crate::model::inputs::{Inputs, maintenance_page, users_secret};
use crate::model::network::start_of;
use crate::model::stack::{Limits, Maintenance, Proxy, Rate, RateLimit};
use crate::settings::ClusterSettings;

/// The key that holds names and hashes of passwords.
const USERS: &str = "users";
const USERS_FIELD: &str = "edge.access.basicAuthSecret";
/// How to make a line of them.
const MAKE: &str = "make it by `htpasswd -nB NAME`";

/// How many requests a client may send where the spec does not say.
pub(super) fn default_rate(environment: Environment) -> Option<RateLimit> {
    (environment == Environment::Production).then_some(RateLimit {
        average: 100,
        burst: 200,
    })
}

/// The limits of a spec, whose visitors come in by this.
pub(super) fn check(
    spec: &AppStackSpec,
    inputs: &Inputs,
    settings: &ClusterSettings,
    proxy: &Proxy,
) -> Limits {
    let mut faults = Faults::default();
    let Some(edge) = &spec.edge else {
        return Limits::default();
    };
    let rate = rate(edge.rate_limit.as_ref());
    let allow = edge.access.as_ref().and_then(|it| it.allow.clone());
    let allow = allow.unwrap_or_default();
    for text in &allow {
        judge_network(text, &mut faults);
    }
    let users = users_secret(spec);
    if let Some(name) = users {
        judge_users(name, inputs, &mut faults);
    }
    let page = maintenance_page(spec);
    if let Some(name) = page {
        judge_page(name, inputs, &mut faults);
    }
    judge_proxy(edge, proxy, inputs.traefik_kinds, &mut faults);
    let response_timeout = response_timeout(edge, proxy, inputs.traefik_kinds, &mut faults);
    Limits {
        rate,
        allow,
        users: users.map(str::to_owned),
        proxies: edge.trusted_proxies.unwrap_or_default(),
        max_body: edge.max_body_size.as_ref().and_then(resources::bytes),
        security_headers: edge.security_headers == Some(true),
        response_timeout,
        maintenance: (edge.maintenance == Some(true)).then(|| Maintenance {
            image: settings.image.clone(),
            page: page.map(str::to_owned),
            answers: inputs.page_answers,
        }),
        faults: faults.0,
    }
}

/// What must not be seen of the users: their hashes, alone and with all that is around them.
pub(super) fn hidden(spec: &AppStackSpec, inputs: &Inputs) -> Vec<SecretString> {
    let secret = users_secret(spec).and_then(|it| inputs.secrets.get(it));
    let values = secret.into_iter().flat_map(BTreeMap::values);
    let parts = values.flat_map(|it| {
        let text = it.expose_secret();
        let hashes = text.lines().filter_map(|it| it.split_once(':'));
        [text].into_iter().chain(hashes.map(|(_, hash)| hash))
    });
    parts.map(SecretString::from).collect()
}

/// Tells of what is asked for and what leads visitors in cannot do.
fn judge_proxy(edge: &api::Edge, proxy: &Proxy, traefik_kinds: bool, faults: &mut Faults) {
    let Some(why) = unable(proxy, traefik_kinds) else {
        return;
    };
    let sets_headers = proxy.gateway().is_some_and(|it| it.sets_headers);
    let is_limited = matches!(rate(edge.rate_limit.as_ref()), Rate::Most(_));
    let asked = [
        ("edge.rateLimit", is_limited),
        ("edge.access", edge.access.is_some()),
        (
            "edge.maxBodySize",
            edge.max_body_size.is_some() && !proxy.is_nginx(),
        ),
        (
            "edge.securityHeaders",
            edge.security_headers == Some(true) && !sets_headers,
        ),
    ];
    for (field, _) in asked.into_iter().filter(|(_, is_asked)| *is_asked) {
        faults.add(field, &why);
    }
}

/// How long an answer may take to begin, where the spec says so and what leads visitors in can keep it.
fn response_timeout(
    edge: &api::Edge,
    proxy: &Proxy,
    traefik_kinds: bool,
    faults: &mut Faults,
) -> Option<Duration> {
    let asked = edge.timeouts.as_ref()?;
    let unable = match proxy {
        Proxy::Gateway(it) if it.keeps_time => None,
        // Traefik takes a route that says a time, and waits all the same.
        Proxy::Gateway(it) => Some(format!(
            "the class of {it} does not list HTTPRouteRequestTimeout, so it may wait all the same; set the time at the Gateway, and leave this out"
        )),
        Proxy::Ingress { .. } if proxy.is_nginx() => None,
        Proxy::Ingress { .. } => unable(proxy, traefik_kinds),
    };
    match unable {
        Some(why) => {
            faults.add("edge.timeouts", why);
            None
        }
        None => Some(asked.response.into()),
    }
}

fn rate(requested: Option<&api::RateLimit>) -> Rate {
    let Some(requested) = requested else {
        return Rate::Default;
    };
    requested.average.map_or(Rate::Unlimited, |average| {
        let burst = requested.burst.unwrap_or(average.saturating_mul(2));
        Rate::Most(RateLimit { average, burst })
    })
}

/// Why what leads visitors in cannot do any of it, and what to do.
pub(super) fn unable(proxy: &Proxy, traefik_kinds: bool) -> Option<String> {
    let why = match proxy {
        it if it.is_traefik() && traefik_kinds => return None,
        it if it.is_traefik() => {
            "Traefik's CustomResourceDefinitions are not installed; install them".to_owned()
        }
        Proxy::Ingress { .. } => format!(
            "{proxy} is not Traefik's, and the operator can tell no other ingress controller; \
             set edge.className to one of Traefik"
        ),
        Proxy::Gateway(_) => format!(
            "{proxy} is not Traefik's, and the Gateway API has no word for it; take a Gateway of Traefik"
        ),
    };
    Some(format!(
        "{why}, or leave this out and do it at the load balancer"
    ))
}

/// What is wrong with the page that is shown while nobody may come in.
fn judge_page(name: &str, inputs: &Inputs, faults: &mut Faults) {
    const FIELD: &str = "edge.maintenancePage";
    // Without a cluster no ConfigMap is looked into.
    if inputs.now.is_none() {
        return;
    }
    let Some(map) = inputs.config_maps.get(name) else {
        let problem = format!("there is no ConfigMap {name} in this namespace");
        faults.add(FIELD, problem);
        return;
    };
    let page = map.get(Maintenance::KEY);
    if page.is_none_or(|it| it.trim().is_empty()) {
        let problem = format!(
            "ConfigMap {name} holds no page under the key {0}; make it by `kubectl create configmap {name} --from-file={0}`",
            Maintenance::KEY
        );
        faults.add(FIELD, problem);
    }
}

/// What is wrong with an address or a network.
fn judge_network(text: &str, faults: &mut Faults) {
    const FIELD: &str = "edge.access.allow";
    let (address, length) = text
        .split_once('/')
        .map_or((text, None), |(address, length)| (address, Some(length)));
    let parsed = address.parse::<IpAddr>().ok();
    let parsed = parsed.filter(|it| it.to_canonical() == *it);
    let most = parsed.map_or(0, |it| if it.is_ipv4() { 32 } else { 128 });
    let bits = length.map_or(Some(most), |it| {
        let bits = it.parse::<u32>().ok();
        bits.filter(|bits| *bits <= most && bits.to_string() == it)
    });
    let (Some(address), Some(bits)) = (parsed, bits) else {
        faults.add(
            FIELD,
            format!(
                "{text} is no address and no network; write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"
            ),
        );
        return;
    };
    let start = start_of(address, bits);
    if start != address {
        faults.add(
            FIELD,
            format!("{text} names an address inside a network; the network is {start}/{bits}, the address alone {address}"),
        );
    }
}

/// What is wrong with the Secret of the users. Traefik leaves out the whole route of one that it cannot use.
fn judge_users(name: &str, inputs: &Inputs, faults: &mut Faults) {
    let Some(secret) = inputs.secrets.get(name) else {
        faults.add(
            USERS_FIELD,
            format!("there is no Secret {name} in this namespace"),
        );
        return;
    };
    if inputs.no_text.in_secret(name, USERS) {
        let problem = format!("{USERS} of Secret {name} is not text; {MAKE}");
        faults.add(USERS_FIELD, problem);
        return;
    }
    let Some(users) = secret.get(USERS) else {
        let problem = format!("Secret {name} lacks the key {USERS}; {MAKE}");
        faults.add(USERS_FIELD, problem);
        return;
    };
    // Without a cluster a value only stands for a real one.
    if inputs.now.is_none() {
        return;
    }
    let binary = inputs.no_text.secrets.get(name);
    let others = secret.keys().filter(|it| *it != USERS);
    let others: Vec<&str> = others
        .chain(binary.into_iter().flatten())
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        faults.add(
            USERS_FIELD,
            format!(
                "Secret {name} has other keys than {USERS}, and Traefik takes none with several; move these to another Secret: {}",
                others.join(", ")
            ),
        );
    }
    judge_lines(name, users.expose_secret(), faults);
}

fn judge_lines(name: &str, users: &str, faults: &mut Faults) {
    let lines = users.lines().zip(1..).filter(|(it, _)| !it.is_empty());
    let lines: Vec<(&str, u32)> = lines.collect();
    if lines.is_empty() {
        let problem = format!("{USERS} of Secret {name} has no line; {MAKE}");
        faults.add(USERS_FIELD, problem);
    }
    for (line, number) in lines {
        let problem = match line.split_once(':') {
            Some((user, hash)) if !user.trim().is_empty() && !hash.contains(':') => {
                if is_hash(hash) {
                    continue;
                }
                "has no hash of a password behind the name, of bcrypt, apr1 or SHA"
            }
            _ => "is not NAME:HASH",
        };
        faults.add(
            USERS_FIELD,
            format!("line {number} of {USERS} in Secret {name} {problem}; {MAKE}"),
        );
    }
}

/// Whether it is a whole hash, of a kind that ingress controllers know.
fn is_hash(hash: &str) -> bool {
    let is_of = |text: &str, more: &[char], length: usize| {
        text.len() == length
            && text
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || more.contains(&it))
    };
    if let Some(digest) = hash.strip_prefix("{SHA}") {
        return is_of(digest, &['+', '/', '='], 28);
    }
    if let Some((salt, digest)) = hash
        .strip_prefix("$apr1$")
        .and_then(|it| it.split_once('$'))
    {
        return !salt.is_empty() && salt.len() <= 8 && is_of(digest, &['.', '/'], 22);
    }
    let bcrypt = ["$2a$", "$2b$", "$2x$", "$2y$"];
    let rest = bcrypt.iter().find_map(|it| hash.strip_prefix(it));
    let rest = rest.and_then(|it| it.split_once('$'));
    rest.is_some_and(|(cost, digest)| {
        cost.len() == 2 && cost.parse::<u32>().is_ok() && is_of(digest, &['.', '/'], 53)
    })
}

#[cfg(test)]
mod tests;
