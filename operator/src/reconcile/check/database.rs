//! The database: an embedded one of ours, or one that a Secret describes.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::inputs::{Inputs, external_database};
use super::super::names::Names;
use super::super::stack::{Connection, Database, Embedded, value};
use super::{ClusterSettings, Faults, requests, secrets};
use crate::api::{AppStackSpec, EmbeddedDatabase, Environment, ExternalDatabase};

/// The role and the database of an embedded PostgreSQL.
const NAME: &str = "app";
/// The major version of PostgreSQL that is run unless the spec says otherwise.
const VERSION: &str = "18";

/// The database of a spec.
pub(super) fn check(
    spec: &AppStackSpec,
    names: &Names,
    inputs: &Inputs,
    settings: &ClusterSettings,
    faults: &mut Faults,
) -> Database {
    if let Some(external) = external_database(spec) {
        return Database {
            connection: match &inputs.restored {
                Some(values) => Connection::restored(values),
                None => external_connection(external, inputs, faults),
            },
            embedded: None,
        };
    }
    let database = spec.database.as_ref();
    let fields = database
        .and_then(|it| it.embedded.clone())
        .unwrap_or_default();
    Database {
        connection: Connection {
            host: names.database().into(),
            port: "5432".into(),
            dbname: NAME.into(),
            user: NAME.into(),
            password: password(spec, names, inputs),
            sslmode: "prefer".into(),
        },
        embedded: Some(embedded(fields, spec.environment, settings)),
    }
}

/// The one that a restored release had, else the one of now.
fn password(spec: &AppStackSpec, names: &Names, inputs: &Inputs) -> SecretString {
    let restored = inputs.restored.as_ref();
    let kept = restored.and_then(|it| it.get(value::DATABASE_PASSWORD));
    kept.map_or_else(
        || secrets::database_password(spec, names, inputs),
        Clone::clone,
    )
}

fn embedded(
    fields: EmbeddedDatabase,
    environment: Environment,
    settings: &ClusterSettings,
) -> Embedded {
    let version = fields.version.as_deref().unwrap_or(VERSION);
    let size = match environment {
        Environment::Local => "1Gi",
        Environment::Staging | Environment::Production => "10Gi",
    };
    Embedded {
        image: format!("{}:{version}", settings.postgres_image),
        storage: fields.storage.unwrap_or_else(|| Quantity(size.into())),
        storage_class: fields.storage_class_name,
        resources: fields
            .resources
            .unwrap_or_else(|| requests("100m", "256Mi")),
    }
}

fn external_connection(
    external: &ExternalDatabase,
    inputs: &Inputs,
    faults: &mut Faults,
) -> Connection {
    const FIELD: &str = "database.external.secretName";
    let name = &external.secret_name;
    // That it is there at all is looked at for every Secret in one place.
    let secret = inputs.secrets.get(name);
    let found = |key: &str| {
        let value = secret?.get(key);
        value.filter(|it| !it.expose_secret().is_empty()).cloned()
    };
    let mut required = |key: &str| {
        found(key).unwrap_or_else(|| {
            if secret.is_some() {
                faults.add(FIELD, format!("Secret {name} lacks the key {key}"));
            }
            SecretString::default()
        })
    };
    let text = |value: SecretString| value.expose_secret().to_owned();
    Connection {
        host: text(required("host")),
        dbname: text(required("dbname")),
        user: text(required("user")),
        password: required("password"),
        port: found("port").map_or_else(|| "5432".into(), text),
        sslmode: found("sslmode").map_or_else(|| "prefer".into(), text),
    }
}
