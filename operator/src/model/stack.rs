//! A checked AppStack: every default applied, every reference resolved, every rule held.
//!
//! Invariant: data only. `check::stack` makes it, and nothing in it can make the API server refuse what
//! `desired` builds from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{EnvVar, PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::api::{
    AppStackSpec, Approval, DeletionPolicy, EmailTls, Environment, OnFailure, SchemaRollback,
};
use crate::model::identity::{DataId, DatabaseHash, MigrationHash, ReleaseHash, ValuesHash};
use crate::model::manifests::Manifests;
use crate::model::names::Names;
use crate::model::secret::SecretData;
use crate::model::self_signed::Certificate;
use crate::settings::Ports;

/// A checked AppStack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The names of its children; the first of them is its own.
    pub names: Names,
    /// The namespace of everything.
    pub namespace: String,
    /// What the children are owned by.
    pub owner: OwnerReference,
    /// The environment.
    pub environment: Environment,
    /// The base domain.
    pub domain: String,
    /// The version that people see: `spec.version`, or the tag of the backend image.
    pub version: String,
    /// What the application calls itself.
    pub project_name: String,
    /// The first superuser's e-mail address.
    pub superuser: String,
    /// The hash of all that makes this release; see `release::identity`.
    pub release: ReleaseHash,
    /// What of the spec belongs to the release.
    pub spec: AppStackSpec,
    /// Which request to take the templates of its time it follows.
    pub renewal: Option<String>,
    /// The objects of the release as they are kept with it; `None` where it has yet to be verified.
    pub manifests: Option<Arc<Manifests>>,
    /// Which data the database holds, once there are any; see `release::data`.
    pub data: Option<DataId>,
    /// Secret values and where pods find them.
    pub secrets: Secrets,
    /// The database.
    pub database: Database,
    /// The migration, where there is one.
    pub migration: Option<Migration>,
    /// The seed, where there is one.
    pub seed: Option<Seed>,
    /// What was asked to be tried again; a failed Job runs once more when it changes.
    pub request: Option<String>,
    /// The backend.
    pub backend: Backend,
    /// Other processes of the backend image.
    pub jobs: Vec<Job>,
    /// The frontend, where there is one.
    pub frontend: Option<Frontend>,
    /// The way in.
    pub edge: Edge,
    /// The mail server, where there is one.
    pub email: Option<Email>,
    /// What happens to the data when the AppStack goes.
    pub deletion_policy: DeletionPolicy,
    /// How releases are rolled out.
    pub rollout: RolloutRules,
    /// Whether nothing is to run.
    pub hibernates: bool,
}

/// How releases are rolled out.
#[derive(Clone, Debug)]
pub struct RolloutRules {
    /// How long pods may take to become ready.
    pub progress_deadline: Duration,
    /// How long new pods must have been ready before requests go to them.
    pub soak: Duration,
    /// What happens when a release fails.
    pub on_failure: OnFailure,
    /// Whether a new release waits for somebody's approval.
    pub approval: Approval,
    /// Whether a release with another schema is restored.
    pub schema_rollback: SchemaRollback,
    /// How a new release is asked through its public address, if it is.
    pub public_check: Option<PublicCheck>,
}

/// How a new release is asked as visitors ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicCheck {
    /// The address of the API that must answer well.
    pub api: String,
    /// The address of the site, where there is one.
    pub site: Option<String>,
    /// The PEM of the certificate that must be served; `None` for plain HTTP.
    pub certificate: Option<String>,
    /// How long the way there may be in trouble.
    pub timeout: Duration,
}

/// How long a check may take to be well, and how long it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckLimits {
    /// How long the way there may be in trouble, counted from the first try, or from the last one that passed.
    pub timeout: Duration,
    /// How long all answers must have been good.
    pub steady: Duration,
}

/// How long the public address must answer well before a release is verified: longer than an ingress controller takes to
/// learn of other pods, so that it is the new ones that were asked.
pub const STEADY: Duration = Duration::from_secs(5);

/// Secret values and where pods find them.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// What `<stack>-generated` holds: values generated once and kept.
    pub generated: BTreeMap<String, SecretString>,
    /// Everything that pods of the backend image read, by the names in [`value`]. A release keeps them, so that it can be
    /// restored.
    pub values: SecretData,
    /// The hash of these values.
    pub hash: ValuesHash,
    /// Every secret value, so that none of them is shown in a log.
    pub hidden: Vec<SecretString>,
    /// `SENTRY_DSN` without its secret part, for the frontend.
    pub public_sentry_dsn: Option<String>,
}

