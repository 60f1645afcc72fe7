//! Secret values: which come from the user, which are generated, and what pods of the backend image read of them.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{AppStack, AppStackSpec, Environment};
use crate::check::given;
use crate::check::{Faults, database, env, generated, limits, text};
use crate::model::inputs::{
    Inputs, external_database, secret_references, template_secrets, values_hash,
};
use crate::model::names::Names;
use crate::model::secret::SecretData;
use crate::model::stack::{Database, Secrets, value};
use crate::release::identity::{self, Identity};
use crate::settings::ClusterSettings;

/// Values that everybody knows, without what stands between their words: those of templates, and the first ones that are tried.
const WELL_KNOWN: [&str; 20] = [
    "",
    "123456",
    "12345678",
    "123456789",
    "1234567890",
    "admin",
    "changeit",
    "changeme",
    "changethis",
    "example",
    "letmein",
    "password",
    "password1",
    "password123",
    "placeholder",
    "postgres",
    "qwerty",
    "secret",
    "secretkey",
    "test",
];
/// The variables whose values may come from `secrets.from`. The first two are generated where they do not.
const KEYS: [&str; 6] = [
    value::SECRET_KEY,
    value::SUPERUSER_PASSWORD,
    value::PREVIOUS_KEY,
    "SMTP_USER",
    "SMTP_PASSWORD",
    value::SENTRY_DSN,
];
/// Values that tell where the database is. They are no secrets, and stay in logs.
const PLACE: [&str; 5] = [
    value::DATABASE_HOST,
    value::DATABASE_PORT,
    value::DATABASE_NAME,
    value::DATABASE_USER,
    value::DATABASE_SSLMODE,
];

/// Resolves every secret value of the stack; `generated` are those that the operator made.
pub(super) fn check(
    app: &AppStack,
    settings: &ClusterSettings,
    generated: BTreeMap<String, SecretString>,
    names: &Names,
    inputs: &Inputs,
    database: &Database,
    faults: &mut Faults,
) -> Secrets {
    let spec = &app.spec;
    let mut values = inputs
        .restored
        .clone()
        .unwrap_or_else(|| of_now(spec, names, inputs, &generated, faults));
    values.extend(database.connection.values());
    if inputs.restored.is_none() {
        values = after_serving(app, settings, names, inputs, values);
    }
    let public_sentry_dsn = values
        .get(value::SENTRY_DSN)
        .and_then(|it| public_dsn(it.expose_secret()));
    Secrets {
        hash: values_hash(&values),
        hidden: hidden(&values, &generated, inputs, database)
            .into_iter()
            .chain(limits::hidden(spec, inputs))
            .chain(of_templates(spec, inputs))
            .collect(),
        public_sentry_dsn,
        generated,
        values,
    }
}

/// The values that the spec leads to, and what is wrong with them.
fn of_now(
    spec: &AppStackSpec,
    names: &Names,
    inputs: &Inputs,
    generated: &BTreeMap<String, SecretString>,
    faults: &mut Faults,
) -> SecretData {
    refuse_missing(spec, inputs, faults);
    refuse_own(spec, names, faults);
    refuse_well_known(spec, inputs, faults);
    refuse_no_password(spec, inputs, faults);
    let password = external_database(spec)
        .is_none()
        .then_some(value::DATABASE_PASSWORD);
    let keys: Vec<&str> = KEYS.into_iter().chain(password).collect();
    text::refuse(spec, inputs, &keys, faults);
    let mut values = env::values(&spec.backend.env, inputs, faults);
    values.extend(chosen(spec, inputs, generated));
    values
}

/// For each variable of ours the user's value, or the generated one.
fn chosen(
    spec: &AppStackSpec,
    inputs: &Inputs,
    generated: &BTreeMap<String, SecretString>,
) -> SecretData {
    let value = |key: &str| {
        let given = given::value(spec, &inputs.secrets, key).map(|(_, value)| value);
        given.or_else(|| generated.get(key)).cloned()
    };
    KEYS.iter()
        .filter_map(|key| Some(((*key).to_owned(), value(key)?)))
        .collect()
}

