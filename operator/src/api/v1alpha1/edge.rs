//! The edge as users write it: class, hosts, certificate, and who may come in how often.
//!
//! Invariant: data only, as everything of `v1alpha1`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the stack is reached from outside.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.paths) || (has(self.layout) && self.layout == 'SingleHost')")
    .message("edge: paths need `layout: SingleHost`; with Subdomains the API has a host of its own"),
    validation = Rule::new("!has(self.gateway) || !has(self.className)")
    .message("edge: className or gateway, not both"),
    validation = Rule::new("!has(self.gateway) || !has(self.tls) || has(self.tls.disabled)")
    .message("edge: with a gateway the certificate is the one of its listener; leave tls out, or say `disabled: {}` for a listener of plain HTTP"))]
pub struct Edge {
    /// The IngressClass. Default: the one that the cluster marks as its default, else `traefik`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// A Gateway of the Gateway API, to which the operator adds HTTPRoutes in place of Ingresses. Whoever looks after the Gateway says
    /// in its listeners which hosts and namespaces it takes, and has the certificates; what it refuses is told in EdgeReady.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayRef>,

    /// Whether site and API have a host name each or share one. Default: `Subdomains`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,

    /// With `layout: SingleHost`, what leads to the backend beside `/api` and `/docs`: each path with all that is below it.
    /// Everything else leads to the site. Without a frontend everything leads to the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), inner(length(min = 2, max = 100)))]
    #[x_kube(
        validation = Rule::new("self.all(x, x.matches('^(/[A-Za-z0-9._~-]+)+$') && !x.matches('/[.][.]?(/|$)'))")
            .message("edge.paths: paths such as /graphql or /auth/callback, without a slash at the end, `*` and `..`"),
        validation = Rule::new("!self.exists(x, x == '/config.json')")
            .message("edge.paths: /config.json is what the site reads its settings from"),
        validation = Rule::new("self.all(x, self.exists_one(y, x == y))")
            .message("edge.paths: each path once")
    )]
    pub paths: Option<Vec<String>>,

    /// Other host names than those of the layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Hosts>,

    /// How HTTPS gets its certificate. Default in local: self-signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// How many requests a client may send; who sends more gets 429. It counts for site and API, separately for each
    /// address. A change is no release and holds at once. It needs an IngressClass or a Gateway of Traefik and its
    /// CustomResourceDefinitions. Default in production, where that is so: `{average: 100, burst: 200}`; else none.
    /// A production stack that serves already has the default from its next release on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,

    /// Who may come in. Default: everybody. A change is no release and holds at once. It needs an IngressClass or a Gateway of
    /// Traefik and its CustomResourceDefinitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,

    /// How many proxies (load balancers, CDNs) stand before the ingress controller and add the address of their client to
    /// X-Forwarded-For: `rateLimit` and `access.allow` look at the address that the first of them saw. Say so only where EVERY
    /// request comes through all of them: one that comes without the header is not limited, and not let in by `access.allow`.
    /// The ingress controller must be told to trust their addresses, or it drops what they say (Traefik:
    /// `forwardedHeaders.trustedIPs` of its entry points). A change is no release and holds at once. Default: 0, the address that
    /// connects to the ingress controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub trusted_proxies: Option<i32>,

    /// How large the body of a request may be, such as `50Mi`; a larger one gets 413. It counts for site and API. A change is no
    /// release and holds at once. It needs Traefik as `rateLimit` does, or ingress-nginx. Traefik reads the whole body before it asks the
    /// application, and keeps the whole answer before the visitor gets it: server-sent events come to their end first, so that an
    /// application that sends them limits bodies itself. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isInteger() && quantity(self).isGreaterThan(quantity('0'))")
        .message("edge.maxBodySize: a size such as 50Mi"))]
    pub max_body_size: Option<Quantity>,

    /// How long visitors wait at most; see [`Timeouts`]. A change is no release and holds at once. Default: those of what leads visitors
    /// in; Traefik waits as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,

    /// Gives every answer of site and API the headers X-Content-Type-Options `nosniff`, X-Frame-Options `SAMEORIGIN` and
    /// Referrer-Policy `strict-origin-when-cross-origin`, in place of what the application says of them. A change is no release and holds at
    /// once. It needs Traefik as `rateLimit` does, or a Gateway whose class lists HTTPRouteResponseHeaderModification. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_headers: Option<bool>,

    /// Answers every visitor of every host with 503 and a page that says so, in their language (English, French or German), with
    /// `Retry-After`; programs get JSON. The application goes on behind it, and so do releases and their gates; who asks a pod
    /// itself is answered. A change is no release and holds at once. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<bool>,

    /// A ConfigMap of this namespace with the key `index.html`: the page that `maintenance` shows in place of the one that comes
    /// with the operator. One page with all that it needs in it: every address answers with it. Default: the operator's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub maintenance_page: Option<String>,
}