/// The names of the values that pods of the backend image read.
pub mod value {
    /// Signs tokens and cookies.
    pub const SECRET_KEY: &str = "SECRET_KEY";
    /// The key before it, for one release after it was changed.
    pub const PREVIOUS_KEY: &str = "SECRET_KEY_PREVIOUS";
    /// The password of the first superuser.
    pub const SUPERUSER_PASSWORD: &str = "FIRST_SUPERUSER_PASSWORD";
    /// Where errors are reported to.
    pub const SENTRY_DSN: &str = "SENTRY_DSN";
    /// The host of the database.
    pub const DATABASE_HOST: &str = "POSTGRES_SERVER";
    /// Its TCP port.
    pub const DATABASE_PORT: &str = "POSTGRES_PORT";
    /// The name of the database.
    pub const DATABASE_NAME: &str = "POSTGRES_DB";
    /// The role.
    pub const DATABASE_USER: &str = "POSTGRES_USER";
    /// Its password.
    pub const DATABASE_PASSWORD: &str = "POSTGRES_PASSWORD";
    /// All of them in one address.
    pub const DATABASE_URL: &str = "DATABASE_URL";
    /// libpq's sslmode.
    pub const DATABASE_SSLMODE: &str = "PGSSLMODE";
    /// Before the name of a variable of the user's that refers to a Secret.
    pub const OF_SECRET: &str = "secret.";
    /// Before the name of a variable of the user's that refers to a ConfigMap.
    pub const OF_CONFIG_MAP: &str = "config.";
}

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// What `<stack>-db-app` holds.
    pub connection: Connection,
    /// What runs here; `None` where the database is external.
    pub embedded: Option<Embedded>,
}

/// How the application reaches the database.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: String,
    /// The name of the database.
    pub dbname: String,
    /// The role.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// libpq's sslmode.
    pub sslmode: String,
}

/// The embedded PostgreSQL.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The image, with its tag.
    pub image: String,
    /// The size of the volume.
    pub storage: Quantity,
    /// Its class; `None` is the cluster's default.
    pub storage_class: Option<String>,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// The hash of what the user chose; see `release::identity::database`.
    pub choice: DatabaseHash,
    /// What runs it, as it was rendered for that choice; `None` where it has yet to be.
    pub kept: Option<Arc<StatefulSet>>,
    /// How its superuser reaches it: the Jobs that look after roles do, and nobody else.
    pub admin: Connection,
    /// The role that the application logs in as; its name and password are those of the connection.
    pub role: Role,
}

/// The role that the application logs in as.
#[derive(Clone, Debug)]
pub struct Role {
    /// The role that it acts as, which owns the database and all that is in it.
    pub owner: String,
    /// CPU and memory of the Jobs that look after it.
    pub resources: ResourceRequirements,
    /// Whether it is recorded as made, and not on its way out.
    pub done: bool,
    /// The roles that are known to be there beside it: those that are recorded, and the one of the release that serves.
    pub known: Vec<String>,
    /// Which Jobs made those of its name that are on their way out.
    pub outgoing: Vec<String>,
}

/// A command of the backend image.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Replaces the entry point; empty keeps it.
    pub command: Vec<String>,
    /// The arguments.
    pub args: Vec<String>,
}

/// The migration of a release.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The hash of its content: image, command and database.
    pub hash: MigrationHash,
    /// What runs.
    pub run: Command,
    /// Prints which schema the database has; empty if nothing does.
    pub head: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// How often a failed attempt is repeated.
    pub retries: i32,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// Whether it is recorded as done.
    pub done: bool,
}

/// The seed of a stack.
#[derive(Clone, Debug)]
pub struct Seed {
    /// What runs.
    pub run: Command,
    /// Whether it is recorded as done.
    pub done: bool,
}

/// How many pods a part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// As many as the spec says.
    Fixed(i32),
    /// As many as an autoscaler says.
    Auto(Autoscaling),
}

/// What an autoscaler goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// The fewest pods.
    pub min: i32,
    /// The most pods.
    pub max: i32,
    /// The CPU that each is to use on average, in percent of what it requests.
    pub cpu: i32,
}

