//! The user's variables: each name once, and the values of those that refer to a Secret or a ConfigMap.

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVar, EnvVarSource, SecretKeySelector};
use secrecy::SecretString;

use crate::check::Faults;
use crate::model::inputs::Inputs;
use crate::model::secret::SecretData;
use crate::model::stack::value;

/// The values of the variables that refer to a key, under the names that `stack::value` gives them. What is optional and
/// not there is left out.
pub(super) fn values(env: &[EnvVar], inputs: &Inputs, faults: &mut Faults) -> SecretData {
    let mut found = SecretData::new();
    for (index, var) in env.iter().enumerate() {
        let Some(source) = &var.value_from else {
            continue;
        };
        if !is_key(&var.name) {
            faults.add(
                &format!("backend.env[{index}].name"),
                "a variable with a value from a key is named by letters, digits, '-', '_' and '.' alone",
            );
        }
        match resolve(source, inputs) {
            Some(Ok((prefix, value))) => {
                found.insert(format!("{prefix}{}", var.name), value);
            }
            Some(Err(problem)) => {
                faults.add(&format!("backend.env[{index}].valueFrom"), problem);
            }
            None => {}
        }
    }
    found
}

/// Whether the API server takes a name as the key of a Secret, which is where the value will be.
fn is_key(name: &str) -> bool {
    name.chars()
        .all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
}

/// Server-side apply keeps the variables by name, so a name that comes twice would be refused there.
pub(super) fn unique(env: &[EnvVar], faults: &mut Faults) -> Vec<EnvVar> {
    for (index, var) in env.iter().enumerate() {
        if env[..index].iter().any(|earlier| earlier.name == var.name) {
            faults.add(
                &format!("backend.env[{index}].name"),
                format!("{} is there twice; remove one", var.name),
            );
        }
    }
    env.to_vec()
}

/// What a reference leads to: nothing of ours, a value, or a fault.
fn resolve(
    source: &EnvVarSource,
    inputs: &Inputs,
) -> Option<Result<(&'static str, SecretString), String>> {
    if let Some(SecretKeySelector {
        name,
        key,
        optional,
    }) = &source.secret_key_ref
    {
        let secret = inputs.secrets.get(name);
        let value = secret.and_then(|it| it.get(key)).cloned();
        // That the Secret is there at all is looked at for every Secret in one place.
        return match (value, secret) {
            (Some(value), _) => Some(Ok((value::OF_SECRET, value))),
            (None, Some(_)) if inputs.no_text.in_secret(name, key) => None,
            (None, Some(_)) if *optional != Some(true) => {
                Some(Err(format!("Secret {name} lacks the key {key}")))
            }
            (None, _) => None,
        };
    }
    let ConfigMapKeySelector {
        name,
        key,
        optional,
    } = source.config_map_key_ref.as_ref()?;
    let map = inputs.config_maps.get(name);
    match (map.and_then(|it| it.get(key)), map) {
        (Some(value), _) => Some(Ok((value::OF_CONFIG_MAP, value.clone().into()))),
        (None, Some(_)) if inputs.no_text.in_config_map(name, key) => None,
        (None, _) if *optional == Some(true) => None,
        (None, Some(_)) => Some(Err(format!("ConfigMap {name} lacks the key {key}"))),
        (None, None) => Some(Err(format!(
            "there is no ConfigMap {name} in this namespace"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn found(env: &str) -> (Vec<String>, Vec<String>) {
        let mut inputs = Inputs::offline(&fixtures::app(""));
        inputs.secrets.insert(
            "keys".into(),
            [("KEY".to_owned(), SecretString::from("value"))].into(),
        );
        inputs.config_maps.insert(
            "settings".into(),
            [("key".to_owned(), "value".to_owned())].into(),
        );
        let env: Vec<EnvVar> = serde_saphyr::from_str(env).unwrap();
        let mut faults = Faults::default();
        let values = values(&env, &inputs, &mut faults);
        (values.into_keys().collect(), faults.0)
    }

    #[test]
    fn a_value_is_kept_under_the_name_of_its_variable() {
        let (values, faults) = found(
            "[{name: A, valueFrom: {secretKeyRef: {name: keys, key: KEY}}},
              {name: B, valueFrom: {configMapKeyRef: {name: settings, key: key}}}, {name: C, value: c}]",
        );
        assert_eq!(values, ["config.B", "secret.A"]);
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn a_missing_key_is_named_with_its_secret() {
        let (_, faults) = found("[{name: A, valueFrom: {secretKeyRef: {name: keys, key: OTHER}}}]");
        assert_eq!(
            faults,
            ["spec.backend.env[0].valueFrom: Secret keys lacks the key OTHER"]
        );
        let (_, faults) = found("[{name: A, valueFrom: {configMapKeyRef: {name: none, key: k}}}]");
        assert_eq!(
            faults,
            ["spec.backend.env[0].valueFrom: there is no ConfigMap none in this namespace"]
        );
    }

    #[test]
    fn what_is_optional_may_be_missing() {
        let (values, faults) = found(
            "[{name: A, valueFrom: {secretKeyRef: {name: keys, key: OTHER, optional: true}}},
              {name: B, valueFrom: {configMapKeyRef: {name: none, key: k, optional: true}}}]",
        );
        assert_eq!((values, faults), (Vec::new(), Vec::new()));
    }
}
