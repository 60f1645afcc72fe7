//! What unit tests begin with: the smallest AppStack, and the releases that it had.
//!
//! Invariant: for unit tests alone. A test says itself what it is about; here is only what it needs to be complete.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::api::{AppStack, AppStackSpec};
use crate::build;
use crate::check;
use crate::model::inputs::{Inputs, ReleaseRecord};
use crate::model::stack::Stack;
use crate::settings::ClusterSettings;

/// The smallest spec.
const MINIMAL: &str = "{environment: local, domain: localhost, backend: {image: 'a/b:1'}}";
/// What every object has that the API server keeps.
const METADATA: &str = "{name: shop, namespace: ns, uid: uid, generation: 2}";

/// The smallest spec with these fields, as YAML between braces; they take the place of its own.
pub(crate) fn spec(fields: &str) -> AppStackSpec {
    let mut spec: Map<String, Value> = serde_saphyr::from_str(MINIMAL).unwrap();
    let fields: Map<String, Value> = serde_saphyr::from_str(&format!("{{{fields}}}")).unwrap();
    spec.extend(fields);
    serde_json::from_value(Value::Object(spec)).unwrap()
}

/// The AppStack `shop` of such a spec.
pub(crate) fn app(fields: &str) -> AppStack {
    let mut app = AppStack::new("shop", spec(fields));
    app.metadata = serde_saphyr::from_str(METADATA).unwrap();
    app
}

/// The checked stack of an AppStack before anything is known of it.
pub(crate) fn stack(app: &AppStack) -> Stack {
    stack_of(app, &Inputs::offline(app))
}

/// The checked stack of an AppStack of which these inputs are known.
pub(crate) fn stack_of(app: &AppStack, inputs: &Inputs) -> Stack {
    check::stack(app, inputs, &ClusterSettings::default()).unwrap()
}

/// The record of a release.
pub(crate) fn release(hash: &str, spec: &AppStackSpec) -> ReleaseRecord {
    ReleaseRecord {
        hash: hash.into(),
        revision: 1,
        verified_at: None,
        spec: spec.clone(),
        values: "s".into(),
        migration: None,
        ports: None,
        renewal: None,
        manifests: None,
        assets: Vec::new(),
    }
}

/// Keeps a release as the one that serves, with all that is kept of it: its values, its objects and what was generated.
pub(crate) fn keep(inputs: &mut Inputs, stack: &Stack) {
    let (names, secrets) = (&stack.names, &stack.secrets);
    let values = names.values(&secrets.hash).into();
    inputs.secrets.insert(values, secrets.values.clone());
    let generated = names.generated().into();
    inputs.secrets.insert(generated, secrets.generated.clone());
    let manifests = build::manifests(stack);
    let releases = &mut inputs.records.releases;
    let newest = releases.iter().map(|it| it.revision).max();
    let revision = newest.unwrap_or_default() + 1;
    releases.retain(|it| it.hash != stack.release);
    releases.push(ReleaseRecord {
        revision,
        verified_at: Some(Timestamp::from_second(revision).unwrap()),
        values: secrets.hash.clone(),
        manifests: Some(manifests.hash()),
        assets: stack.older_assets().to_vec(),
        ..release(stack.release.as_str(), &stack.spec)
    });
    let objects = Arc::new(manifests);
    inputs.manifests.insert(stack.release.clone(), objects);
}
