//! A small stack: what the operator's own reads, writes and deletions make of it, without gates. All that is applied follows from
//! what was read, so that whatever is remembered wrongly shows in what is there.

use std::collections::BTreeSet;

use appstack_operator::api::{AppStack, MANAGER, StageName, label};
use appstack_operator::build::{Desired, Stage};
use appstack_operator::cluster::apply::Writer;
use appstack_operator::cluster::{gather, kinds};
use appstack_operator::context::Context;
use appstack_operator::error::Error;
use appstack_operator::model::fact::Record;
use appstack_operator::model::hash::short_hash;
use appstack_operator::model::identity::{PullHash, ReleaseHash};
use appstack_operator::model::inputs::Inputs;
use appstack_operator::model::names::Names;
use appstack_operator::model::object::Object;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::cluster::{REFERRED, put_referred};
use crate::STACK;
use crate::server::{NAMESPACE, Server};

/// A cluster with the AppStack of a small stack, and what it refers to.
pub(super) fn server() -> Server {
    let server = Server::default();
    server.put(
        STACK,
        json!({
            "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
            "metadata": {"name": "shop", "namespace": NAMESPACE},
            "spec": super::spec(),
        }),
    );
    for at in REFERRED {
        put_referred(&server, at, 0);
    }
    server
}

/// What a look came to.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What it was answered of the status of the one workload.
    pub(super) status: Value,
    /// What it wanted to be there, by its address.
    pub(super) wanted: Vec<(String, Value)>,
}

/// One look.
pub(super) async fn look(app: &AppStack, ctx: &Context) -> Result<Seen, Error> {
    let cache = ctx.cache.of_stack(&ctx.versions, app);
    let none = kinds::optional();
    let writer = Writer::new(&ctx.client, &cache, app, &none, Timestamp::UNIX_EPOCH);
    let inputs = gather::inputs(
        &ctx.client,
        &cache,
        app,
        (&none, &ctx.gateways),
        Timestamp::UNIX_EPOCH,
    )
    .await?;
    let Ok(objects) = wanted(app, &inputs) else {
        unreachable!("each object is of its kind");
    };
    let mut wanted: Vec<_> = objects.iter().map(addressed).collect();
    let applied = writer.apply(&objects).await?;
    let hash = PullHash::of(&[app.spec.version.as_deref().unwrap_or_default()]);
    if !inputs.records.pulled.contains(&hash) {
        writer
            .record(&Record::Pulled { hash: hash.clone() }, 1)
            .await?;
    }
    let record = Names::of("shop").pull(&hash);
    wanted.push((format!("controllerrevisions/{record}"), Value::Null));
    for old in inputs.records.pulled.iter().filter(|it| **it != hash) {
        writer.forget(&Names::of("shop").pull(old)).await?;
    }
    let desired = Desired {
        release: ReleaseHash::of(&[]),
        stages: vec![Stage {
            name: StageName::Backend,
            objects,
            check: None,
            awaits: None,
            opens: Vec::new(),
            record: None,
        }],
        tools: Vec::new(),
    };
    writer.prune(&[&desired], &BTreeSet::new()).await?;
    let status = applied.iter().find_map(|it| match it.object() {
        Object::Deployment(it) => Some(json!(it.status)),
        _ => None,
    });
    Ok(Seen {
        status: status.unwrap_or_default(),
        wanted,
    })
}

fn addressed(object: &Object) -> (String, Value) {
    let plural = format!("{}s", object.kind().to_lowercase());
    (format!("{plural}/{}", object.name()), json!(object))
}

fn wanted(app: &AppStack, inputs: &Inputs) -> serde_json::Result<Vec<Object>> {
    let version = app.spec.version.clone().unwrap_or_default();
    let values = values(inputs);
    let kept = format!("shop-values-{}", short_hash(&[&values]));
    let data = json!({"values": k8s_openapi::ByteString(values.into_bytes())});
    let pods = json!({"spec": {"containers": [{"name": "one", "image": version}]}});
    let backend = format!("shop-backend-{version}");
    let objects = [
        ("Secret", "shop-db-app", json!({"data": data})),
        ("Secret", &kept, json!({"data": data, "immutable": true})),
        ("PersistentVolumeClaim", "shop-db-data", json!({"spec": {}})),
        (
            "ConfigMap",
            "shop-config",
            json!({"data": {"version": version}}),
        ),
        (
            "Service",
            "shop-backend",
            json!({"spec": {"externalName": version}}),
        ),
        (
            "HorizontalPodAutoscaler",
            "shop-backend",
            json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": backend}}}),
        ),
        (
            "Deployment",
            &backend,
            json!({"spec": {"selector": {}, "replicas": 2, "template": pods}}),
        ),
    ];
    let objects = objects
        .into_iter()
        .map(|(kind, name, rest)| object(kind, name, &rest));
    objects.collect()
}

/// All that was read.
fn values(inputs: &Inputs) -> String {
    let secrets = inputs
        .secrets
        .iter()
        .filter(|(name, _)| name.starts_with("users-"));
    let secrets = secrets.flat_map(|(name, data)| {
        let values = data.values().map(SecretString::expose_secret);
        [name.as_str()].into_iter().chain(values)
    });
    let maps = inputs.config_maps.values();
    let maps = maps.flat_map(|it| it.values().map(String::as_str));
    secrets.chain(maps).collect::<Vec<_>>().join(",")
}

fn object(kind: &str, name: &str, rest: &Value) -> serde_json::Result<Object> {
    let labels = json!({label::STACK: "shop", label::MANAGED_BY: MANAGER});
    let mut object = json!({
        "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
    });
    json_patch::merge(&mut object, rest);
    Ok(match kind {
        // They are never read from the objects that are kept of a release.
        "Secret" => Object::Secret(serde_json::from_value(object)?),
        "PersistentVolumeClaim" => Object::PersistentVolumeClaim(serde_json::from_value(object)?),
        _ => serde_json::from_value(object)?,
    })
}