/// A Gateway, and which of its listeners.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("gateway.name: the name of an object, such as web: lower-case letters, digits, `-` and `.`"))]
    pub name: String,

    /// Its namespace. Default: that of the AppStack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("gateway.namespace: the name of a namespace, such as infra: lower-case letters, digits and `-`"))]
    pub namespace: Option<String>,

    /// The name of one of its listeners. Default: all HTTPS listeners that are for the hosts of the stack, and those of plain HTTP
    /// where HTTP is sent to HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// How long visitors wait at most.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Timeouts {
    /// How long site and API may take to begin an answer, such as `2m`; then the visitor gets 504. A Gateway of the Gateway API knows a
    /// time for the whole answer alone, streams of events included, so there it is that one. It needs an IngressClass of Traefik with its
    /// CustomResourceDefinitions, ingress-nginx, or a Gateway whose class lists HTTPRouteRequestTimeout.
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')")
        .message("timeouts.response: a duration between 1s and 24h, such as 2m"))]
    pub response: Duration,
}

/// Whether site and API have a host name each or share one. Default: `Subdomains`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The site at `dashboard.<domain>`, the API at `api.<domain>`.
    #[default]
    Subdomains,
    /// Both at `<domain>`: `/api`, `/docs` and `paths` lead to the backend, everything else to the site. Site and API are one
    /// origin, so that the browser asks for no CORS. Without a frontend the backend is at `<domain>` itself.
    SingleHost,
}

/// Host names of the stack.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.dashboard) || !has(self.api) || self.dashboard != self.api")
    .message("hosts: dashboard and api need two names"))]
pub struct Hosts {
    /// The host name of the site. Default: `dashboard.<domain>`; with `layout: SingleHost` `<domain>`, for the API too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?([.][a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?)*$') && !self.matches('(^|[.])([0-9]+|0x[0-9a-f]*)$')")
        .message("hosts.dashboard: a DNS name such as dashboard.example.com, no address: lower case, each part at most 63 characters, without scheme, port, path, wildcard and dot at the end"))]
    pub dashboard: Option<String>,

    /// The host name of the API. Default: `api.<domain>`. With `layout: SingleHost` only without a frontend; else it is the
    /// site's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?([.][a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?)*$') && !self.matches('(^|[.])([0-9]+|0x[0-9a-f]*)$')")
        .message("hosts.api: a DNS name such as api.example.com, no address: lower case, each part at most 63 characters, without scheme, port, path, wildcard and dot at the end"))]
    pub api: Option<String>,

    /// More host names that lead to the site, without a frontend to the API: visitors are sent to the same path of its address
    /// by 301, as from `www.example.com` to `example.com`. The certificate has to be for them too. It needs a Gateway, or an
    /// IngressClass of Traefik and its CustomResourceDefinitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 253)))]
    #[x_kube(
        validation = Rule::new("self.all(x, x.matches('^[a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?([.][a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?)*$') && !x.matches('(^|[.])([0-9]+|0x[0-9a-f]*)$'))")
            .message("hosts.redirects: DNS names such as www.example.com, no addresses: lower case, each part at most 63 characters, without scheme, port, path, wildcard and dot at the end"),
        validation = Rule::new("self.all(x, self.exists_one(y, x == y))")
            .message("hosts.redirects: each host once")
    )]
    pub redirects: Option<Vec<String>>,
}