/// The values as they follow those of the release that serves. Where nothing else makes it another release it stays what it is, with
/// the defaults of its time: a later version of the operator makes no release by its own.
///
/// After a change of SECRET_KEY there is the one of before, for the one release that follows: what the old key signed, such as the
/// session of somebody who is logged in, is believed until then.
fn after_serving(
    app: &AppStack,
    settings: &ClusterSettings,
    names: &Names,
    inputs: &Inputs,
    mut values: SecretData,
) -> SecretData {
    let Some((serving, kept)) = generated::serving(names, inputs) else {
        return values;
    };
    let is_given = values.contains_key(value::PREVIOUS_KEY);
    let previous = (!is_given).then_some(value::PREVIOUS_KEY);
    let is_said = database::says_sslmode(&app.spec, inputs);
    let sslmode = (!is_said).then_some(value::DATABASE_SSLMODE);
    let mut same = values.clone();
    for key in previous.into_iter().chain(sslmode) {
        let kept = kept.get(key);
        let kept = kept.filter(|it| key != value::DATABASE_SSLMODE || database::is_former(it));
        same.extend(kept.map(|it| (key.to_owned(), it.clone())));
    }
    let identity = Identity {
        spec: &app.spec,
        values: &values_hash(&same),
        ports: settings.ports(),
        renewal: identity::renewal(app, &inputs.records),
    };
    if identity.is_of(serving) {
        return same;
    }
    let key = |values: &SecretData| values.get(value::SECRET_KEY).cloned();
    let text = |values| key(values).map(|it| it.expose_secret().to_owned());
    if !is_given && text(kept) != text(&values) {
        values.extend(key(kept).map(|it| (value::PREVIOUS_KEY.to_owned(), it)));
    }
    values
}

/// What must not be seen: what pods read, what was generated whether or not the user's own takes its place, the passwords of the
/// database, and the keys of certificates.
fn hidden(
    values: &SecretData,
    generated: &BTreeMap<String, SecretString>,
    inputs: &Inputs,
    database: &Database,
) -> Vec<SecretString> {
    let is_secret = |key: &str| !PLACE.contains(&key) && !key.starts_with(value::OF_CONFIG_MAP);
    let admin = database.embedded.as_ref().map(|it| &it.admin.password);
    let certificates = [&inputs.certificate, &inputs.stored_certificate];
    let certificates = certificates.into_iter().flatten();
    let keys = certificates.flat_map(|it| [&it.key, &it.authority_key]);
    values
        .iter()
        .filter(|(key, _)| is_secret(key))
        .map(|(_, value)| value)
        .chain(generated.values())
        .chain(admin)
        .chain([&database.connection.password])
        .chain(keys)
        .cloned()
        .collect()
}

/// What pods read by the templates of the user's alone.
fn of_templates(spec: &AppStackSpec, inputs: &Inputs) -> Vec<SecretString> {
    let secrets = template_secrets(spec);
    let found = secrets.iter().filter_map(|it| inputs.secrets.get(it));
    found.flat_map(BTreeMap::values).cloned().collect()
}

fn refuse_well_known(spec: &AppStackSpec, inputs: &Inputs, faults: &mut Faults) {
    if spec.environment == Environment::Local {
        return;
    }
    for (secret, key) in well_known(spec, &inputs.secrets) {
        faults.add(
            "secrets.from",
            format!("{key} of Secret {secret} is empty or a well-known value; set one of your own"),
        );
    }
}

/// In local, where well-known values are tolerated, an empty one would still let nobody into the database.
fn refuse_no_password(spec: &AppStackSpec, inputs: &Inputs, faults: &mut Faults) {
    let key = value::DATABASE_PASSWORD;
    let embedded = external_database(spec).is_none();
    let given = given::value(spec, &inputs.secrets, key).filter(|_| embedded);
    if let Some((secret, _)) = given.filter(|(_, value)| value.expose_secret().is_empty())
        && spec.environment == Environment::Local
    {
        faults.add(
            "secrets.from",
            format!("{key} of Secret {secret} is empty, and PostgreSQL lets nobody in without a password; set one, or leave the key out"),
        );
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
        names.database_admin(),
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

/// Secret and key of every given value that everybody knows.
pub(super) fn well_known<'a>(
    spec: &'a AppStackSpec,
    secrets: &'a BTreeMap<String, SecretData>,
) -> impl Iterator<Item = (&'a str, &'static str)> {
    [
        value::SECRET_KEY,
        value::SUPERUSER_PASSWORD,
        value::DATABASE_PASSWORD,
    ]
    .into_iter()
    .filter_map(|key| Some((given::value(spec, secrets, key)?, key)))
    .filter(|((_, value), _)| is_well_known(value.expose_secret()))
    .map(|((secret, _), key)| (secret, key))
}

/// The Secrets of `secrets.from` of which nothing is used, since their keys have other names.
pub(super) fn unused<'a>(
    spec: &'a AppStackSpec,
    secrets: &'a BTreeMap<String, SecretData>,
) -> impl Iterator<Item = String> {
    let from = spec.secrets.iter().flat_map(|it| &it.from);
    let is_used = |key: &str| KEYS.contains(&key) || key == value::DATABASE_PASSWORD;
    let unused = from.filter(move |it| {
        let secret = secrets.get(&it.name);
        secret.is_some_and(|it| !it.keys().any(|key| is_used(key)))
    });
    unused.map(|it| {
        format!(
            "nothing of Secret {} in secrets.from is used: its keys must be {} or {}",
            it.name,
            KEYS.join(", "),
            value::DATABASE_PASSWORD
        )
    })
}

