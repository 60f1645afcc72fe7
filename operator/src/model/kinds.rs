//! Kinds of other projects, as much of each as we use.
//!
//! Invariant: data only. Whether the API server has them is seen by `cluster`.

pub mod certificate;
pub mod gateway;

pub use self::certificate::{
    Certificate, CertificateSpec, CertificateStatus, IssuerRef, PrivateKey,
};
pub use self::gateway::{Gateway, GatewayClass, HTTPRoute, HTTPRouteSpec};

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// A condition of one of their objects: all but its type and status may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// Of what.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in a word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
    /// Of which generation of the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

impl Said {
    /// The one of this type among all that are said.
    #[must_use]
    pub fn of<'a>(all: &'a [Self], type_: &str) -> Option<&'a Self> {
        all.iter().find(|it| it.type_ == type_)
    }

    /// Whether it is true of this generation.
    #[must_use]
    pub fn holds(&self, generation: Option<i64>) -> bool {
        let is_of_now =
            self.observed_generation.is_none() || self.observed_generation == generation;
        self.status == "True" && is_of_now
    }
}

/// Traefik's middleware, as much of it as we use.
///
/// Source: `traefik.io/v1alpha1`, <https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/middleware/>.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "traefik.io",
    version = "v1alpha1",
    kind = "Middleware",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct MiddlewareSpec {
    /// Sends the client to another scheme and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_scheme: Option<RedirectScheme>,
    /// Sends the client to another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_regex: Option<RedirectRegex>,
    /// Adds headers to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    /// Answers 429 to who sends too many requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Answers 403 to who is not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allow_list: Option<IpAllowList>,
    /// Answers 413 to who sends too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffering: Option<Buffering>,
    /// Answers 401 to who sends no name and password that are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
}

/// How Traefik asks pods, as much of it as we use.
///
/// Source: `traefik.io/v1alpha1`, <https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/serverstransport/>.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "traefik.io",
    version = "v1alpha1",
    kind = "ServersTransport",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct ServersTransportSpec {
    /// For how long it waits.
    pub forwarding_timeouts: ForwardingTimeouts,
}

/// For how long Traefik waits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForwardingTimeouts {
    /// For the first byte of an answer, such as `120s`.
    pub response_header_timeout: String,
}

/// Where to send a client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RedirectScheme {
    /// `https`.
    pub scheme: String,
    /// The port, as text; none means the scheme's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Whether clients may remember it.
    pub permanent: bool,
}

/// To which address to send a client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RedirectRegex {
    /// What the address is to be like, with scheme and host, as a regular expression of Go.
    pub regex: String,
    /// The other address, with `${1}` for what the first group found.
    pub replacement: String,
    /// Whether clients may remember it.
    pub permanent: bool,
}

/// Headers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// For how many seconds browsers use HTTPS alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts_seconds: Option<i64>,
    /// These, in place of those of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_response_headers: BTreeMap<String, String>,
}

/// What is read whole before it is passed on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Buffering {
    /// How many bytes the body of a request may have.
    pub max_request_body_bytes: i64,
}

/// How many requests a client may send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// A second, in the long run.
    pub average: i32,
    /// At once.
    pub burst: i32,
    /// By what clients are told apart; none means the address that connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_criterion: Option<SourceCriterion>,
}

/// By what clients are told apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCriterion {
    /// Which address is the client's.
    pub ip_strategy: IpStrategy,
}

/// Which address is the client's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IpStrategy {
    /// Which entry of X-Forwarded-For, counted from its end. A request that has not as many has no address.
    pub depth: i32,
}

/// Who is let in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpAllowList {
    /// Addresses and networks.
    pub source_range: Vec<String>,
    /// Which address is the client's; none means the one that connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_strategy: Option<IpStrategy>,
}

/// Whose name and password are known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// The Secret of the same namespace with names and hashes of passwords.
    pub secret: String,
    /// Whether the application does not see them.
    pub remove_header: bool,
}
