//! What would stay broken or stay for ever if nobody did anything.

use anyhow::{Context as _, Result};
use appstack_operator::api::label;
use serde_json::{Value, json};

use super::server::NAMESPACE;
use super::{DATABASE, STACK, World, users_secret};

/// The pod of the database.
const POD: &str = "pods/shop-db-0";

impl World {
    /// Lets the template of the database be another one than the one its pod was made from.
    fn correct_database(&self, ready: &str) -> Result<()> {
        let mut database = self.server.get(DATABASE).context("no database")?;
        database["status"] = json!({
            "observedGeneration": database["metadata"]["generation"], "replicas": 1,
            "updatedReplicas": 0, "currentRevision": "old", "updateRevision": "new",
        });
        self.server.put(DATABASE, database.clone());
        let mut labels = database["spec"]["selector"]["matchLabels"].clone();
        labels["controller-revision-hash"] = json!("old");
        let owner = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "shop-db",
            "uid": database["metadata"]["uid"],
        });
        self.server.remove(POD);
        self.server.put(POD, json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "shop-db-0", "namespace": NAMESPACE, "labels": labels, "ownerReferences": [owner],
            },
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }));
        Ok(())
    }

    /// The objects of a kind whose names begin so.
    fn named(&self, kind: &str, start: &str) -> Vec<Value> {
        let mut all = self.server.all(kind);
        let name = |it: &Value| it["metadata"]["name"].as_str().map(str::to_owned);
        all.retain(|it| name(it).is_some_and(|it| it.starts_with(start)));
        all
    }
}

#[tokio::test]
async fn a_pod_of_the_database_that_is_in_the_way_of_its_correction_is_replaced() -> Result<()> {
    let world = World::new();
    world.reconcile().await??;
    world.correct_database("True")?;
    world.reconcile().await??;
    assert!(
        world.server.get(POD).is_some(),
        "Kubernetes replaces it by itself"
    );
    world.correct_database("False")?;
    world.reconcile().await??;
    assert!(world.server.get(POD).is_none(), "it is stuck");
    Ok(())
}

#[tokio::test]
async fn what_is_named_by_its_content_makes_room_when_somebody_else_fills_it() -> Result<()> {
    let world = World::serving().await?;
    for (kind, plural, start) in [
        ("Secret", "secrets", "shop-values-"),
        ("ConfigMap", "configmaps", "shop-frontend-"),
    ] {
        let before = world.named(kind, start).pop().context("it is not there")?;
        let name = before["metadata"]["name"].as_str().context("no name")?;
        let at = format!("{plural}/{name}");
        let mut theirs = before.clone();
        theirs["data"] = json!({"config.json": "e30=", "SECRET_KEY": "dGhlaXJz"});
        world.server.remove(&at);
        world.server.put(&at, theirs);
        world.server.forget();
        world.reconcile().await??;
        let data = |object: Value| object["data"].clone();
        assert_eq!(world.server.get(&at).map(data), Some(data(before)), "{at}");
        let requests = world.server.requests();
        assert!(requests.contains(&format!("DELETE {at}")), "{requests:?}");

        world.server.forget();
        world.reconcile().await??;
        assert_eq!(world.server.changed(), [""; 0], "{at}");
    }
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn as_many_releases_are_kept_as_the_spec_says_and_what_they_alone_needed_goes() -> Result<()>
{
    let world = World::new();
    let from = json!({"from": [{"name": "keys"}]});
    world.server.set(STACK, "secrets", from)?;
    world.server.set(STACK, "rollout", json!({"history": 3}))?;
    users_secret(&world, "keys", json!({"SMTP_USER": "MQ=="}));
    world.roll_out().await?;
    for (version, user) in [("v2", "Mg=="), ("v3", "Mw=="), ("v4", "NA==")] {
        users_secret(&world, "keys", json!({"SMTP_USER": user}));
        world.release(version, |_| Ok(())).await?;
    }
    let kept = |world: &World| {
        let mut records = world.server.all("ControllerRevision");
        records.retain(|it| it["metadata"]["labels"][label::RECORD] == "release");
        (records.len(), world.named("Secret", "shop-values-").len())
    };
    assert_eq!(kept(&world).0, 3);
    world.reconcile().await??;
    assert_eq!(kept(&world), (3, 3));

    // Less of them are kept at once when that is asked for.
    world.server.set(STACK, "rollout", json!({"history": 2}))?;
    world.reconcile().await??;
    world.reconcile().await??;
    assert_eq!(kept(&world), (2, 2));
    assert_eq!(world.backend_image()?, "acme/backend:v4");
    Ok(())
}
