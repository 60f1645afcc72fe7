//! The database: an embedded one of ours, or one that a Secret describes.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{
    AppStack, AppStackSpec, EmbeddedDatabase, Environment, ExternalDatabase, annotation,
};
use crate::check::{Faults, generated, place, requests, secrets};
use crate::model::hash::short_hash;
use crate::model::identity::ValuesHash;
use crate::model::inputs::{Inputs, external_database};
use crate::model::names::Names;
use crate::model::secret::SecretData;
use crate::model::stack::{Connection, Database, Embedded, External, Role, Secrets};
use crate::release::{database_roles, identity};
use crate::settings::ClusterSettings;

/// The database of an embedded PostgreSQL, and the role that owns it.
const NAME: &str = "app";
/// The superuser of an embedded PostgreSQL.
const ADMIN: &str = "postgres";
/// The sslmode of an embedded PostgreSQL, which has no certificate. Drivers that do not try without TLS first, or refuse a mode that
/// leaves it open, need to be told.
const EMBEDDED_SSLMODE: &str = "disable";
/// The sslmode of an external PostgreSQL where its Secret says nothing: every driver takes it, and no password is sent in clear.
const EXTERNAL_SSLMODE: &str = "require";
/// The major version of PostgreSQL that is run unless the spec says otherwise.
const VERSION: &str = "18";

/// The database of a spec; `generated` are the values that the operator makes.
pub(super) fn check(
    app: &AppStack,
    generated: &BTreeMap<String, SecretString>,
    names: &Names,
    inputs: &Inputs,
    settings: &ClusterSettings,
    faults: &mut Faults,
) -> Database {
    let spec = &app.spec;
    if let Some(external) = external_database(spec) {
        return Database {
            connection: match &inputs.restored {
                Some(values) => Connection::restored(values),
                None => external_connection(external, inputs, faults),
            },
            embedded: None,
            external: None,
        };
    }
    let own = |user: String, password: SecretString| Connection {
        host: names.database().into(),
        port: "5432".into(),
        dbname: NAME.into(),
        user,
        password,
        sslmode: EMBEDDED_SSLMODE.into(),
    };
    let password = generated.get(super::generated::ADMIN_PASSWORD).cloned();
    let admin = own(ADMIN.into(), password.unwrap_or_default());
    let now = || {
        let password = secrets::database_password(spec, inputs, generated);
        own(role(names, inputs, &admin, &password), password)
    };
    let restored = inputs.restored.as_ref();
    let connection = restored.map_or_else(now, Connection::restored);
    let role = login(names, inputs, &connection.user);
    Database {
        embedded: Some(embedded(app, inputs, settings, admin, role)),
        external: None,
        connection,
    }
}

/// What is known of a role.
fn login(names: &Names, inputs: &Inputs, role: &str) -> Role {
    let (records, volume) = (&inputs.records, inputs.volume.as_ref());
    let mut known = database_roles::made(records, volume);
    known.extend(serving(names, inputs).map(|it| it.user));
    known.sort_unstable();
    known.dedup();
    Role {
        owner: NAME.into(),
        resources: requests("10m", "32Mi"),
        done: database_roles::is_there(records, role, volume),
        outgoing: database_roles::outgoing(records, role),
        known,
    }
}

/// How the release that serves reaches its embedded database.
fn serving(names: &Names, inputs: &Inputs) -> Option<Connection> {
    let (serving, values) = generated::serving(names, inputs)?;
    let embedded = external_database(&serving.spec).is_none();
    embedded.then(|| Connection::restored(values))
}

/// The role that has a password: another password is another role's, so that the old one is good until nothing uses it. What
/// nobody else knows is hashed with it, or its name would tell who guesses whether he is right.
fn role(names: &Names, inputs: &Inputs, admin: &Connection, password: &SecretString) -> String {
    let text = |value: &SecretString| value.expose_secret().to_owned();
    let kept = serving(names, inputs).filter(|it| text(&it.password) == text(password));
    kept.map_or_else(
        || {
            let hash = short_hash(&[&text(&admin.password), &text(password)]);
            format!("{NAME}_{hash}")
        },
        |it| it.user,
    )
}

