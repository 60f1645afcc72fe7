//! The contracts of the Helm chart that can be checked without Helm: its values and their schema
//! say the same, its templates use all of them, its rights are spelled out, and its custom
//! resource definitions are those of this code.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use appstack_operator::cluster::kinds;
use appstack_operator::model::object::Object;
use serde::Deserialize;
use serde_json::{Map, Value};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn chart() -> PathBuf {
    root().join("charts/appstack-operator")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(chart().join(path)).with_context(|| path.to_owned())
}

fn yaml(text: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(text)?)
}

fn values() -> Result<Value> {
    yaml(&read("values.yaml")?)
}

fn schema() -> Result<Value> {
    Ok(serde_json::from_str(&read("values.schema.json")?)?)
}

/// The text of every template.
fn templates() -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(chart().join("templates"))? {
        text.push_str(&fs::read_to_string(entry?.path())?);
    }
    Ok(text)
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// Every path in the values, such as `image.tag`. What the schema leaves open (a nodeSelector) is
/// one value, as is the whole of a map that is open.
fn value_paths(values: &Value, schema: &Value, prefix: &str) -> BTreeSet<String> {
    let (Some(values), Some(known)) = (values.as_object(), properties(schema)) else {
        return BTreeSet::from([prefix.to_owned()]);
    };
    values
        .iter()
        .flat_map(|(key, value)| {
            let schema = known.get(key).unwrap_or(&Value::Null);
            value_paths(value, schema, &join(prefix, key))
        })
        .collect()
}

/// Every path in the schema, down to what it leaves open.
fn schema_paths(schema: &Value, prefix: &str) -> BTreeSet<String> {
    let Some(known) = properties(schema) else {
        return BTreeSet::from([prefix.to_owned()]);
    };
    known
        .iter()
        .flat_map(|(key, schema)| schema_paths(schema, &join(prefix, key)))
        .collect()
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}

