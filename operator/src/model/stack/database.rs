//! The database of a checked stack: where it is, who logs in, and what is done with its data before a release runs.
//!
//! Invariant: data, and how a connection is written as values of a release and read from them. It reaches no database, and
//! what was done with the data is told to it: it reads no records.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::value;
use super::workload::Command;
use crate::model::identity::{DatabaseHash, MigrationHash};
use crate::model::secret::SecretData;

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// What `<stack>-db-app` holds.
    pub connection: Connection,
    /// What runs here; `None` where the database is external.
    pub embedded: Option<Embedded>,
    /// What asks it before a release, where it is external; `None` also where only the application's own pods can reach it.
    pub external: Option<External>,
}

/// What asks an external PostgreSQL whether it lets the application in.
#[derive(Clone, Debug)]
pub struct External {
    /// An image with the client programs of PostgreSQL, with its tag.
    pub image: String,
    /// The name of the Secret that says where the database is.
    pub secret: String,
    /// Whether a release with the same values was verified: then it is known to be good.
    pub known: bool,
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
