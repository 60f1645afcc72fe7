//! The labels and annotations that a pod template of the user's gives its pods.

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::api::label;
use crate::check::Faults;

/// What a key or a value of a label is at most.
const LONGEST: usize = 63;
/// What may stand before the slash of a key is at most.
const LONGEST_PREFIX: usize = 253;

/// Notes labels that are the operator's own, and keys and values that no object may have.
pub(super) fn refuse(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let Some(metadata) = &template.metadata else {
        return;
    };
    let place = format!("{field}.metadata.labels");
    for (key, value) in metadata.labels.iter().flatten() {
        // Pods are found by these; with other values they would be lost.
        if [label::STACK, label::COMPONENT, label::JOB].contains(&key.as_str()) {
            let problem = format!("{key} is the operator's own; use another key");
            faults.add(&place, problem);
        }
        refuse_key(&place, key, faults);
        if !value.is_empty() && !is_name(value) {
            let problem = format!(
                "{value:?} of {key} is no value of a label: at most {LONGEST} letters, digits, -, _ and ., the first and the last a letter or digit; use an annotation for other texts"
            );
            faults.add(&place, problem);
        }
    }
    let place = format!("{field}.metadata.annotations");
    for key in metadata.annotations.iter().flat_map(|it| it.keys()) {
        refuse_key(&place, key, faults);
    }
}

fn refuse_key(place: &str, key: &str, faults: &mut Faults) {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if !is_name(name) || !prefix.is_none_or(is_subdomain) {
        let problem = format!(
            "{key:?} is no key: at most {LONGEST} letters, digits, -, _ and ., the first and the last a letter or digit, such as team; before it a DNS name and a slash if you like, such as example.com/team"
        );
        faults.add(place, problem);
    }
}

fn is_name(name: &str) -> bool {
    let inner = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let ends = |it: char| it.is_ascii_alphanumeric();
    name.len() <= LONGEST
        && name.chars().all(inner)
        && name.starts_with(ends)
        && name.ends_with(ends)
}

fn is_subdomain(name: &str) -> bool {
    let inner = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    let is_label = |it: &str| {
        !it.is_empty() && it.chars().all(inner) && !it.starts_with('-') && !it.ends_with('-')
    };
    name.len() <= LONGEST_PREFIX && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(metadata: &Value) -> Vec<String> {
        let template = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        let mut faults = Faults::default();
        refuse("t", &template, &mut faults);
        faults.0
    }

    #[test]
    fn a_label_that_selects_pods_cannot_be_changed() {
        let faults = faults(&json!({"labels": {"app.kubernetes.io/component": "api"}}));
        assert!(
            faults[0].contains("app.kubernetes.io/component"),
            "{faults:?}"
        );
    }

    #[test]
    fn keys_and_values_are_those_that_objects_may_have() {
        let good = json!({
            "labels": {"team": "web_1.x", "example.com/Team": "", "a": "x".repeat(63)},
            "annotations": {"example.com/note": "any text, of any length\n"},
        });
        assert_eq!(faults(&good), [""; 0]);
        for labels in [
            json!({"team": "web shop"}),
            json!({"team": "-web"}),
            json!({"team": "x".repeat(64)}),
            json!({"the team": "web"}),
            json!({"Example.com/team": "web"}),
            json!({"example.com/a/b": "web"}),
            json!({"": "web"}),
        ] {
            let found = faults(&json!({"labels": labels}));
            assert!(found[0].starts_with("spec.t.metadata.labels: "), "{labels}");
            assert_eq!(found.len(), 1, "{found:?}");
        }
        let found = faults(&json!({"annotations": {"a note": "x"}}));
        assert!(found[0].starts_with("spec.t.metadata.annotations: \"a note\" is no key"));
    }
}
