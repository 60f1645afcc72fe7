//! What can be said without a cluster: the CRD, and every object that an AppStack would become.

use anyhow::{Context as _, Result, bail};
use kube::CustomResourceExt as _;
use serde::de::DeserializeOwned;

use crate::api::AppStack;
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

/// The objects of every AppStack in `text`, as a stream of YAML documents in roll-out order.
///
/// Values that only a cluster knows are written as words in parentheses.
///
/// # Errors
/// If the text is no AppStack, or not an acceptable one; every fault is named.
pub fn manifests(text: &str, settings: &ClusterSettings) -> Result<String> {
    let mut manifests = String::new();
    for mut app in parse(text)? {
        let name = app.metadata.name.clone().unwrap_or_default();
        if name.is_empty() {
            bail!("metadata.name: an AppStack needs a name");
        }
        if let Err(errors) = app.validate_cel() {
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

/// The AppStacks of a stream of YAML documents; documents of other kinds are left out.
fn parse(text: &str) -> Result<Vec<AppStack>> {
    let mut found = Vec::new();
    for document in documents::<serde_json::Value>(text)? {
        if document.get("kind").and_then(serde_json::Value::as_str) == Some("AppStack") {
            let app = serde_json::from_value(document)
                .context("this is not an AppStack that can be read")?;
            found.push(app);
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
fn canonical(object: &Object) -> Result<serde_json::Value> {
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
