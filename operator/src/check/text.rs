//! Values that are no use where they are meant to go: no text, with a NUL byte, or with white space that nobody sees.
//!
//! What is given is never replaced: a value that cannot be used is a fault, and not a key that nobody gave.

use k8s_openapi::api::core::v1::EnvVar;
use secrecy::{ExposeSecret as _, SecretString};

use crate::api::AppStackSpec;
use crate::check::Faults;
use crate::model::inputs::{Inputs, external_database};

/// What an external database is told by.
const OF_DATABASE: [&str; 6] = ["host", "port", "dbname", "user", "password", "sslmode"];

/// A key of the user's Secret that is read, and the field that leads to it.
struct Used<'a> {
    field: &'static str,
    secret: &'a str,
    key: &'a str,
}

/// Notes what is wrong with the values of everything that a spec refers to; `keys` are those that may come from
/// `secrets.from`.
pub(super) fn refuse(spec: &AppStackSpec, inputs: &Inputs, keys: &[&str], faults: &mut Faults) {
    for used in from_secrets(spec, inputs, keys).chain(of_database(spec)) {
        let Used { field, secret, key } = used;
        let what = format!("{key} of Secret {secret}");
        if inputs.no_text.in_secret(secret, key) {
            faults.add(field, no_text(&what));
        }
        let value = inputs.secrets.get(secret).and_then(|it| it.get(key));
        let Some(value) = value.map(SecretString::expose_secret) else {
            continue;
        };
        if value.contains('\0') {
            faults.add(field, nul(&what));
        }
        if value.trim() != value {
            faults.add(
                field,
                format!("{what} begins or ends with white space, such as the line end that `echo` adds; store it without"),
            );
        }
    }
    for (index, var) in spec.backend.env.iter().enumerate() {
        variable(&format!("backend.env[{index}]"), var, inputs, faults);
    }
}

/// The Secret that each key is taken from: of several the last.
fn from_secrets<'a>(
    spec: &'a AppStackSpec,
    inputs: &'a Inputs,
    keys: &'a [&str],
) -> impl Iterator<Item = Used<'a>> {
    let holds = |secret: &str, key: &str| {
        let texts = inputs.secrets.get(secret);
        texts.is_some_and(|it| it.contains_key(key)) || inputs.no_text.in_secret(secret, key)
    };
    keys.iter().filter_map(move |key| {
        let mut from = spec.secrets.iter().flat_map(|it| &it.from).rev();
        let secret = from.find(|it| holds(&it.name, key))?;
        Some(Used {
            field: "secrets.from",
            secret: &secret.name,
            key,
        })
    })
}

fn of_database(spec: &AppStackSpec) -> impl Iterator<Item = Used<'_>> {
    external_database(spec).into_iter().flat_map(|external| {
        OF_DATABASE.map(|key| Used {
            field: "database.external.secretName",
            secret: &external.secret_name,
            key,
        })
    })
}

/// A variable may hold what white space it likes, such as a certificate.
fn variable(field: &str, var: &EnvVar, inputs: &Inputs, faults: &mut Faults) {
    if !is_name(&var.name) {
        faults.add(
            &format!("{field}.name"),
            format!(
                "{:?} is no name of a variable: it takes one or more printable ASCII characters without '='",
                var.name
            ),
        );
    }
    if var.value.as_ref().is_some_and(|it| it.contains('\0')) {
        faults.add(&format!("{field}.value"), nul(&var.name));
    }
    let Some(source) = &var.value_from else {
        return;
    };
    let field = format!("{field}.valueFrom");
    if let Some(it) = &source.secret_key_ref {
        let what = format!("{} of Secret {}", it.key, it.name);
        let value = inputs
            .secrets
            .get(&it.name)
            .and_then(|all| all.get(&it.key));
        if inputs.no_text.in_secret(&it.name, &it.key) {
            faults.add(&field, no_text(&what));
        } else if value.is_some_and(|it| it.expose_secret().contains('\0')) {
            faults.add(&field, nul(&what));
        }
    }
    if let Some(it) = &source.config_map_key_ref {
        let what = format!("{} of ConfigMap {}", it.key, it.name);
        let map = inputs.config_maps.get(&it.name);
        let value = map.and_then(|all| all.get(&it.key));
        if inputs.no_text.in_config_map(&it.name, &it.key) {
            faults.add(&field, no_text(&what));
        } else if value.is_some_and(|it| it.contains('\0')) {
            faults.add(&field, nul(&what));
        }
    }
}

/// Whether the API server takes it for the name of a variable.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|it| matches!(it, ' '..='~') && it != '=')
}

fn no_text(what: &str) -> String {
    format!(
        "{what} is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate"
    )
}

