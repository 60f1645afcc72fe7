//! Fields of a pod template that Kubernetes does not have, and values of another type than they have there. Kubernetes' own
//! types would pass over the former, and name the latter without a place.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The schema of a pod template, whole: it has no circles.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::default().with(|it| it.inline_subschemas = true);
    let schema = settings
        .into_generator()
        .into_root_schema_for::<PodTemplateSpec>();
    schema.to_value()
});

/// How much alike two names must be for one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.7;

/// What is wrong at a place below a pod template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The place, such as `.spec.containers[0].imag`.
    pub(super) path: String,
    /// What is wrong with it, and what to do.
    pub(super) problem: String,
}

/// Everything that is wrong with a template.
pub(super) fn faults(template: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    walk(template, &SCHEMA, "", &mut faults);
    faults
}

fn walk(value: &Value, schema: &Value, path: &str, faults: &mut Vec<Fault>) {
    if let Some(problem) = wrong_type(value, schema) {
        faults.push(Fault {
            path: path.to_owned(),
            problem,
        });
        return;
    }
    match value {
        Value::Object(fields) => {
            let known = schema["properties"].as_object();
            for (name, value) in fields {
                let below = format!("{path}.{name}");
                let others = schema.get("additionalProperties");
                match known.map_or(others, |it| it.get(name)) {
                    Some(schema) => walk(value, schema, &below, faults),
                    None => faults.extend(known.map(|known| Fault {
                        path: below,
                        problem: unknown(name, known),
                    })),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &schema["items"], &format!("{path}[{index}]"), faults);
            }
        }
        _ => {}
    }
}

/// Null is the same as a field that is left out.
fn wrong_type(value: &Value, schema: &Value) -> Option<String> {
    let (right, wanted) = match schema["type"].as_str() {
        _ if value.is_null() => return None,
        Some("object") => (value.is_object(), "an object"),
        Some("array") => (value.is_array(), "a list"),
        Some("string") => (value.is_string(), "a text"),
        Some("boolean") => (value.is_boolean(), "true or false"),
        Some("integer") => (value.is_i64(), "a whole number"),
        Some("number") => (value.is_number(), "a number"),
        _ if schema["x-kubernetes-int-or-string"] == true => (
            value.is_i64() || value.is_string() || value.is_number(),
            "a number or a text",
        ),
        _ => return None,
    };
    (!right).then(|| format!("must be {wanted}, and is {}", shown(value)))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        // A value may be a secret that was put into the wrong place.
        Value::String(_) => "a text".into(),
        other => other.to_string(),
    }
}

fn unknown(name: &str, known: &Map<String, Value>) -> String {
    let lower = name.to_lowercase();
    let alike = known
        .keys()
        .map(|it| (strsim::jaro_winkler(&lower, &it.to_lowercase()), it))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match alike {
        Some((alike, meant)) if alike >= ALIKE => {
            format!("there is no such field; did you mean {meant}?")
        }
        _ => format!(
            "there is no such field; those here are {}",
            known.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(template: &Value) -> Vec<String> {
        let faults = faults(template).into_iter();
        faults
            .map(|it| format!("{}: {}", it.path, it.problem))
            .collect()
    }

    #[test]
    fn every_unknown_field_is_named_with_the_one_that_was_meant() {
        let template = json!({
            "metadata": {"label": {"a": "b"}},
            "spec": {
                "imagePullSecret": [{"name": "registry"}],
                "nodeselector": {"disk": "fast"},
                "securitycontext": {},
                "initContainers": [{"name": "one"}, {"name": "two", "comand": []}],
                "containers": [{"name": "backend", "env": [{"name": "A", "valuefrom": {}}],
                    "livenessProbe": {"httpGet": {"paths": "/"}}}],
                "affinity": {"nodeAffinity": {"requiredDuringScheduling": {}}},
                "volumes": [{"name": "a", "persistentVolumeClaim": {"claim": "b"}}],
            },
        });
        let wanted = [
            (".metadata.label", "labels"),
            (
                ".spec.affinity.nodeAffinity.requiredDuringScheduling",
                "requiredDuringSchedulingIgnoredDuringExecution",
            ),
            (".spec.containers[0].env[0].valuefrom", "valueFrom"),
            (".spec.containers[0].livenessProbe.httpGet.paths", "path"),
            (".spec.imagePullSecret", "imagePullSecrets"),
            (".spec.initContainers[1].comand", "command"),
            (".spec.nodeselector", "nodeSelector"),
            (".spec.securitycontext", "securityContext"),
            (".spec.volumes[0].persistentVolumeClaim.claim", "claimName"),
        ];
        let wanted = wanted
            .map(|(path, meant)| format!("{path}: there is no such field; did you mean {meant}?"));
        let mut found = found(&template);
        found.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_name_like_no_other_is_answered_with_all_of_them() {
        let found = found(&json!({"zzz": {}}));
        assert_eq!(
            found,
            [".zzz: there is no such field; those here are metadata, spec"]
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let template = json!({"spec": {
            "hostNetwork": "yes", "nodeSelector": {"disk": 1}, "tolerations": {"key": "a"},
            "terminationGracePeriodSeconds": 1.5, "containers": [{"name": "a", "command": "b", "ports": [80]}],
        }});
        let mut found = found(&template);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ".spec.containers[0].command: must be a list, and is a text",
                ".spec.containers[0].ports[0]: must be an object, and is 80",
                ".spec.hostNetwork: must be true or false, and is a text",
                ".spec.nodeSelector.disk: must be a text, and is 1",
                ".spec.terminationGracePeriodSeconds: must be a whole number, and is 1.5",
                ".spec.tolerations: must be a list, and is an object",
            ]
        );
    }

    #[test]
    fn what_kubernetes_takes_has_no_fault() {
        let template = json!({
            "metadata": {"annotations": {"any.example.com/key": "b"}, "creationTimestamp": null},
            "spec": {
                "nodeSelector": {"any": "thing"}, "hostUsers": false, "overhead": {"cpu": 1},
                "containers": [{"name": "a", "livenessProbe": {"httpGet": {"port": 80}, "exec": null},
                    "resources": {"limits": {"cpu": "1", "memory": 1024, "nvidia.com/gpu": 1.5}}}],
                "volumes": [{"name": "a", "csi": {"driver": "b", "volumeAttributes": {"c": "d"}}},
                    {"name": "e", "downwardAPI": {"items": []}}],
            },
        });
        assert_eq!(found(&template), Vec::<String>::new());
        assert!(
            SCHEMA
                .pointer("/properties/spec/properties/volumes/items/properties/name")
                .is_some()
        );
    }
}
