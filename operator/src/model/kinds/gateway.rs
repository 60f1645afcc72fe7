//! The Gateway API, as much of it as we use.
//!
//! Source: `gateway.networking.k8s.io/v1`, <https://gateway-api.sigs.k8s.io/reference/spec/>. The crate `gateway-api` has all of it, and
//! needs another version of kube beside ours.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::Said;

/// Where visitors come in.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "Gateway",
    namespaced,
    status = "GatewayStatus",
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySpec {
    /// What implements it.
    pub gateway_class_name: String,
    /// What it listens for.
    pub listeners: Vec<Listener>,
}

/// A port of a Gateway, and what it takes there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The host that it is for, such as `*.example.com`; none means every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The port.
    pub port: i32,
    /// `HTTP`, `HTTPS`, or one that leads no HTTP.
    pub protocol: String,
    /// Whose routes it takes; none means those of its own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

/// Whose routes a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedRoutes {
    /// Of which namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
}

/// Of which namespaces a listener takes routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteNamespaces {
    /// `Same`, `All`, or `Selector`, which goes by the labels of namespaces; none means `Same`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Where a Gateway is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayStatus {
    /// At these addresses.
    pub addresses: Vec<GatewayAddress>,
}

/// An address of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayAddress {
    /// An IP address or a host name.
    pub value: String,
}

/// What implements Gateways.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "GatewayClass",
    status = "GatewayClassStatus",
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClassSpec {
    /// Which program.
    pub controller_name: String,
}

/// What that program can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClassStatus {
    /// What it says it can do beyond what all of them can.
    pub supported_features: Vec<Feature>,
}

/// Something that a program can do, such as `HTTPRouteRequestTimeout`. It was a bare word before v1.1 of the Gateway API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Feature {
    /// An object with its name.
    Named {
        /// Its name.
        name: String,
    },
    /// The name alone.
    Bare(String),
}

/// Which requests go where.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "HTTPRoute",
    namespaced,
    status = "RouteStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase", default)]
pub struct HTTPRouteSpec {
    /// The listeners that it is added to.
    pub parent_refs: Vec<ParentRef>,
    /// The hosts.
    pub hostnames: Vec<String>,
    /// The rules, of which the longest path counts.
    pub rules: Vec<RouteRule>,
}

/// A listener of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentRef {
    /// The namespace of the Gateway.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// Which requests of a host go where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteRule {
    /// Requests that are like one of these; all of them if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<RouteMatch>,
    /// What happens to them on their way, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<RouteFilter>,
    /// Where they go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendRef>,
    /// How long they may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<RouteTimeouts>,
}

/// How long a request may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTimeouts {
    /// In all, from its first byte to the last one of the answer, such as `120s`.
    pub request: String,
}

/// What a request is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteMatch {
    /// Its path.
    pub path: PathMatch,
}

/// What a path is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMatch {
    /// `PathPrefix`: the path and all that is below it.
    #[serde(rename = "type")]
    pub type_: String,
    /// The path.
    pub value: String,
}

/// Something that happens to a request on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RouteFilter {
    /// The client is sent to another address.
    RequestRedirect {
        /// Which.
        #[serde(rename = "requestRedirect")]
        request_redirect: RequestRedirect,
    },
    /// The answer gets headers.
    ResponseHeaderModifier {
        /// Which.
        #[serde(rename = "responseHeaderModifier")]
        response_header_modifier: HeaderModifier,
    },
    /// What the program itself knows, by an object of its own.
    ExtensionRef {
        /// Which.
        #[serde(rename = "extensionRef")]
        extension_ref: LocalObject,
    },
}

/// To which address a client is sent. The path stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRedirect {
    /// `http` or `https`.
    pub scheme: String,
    /// The host; none means that of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The port; none means the scheme's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// 301 or 302.
    pub status_code: u16,
}

/// Headers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderModifier {
    /// These take the place of those of the same name.
    pub set: Vec<Header>,
}

/// A header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// An object of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalObject {
    /// Its API group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A Service of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRef {
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: i32,
}

/// What Gateways say of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteStatus {
    /// What each says.
    pub parents: Vec<RouteParentStatus>,
}

/// What a Gateway says of a route at one of its listeners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteParentStatus {
    /// The listener.
    pub parent_ref: ParentRef,
    /// `Accepted` and `ResolvedRefs`.
    pub conditions: Vec<Said>,
}

impl Feature {
    /// That answers can be given headers.
    pub const RESPONSE_HEADERS: &str = "HTTPRouteResponseHeaderModification";
    /// That a time for requests is kept.
    pub const REQUEST_TIMEOUT: &str = "HTTPRouteRequestTimeout";
}

impl Listener {
    /// The protocol of those that encrypt.
    pub const HTTPS: &str = "HTTPS";
    /// The protocol of those that do not.
    pub const HTTP: &str = "HTTP";

    /// Whether requests for a host come here.
    #[must_use]
    pub fn takes(&self, host: &str) -> bool {
        match self.hostname.as_deref() {
            None | Some("") => true,
            Some(name) => name.strip_prefix('*').map_or(name == host, |suffix| {
                host.len() > suffix.len() && host.ends_with(suffix)
            }),
        }
    }

    /// Whether routes of other namespaces may be taken: of labels nobody here knows.
    #[must_use]
    pub fn takes_others(&self) -> bool {
        let namespaces = self.allowed_routes.as_ref();
        let from = namespaces.and_then(|it| it.namespaces.as_ref()?.from.as_deref());
        matches!(from, Some("All" | "Selector"))
    }
}

impl GatewayClass {
    /// The `controllerName` of Traefik's classes.
    pub const TRAEFIK: &str = "traefik.io/gateway-controller";

    /// Whether it is Traefik's, which takes Middlewares for filters.
    #[must_use]
    pub fn is_traefik(&self) -> bool {
        self.spec.controller_name == Self::TRAEFIK
    }

    /// Whether its program says that it can do something.
    #[must_use]
    pub fn supports(&self, feature: &str) -> bool {
        let features = self.status.iter().flat_map(|it| &it.supported_features);
        let mut names = features.map(|(Feature::Named { name } | Feature::Bare(name))| name);
        names.any(|it| it == feature)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wildcard_takes_every_host_below_it_and_not_itself() {
        let listener = |hostname: Option<&str>| Listener {
            hostname: hostname.map(str::to_owned),
            ..Listener::default()
        };
        let takes = |hostname, host: &str| listener(hostname).takes(host);
        assert!(takes(None, "api.shop.test"));
        assert!(takes(Some("api.shop.test"), "api.shop.test"));
        assert!(takes(Some("*.shop.test"), "api.shop.test"));
        assert!(takes(Some("*.test"), "api.shop.test"));
        assert!(!takes(Some("*.shop.test"), "shop.test"));
        assert!(!takes(Some("*.shop.test"), "myshop.test"));
        assert!(!takes(Some("shop.test"), "api.shop.test"));
    }

    #[test]
    fn features_are_read_as_objects_and_as_words() {
        let class = |features| {
            let class = json!({
                "metadata": {"name": "traefik"},
                "spec": {"controllerName": "traefik.io/gateway-controller"},
                "status": {"supportedFeatures": features}
            });
            serde_json::from_value::<GatewayClass>(class).unwrap()
        };
        let name = "HTTPRouteResponseHeaderModification";
        for features in [json!([{"name": name}]), json!([name])] {
            let class = class(features);
            assert!(class.is_traefik() && class.supports(name));
            assert!(!class.supports("HTTPRouteRequestTimeout"));
        }
    }
}
