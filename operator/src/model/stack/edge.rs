//! The way into a checked stack: hosts, certificate and ports, and the addresses that they make.
//!
//! Invariant: data, and addresses that are made of it. It looks nothing up and judges no certificate: both were done before.

use crate::model::self_signed::Certificate;
use crate::model::stack::limits::{Limits, Rate, RateLimit};
use crate::settings::Ports;

/// The way in.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The IngressClass.
    pub class: String,
    /// What implements it.
    pub controller: IngressController,
    /// The host of the site; `None` without a frontend.
    pub dashboard_host: Option<String>,
    /// The host of the API.
    pub api_host: String,
    /// The certificate.
    pub tls: Tls,
    /// Whether HTTP is sent to HTTPS.
    pub redirect: bool,
    /// Whether browsers are told to use HTTPS alone.
    pub hsts: bool,
    /// Whether the ingress controller takes Middlewares.
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
    },
    /// Ours.
    SelfSigned(Box<Certificate>),
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

    /// Every host of the stack.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.dashboard_host
            .iter()
            .chain([&self.api_host])
            .cloned()
            .collect()
    }

    /// The PEM of the certificate that is served; `None` for plain HTTP.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        match &self.tls {
            Tls::Off => None,
            Tls::Secret { certificate, .. } => Some(certificate),
            Tls::SelfSigned(certificate) => Some(&certificate.certificate),
        }
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
