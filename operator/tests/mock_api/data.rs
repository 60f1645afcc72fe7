//! One change to the data at a time, and what is known of data stays as long as they do.

use anyhow::{Context as _, Result, ensure};
use appstack_operator::error::Error;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{STACK, World};

const SEED: &str = "jobs/shop-seed";
const VOLUME: &str = "persistentvolumeclaims/shop-db-data";

impl World {
    /// A stack with a seed that was rolled out.
    async fn seeded(spec: &Value) -> Result<Self> {
        let world = Self::new();
        let mut app = world.server.get(STACK).context("no AppStack")?;
        app["spec"]["backend"]["seed"] = json!({"args": ["seed"]});
        for (key, value) in spec.as_object().into_iter().flatten() {
            app["spec"][key] = value.clone();
        }
        world.server.put(STACK, app);
        world.settle().await?;
        ensure!(world.server.get(SEED).is_some());
        Ok(world)
    }

    /// Deletes the AppStack with all that goes with it, as Kubernetes does, and gives it as it was applied.
    fn delete_stack(&self) -> Result<Value> {
        let mut app = self.server.get(STACK).context("no AppStack")?;
        self.server.remove(STACK);
        self.collect_garbage();
        let labels = app["metadata"]["labels"].take();
        app["metadata"] = json!({"name": "shop", "namespace": super::NAMESPACE, "labels": labels});
        app["status"] = Value::Null;
        Ok(app)
    }

    /// Deletes what goes with something that is not there any more.
    fn collect_garbage(&self) {
        loop {
            let all = self.server.everything();
            let uids: Vec<&Value> = all.values().map(|it| &it["metadata"]["uid"]).collect();
            let lost = all.iter().filter(|(_, it)| {
                let owners = it["metadata"]["ownerReferences"].as_array();
                let mut owners = owners.into_iter().flatten().peekable();
                owners.peek().is_some() && owners.all(|it| !uids.contains(&&it["uid"]))
            });
            let lost: Vec<&String> = lost.map(|(at, _)| at).collect();
            if lost.is_empty() {
                return;
            }
            for at in lost {
                self.server.remove(at);
            }
        }
    }

    /// The addresses of all Jobs.
    fn jobs(&self) -> Vec<String> {
        let all = self.server.everything().into_keys();
        all.filter(|it| it.starts_with("jobs/")).collect()
    }
}

#[tokio::test]
async fn what_is_known_of_a_volume_that_stays_is_known_to_the_next_stack() -> Result<()> {
    let mut world = World::seeded(&json!({"deletionPolicy": "Retain"})).await?;
    let app = world.delete_stack()?;
    assert!(world.server.get(VOLUME).is_some());
    world.server.put(STACK, app);
    world.restart()?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.jobs(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn what_is_known_of_a_volume_that_goes_goes_with_it() -> Result<()> {
    let mut world = World::seeded(&json!({"deletionPolicy": "Delete"})).await?;
    let app = world.delete_stack()?;
    let mut left: Vec<String> = world.server.everything().into_keys().collect();
    left.retain(|it| !it.starts_with("ingressclasses/") && !it.starts_with("pods/"));
    assert_eq!(left, [""; 0]);
    world.server.put(STACK, app);
    world.restart()?;
    world.settle().await?;
    assert!(world.server.get(SEED).is_some());
    Ok(())
}

#[tokio::test]
async fn what_was_written_down_before_is_kept_with_the_volume_from_now_on() -> Result<()> {
    let mut world = World::seeded(&json!({"deletionPolicy": "Retain"})).await?;
    let uid = |world: &World| -> Result<Value> {
        let mut app = world.server.get(STACK).context("no AppStack")?;
        Ok(app["metadata"]["uid"].take())
    };
    let stack = uid(&world)?;
    for (at, mut object) in world.server.everything() {
        if object["metadata"]["ownerReferences"][0]["kind"] == "PersistentVolumeClaim" {
            let owner = json!({"apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack", "name": "shop",
                "uid": stack, "controller": true});
            object["metadata"]["ownerReferences"] = json!([owner]);
            world.server.put(&at, object);
        }
    }
    world.restart()?;
    world.settle().await?;
    let app = world.delete_stack()?;
    world.server.put(STACK, app);
    world.restart()?;
    world.settle().await?;
    assert_eq!(world.jobs(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn records_of_a_stack_that_is_about_to_go_are_not_those_of_the_next() -> Result<()> {
    let mut world = World::seeded(&json!({"deletionPolicy": "Retain"})).await?;
    let old = world.server.everything();
    let app = world.delete_stack()?;
    // Kubernetes has not come to them yet.
    for (at, object) in old {
        if at.starts_with("controllerrevisions/") {
            world.server.put(&at, object);
        }
    }
    world.server.put(STACK, app);
    world.restart()?;
    let error = world.fail().await?;
    assert!(matches!(error, Error::NameTaken { .. }), "{error:?}");
    assert_eq!(world.condition("Ready"), "False NameTaken");
    world.collect_garbage();
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.jobs(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn another_external_database_is_migrated_and_seeded_and_the_same_is_not_again() -> Result<()>
{
    let secret = |host: &str| {
        let value = |text: &str| json!(BASE64_STANDARD.encode(text));
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": super::NAMESPACE},
            "data": {"host": value(host), "dbname": value("app"), "user": value("u"), "password": value("p")},
        })
    };
    let spec =
        json!({"deletionPolicy": "Retain", "database": {"external": {"secretName": "theirs"}}});
    let mut world = World::new();
    world.server.put("secrets/theirs", secret("first"));
    let mut app = world.server.get(STACK).context("no AppStack")?;
    app["spec"]["backend"]["seed"] = json!({"args": ["seed"]});
    app["spec"]["database"] = spec["database"].clone();
    app["spec"]["deletionPolicy"] = json!("Retain");
    world.server.put(STACK, app);
    world.settle().await?;
    assert!(world.server.get(SEED).is_some());

    let app = world.delete_stack()?;
    world.server.put(STACK, app);
    world.restart()?;
    world.settle().await?;
    assert_eq!(world.jobs(), [""; 0]);

    world.server.put("secrets/theirs", secret("second"));
    world.settle().await?;
    assert!(world.server.get(SEED).is_some());
    Ok(())
}
