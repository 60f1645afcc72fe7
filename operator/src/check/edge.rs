//! The way in: hosts, class, certificate, redirect.

use k8s_openapi::api::networking::v1::IngressClass;
use kube::ResourceExt;
use secrecy::ExposeSecret as _;

use crate::api::{self, AppStack, AppStackSpec, Environment, Layout};
use crate::check::{Faults, certificate, gateway, host, limits};
use crate::model::child_name::ChildName;
use crate::model::inputs::{Inputs, class_name};
use crate::model::names::Names;
use crate::model::stack::{Edge, IngressController, Issued, Proxy, Tls};
use crate::settings::ClusterSettings;

/// Marks the class that Ingresses get which name none.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
/// The class that is used where the cluster marks none.
const FALLBACK_CLASS: &str = "traefik";

/// What leads to the API, whatever else does, where it shares the host of the site.
const API_PATHS: [&str; 2] = ["/api", "/docs"];

/// Every host of a spec, each once; the site's first, where there is one.
#[must_use]
pub fn hosts(spec: &AppStackSpec) -> Vec<String> {
    let (site, api) = site_and_api(spec);
    let mut hosts = Vec::from_iter(site);
    for host in [api].into_iter().chain(redirect_hosts(spec)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// The host of the site, where there is one, and that of the API, which may be the same.
fn site_and_api(spec: &AppStackSpec) -> (Option<String>, String) {
    let edge = spec.edge.clone().unwrap_or_default();
    let hosts = edge.hosts.unwrap_or_default();
    let of_dns = |it: Option<String>| it.map(|it| host::of_dns(&it));
    let (dashboard, api) = (of_dns(hosts.dashboard), of_dns(hosts.api));
    let (domain, has_site) = (host::of_dns(&spec.domain), spec.frontend.is_some());
    if edge.layout == Some(Layout::SingleHost) {
        let host = if has_site { dashboard } else { api };
        let host = host.unwrap_or(domain);
        return (has_site.then(|| host.clone()), host);
    }
    let dashboard = dashboard.unwrap_or_else(|| format!("dashboard.{domain}"));
    let api = api.unwrap_or_else(|| format!("api.{domain}"));
    (has_site.then_some(dashboard), api)
}

fn redirect_hosts(spec: &AppStackSpec) -> Vec<String> {
    let hosts = spec.edge.as_ref().and_then(|it| it.hosts.as_ref());
    let hosts = hosts.and_then(|it| it.redirects.as_ref());
    let hosts = hosts.into_iter().flatten();
    hosts.map(|it| host::of_dns(it)).collect()
}

/// The paths that lead to the API, where it shares the host of the site.
fn api_paths(spec: &AppStackSpec, faults: &mut Faults) -> Option<Vec<String>> {
    let edge = spec.edge.as_ref()?;
    if edge.layout != Some(Layout::SingleHost) {
        return None;
    }
    spec.frontend.as_ref()?;
    if edge.hosts.as_ref().is_some_and(|it| it.api.is_some()) {
        faults.add(
            "edge.hosts.api",
            "with layout SingleHost the API is at the host of the site; take it away, or choose layout Subdomains",
        );
    }
    let more = edge.paths.iter().flatten().map(String::as_str);
    Some(
        API_PATHS
            .into_iter()
            .chain(more)
            .map(str::to_owned)
            .collect(),
    )
}

/// The name of the Certificate that cert-manager looks after for a spec, and of its Secret; `None` if the spec has another one.
#[must_use]
pub fn issued(names: &Names, spec: &AppStackSpec) -> Option<ChildName> {
    spec.edge.as_ref()?.tls.as_ref()?.issuer.as_ref()?;
    Some(names.issued(hosts(spec).iter().map(String::as_str)))
}

/// The edge of a spec.
pub(super) fn check(
    app: &AppStack,
    names: &Names,
    inputs: &Inputs,
    settings: &ClusterSettings,
    faults: &mut Faults,
) -> Edge {
    let spec = &app.spec;
    host::refuse(spec, faults);
    let (dashboard_host, api_host) = site_and_api(spec);
    let api_paths = api_paths(spec, faults);
    if dashboard_host.as_ref() == Some(&api_host) && api_paths.is_none() {
        faults.add(
            "edge.hosts",
            format!("dashboard and api are both {api_host}; give them two names"),
        );
    }
    let hosts = hosts(spec);
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let tls = tls(spec, names, inputs, &hosts, faults);
    let encrypted = !matches!(tls, Tls::Off);
    let gateway = gateway::check(app, &inputs.gateways, (&hosts, encrypted), faults);
    let proxy = gateway.map_or_else(|| class(spec, inputs, faults), Proxy::Gateway);
    let redirect_hosts = redirect_hosts(spec);
    let own = [Some(&api_host), dashboard_host.as_ref()];
    judge_redirects(&redirect_hosts, own, (&proxy, inputs), faults);
    if matches!(tls, Tls::Resolver(_)) && !proxy.is_traefik() {
        let problem = format!(
            "certificate resolvers are Traefik's, and {proxy} is not; set edge.className to one of Traefik, or choose issuer or secretName"
        );
        faults.add("edge.tls.resolver", problem);
    }
    let middlewares = proxy.is_traefik() && inputs.traefik_kinds;
    let (can_redirect, can_set) = match &proxy {
        Proxy::Gateway(it) => (true, it.sets_headers),
        Proxy::Ingress { .. } => (middlewares || proxy.is_nginx(), middlewares),
    };
    let limits = limits::check(spec, inputs, settings, &proxy);
    faults.0.extend(limits.faults.iter().cloned());
    Edge {
        default_rate: limits::default_rate(spec.environment),
        middlewares,
        limits,
        proxy,
        dashboard_host,
        api_host,
        api_paths,
        redirect_hosts,
        redirect: encrypted && spec.environment != Environment::Local && can_redirect,
        hsts: encrypted && spec.environment == Environment::Production && can_set,
        tls,
        https_port: settings.public_https_port,
        http_port: settings.public_http_port,
    }
}

/// What is wrong with the hosts whose visitors are to be sent on, to hosts of the stack's own.
fn judge_redirects(
    redirects: &[String],
    own: [Option<&String>; 2],
    (proxy, inputs): (&Proxy, &Inputs),
    faults: &mut Faults,
) {
    const FIELD: &str = "edge.hosts.redirects";
    for host in redirects.iter().filter(|it| own.contains(&Some(*it))) {
        let problem = format!("{host} is an address of the stack itself; take it away");
        faults.add(FIELD, problem);
    }
    let unable = match proxy {
        Proxy::Gateway(_) => gateway::unable_to_redirect(redirects),
        Proxy::Ingress { .. } if redirects.is_empty() => None,
        Proxy::Ingress { .. } => limits::unable(proxy, inputs.traefik_kinds),
    };
    if let Some(why) = unable {
        faults.add(FIELD, why);
    }
}

fn class(spec: &AppStackSpec, inputs: &Inputs, faults: &mut Faults) -> Proxy {
    let requested = class_name(spec);
    let name = requested.map_or_else(|| default_class(&inputs.ingress_classes), str::to_owned);
    let found = inputs
        .ingress_classes
        .iter()
        .find(|it| it.name_any() == name);
    let Some(found) = found else {
        let known: Vec<_> = inputs
            .ingress_classes
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        let known = if known.is_empty() {
            "none".into()
        } else {
            known.join(", ")
        };
        faults.add(
            "edge.className",
            format!("there is no IngressClass {name}; this cluster has: {known}"),
        );
        return Proxy::Ingress {
            class: name,
            controller: IngressController::Other,
        };
    };
    let controller = found.spec.as_ref().and_then(|it| it.controller.as_deref());
    Proxy::Ingress {
        class: name,
        controller: controller.map_or(IngressController::Other, implementation),
    }
}

fn default_class(classes: &[IngressClass]) -> String {
    let marked = classes.iter().find(|it| {
        it.annotations()
            .get(DEFAULT_CLASS)
            .is_some_and(|value| value == "true")
    });
    marked.map_or_else(|| FALLBACK_CLASS.into(), ResourceExt::name_any)
}

fn implementation(controller: &str) -> IngressController {
    if controller.starts_with("traefik.io/") {
        IngressController::Traefik
    } else if controller.contains("nginx") {
        IngressController::Nginx
    } else {
        IngressController::Other
    }
}

fn tls(
    spec: &AppStackSpec,
    names: &Names,
    inputs: &Inputs,
    hosts: &[&str],
    faults: &mut Faults,
) -> Tls {
    let edge = spec.edge.as_ref();
    let requested = edge.and_then(|it| it.tls.as_ref());
    let is_off = requested.is_some_and(|it| it.disabled.is_some());
    if edge.is_some_and(|it| it.gateway.is_some()) && !is_off {
        return Tls::Gateway;
    }
    if requested.is_none() && spec.environment != Environment::Local {
        faults.add(
            "edge.tls",
            format!(
                "{} needs one: issuer, resolver, secretName, selfSigned: {{}} or disabled: {{}}",
                spec.environment.as_str()
            ),
        );
        return Tls::Off;
    }
    if is_off {
        return Tls::Off;
    }
    if let Some(issuer) = requested.and_then(|it| it.issuer.as_ref()) {
        return Tls::Issued(of_issuer(names, issuer, inputs, hosts, faults));
    }
    if let Some(resolver) = requested.and_then(|it| it.resolver.as_ref()) {
        return Tls::Resolver(resolver.clone());
    }
    match requested.and_then(|it| it.secret_name.as_ref()) {
        Some(name) => {
            let certificate = certificate(name, inputs, hosts, faults);
            Tls::Secret {
                name: name.clone(),
                expires: certificate::validity(&certificate).map(|it| it.until),
                certificate,
            }
        }
        None => inputs.certificate.as_ref().map_or_else(
            || {
                faults.add("edge.tls.selfSigned", "the certificate is not there yet");
                Tls::Off
            },
            |it| Tls::SelfSigned(Box::new(it.clone())),
        ),
    }
}

/// The certificate that cert-manager looks after. Without a cluster it stands for one that is there.
fn of_issuer(
    names: &Names,
    issuer: &api::Issuer,
    inputs: &Inputs,
    hosts: &[&str],
    faults: &mut Faults,
) -> Issued {
    if !inputs.certificates {
        let problem = "cert-manager is not installed here (there is no CustomResourceDefinition certificates.cert-manager.io); install it, or choose secretName or selfSigned: {}";
        faults.add("edge.tls.issuer", problem);
    }
    let name = names.issued(hosts.iter().copied());
    let secret = inputs.secrets.get(name.as_str());
    let stored = secret.and_then(|it| Some(it.get("tls.crt")?.expose_secret().to_owned()));
    let pending = inputs.now.and_then(|now| {
        let Some(stored) = &stored else {
            return Some(format!("Secret {name} holds no certificate yet"));
        };
        let key = secret.and_then(|it| it.get("tls.key"));
        let problems = certificate::problems(stored, key, hosts, now);
        (!problems.is_empty()).then(|| format!("Secret {name}: {}", problems.join("; ")))
    });
    Issued {
        name,
        issuer: issuer.clone(),
        validity: stored.as_deref().and_then(certificate::validity),
        certificate: stored.filter(|_| pending.is_none()),
        pending,
    }
}

/// The certificate of the user's. One that expires while a release serves is a fault of what is requested: what serves goes on.
fn certificate(name: &str, inputs: &Inputs, hosts: &[&str], faults: &mut Faults) -> String {
    const FIELD: &str = "edge.tls.secretName";
    // That it is there at all is looked at for every Secret in one place.
    let Some(secret) = inputs.secrets.get(name) else {
        return String::new();
    };
    let mut found = |key: &str| {
        let value = secret.get(key);
        if inputs.no_text.in_secret(name, key) {
            let problem = format!("{key} of Secret {name} is not text; it is to be PEM");
            faults.add(FIELD, problem);
        } else if value.is_none() {
            faults.add(FIELD, format!("Secret {name} lacks the key {key}"));
        }
        value
    };
    let (certificate, key) = (found("tls.crt"), found("tls.key"));
    if let (Some(certificate), Some(now)) = (certificate, inputs.now) {
        for problem in certificate::problems(certificate.expose_secret(), key, hosts, now) {
            faults.add(FIELD, format!("Secret {name}: {problem}"));
        }
    }
    certificate.map_or_else(String::new, |it| it.expose_secret().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::fixtures::{self, spec};

    const SITE: &str = "frontend: {image: 'a/c:1'}";

    #[test]
    fn site_and_api_have_a_host_each_or_share_one() {
        let of = |edge: &str, more: &str| {
            let (site, api) = site_and_api(&spec(&format!("edge: {{{edge}}}, {more}")));
            (site.unwrap_or_default(), api)
        };
        let both = |site: &str, api: &str| (site.to_owned(), api.to_owned());
        assert_eq!(of("", SITE), both("dashboard.localhost", "api.localhost"));
        let one = "layout: SingleHost";
        assert_eq!(of(one, SITE), both("localhost", "localhost"));
        assert_eq!(of(one, ""), both("", "localhost"));
        let named = format!("{one}, hosts: {{dashboard: a.test}}");
        assert_eq!(of(&named, SITE), both("a.test", "a.test"));
        let named = format!("{one}, hosts: {{api: b.test}}");
        assert_eq!(of(&named, ""), both("", "b.test"));
    }

    #[test]
    fn what_cannot_be_at_one_host_is_told() {
        let faults = |edge: &str, more: &str| {
            let app = fixtures::app(&format!(
                "edge: {{layout: SingleHost, {edge}}}, {SITE}, {more}"
            ));
            let stack = check::stack(&app, &Inputs::offline(&app), &ClusterSettings::default());
            stack.err().map_or_else(Vec::new, |it| it.faults)
        };
        assert_eq!(faults("", ""), [""; 0]);
        assert_eq!(
            faults("hosts: {api: b.test}", ""),
            [
                "spec.edge.hosts.api: with layout SingleHost the API is at the host of the site; take it away, or choose layout Subdomains"
            ]
        );
        let asked = "rollout: {publicCheck: {path: /healthz}}";
        assert_eq!(
            faults("", asked),
            [
                "spec.rollout.publicCheck.path: /healthz leads to the site; choose a path of the API, below /api, /docs, or add it to edge.paths"
            ]
        );
        assert_eq!(faults("paths: [/healthz]", asked), [""; 0]);
    }
}
