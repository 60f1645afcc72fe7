//! `AppStack` v1alpha1, as users write it. The doc comments are what `kubectl explain` shows.
//!
//! Invariant: data only, and no defaults in the schema: they depend on the environment and are applied by
//! `reconcile::check`, so that GitOps tools see no drift. Every string and list is bounded, or the API server
//! refuses the CEL rules for their cost.

mod assets;
mod autoscaling;
mod backend;
mod edge;
mod egress;
mod frontend;
mod jobs;
mod rollout;
mod tools;
mod writable;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use assets::Assets;
pub use autoscaling::Autoscaling;
pub use backend::{Backend, Command, Migrate};
pub use edge::{
    Access, Edge, Empty, GatewayRef, Hosts, Issuer, IssuerKind, Layout, RateLimit, Timeouts, Tls,
};
pub use egress::{Egress, Protocol};
pub use frontend::Frontend;
pub use jobs::Job;
pub use rollout::{Approval, OnFailure, PublicCheck, Rollout, SchemaRollback};
pub use tools::{AdminerAccess, Tools};

/// One environment of a web application: database, migration, backend, frontend and HTTPS edge.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "appstack.dev",
    version = "v1alpha1",
    kind = "AppStack",
    namespaced,
    shortname = "aps",
    category = "appstack",
    status = "crate::api::AppStackStatus",
    derive = "PartialEq",
    cel,
    doc = "One environment of a web application: database, migration, backend, frontend and HTTPS edge.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(name = "Stage", type_ = "string", json_path = ".status.stage"),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.release.version"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".status.urls.dashboard"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#
    ),
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("metadata.name: at most 40 characters, so that the names made from it stay below 63"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name: lower-case letters, digits and '-', starting with a letter, without dots: Services are named after it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.version) || (self.backend.image.matches('@|:[^/]+$') && (!has(self.frontend) || self.frontend.image.matches('@|:[^/]+$')))")
        .message("version: needed, because an image carries neither a tag nor a digest")
        .field_path(".version"),
    validation = Rule::new("self.environment == 'local' || !has(self.tools) || !((has(self.tools.adminer) && self.tools.adminer) || (has(self.tools.mail) && self.tools.mail))")
        .message("tools: adminer and mail are for environment local alone, since everybody who reaches them may use them")
        .field_path(".tools"),
    validation = Rule::new("(has(self.database) && has(self.database.external)) || (has(oldSelf.database) && has(oldSelf.database.external)) || (has(self.database) && has(self.database.embedded) && has(self.database.embedded.storage) ? self.database.embedded.storage : '') == (has(oldSelf.database) && has(oldSelf.database.embedded) && has(oldSelf.database.embedded.storage) ? oldSelf.database.embedded.storage : '')")
        .message("database.embedded.storage is fixed when the volume is made")
        .field_path(".database"),
    validation = Rule::new("(has(self.database) && has(self.database.external)) || (has(oldSelf.database) && has(oldSelf.database.external)) || (has(self.database) && has(self.database.embedded) && has(self.database.embedded.storageClassName) ? self.database.embedded.storageClassName : '') == (has(oldSelf.database) && has(oldSelf.database.embedded) && has(oldSelf.database.embedded.storageClassName) ? oldSelf.database.embedded.storageClassName : '')")
        .message("database.embedded.storageClassName is fixed when the volume is made")
        .field_path(".database")
)]
pub struct AppStackSpec {
    /// Which environment this is. It chooses the defaults of everything else and cannot be changed: make a
    /// new AppStack for another environment.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("environment is immutable: make a new AppStack for another environment"))]
    pub environment: Environment,

