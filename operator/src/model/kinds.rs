//! Kinds of other projects, as much of each as we use.
//!
//! Invariant: data only. Whether the API server has them is seen by `cluster`.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

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
    /// Adds headers to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
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

/// Headers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// For how many seconds browsers use HTTPS alone.
    pub sts_seconds: i64,
}