/// The image that a database runs.
fn image(kept: &StatefulSet) -> Option<String> {
    let pod = kept.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.first()?.image.clone()
}

fn embedded(
    app: &AppStack,
    inputs: &Inputs,
    settings: &ClusterSettings,
    admin: Connection,
    role: Role,
) -> Embedded {
    let spec = &app.spec;
    let database = spec.database.as_ref();
    let fields: EmbeddedDatabase = database
        .and_then(|it| it.embedded.clone())
        .unwrap_or_default();
    let version = fields.version.as_deref().unwrap_or(VERSION);
    let size = match spec.environment {
        Environment::Local => "1Gi",
        Environment::Staging | Environment::Production => "10Gi",
    };
    let resources = fields
        .resources
        .unwrap_or_else(|| requests("100m", "256Mi"));
    let renewal = app.annotations().get(annotation::RENEW_DATABASE);
    let renewal = renewal.map(String::as_str);
    let choice = identity::database(
        version,
        &resources,
        &spec.image_pull_secrets,
        &admin.password,
        renewal,
    );
    let kept = inputs.records.databases.get(&choice).cloned();
    Embedded {
        image: kept
            .as_deref()
            .and_then(image)
            .unwrap_or_else(|| format!("{}:{version}", settings.postgres_image)),
        storage: fields.storage.unwrap_or_else(|| Quantity(size.into())),
        storage_class: fields.storage_class_name,
        resources,
        choice,
        kept,
        admin,
        role,
    }
}

/// The database of a release whose values are known: its sslmode may be that of the release that serves.
pub(super) fn of_release(
    database: Database,
    spec: &AppStackSpec,
    secrets: &Secrets,
    inputs: &Inputs,
    settings: &ClusterSettings,
) -> Database {
    let connection = Connection::restored(&secrets.values);
    Database {
        external: external(spec, &connection, &secrets.hash, inputs, settings),
        connection,
        ..database
    }
}

/// What asks an external database before a release with these values, where the release begins with work on it. Without a migration
/// and a seed nobody but the application knows whether it needs one. One on the loopback address is behind something in the pods of
/// the application, which only they have.
fn external(
    spec: &AppStackSpec,
    connection: &Connection,
    values: &ValuesHash,
    inputs: &Inputs,
    settings: &ClusterSettings,
) -> Option<External> {
    let secret = external_database(spec)?.secret_name.clone();
    let begins_there = spec.backend.migrate.is_some() || spec.backend.seed.is_some();
    let is_within = connection.host.split(',').any(place::is_loopback);
    let mut releases = inputs.records.releases.iter();
    (begins_there && !is_within).then(|| External {
        image: format!("{}:{VERSION}", settings.postgres_image),
        secret,
        known: releases.any(|it| it.values == *values),
    })
}

/// Whether an sslmode is the default of versions before. Another one was said once, and is none if it is not said any more.
pub(super) fn is_former(sslmode: &SecretString) -> bool {
    sslmode.expose_secret() == "prefer"
}

/// Whether the user says how TLS is used with the database. With an embedded one nobody does.
pub(super) fn says_sslmode(spec: &AppStackSpec, inputs: &Inputs) -> bool {
    let secret = external_database(spec).and_then(|it| inputs.secrets.get(&it.secret_name));
    secret.is_some_and(|it| given(it, "sslmode").is_some())
}