    /// The base domain. The site is served at `dashboard.<domain>` and the API at `api.<domain>`, unless `edge.layout` or
    /// `edge.hosts` says otherwise. Lower case, without scheme, port or path, and in any script: `bücher.example` is
    /// `xn--bcher-kva.example` to DNS, in the status and to the application. A host belongs to one AppStack of the cluster:
    /// to the one that serves it, else to the older one that wants it; another one is not accepted (`HostConflict`).
    #[schemars(length(min = 1, max = 230))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?([.][a-z0-9\\\\x{80}-\\\\x{10FFFF}]([-a-z0-9\\\\x{80}-\\\\x{10FFFF}]{0,61}[a-z0-9\\\\x{80}-\\\\x{10FFFF}])?)*$') && !self.matches('(^|[.])([0-9]+|0x[0-9a-f]*)$')")
        .message("domain: a DNS name such as staging.example.com, no address: lower case, each part at most 63 characters, without scheme, port, path, wildcard and dot at the end"))]
    pub domain: String,

    /// The tag of both images. An image that carries its own tag or digest wins. Changing it is a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_][A-Za-z0-9._-]*$')")
        .message("version: an image tag: letters, digits, '_', '.' and '-'"))]
    pub version: Option<String>,

    /// The name that people see, given to the application as PROJECT_NAME, character by character: `$` means nothing
    /// here. Default: the name of this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub project_name: Option<String>,

    /// The e-mail address or the name of the first superuser, given as FIRST_SUPERUSER. Default: `admin@<domain>`, or
    /// `admin@example.com` where the domain is not one of the internet, such as `localhost`, `shop.test` or `shop.local`:
    /// checks of e-mail addresses refuse those. A default that a stack was given stays while its domain does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 254))]
    #[x_kube(validation = Rule::new("self.matches('^[^[:space:][:cntrl:]]+$')")
        .message("superuser: an e-mail address such as admin@example.com or a name, without spaces and line ends"))]
    pub superuser: Option<String>,

    /// The API: any HTTP server in a container image.
    pub backend: Backend,

    /// Other processes of the backend image: workers that always run, and runs at certain times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub jobs: Vec<Job>,

    /// The web site. Leave it out for a stack that is an API alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<Frontend>,

    /// Where the data is. Default: an embedded PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,

    /// How the stack is reached from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<Edge>,

    /// What the application may call beside DNS, its own API, its database and its mail server. Without this field it may call everything but link-local
    /// addresses (169.254.0.0/16, fe80::/10 and fd00:ec2::254), where clouds hand out credentials; `[]` is nothing else. It holds for backend,
    /// frontend, migration, seed and jobs. Host names cannot be listed, as network policies know none; so the ports of an external
    /// database and of the mail server are open to everywhere, and SENTRY_DSN needs an entry. A change is no release and holds at once for new
    /// connections. It takes a cluster whose network enforces policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub egress: Option<Vec<Egress>>,

    /// Secrets of this namespace by which images are pulled, of the type `kubernetes.io/dockerconfigjson`. They hold for
    /// every pod of the stack: backend, frontend, database, migration, seed and jobs. A change makes a release, and starts
    /// an embedded database again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<SecretRef>,

    /// Where secret values come from. What is not found there is generated once and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Secrets>,

    /// The mail server that the application sends through. SMTP_USER and SMTP_PASSWORD come from `secrets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,

    /// What helps developers beside the application, in `local` alone. No release waits for it; `ToolsReady` says how it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Tools>,

    /// How releases are rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,

    /// While true the operator changes nothing of this stack; what runs goes on running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// While true nothing of this stack runs, the database included; the data, the certificate and the way in stay. Pods
    /// end in order, the database last. Taken back, all comes up as it was. A new release waits until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hibernate: Option<bool>,

    /// What happens to the data when this resource is deleted; see [`DeletionPolicy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

impl AppStackSpec {
    /// What happens to the data when the AppStack is deleted.
    #[must_use]
    pub fn deletion_policy(&self) -> DeletionPolicy {
        self.deletion_policy.unwrap_or(match self.environment {
            Environment::Local => DeletionPolicy::Delete,
            Environment::Staging | Environment::Production => DeletionPolicy::Retain,
        })
    }
}

