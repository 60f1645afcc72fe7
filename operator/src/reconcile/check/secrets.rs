//! Secret values: which come from the user, which are generated, and where pods find each.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::super::certificate::SecretData;
use super::super::inputs::{Inputs, external_database, secret_references};
use super::super::names::{Names, short_hash};
use super::super::stack::{Connection, KeyReference, Secrets};
use super::Faults;
use crate::api::{AppStackSpec, Environment};

/// Values that everybody knows.
const WELL_KNOWN: [&str; 2] = ["", "changethis"];
/// The variables whose values may come from `secrets.from`. The first three are generated where they do not.
const KEYS: [&str; 6] = [
    SECRET_KEY,
    SUPERUSER_PASSWORD,
    DATABASE_PASSWORD,
    "SMTP_USER",
    "SMTP_PASSWORD",
    SENTRY_DSN,
];
const SECRET_KEY: &str = "SECRET_KEY";
const SUPERUSER_PASSWORD: &str = "FIRST_SUPERUSER_PASSWORD";
const SENTRY_DSN: &str = "SENTRY_DSN";
/// The password of the embedded database.
pub(super) const DATABASE_PASSWORD: &str = "POSTGRES_PASSWORD";

/// Resolves every secret value of the stack.
pub(super) fn check(
    spec: &AppStackSpec,
    names: &Names,
    inputs: &Inputs,
    connection: &Connection,
    faults: &mut Faults,
) -> Secrets {
    refuse_missing(spec, inputs, faults);
    refuse_own(spec, names, faults);
    let own = names.generated();
    if spec.environment != Environment::Local {
        for (secret, key) in well_known(spec, &inputs.secrets) {
            faults.add(
                "secrets.from",
                format!(
                    "{key} of Secret {secret} is empty or a well-known value; set one of your own"
                ),
            );
        }
    }
    let generated = generated(spec, names, inputs);
    let mut references = BTreeMap::new();
    let mut values = Vec::new();
    for key in KEYS {
        let (secret, value) = match given(spec, &inputs.secrets, key) {
            Some((secret, value)) => (secret.to_owned(), value),
            None => match generated.get(key) {
                Some(value) => (own.to_string(), value),
                None => continue,
            },
        };
        references.insert(
            key,
            KeyReference {
                secret,
                key: key.into(),
            },
        );
        values.push((key, value));
    }
    let public_sentry_dsn = values
        .iter()
        .find(|(key, _)| *key == SENTRY_DSN)
        .and_then(|(_, value)| public_dsn(value.expose_secret()));
    let hash = hash(&values, connection);
    let database_hash = short_hash(&[connection.password.expose_secret()]);
    let all: Vec<SecretString> = values
        .iter()
        .map(|(_, value)| (*value).clone())
        .chain([connection.password.clone()])
        .collect();
    Secrets {
        references,
        hash,
        database_hash,
        public_sentry_dsn,
        generated,
        values: all,
    }
}

/// Whatever field refers to a Secret, it must be there.
fn refuse_missing(spec: &AppStackSpec, inputs: &Inputs, faults: &mut Faults) {
    for (field, name) in secret_references(spec) {
        if !inputs.secrets.contains_key(name) {
            faults.add(
                field,
                format!("there is no Secret {name} in this namespace"),
            );
        }
    }
}

/// A Secret that the operator writes cannot be one that the user brings.
fn refuse_own(spec: &AppStackSpec, names: &Names, faults: &mut Faults) {
    let own = [
        names.generated(),
        names.database_connection(),
        names.authority(),
        names.certificate(),
    ];
    for (field, name) in secret_references(spec) {
        if own.iter().any(|it| it.as_str() == name) {
            faults.add(
                field,
                format!("Secret {name} is the operator's own; give yours another name"),
            );
        }
    }
}