/// Every path that a template reads, such as `image.tag` in `.Values.image.tag`.
fn used_paths(templates: &str) -> BTreeSet<String> {
    templates
        .split(".Values.")
        .skip(1)
        .map(|rest| {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.'));
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

/// Whether `path` is `whole` or lies below it.
fn is_within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[test]
fn every_value_has_a_schema_entry_and_the_reverse() -> Result<()> {
    let schema = schema()?;
    let mut described = schema_paths(&schema, "");
    // Helm itself hands this to a chart that is part of another one.
    assert!(described.remove("global"));
    assert_eq!(value_paths(&values()?, &schema, ""), described);
    Ok(())
}

#[test]
fn every_value_is_used_and_every_use_has_a_value() -> Result<()> {
    let schema = schema()?;
    let values = value_paths(&values()?, &schema, "");
    let used = used_paths(&templates()?);
    for value in &values {
        let is_used = used.iter().any(|used| is_within(value, used));
        assert!(is_used, "no template uses {value}");
    }
    for used in &used {
        let exists = values.iter().any(|value| is_within(value, used));
        assert!(exists, "a template uses {used}, which has no value");
    }
    Ok(())
}

#[test]
fn the_schema_refuses_what_it_does_not_know() -> Result<()> {
    fn assert_strict(schema: &Value, path: &str) {
        let Some(known) = properties(schema) else {
            return;
        };
        let open = schema.get("additionalProperties");
        assert_eq!(open, Some(&Value::Bool(false)), "{path} is open");
        for (key, schema) in known {
            assert_strict(schema, &join(path, key));
        }
    }
    let mut schema = schema()?;
    // Kubernetes owns these two shapes, and it may add to them.
    for open in ["requests", "limits"] {
        schema["properties"]["resources"]["properties"][open] = Value::Null;
    }
    assert_strict(&schema, "");
    Ok(())
}

#[test]
fn every_default_has_the_type_that_the_schema_wants() -> Result<()> {
    fn assert_typed(value: &Value, schema: &Value, path: &str) {
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert_eq!(schema["type"], is, "{path}");
        for (key, schema) in properties(schema).into_iter().flatten() {
            if let Some(value) = value.get(key) {
                assert_typed(value, schema, &join(path, key));
            }
        }
    }
    assert_typed(&values()?, &schema()?, "");
    Ok(())
}

#[test]
fn the_chart_has_the_version_of_the_operator() -> Result<()> {
    let chart = yaml(&read("Chart.yaml")?)?;
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let images = chart["annotations"]["artifacthub.io/images"].as_str();
    let tag = concat!("appstack-operator:", env!("CARGO_PKG_VERSION"));
    assert!(images.is_some_and(|images| images.contains(tag)));
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    #[serde(default)]
    resource_names: BTreeSet<String>,
    verbs: Vec<String>,
}

/// The rules of the operator in one of the named templates, which hold plain YAML.
fn rules(name: &str) -> Result<Vec<Rule>> {
    let text = read("templates/_rules.tpl")?;
    let start = format!("{{{{- define \"appstack-operator.rules.{name}\" -}}}}");
    let rest = text.split_once(&start).with_context(|| start.clone())?.1;
    let body = rest.split_once("{{- end }}").context("no end")?.0;
    Ok(serde_saphyr::from_str(body)?)
}

fn all_rules() -> Result<Vec<Rule>> {
    let mut all = rules("namespaced")?;
    all.extend(rules("cluster")?);
    all.extend(rules("own")?);
    Ok(all)
}

#[test]
fn every_right_is_spelled_out() -> Result<()> {
    let known = [
        "get", "list", "watch", "create", "update", "patch", "delete",
    ];
    for rule in all_rules()? {
        assert!(rule.verbs.iter().all(|v| known.contains(&&**v)), "{rule:?}");
        let named = rule.api_groups.iter().chain(&rule.resources);
        assert!(!named.into_iter().any(|n| n.contains('*')), "{rule:?}");
    }
    Ok(())
}

#[test]
fn no_right_leads_to_more_rights() -> Result<()> {
    let dangerous = [
        "clusterrolebindings",
        "clusterroles",
        "nodes",
        "pods/attach",
        "pods/exec",
        "pods/portforward",
        "rolebindings",
        "roles",
        "serviceaccounts/token",
    ];
    for rule in all_rules()? {
        let harmless = |r: &String| !dangerous.contains(&&**r);
        assert!(rule.resources.iter().all(harmless), "{rule:?}");
    }
    Ok(())
}

/// Server-side apply needs create for what is new and patch for what is there.
#[test]
fn each_kind_that_we_own_has_its_rights_and_a_deletion_where_it_is_pruned() -> Result<()> {
    let rules = rules("namespaced")?;
    for owned in Object::KINDS {
        let resource = owned.kind.resource();
        let rule = rules.iter().find(|it| {
            it.api_groups.contains(&resource.group) && it.resources.contains(&resource.plural)
        });
        let rule = rule.with_context(|| format!("no rights on {:?}", owned.kind))?;
        let mut wanted = vec!["get", "list", "watch", "create", "patch"];
        wanted.extend(owned.traits.pruned.then_some("delete"));
        assert_eq!(rule.verbs, wanted, "{rule:?}");
    }
    Ok(())
}

/// Whoever may write a definition may take all objects of its kind away.
#[test]
fn the_definitions_of_optional_kinds_may_be_read_and_no_others() -> Result<()> {
    let is_one = |it: &Rule| {
        it.resources
            .contains(&"customresourcedefinitions".to_owned())
    };
    let all = all_rules()?;
    let found: Vec<_> = all.iter().filter(|it| is_one(it)).collect();
    let [rule] = found.as_slice() else {
        bail!("not one rule: {found:?}");
    };
    assert_eq!(rule.resources.len(), 1, "{rule:?}");
    assert_eq!(rule.verbs, ["get", "list", "watch"]);
    let optional = kinds::optional().definitions();
    let names: BTreeSet<_> = optional.iter().map(ToString::to_string).collect();
    assert_eq!(rule.resource_names, names);
    // They have no namespace.
    assert!(rules("cluster")?.iter().any(is_one));
    Ok(())
}

#[test]
fn the_operator_never_makes_an_appstack_or_a_pod_or_deletes_a_volume() -> Result<()> {
    for rule in all_rules()? {
        if rule
            .resources
            .iter()
            .any(|it| it == "persistentvolumeclaims")
        {
            assert!(!rule.verbs.contains(&"delete".to_owned()), "{rule:?}");
        }
        // The finalizer of one whose data change just now is all that is written to it.
        if rule.resources.iter().any(|it| it == "appstacks") {
            assert_eq!(rule.verbs, ["get", "list", "watch", "patch"], "{rule:?}");
        }
        // Whoever may make or change a pod may run anything.
        if rule.resources.iter().any(|it| it == "pods") {
            assert_eq!(rule.verbs, ["get", "list", "watch", "delete"], "{rule:?}");
        }
    }
    Ok(())
}

#[test]
fn rights_stand_in_one_place_only() -> Result<()> {
    // The two roles for people name appstacks alone; everything else comes from _rules.tpl.
    let outside = templates()?.replace(&read("templates/_rules.tpl")?, "");
    let resources: BTreeSet<&str> = outside
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches("- ")
                .strip_prefix("resources: ")
        })
        .collect();
    assert_eq!(resources, BTreeSet::from(["[appstacks]"]));
    Ok(())
}

#[test]
fn the_operator_runs_as_the_restricted_standard_wants() -> Result<()> {
    let deployment = read("templates/deployment.yaml")?;
    for line in [
        "runAsNonRoot: true",
        "type: RuntimeDefault",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "drop: [ALL]",
    ] {
        assert!(deployment.contains(line), "{line}");
    }
    Ok(())
}

#[test]
fn the_chart_installs_the_generated_definitions() -> Result<()> {
    let generated = fs::read_to_string(root().join("crds/appstacks.yaml")).ok();
    let packaged = fs::read_to_string(chart().join("files/appstacks.yaml")).ok();
    assert!(generated == packaged, "run `cargo xtask generate`");
    let Some(packaged) = packaged else {
        return Ok(());
    };
    let name = &yaml(&packaged)?["metadata"]["name"];
    assert_eq!(name, "appstacks.appstack.dev");
    Ok(())
}
