//! The way into a checked stack: hosts, certificate and ports, and the addresses that they make.
//!
//! Invariant: data, and addresses that are made of it. It looks nothing up and judges no certificate: both were done before.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::api::Issuer;
use crate::model::child_name::ChildName;
use crate::model::kinds::gateway::Listener;
use crate::model::self_signed::Certificate;
use crate::model::stack::limits::{Limits, Rate, RateLimit};
use crate::settings::Ports;

/// How long before its end a certificate is told of: public authorities send their reminders about then.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Which part of its time is left when one is told of that is made for less than some months. It is renewed when a third is left.
const LAST_PART: i32 = 6;

/// The way in.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What leads visitors in.
    pub proxy: Proxy,
    /// The host of the site; `None` without a frontend.
    pub dashboard_host: Option<String>,
    /// The host of the API.
    pub api_host: String,
    /// The paths that lead to the API, each with all that is below it, where it shares the host of the site.
    pub api_paths: Option<Vec<String>>,
    /// The hosts whose visitors are sent to the site, or to the API of a stack without one.
    pub redirect_hosts: Vec<String>,
    /// The certificate.
    pub tls: Tls,
    /// Whether HTTP is sent to HTTPS.
    pub redirect: bool,
    /// Whether browsers are told to use HTTPS alone.
    pub hsts: bool,
    /// Whether the proxy takes Traefik's Middlewares.
    pub middlewares: bool,
    /// Who may come in, and how often.
    pub limits: Limits,
    /// How many requests a client of this environment may send where the spec does not say, if there is such a limit.
    pub default_rate: Option<RateLimit>,
    /// The port at which clients reach HTTPS; 443 is left out of addresses.
    pub https_port: u16,
    /// The port at which clients reach HTTP; 80 is left out of addresses.
    pub http_port: u16,
}

/// What leads visitors in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// The ingress controller of an IngressClass.
    Ingress {
        /// The IngressClass.
        class: String,
        /// What implements it.
        controller: IngressController,
    },
    /// A Gateway.
    Gateway(Gateway),
}

/// A Gateway that the stack's routes are added to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Those of its listeners that may be used.
    pub listeners: Vec<Listener>,
    /// Whether it can give headers to answers.
    pub sets_headers: bool,
    /// Whether it keeps a time for requests.
    pub keeps_time: bool,
    /// Whether it is Traefik's.
    pub is_traefik: bool,
    /// Where it is reached, as it says: an IP address or a name.
    pub address: Option<String>,
}

/// What implements an IngressClass, as far as it matters to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngressController {
    /// Traefik: routers are bound to entry points, middlewares are objects.
    Traefik,
    /// ingress-nginx and those that read its annotations.
    Nginx,
    /// Any other: plain Ingress alone.
    Other,
}

/// The certificate.
#[derive(Clone, Debug)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// A Secret that somebody else looks after.
    Secret {
        /// Its name.
        name: String,
        /// The certificate in it, as PEM.
        certificate: String,
        /// When that expires.
        expires: Option<Timestamp>,
    },
    /// Ours.
    SelfSigned(Box<Certificate>),
    /// One that cert-manager looks after.
    Issued(Issued),
    /// One for each host that the ingress controller asks an authority for, by the resolver of this name.
    Resolver(String),
    /// That of the Gateway's listener.
    Gateway,
}

/// The certificate that visitors are served.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Served {
    /// None: plain HTTP.
    None,
    /// This one, as PEM.
    This(String),
    /// Any that is for the host and good: somebody else has it.
    AnyOfHost,
}

/// A certificate that cert-manager looks after.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The name of the Certificate and of its Secret.
    pub name: ChildName,
    /// Who issues it.
    pub issuer: Issuer,
    /// When the one that is there is good.
    pub validity: Option<Validity>,
    /// The one that is there, as PEM, where visitors can be led to it.
    pub certificate: Option<String>,
    /// Why they cannot be.
    pub pending: Option<String>,
}

/// When a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From then.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

impl Edge {
    /// The default limit of requests, where the ingress controller can do it.
    #[must_use]
    pub fn default_rate(&self) -> Option<RateLimit> {
        self.default_rate.filter(|_| self.middlewares)
    }

