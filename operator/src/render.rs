//! What can be said without a cluster: the CRD, and every object that an AppStack would become.

use anyhow::{Context as _, Result, bail};
use kube::CustomResourceExt as _;
use kube::core::cel::validate_cel_schema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{AppStack, Reason};
use crate::build::{self, Direction};
use crate::check;
use crate::model::inputs::Inputs;
use crate::model::object::Object;
use crate::settings::ClusterSettings;

/// The CustomResourceDefinition as YAML.
///
/// # Errors
/// If it cannot be written as YAML.
pub fn crd() -> Result<String> {
    let header = "# Generated from operator/src/api by `cargo xtask generate`. Do not edit.\n";
    Ok(format!(
        "{header}{}",
        serde_saphyr::to_string(&AppStack::crd())?
    ))
}

/// The page about conditions with the table of all reasons, which takes the place of the one that is there.
///
/// # Errors
/// If the page has no place for it.
pub fn conditions(page: &str) -> Result<String> {
    const BEGIN: &str =
        "<!-- reasons: made from operator/src/api/reason.rs by `cargo xtask generate` -->\n";
    const END: &str = "<!-- end of reasons -->";
    let (before, rest) = page.split_once(BEGIN).context("no place for the reasons")?;
    let (_, after) = rest.split_once(END).context("no end of the reasons")?;
    let rows = Reason::ALL
        .iter()
        .map(|it| format!("| `{}` | {} | {} |\n", it.as_str(), it.means(), it.remedy()));
    let rows: String = rows.collect();
    let table = format!("| Reason | Means | Do |\n|---|---|---|\n{rows}");
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

/// The objects of every AppStack in `text`, as a stream of YAML documents in roll-out order.
///
/// Values that only a cluster knows are written as words in parentheses.
///
/// # Errors
/// If the text is no AppStack, or not an acceptable one; every fault is named.
pub fn manifests(text: &str, settings: &ClusterSettings) -> Result<String> {
    let mut manifests = String::new();
    for (written, mut app) in parse(text)? {
        let name = app.metadata.name.clone().unwrap_or_default();
        if name.is_empty() {
            bail!("metadata.name: an AppStack needs a name");
        }
        // As it is written: `0s` would come back from our own types as `0ns`, which no rule takes.
        if let Err(errors) = validate_cel_schema::<AppStack>(&written, None) {
            bail!("AppStack {name} is not acceptable: {errors}");
        }
        app.metadata
            .namespace
            .get_or_insert_with(|| "default".into());
        app.metadata
            .uid
            .get_or_insert_with(|| "(known to the cluster)".into());
        let inputs = Inputs::offline(&app);
        let stack = check::stack(&app, &inputs, settings)
            .with_context(|| format!("AppStack {name} is not acceptable"))?;
        for object in build::build(&stack, Direction::Forward).objects() {
            manifests.push_str("---\n");
            manifests.push_str(&serde_saphyr::to_string(&canonical(object)?)?);
        }
    }
    Ok(manifests)
}

/// The AppStacks of a stream of YAML documents, each as it is written and as it is read; documents of other kinds are left
/// out.
fn parse(text: &str) -> Result<Vec<(Value, AppStack)>> {
    let mut found = Vec::new();
    for document in documents::<Value>(text)? {
        if document.get("kind").and_then(Value::as_str) == Some("AppStack") {
            let app = serde_json::from_value(document.clone())
                .context("this is not an AppStack that can be read")?;
            found.push((document, app));
        }
    }
    if found.is_empty() {
        bail!("there is no AppStack in it: a document with `kind: AppStack` is needed");
    }
    Ok(found)
}

fn documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    serde_saphyr::from_multiple(text).context("this is not YAML that can be read")
}

/// Objects as the API server would show them: Secrets as text, and without empty fields.
fn canonical(object: &Object) -> Result<Value> {
    let mut value = serde_json::to_value(object)?;
    if let Object::Secret(secret) = object {
        let data = secret.data.iter().flatten();
        let text: serde_json::Map<_, _> = data
            .map(|(key, value)| {
                (
                    key.clone(),
                    String::from_utf8_lossy(&value.0).into_owned().into(),
                )
            })
            .collect();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("data");
            fields.insert("stringData".into(), text.into());
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(rollout: &str) -> Result<String> {
        let text = format!(
            "{{kind: AppStack, apiVersion: appstack.dev/v1alpha1, metadata: {{name: shop}},
              spec: {{environment: local, domain: localhost, backend: {{image: 'a/b:1'}}, rollout: {rollout}}}}}"
        );
        manifests(&text, &ClusterSettings::default())
    }

    #[test]
    fn durations_are_judged_as_they_are_written() {
        for rollout in ["{soak: 0s}", "{soak: 1.5s}", "{soak: 1h30m}"] {
            assert!(rendered(rollout).is_ok(), "{rollout}");
        }
        let error = rendered("{soak: 25h}").unwrap_err().to_string();
        assert!(
            error.contains("soak: a duration of at most 24h, such as 30s; 0s for none"),
            "{error}"
        );
    }
}