/// How HTTPS gets its certificate: exactly one of them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.issuer), has(self.resolver), has(self.secretName), has(self.selfSigned), has(self.disabled)].filter(x, x).size() == 1")
    .message("tls: exactly one of issuer, resolver, secretName, selfSigned and disabled"))]
pub struct Tls {
    /// An issuer of cert-manager, such as one for Let's Encrypt. The operator makes a Certificate for all hosts of the stack;
    /// visitors are led to new hosts once it is there, and those of before keep theirs until then. It needs cert-manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,

    /// A certificate resolver of Traefik, by its name there: Traefik itself asks an authority such as Let's Encrypt for a
    /// certificate for each host, keeps and renews it. It needs an IngressClass of Traefik; with more than one replica of Traefik
    /// take `issuer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?$')")
        .message("tls.resolver: the name of a certificate resolver, such as letsencrypt in `--certificatesresolvers.letsencrypt.acme...`"))]
    pub resolver: Option<String>,

    /// The operator makes a CA and a certificate for this stack and renews it in time. Browsers warn about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<Empty>,

    /// A Secret of this namespace of the type `kubernetes.io/tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,

    /// Plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Empty>,
}

/// Who issues certificates.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("tls.issuer.name: the name of an object, such as letsencrypt: lower-case letters, digits, `-` and `.`"))]
    pub name: String,

    /// Whether it is one of this namespace or of the whole cluster. Default: `Issuer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<IssuerKind>,
}

/// Whether an issuer is one of a namespace or of the whole cluster. Default: `Issuer`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuerKind {
    /// One of the stack's namespace.
    #[default]
    Issuer,
    /// One of the whole cluster.
    ClusterIssuer,
}

impl IssuerKind {
    /// As manifests spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "Issuer",
            Self::ClusterIssuer => "ClusterIssuer",
        }
    }
}

/// How many requests a client may send: `average` or `disabled`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.average) != has(self.disabled)")
        .message("rateLimit: exactly one of average and disabled"),
    validation = Rule::new("!has(self.burst) || has(self.average)")
        .message("rateLimit: burst needs an average")
)]
pub struct RateLimit {
    /// How many requests a second a client may send in the long run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub average: Option<i32>,

    /// How many requests a client may send at once. Default: twice the average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 200_000))]
    pub burst: Option<i32>,

    /// No limit, in production neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Empty>,
}

/// Who may come in. Both count where both are said.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.allow) || has(self.basicAuthSecret)")
    .message("access: allow, basicAuthSecret or both"))]
pub struct Access {
    /// The addresses and networks that may come in, IPv4 or IPv6, such as `10.0.0.0/8`; everybody else gets 403, from site and
    /// API. Behind proxies say how many there are (`trustedProxies`), or it is their addresses that are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 2, max = 43)))]
    #[x_kube(validation = Rule::new("self.all(x, isIP(x) || isCIDR(x))")
        .message("access.allow: addresses and networks such as 192.0.2.1, 10.0.0.0/8 and 2001:db8::/32"))]
    pub allow: Option<Vec<String>>,

    /// A Secret of this namespace whose one key `users` holds lines as `htpasswd -nB NAME` prints them: names with the hash of
    /// their password (bcrypt, apr1 or SHA). Browsers ask for name and password before they show the site; without a frontend,
    /// clients must send them to the API. The API beside a site is not guarded by it: its requests carry the Authorization of
    /// the application, and a browser cannot send the password beside that; `allow` guards both. The ingress controller reads
    /// the Secret itself, so a changed password holds at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub basic_auth_secret: Option<String>,
}

/// A choice that needs no settings; written as `{}`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
pub struct Empty {}
