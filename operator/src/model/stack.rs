//! A checked AppStack: every default applied, every reference resolved, every rule held.
//!
//! Invariant: data only. `check::stack` makes it, and nothing in it can make the API server refuse what
//! `build` makes of it. Here is what belongs to the stack as a whole; its parts have modules of their own.

mod database;
mod edge;
mod limits;
mod tools;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use secrecy::SecretString;

use crate::api::{
    AppStackSpec, Approval, DeletionPolicy, Egress, EmailTls, Environment, OnFailure,
    SchemaRollback,
};
use crate::model::identity::{DataId, ReleaseHash, ValuesHash};
use crate::model::manifests::Manifests;
use crate::model::names::Names;
use crate::model::secret::SecretData;

pub use self::database::{Connection, Database, Embedded, External, Migration, Role, Seed};
pub use self::edge::{
    Edge, Gateway, IngressController, Issued, Proxy, Served, Tls, Validity, is_below,
};
pub use self::limits::{Limits, Maintenance, Rate, RateLimit};
pub use self::tools::{Adminer, Tools};
pub use self::workload::{
    Assets, Autoscaling, Backend, Command, Frontend, Job, Replicas, Rhythm, Times,
};

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
    /// The Secrets by which the images of all pods are pulled.
    pub image_pull_secrets: Vec<String>,
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
    /// What helps developers beside it.
    pub tools: Tools,
    /// What else its pods may call; `None` for everything but link-local addresses.
    pub egress: Option<Vec<Egress>>,
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
    /// How long a container that serves may take to start, before the kubelet starts it again.
    pub startup: Duration,
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
    /// The certificate that must be served.
    pub served: Served,
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
    /// Every secret value, so that none of them is shown in a log, a condition or an Event.
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
    /// The e-mail address of the first superuser.
    pub const SUPERUSER: &str = "FIRST_SUPERUSER";
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

/// The port at which mail is caught.
pub const SMTP_PORT: i32 = 1025;

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
