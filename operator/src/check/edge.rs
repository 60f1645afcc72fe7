//! The way in: hosts, class, certificate, redirect.

use k8s_openapi::api::networking::v1::IngressClass;
use kube::ResourceExt;
use secrecy::ExposeSecret as _;

use crate::api::{AppStackSpec, Environment};
use crate::check::{Faults, certificate, limits};
use crate::model::inputs::{Inputs, class_name};
use crate::model::stack::{Edge, IngressController, Tls};
use crate::settings::ClusterSettings;

/// Marks the class that Ingresses get which name none.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
/// The class that is used where the cluster marks none.
const FALLBACK_CLASS: &str = "traefik";

/// The hosts of a spec: the site's, where there is one, and the API's.
#[must_use]
pub fn hosts(spec: &AppStackSpec) -> (Option<String>, String) {
    let hosts = spec
        .edge
        .as_ref()
        .and_then(|it| it.hosts.clone())
        .unwrap_or_default();
    let dashboard = spec.frontend.is_some().then(|| {
        hosts
            .dashboard
            .unwrap_or_else(|| format!("dashboard.{}", spec.domain))
    });
    let api = hosts.api.unwrap_or_else(|| format!("api.{}", spec.domain));
    (dashboard, api)
}

/// The edge of a spec.
pub(super) fn check(
    spec: &AppStackSpec,
    inputs: &Inputs,
    settings: &ClusterSettings,
    faults: &mut Faults,
) -> Edge {
    let (dashboard_host, api_host) = hosts(spec);
    if dashboard_host.as_ref() == Some(&api_host) {
        faults.add(
            "edge.hosts",
            format!("dashboard and api are both {api_host}; give them two names"),
        );
    }
    let (class, controller) = class(spec, inputs, faults);
    let hosts: Vec<&str> = dashboard_host
        .iter()
        .chain([&api_host])
        .map(String::as_str)
        .collect();
    let tls = tls(spec, inputs, &hosts, faults);
    let encrypted = !matches!(tls, Tls::Off);
    let middlewares = controller == IngressController::Traefik && inputs.traefik_kinds;
    let can_redirect = middlewares || controller == IngressController::Nginx;
    let limits = limits::check(spec, inputs, (class.as_str(), controller));
    faults.0.extend(limits.faults.iter().cloned());
    Edge {
        default_rate: limits::default_rate(spec.environment),
        middlewares,
        limits,
        class,
        controller,
        dashboard_host,
        api_host,
        redirect: encrypted && spec.environment != Environment::Local && can_redirect,
        hsts: encrypted && spec.environment == Environment::Production && middlewares,
        tls,
        https_port: settings.public_https_port,
        http_port: settings.public_http_port,
    }
}

fn class(spec: &AppStackSpec, inputs: &Inputs, faults: &mut Faults) -> (String, IngressController) {
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
        return (name, IngressController::Other);
    };
    let controller = found.spec.as_ref().and_then(|it| it.controller.as_deref());
    (
        name,
        controller.map_or(IngressController::Other, implementation),
    )
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

fn tls(spec: &AppStackSpec, inputs: &Inputs, hosts: &[&str], faults: &mut Faults) -> Tls {
    let requested = spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    if requested.is_none() && spec.environment != Environment::Local {
        faults.add(
            "edge.tls",
            format!(
                "{} needs one: secretName, selfSigned: {{}} or disabled: {{}}",
                spec.environment.as_str()
            ),
        );
        return Tls::Off;
    }
    if requested.is_some_and(|it| it.disabled.is_some()) {
        return Tls::Off;
    }
    match requested.and_then(|it| it.secret_name.as_ref()) {
        Some(name) => Tls::Secret {
            name: name.clone(),
            certificate: certificate(name, inputs, hosts, faults),
        },
        None => inputs.certificate.as_ref().map_or_else(
            || {
                faults.add("edge.tls.selfSigned", "the certificate is not there yet");
                Tls::Off
            },
            |it| Tls::SelfSigned(Box::new(it.clone())),
        ),
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