/// Another process of the backend image.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name within the stack.
    pub name: String,
    /// What runs.
    pub run: Command,
    /// When it runs.
    pub rhythm: Rhythm,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// What the user merges over our template.
    pub overlay: Option<PodTemplateSpec>,
}

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// All the time, in so many pods.
    Always(i32),
    /// At certain times.
    At(Times),
}

/// The times at which a job runs, and the rules of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// In the words of cron.
    pub schedule: String,
    /// Whose clock counts.
    pub time_zone: String,
    /// Whether no run is started.
    pub suspended: bool,
    /// How long a run may take.
    pub timeout: Duration,
    /// How often a failed run is repeated.
    pub retries: i32,
}

/// The backend.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The image, with its tag or digest.
    pub image: String,
    /// The port it listens on.
    pub port: i32,
    /// The path of its health check.
    pub health_path: String,
    /// WEB_CONCURRENCY.
    pub workers: i32,
    /// The number of pods.
    pub replicas: Replicas,
    /// More environment variables.
    pub env: Vec<EnvVar>,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// What the user merges over our template.
    pub overlay: Option<PodTemplateSpec>,
}

/// The frontend.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// The image, with its tag or digest.
    pub image: String,
    /// The port it listens on.
    pub port: i32,
    /// The number of pods.
    pub replicas: Replicas,
    /// More keys of `/config.json`.
    pub config: BTreeMap<String, Value>,
    /// The assets, where those of earlier releases are served on.
    pub assets: Option<Assets>,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// What the user merges over our template.
    pub overlay: Option<PodTemplateSpec>,
}

/// The assets of a frontend that serves those of earlier releases on.
#[derive(Clone, Debug)]
pub struct Assets {
    /// The folder of the image that holds them.
    pub path: String,
    /// The images of the earlier releases, oldest first; see `bridge::images`.
    pub older: Vec<String>,
}

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

/// The mail server.
#[derive(Clone, Debug)]
pub struct Email {
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: i32,
    /// Encryption.
    pub tls: EmailTls,
    /// The sender.
    pub from: String,
}

impl Stack {
    /// The images whose assets the frontend serves beside its own, oldest first.
    #[must_use]
    pub fn older_assets(&self) -> &[String] {
        let assets = self.frontend.as_ref().and_then(|it| it.assets.as_ref());
        assets.map_or(&[], |it| &it.older)
    }
}

impl Replicas {
    /// The fewest pods that there are to be.
    #[must_use]
    pub const fn least(self) -> i32 {
        match self {
            Self::Fixed(count) => count,
            Self::Auto(Autoscaling { min, .. }) => min,
        }
    }
}

impl Connection {
    /// `postgresql://`, which SQLAlchemy insists on; percent-encoded, since passwords hold any character. The sslmode
    /// is left to PGSSLMODE, because not every driver takes it in the URI.
    #[must_use]
    pub fn uri(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!(
            "postgresql://{}:{}@{host}:{}/{}",
            encode(&self.user),
            encode(self.password.expose_secret()),
            self.port,
            encode(&self.dbname)
        )
    }

    /// As pods of the backend image read it.
    #[must_use]
    pub fn values(&self) -> SecretData {
        [
            (value::DATABASE_HOST, self.host.clone().into()),
            (value::DATABASE_PORT, self.port.clone().into()),
            (value::DATABASE_NAME, self.dbname.clone().into()),
            (value::DATABASE_USER, self.user.clone().into()),
            (value::DATABASE_PASSWORD, self.password.clone()),
            (value::DATABASE_SSLMODE, self.sslmode.clone().into()),
            (value::DATABASE_URL, self.uri().into()),
        ]
        .map(|(name, value): (_, SecretString)| (name.to_owned(), value))
        .into()
    }

    /// The connection that a release kept.
    #[must_use]
    pub fn restored(values: &SecretData) -> Self {
        let text = |name: &str| {
            let value = values.get(name).map(|it| it.expose_secret().to_owned());
            value.unwrap_or_default()
        };
        Self {
            host: text(value::DATABASE_HOST),
            port: text(value::DATABASE_PORT),
            dbname: text(value::DATABASE_NAME),
            user: text(value::DATABASE_USER),
            password: text(value::DATABASE_PASSWORD).into(),
            sslmode: text(value::DATABASE_SSLMODE),
        }
    }
}

impl Edge {
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