/// The kind of environment; it chooses the defaults.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's machine: small, self-signed HTTPS, well-known secrets are tolerated.
    Local,
    /// Where release candidates are tried: production's rules at a smaller size.
    Staging,
    /// Where users are: two of everything, strict about secrets and data.
    Production,
}

impl Environment {
    /// The value of ENVIRONMENT, and of the field itself.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// What happens to the data when this resource is deleted. `Retain` keeps the database volume and the generated secrets, and an
/// AppStack of the same name takes them up again; `Delete` removes them. Default: `Delete` in `local`, else `Retain`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// The database volume and the generated secrets stay.
    Retain,
    /// Everything goes.
    Delete,
}

/// Where the data is: exactly one of the engines.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.embedded) != has(self.external)")
    .message("database: exactly one of embedded and external"))]
pub struct Database {
    /// A PostgreSQL of this stack alone: one pod with a volume that survives it. The application owns its database there
    /// and is no superuser, so that migrations may create the extensions alone that PostgreSQL trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<EmbeddedDatabase>,

    /// A PostgreSQL that is run elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalDatabase>,
}

/// A PostgreSQL of this stack alone.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EmbeddedDatabase {
    /// The major version of PostgreSQL. Default: "18". It cannot be changed once the data exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 2))]
    #[x_kube(validation = Rule::new("self in ['18']").message("version: \"18\" is the one that is supported"))]
    pub version: Option<String>,

    /// The size of the volume. Default: 10Gi, and 1Gi in local. It is fixed when the volume is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))")
        .message("storage: a size such as 10Gi"))]
    pub storage: Option<Quantity>,

    /// The StorageClass of the volume. Default: the cluster's default class. It is fixed when the volume is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// CPU and memory of the database pod. Default: a small request and no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

/// A PostgreSQL that is run elsewhere.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalDatabase {
    /// A Secret of this namespace with the keys `host`, `dbname`, `user` and `password`, and if need be `port`
    /// (5432) and `sslmode` (`require`). `disable`, for a server without TLS, `require`, `verify-ca` and `verify-full` are taken by
    /// all drivers; `prefer` and `allow` are refused by older versions of lib/pq (Go), and node-postgres takes `prefer` for `require`.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// Where secret values come from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Secrets {
    /// Secrets of this namespace. The keys SECRET_KEY, FIRST_SUPERUSER_PASSWORD, POSTGRES_PASSWORD, SMTP_USER,
    /// SMTP_PASSWORD and SENTRY_DSN found here win over generated ones; of two Secrets the later wins. A changed value makes
    /// a release. A changed SECRET_KEY leaves people logged in only where the application also reads SECRET_KEY_PREVIOUS,
    /// which holds the key before for that release. A changed FIRST_SUPERUSER_PASSWORD is given to new pods and to a seed that
    /// has yet to run; an account that is there already keeps its password.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub from: Vec<SecretRef>,
}

/// A Secret of the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The mail server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    /// The host of the mail server, given as SMTP_HOST: a DNS name or an address.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("isIP(self) || (self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?([.][a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$') && !self.matches('(^|[.])([0-9]+|0x[0-9a-fA-F]*)$'))")
        .message("email.host: a DNS name such as smtp.example.com or an address, each part at most 63 characters, without scheme, port, wildcard and dot at the end"))]
    pub host: String,

    /// Its port, given as SMTP_PORT. Default: 587, 465 for `tls: tls`, 25 for `tls: none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// How the connection is encrypted; see [`EmailTls`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<EmailTls>,

    /// The sender of every mail, given as EMAILS_FROM_EMAIL.
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(validation = Rule::new("!self.matches('[[:cntrl:]]')").message("email.from: one address, without line ends"))]
    pub from: String,
}

/// How the connection to the mail server is encrypted. Default: `starttls`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EmailTls {
    /// Plain at first, encrypted by STARTTLS: SMTP_TLS is true.
    Starttls,
    /// Encrypted from the start: SMTP_SSL is true.
    Tls,
    /// Not at all.
    None,
}

/// An object whose fields are not known to this schema; the operator checks it.
fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