/// Who guesses tries them in any case, and with what an editor leaves at the end. One character alone, and what a tool was to put a
/// value in place of, is no secret either.
fn is_well_known(value: &str) -> bool {
    let value = value.trim();
    let word: String = value.split(['-', '_', ' ', '.']).collect();
    let mut characters = value.chars();
    let first = characters.next();
    let is_one_character = characters.all(|it| Some(it) == first);
    let is_place = [("${", "}"), ("{{", "}}"), ("<", ">")]
        .iter()
        .any(|(start, end)| value.starts_with(start) && value.ends_with(end));
    let is_word = WELL_KNOWN.iter().any(|it| it.eq_ignore_ascii_case(&word));
    is_word || is_one_character || is_place
}

/// The password that the application has at the embedded database: given, else generated.
pub(super) fn database_password(
    spec: &AppStackSpec,
    inputs: &Inputs,
    generated: &BTreeMap<String, SecretString>,
) -> SecretString {
    let key = value::DATABASE_PASSWORD;
    let given = given::value(spec, &inputs.secrets, key).map(|(_, value)| value);
    given
        .or_else(|| generated.get(key))
        .cloned()
        .unwrap_or_default()
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
    use crate::check;
    use crate::fixtures;

    /// What is wrong with a SECRET_KEY in an environment.
    fn faults(environment: &str, key: &str) -> Vec<String> {
        let app = fixtures::app(&format!(
            "environment: {environment}, edge: {{tls: {{disabled: {{}}}}}}, secrets: {{from: [{{name: keys}}]}}"
        ));
        let mut inputs = Inputs::offline(&app);
        let values = [(value::SECRET_KEY.to_owned(), SecretString::from(key))];
        inputs.secrets.insert("keys".into(), values.into());
        let checked = check::stack(&app, &inputs, &ClusterSettings::default());
        checked.err().map(|it| it.faults).unwrap_or_default()
    }

    #[test]
    fn a_well_known_value_is_known_in_any_case_and_with_white_space() {
        let known = "spec.secrets.from: SECRET_KEY of Secret keys is empty or a well-known value; set one of your own";
        let space = "spec.secrets.from: SECRET_KEY of Secret keys begins or ends with white space, such as the line end that `echo` adds; store it without";
        for environment in ["staging", "production"] {
            for key in ["", "changethis", "ChangeThis", "CHANGETHIS"] {
                assert_eq!(faults(environment, key), [known], "{key:?}");
            }
            for key in [" \n", "changethis\n", " Changethis "] {
                assert_eq!(faults(environment, key), [known, space], "{key:?}");
            }
            for key in [
                "Change-Me",
                "password123",
                "x",
                "aaaaaaaa",
                "${SECRET_KEY}",
                "{{ key }}",
            ] {
                assert_eq!(faults(environment, key), [known], "{key:?}");
            }
            assert_eq!(faults(environment, "changethis!"), [""; 0]);
        }
        assert_eq!(faults("local", "ChangeThis"), [""; 0]);
        assert_eq!(faults("local", "changethis\n"), [space]);
    }

    #[test]
    fn a_secret_of_which_nothing_is_used_is_told() {
        let told = |key: &str| {
            let app = fixtures::app("secrets: {from: [{name: keys}]}");
            let mut inputs = Inputs::offline(&app);
            let values = [(key.to_owned(), SecretString::from("value"))];
            inputs.secrets.insert("keys".into(), values.into());
            let told: Vec<String> = unused(&app.spec, &inputs.secrets).collect();
            told
        };
        assert_eq!(told("SMTP_USER"), [""; 0]);
        let said = told("secret_key");
        assert!(
            said[0].starts_with(
                "nothing of Secret keys in secrets.from is used: its keys must be SECRET_KEY, "
            ),
            "{said:?}"
        );
    }

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