/// The value of a key in the user's Secrets, and the Secret's name; of two Secrets the later wins.
pub(super) fn given<'a>(
    spec: &'a AppStackSpec,
    secrets: &'a BTreeMap<String, SecretData>,
    key: &str,
) -> Option<(&'a str, &'a SecretString)> {
    let mut from = spec.secrets.iter().flat_map(|it| &it.from).rev();
    from.find_map(|it| Some((it.name.as_str(), secrets.get(&it.name)?.get(key)?)))
}

/// Secret and key of every given value that everybody knows.
pub(super) fn well_known<'a>(
    spec: &'a AppStackSpec,
    secrets: &'a BTreeMap<String, SecretData>,
) -> impl Iterator<Item = (&'a str, &'static str)> {
    [SECRET_KEY, SUPERUSER_PASSWORD, DATABASE_PASSWORD]
        .into_iter()
        .filter_map(|key| Some((given(spec, secrets, key)?, key)))
        .filter(|((_, value), _)| WELL_KNOWN.contains(&value.expose_secret()))
        .map(|((secret, _), key)| (secret, key))
}

/// The password of the embedded database: given, else generated.
pub(super) fn database_password(
    spec: &AppStackSpec,
    names: &Names,
    inputs: &Inputs,
) -> SecretString {
    let given = given(spec, &inputs.secrets, DATABASE_PASSWORD).map(|(_, value)| value.clone());
    given.unwrap_or_else(|| {
        stored(names, inputs, DATABASE_PASSWORD)
            .unwrap_or(&inputs.drawn.database_password)
            .clone()
    })
}

/// What `<stack>-generated` is to hold: what it holds already, and drawn values for what is not there.
fn generated(
    spec: &AppStackSpec,
    names: &Names,
    inputs: &Inputs,
) -> BTreeMap<String, SecretString> {
    let drawn = &inputs.drawn;
    let external = external_database(spec).is_some();
    [
        (SECRET_KEY, &drawn.secret_key, true),
        (SUPERUSER_PASSWORD, &drawn.superuser_password, true),
        (DATABASE_PASSWORD, &drawn.database_password, !external),
    ]
    .into_iter()
    .filter(|(_, _, needed)| *needed)
    .map(|(key, drawn, _)| {
        let value = stored(names, inputs, key).unwrap_or(drawn);
        (key.to_owned(), value.clone())
    })
    .collect()
}

/// A stored generated value; an emptied one counts as missing.
fn stored<'a>(names: &Names, inputs: &'a Inputs, key: &str) -> Option<&'a SecretString> {
    let stored = inputs.secrets.get(names.generated().as_str())?.get(key)?;
    (!stored.expose_secret().is_empty()).then_some(stored)
}

fn hash(values: &[(&str, &SecretString)], connection: &Connection) -> String {
    let mut parts: Vec<&str> = values
        .iter()
        .flat_map(|(key, value)| [*key, value.expose_secret()])
        .collect();
    let Connection {
        host,
        port,
        dbname,
        user,
        password,
        sslmode,
    } = connection;
    parts.extend([
        host.as_str(),
        port,
        dbname,
        user,
        password.expose_secret(),
        sslmode,
    ]);
    short_hash(&parts)
}

/// A Sentry DSN is `https://PUBLIC[:SECRET]@host/project`; browsers may know it without the secret.
fn public_dsn(dsn: &str) -> Option<String> {
    let (scheme, rest) = dsn.split_once("://")?;
    let (keys, place) = rest.split_once('@')?;
    let public = keys.split(':').next().unwrap_or(keys);
    Some(format!("{scheme}://{public}@{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_part_of_a_sentry_dsn_is_cut_out() {
        let cut = |dsn| public_dsn(dsn).unwrap_or_default();
        assert_eq!(
            cut("https://pub:sec@sentry.io/7"),
            "https://pub@sentry.io/7"
        );
        assert_eq!(cut("https://pub@sentry.io/7"), "https://pub@sentry.io/7");
        assert_eq!(cut("nonsense"), "");
    }
}