/// A value of the Secret of an external database; an emptied one counts as missing.
fn given<'a>(secret: &'a SecretData, key: &str) -> Option<&'a SecretString> {
    secret.get(key).filter(|it| !it.expose_secret().is_empty())
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
    let found = |key: &str| given(secret?, key).cloned();
    let mut required = |key: &str| {
        found(key).unwrap_or_else(|| {
            // What is no text is there; `text` says what is wrong with it.
            if secret.is_some() && !inputs.no_text.in_secret(name, key) {
                faults.add(FIELD, format!("Secret {name} lacks the key {key}"));
            }
            SecretString::default()
        })
    };
    let text = |value: SecretString| value.expose_secret().to_owned();
    let connection = Connection {
        host: text(required("host")),
        dbname: text(required("dbname")),
        user: text(required("user")),
        password: required("password"),
        port: found("port").map_or_else(|| "5432".into(), text),
        sslmode: found("sslmode").map_or_else(|| EXTERNAL_SSLMODE.into(), text),
    };
    // What is not there is a fault already, and without a cluster there is nothing to look at.
    if inputs.now.is_some() && !connection.host.is_empty() {
        let Connection {
            host,
            port,
            sslmode,
            ..
        } = &connection;
        place::refuse(FIELD, name, (host, port, sslmode), faults);
    }
    connection
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AppStack;
    use crate::fixtures;
    use crate::model::inputs::values_hash;
    use crate::model::stack::{Stack, value};

    /// The release of a stack as a version of before made it, whose default of sslmode was `prefer`.
    fn of_before(app: &AppStack, inputs: &Inputs) -> Stack {
        let mut stack = fixtures::stack_of(app, inputs);
        let mode = (value::DATABASE_SSLMODE.to_owned(), "prefer".into());
        stack.secrets.values.extend([mode]);
        stack.secrets.hash = values_hash(&stack.secrets.values);
        stack.release = "ofbefore".into();
        stack
    }

    #[test]
    fn what_serves_keeps_the_sslmode_of_its_time_and_the_next_release_has_that_of_now() {
        let elsewhere = "database: {external: {secretName: goods}}";
        for (database, new) in [("", "disable"), (elsewhere, "require")] {
            let mut app = fixtures::app(database);
            let mut inputs = Inputs::offline(&app);
            assert_eq!(mode(&fixtures::stack_of(&app, &inputs)), [new; 2]);
            let before = of_before(&app, &inputs);
            fixtures::keep(&mut inputs, &before);
            let same = fixtures::stack_of(&app, &inputs);
            assert_eq!(same.release, "ofbefore".into(), "{database}");
            assert_eq!(mode(&same), ["prefer"; 2]);

            app.spec.backend.image = "a/b:2".into();
            let next = fixtures::stack_of(&app, &inputs);
            assert_eq!(mode(&next), [new; 2]);
            fixtures::keep(&mut inputs, &next);
            assert_eq!(fixtures::stack_of(&app, &inputs).release, next.release);
        }
    }

    #[test]
    fn an_sslmode_that_the_user_says_is_a_release_whatever_serves() {
        let app = fixtures::app("database: {external: {secretName: goods}}");
        let mut inputs = Inputs::offline(&app);
        let before = of_before(&app, &inputs);
        fixtures::keep(&mut inputs, &before);
        for (said, is_the_same) in [("require", false), ("prefer", true)] {
            let goods = inputs.secrets.get_mut("goods").unwrap();
            goods.insert("sslmode".into(), said.into());
            let stack = fixtures::stack_of(&app, &inputs);
            assert_eq!(mode(&stack), [said; 2]);
            assert_eq!(stack.release == "ofbefore".into(), is_the_same, "{said}");
        }
    }

    #[test]
    fn an_sslmode_that_is_not_said_any_more_is_a_release_of_the_default() {
        let app = fixtures::app("database: {external: {secretName: goods}}");
        let mut inputs = Inputs::offline(&app);
        let goods = inputs.secrets.get_mut("goods").unwrap();
        goods.insert("sslmode".into(), "disable".into());
        let said = fixtures::stack_of(&app, &inputs);
        fixtures::keep(&mut inputs, &said);
        inputs.secrets.get_mut("goods").unwrap().remove("sslmode");
        let stack = fixtures::stack_of(&app, &inputs);
        assert_eq!(mode(&stack), ["require"; 2]);
        assert_ne!(stack.release, said.release);
    }

    /// The sslmode as pods read it, and as the Secret of the connection has it.
    fn mode(stack: &Stack) -> [&str; 2] {
        let values = &stack.secrets.values[value::DATABASE_SSLMODE];
        [values.expose_secret(), &stack.database.connection.sslmode]
    }
}