    /// Whether requests are not limited, because the ingress controller cannot do it.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.default_rate.is_some() && self.limits.rate == Rate::Default && !self.middlewares
    }

    /// The settings of the operator that are in its addresses.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        Ports {
            https: self.https_port,
            http: self.http_port,
        }
    }

    /// The address of the API, without a slash at its end.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.url(&self.api_host)
    }

    /// The address of the site, without a slash at its end; the API's in a stack without a frontend.
    #[must_use]
    pub fn dashboard_url(&self) -> String {
        self.url(self.dashboard_host.as_deref().unwrap_or(&self.api_host))
    }

    /// The addresses whose visitors are sent on, without a slash at their end.
    pub fn redirect_urls(&self) -> impl Iterator<Item = String> {
        self.redirect_hosts.iter().map(|it| self.url(it))
    }

    /// Every host of the stack, each once.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let site = self.dashboard_host.iter();
        let api = Some(&self.api_host).filter(|_| self.api_paths.is_none());
        let all = site.chain(api).chain(&self.redirect_hosts);
        all.cloned().collect()
    }

    /// Whether a path of the API's host leads to it.
    #[must_use]
    pub fn leads_to_api(&self, path: &str) -> bool {
        let paths = self.api_paths.as_ref();
        paths.is_none_or(|it| it.iter().any(|it| is_below(path, it)))
    }

    /// The certificate that visitors are served.
    #[must_use]
    pub fn served(&self) -> Served {
        let this = |it: &String| Served::This(it.clone());
        match &self.tls {
            Tls::Off => Served::None,
            Tls::Secret { certificate, .. } => this(certificate),
            Tls::SelfSigned(it) => this(&it.certificate),
            // Without one visitors are not led here.
            Tls::Issued(it) => it.certificate.as_ref().map_or(Served::None, this),
            Tls::Resolver(_) | Tls::Gateway => Served::AnyOfHost,
        }
    }

    /// The name of the ingress controller's resolver that asks for the certificates, where it does.
    #[must_use]
    pub fn resolver(&self) -> Option<&str> {
        match &self.tls {
            Tls::Resolver(name) => Some(name),
            _ => None,
        }
    }

    /// The Gateway that visitors come in by, where they do.
    #[must_use]
    pub const fn gateway(&self) -> Option<&Gateway> {
        self.proxy.gateway()
    }

    /// The certificate that cert-manager looks after, where it does.
    #[must_use]
    pub const fn issued(&self) -> Option<&Issued> {
        match &self.tls {
            Tls::Issued(it) => Some(it),
            _ => None,
        }
    }

    /// The Secret of a certificate that others renew, and when that expires. Ours is renewed long before.
    #[must_use]
    pub fn expires(&self) -> Option<(&str, Timestamp)> {
        match &self.tls {
            Tls::Secret { name, expires, .. } => Some((name, (*expires)?)),
            Tls::Issued(it) => Some((it.name.as_str(), it.validity?.until)),
            Tls::Off | Tls::SelfSigned(_) | Tls::Resolver(_) | Tls::Gateway => None,
        }
    }

    /// The same where it is time that somebody renews it.
    #[must_use]
    pub fn expires_soon(&self, now: Timestamp) -> Option<(&str, Timestamp)> {
        let validity = self.issued().and_then(|it| it.validity);
        let soon = validity.map_or(SOON, Validity::soon);
        self.expires()
            .filter(|(_, at)| at.duration_since(now) <= soon)
    }

    fn url(&self, host: &str) -> String {
        match (&self.tls, self.http_port, self.https_port) {
            (Tls::Off, 80, _) => format!("http://{host}"),
            (Tls::Off, port, _) => format!("http://{host}:{port}"),
            (_, _, 443) => format!("https://{host}"),
            (_, _, port) => format!("https://{host}:{port}"),
        }
    }
}

impl Proxy {
    /// The Gateway, where it is one.
    #[must_use]
    pub const fn gateway(&self) -> Option<&Gateway> {
        match self {
            Self::Gateway(it) => Some(it),
            Self::Ingress { .. } => None,
        }
    }

    /// Whether it is Traefik's.
    #[must_use]
    pub const fn is_traefik(&self) -> bool {
        match self {
            Self::Ingress { controller, .. } => matches!(controller, IngressController::Traefik),
            Self::Gateway(it) => it.is_traefik,
        }
    }

    /// Whether it is ingress-nginx, or reads its annotations.
    #[must_use]
    pub const fn is_nginx(&self) -> bool {
        matches!(
            self,
            Self::Ingress {
                controller: IngressController::Nginx,
                ..
            }
        )
    }
}

/// As messages name it.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingress { class, .. } => write!(f, "IngressClass {class}"),
            Self::Gateway(it) => it.fmt(f),
        }
    }
}

impl Gateway {
    /// The listeners of a protocol that lead requests for a host here.
    pub fn listeners_for(&self, host: &str, protocol: &str) -> impl Iterator<Item = &Listener> {
        let listeners = self.listeners.iter();
        listeners.filter(move |it| it.protocol == protocol && it.takes(host))
    }
}

/// As messages name it.
impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway {}/{}", self.namespace, self.name)
    }
}

impl Validity {
    /// Whether it is time that who renews it by itself has done so.
    #[must_use]
    pub fn ends_soon(self, now: Timestamp) -> bool {
        self.until.duration_since(now) <= self.soon()
    }

    /// How long before its end it is told of.
    fn soon(self) -> SignedDuration {
        let last_part = self.until.duration_since(self.from) / LAST_PART;
        last_part.min(SOON)
    }
}

/// Whether a path is another one or below it.
#[must_use]
pub fn is_below(path: &str, other: &str) -> bool {
    let rest = path.strip_prefix(other);
    rest.is_some_and(|it| it.is_empty() || it.starts_with(['/', '?']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_alike_is_not_below() {
        for path in ["/api", "/api/", "/api/v1", "/api?a=b"] {
            assert!(is_below(path, "/api"), "{path}");
        }
        for path in ["/", "/apis", "/v1/api", "/API"] {
            assert!(!is_below(path, "/api"), "{path}");
        }
    }
}
