//! Places in objects as the API server names them, such as `spec.template.spec.containers[0].env[23].name`.
//!
//! Invariant: pure.

use serde_json::Value;

/// A text in which the entries of lists of an object are named by their names in place of their numbers: a list that the operator
/// made has ours in it too, so a number tells nobody which is meant.
#[must_use]
pub fn named(text: &str, object: &Value) -> String {
    let is_of_path = |it: char| it.is_ascii_alphanumeric() || "._-[]".contains(it);
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("spec.") {
        let (before, path) = rest.split_at(at);
        let end = path.find(|it| !is_of_path(it)).unwrap_or(path.len());
        told.push_str(before);
        told.push_str(&with_names(&path[..end], object));
        rest = &path[end..];
    }
    told.push_str(rest);
    told
}

fn with_names(path: &str, object: &Value) -> String {
    let mut told = String::with_capacity(path.len());
    let mut at = Some(object);
    for (index, step) in path.split('.').enumerate() {
        if index > 0 {
            told.push('.');
        }
        let (field, entry) = step.split_once('[').unwrap_or((step, ""));
        told.push_str(field);
        at = at.and_then(|it| it.get(field));
        let Some(number) = entry.strip_suffix(']') else {
            told.push_str(&step[field.len()..]);
            continue;
        };
        let number: Option<usize> = number.parse().ok();
        at = at.zip(number).and_then(|(it, number)| it.get(number));
        match at.and_then(|it| it["name"].as_str()) {
            Some(name) => told.extend(["[", name, "]"]),
            None => told.push_str(&step[field.len()..]),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_lists_are_told_by_their_names() {
        let env = json!([{"name": "A"}, {"name": "REGION"}]);
        let object = json!({"spec": {
            "template": {"spec": {"containers": [{"name": "backend", "env": env}]}}, "rules": [{"host": "a.test"}],
        }});
        for (text, wanted) in [
            (
                "it is invalid: spec.template.spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: \"x\"",
                "it is invalid: spec.template.spec.containers[backend].env[REGION].valueFrom.fieldRef.fieldPath: Invalid value: \"x\"",
            ),
            (
                "[spec.rules[0].host: a, spec.rules[7].host: b]",
                "[spec.rules[0].host: a, spec.rules[7].host: b]",
            ),
            ("spec.none[0].a[1", "spec.none[0].a[1"),
            ("no place", "no place"),
        ] {
            assert_eq!(named(text, &object), wanted);
        }
    }
}