fn nul(what: &str) -> String {
    format!("{what} holds a NUL byte, and no variable can; store it without")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const KEYS: [&str; 2] = ["SECRET_KEY", "POSTGRES_PASSWORD"];

    /// The faults of a spec, where Secrets `a` and `b` and ConfigMap `m` hold this: texts, and the keys of what is no text.
    fn faults(fields: &str, texts: &[(&str, &str, &str)], binary: &[(&str, &str)]) -> Vec<String> {
        let spec = fixtures::spec(fields);
        let mut inputs = Inputs::offline(&fixtures::app(""));
        for (name, key, value) in texts {
            if *name == "m" {
                let map = inputs.config_maps.entry((*name).into()).or_default();
                map.insert((*key).into(), (*value).into());
            } else {
                let secret = inputs.secrets.entry((*name).into()).or_default();
                secret.insert((*key).into(), SecretString::from(*value));
            }
        }
        for (name, key) in binary {
            let of = &mut inputs.no_text;
            let all = if *name == "m" {
                &mut of.config_maps
            } else {
                &mut of.secrets
            };
            all.entry((*name).into()).or_default().insert((*key).into());
        }
        let mut faults = Faults::default();
        refuse(&spec, &inputs, &KEYS, &mut faults);
        faults.0
    }

    const FROM: &str = "secrets: {from: [{name: a}, {name: b}]}";
    const ENV: &str = "backend: {image: 'a/b:1', env: [
        {name: A, valueFrom: {secretKeyRef: {name: a, key: k, optional: true}}},
        {name: B, valueFrom: {configMapKeyRef: {name: m, key: k}}}]}";

    #[test]
    fn a_given_value_that_is_no_text_is_named_and_not_replaced() {
        assert_eq!(
            faults(FROM, &[], &[("a", "SECRET_KEY"), ("b", "unused")]),
            [
                "spec.secrets.from: SECRET_KEY of Secret a is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate"
            ]
        );
        // Of two Secrets the later wins, whatever it holds.
        let later = [("b", "SECRET_KEY", "key")];
        assert_eq!(faults(FROM, &later, &[("a", "SECRET_KEY")]), [""; 0]);
        let earlier = [("a", "SECRET_KEY", "key")];
        assert_eq!(faults(FROM, &earlier, &[("b", "SECRET_KEY")]).len(), 1);
    }

    #[test]
    fn a_variable_that_refers_to_no_text_is_named_though_it_is_optional() {
        let said = |what: &str| {
            format!(
                "{what} is not text, so no variable can hold it; store it as text in UTF-8, such as in base64, or mount it as a file by podTemplate"
            )
        };
        assert_eq!(
            faults(ENV, &[], &[("a", "k"), ("m", "k")]),
            [
                said("spec.backend.env[0].valueFrom: k of Secret a"),
                said("spec.backend.env[1].valueFrom: k of ConfigMap m"),
            ]
        );
    }

    #[test]
    fn a_nul_byte_is_refused_wherever_a_variable_would_hold_it() {
        let texts = [
            ("a", "k", "x\0"),
            ("m", "k", "\0"),
            ("a", "SECRET_KEY", "a\0b"),
        ];
        assert_eq!(
            faults(&format!("{ENV}, {FROM}"), &texts, &[]),
            [
                "spec.secrets.from: SECRET_KEY of Secret a holds a NUL byte, and no variable can; store it without",
                "spec.backend.env[0].valueFrom: k of Secret a holds a NUL byte, and no variable can; store it without",
                "spec.backend.env[1].valueFrom: k of ConfigMap m holds a NUL byte, and no variable can; store it without",
            ]
        );
        let literal = r#"backend: {image: 'a/b:1', env: [{name: A, value: "a\0"}]}"#;
        assert_eq!(
            faults(literal, &[], &[]),
            [
                "spec.backend.env[0].value: A holds a NUL byte, and no variable can; store it without"
            ]
        );
    }

    #[test]
    fn white_space_around_a_credential_is_named_with_its_secret_and_key() {
        let said = |what: &str| {
            format!(
                "{what} begins or ends with white space, such as the line end that `echo` adds; store it without"
            )
        };
        for value in ["key\n", "key\r\n", " key", "key\t"] {
            let texts = [("b", "SECRET_KEY", value), ("a", "other", "x\n")];
            assert_eq!(
                faults(FROM, &texts, &[]),
                [said("spec.secrets.from: SECRET_KEY of Secret b")],
                "{value:?}"
            );
        }
        let external = "database: {external: {secretName: a}}";
        let texts = OF_DATABASE.map(|key| ("a", key, "x\n"));
        let wanted = OF_DATABASE.map(|key| {
            said(&format!(
                "spec.database.external.secretName: {key} of Secret a"
            ))
        });
        assert_eq!(faults(external, &texts, &[]), wanted);
        // Within a value, and in a variable of the user's own, it may be meant.
        let meant = [
            ("a", "SECRET_KEY", "a key"),
            ("a", "k", "x\n"),
            ("m", "k", "y\n"),
        ];
        assert_eq!(faults(&format!("{ENV}, {FROM}"), &meant, &[]), [""; 0]);
    }

    #[test]
    fn a_variable_has_a_name_that_the_api_server_takes() {
        let named = |name: &str| {
            let name = serde_json::json!(name);
            let fields = format!("backend: {{image: 'a/b:1', env: [{{name: {name}, value: x}}]}}");
            faults(&fields, &[], &[])
        };
        for name in ["A", "a.b-c", "1", "A B"] {
            assert_eq!(named(name), [""; 0], "{name}");
        }
        for name in ["", "A=B", "Ä", "A\n"] {
            assert_eq!(
                named(name),
                [format!(
                    "spec.backend.env[0].name: {name:?} is no name of a variable: it takes one or more printable ASCII characters without '='"
                )]
            );
        }
    }
}
