//! Assets of earlier releases: whose a release serves is written down with it, and its pods stay as they are.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{BACKEND, FRONTEND, STACK, World};

/// What is written on the record of a release.
const NOTE: &str = "/metadata/annotations/appstack.dev~1assets";

impl World {
    /// A stack that serves version `v2` and the assets of `v1` with it.
    async fn with_assets() -> Result<Self> {
        let world = Self::new();
        let frontend = json!({"image": "acme/frontend", "assets": {"path": "/assets"}});
        world.server.set(STACK, "frontend", frontend)?;
        world.roll_out().await?;
        world.reconcile().await??;
        world.server.forget();
        world.server.set(STACK, "version", json!("v2"))?;
        world.reconcile().await??;
        world.server.complete(&world.newest_job()?)?;
        world.pods_come([BACKEND, FRONTEND]).await?;
        Ok(world)
    }

    /// Lets the pods of a release become ready, part after part.
    async fn pods_come(&self, parts: [&str; 2]) -> Result<()> {
        for part in parts {
            self.reconcile().await??;
            self.server.complete(&self.newest(part)?)?;
        }
        self.reconcile().await??;
        assert_eq!(self.condition("Ready"), "True RolledOut");
        self.server.forget();
        Ok(())
    }

    /// The record of a version.
    fn record(&self, version: &str) -> Result<Value> {
        let records = self.server.all("ControllerRevision");
        let found = records
            .into_iter()
            .find(|it| it["data"]["spec"]["version"] == version);
        found.with_context(|| format!("{version} is not recorded"))
    }
}

#[tokio::test]
async fn what_a_release_serves_of_others_is_recorded_and_it_stays_as_it_is() -> Result<()> {
    let world = World::with_assets().await?;
    assert_eq!(world.record("v1")?.pointer(NOTE), None);
    let note = json!("acme/frontend:v1");
    assert_eq!(world.record("v2")?.pointer(NOTE), Some(&note));
    let deployment = &world.server.all("Deployment")[1];
    let copies = &deployment["spec"]["template"]["spec"]["initContainers"];
    assert_eq!(copies[0]["image"], note);

    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_release_that_comes_back_serves_the_assets_of_the_one_that_it_follows() -> Result<()> {
    let world = World::with_assets().await?;
    let before = world.record("v1")?;
    let pin = json!({"pin": before["metadata"]["name"]});
    world.server.set(STACK, "rollout", pin)?;
    world.pods_come([BACKEND, FRONTEND]).await?;
    let after = world.record("v1")?;
    assert_eq!(after.pointer(NOTE), Some(&json!("acme/frontend:v2")));
    assert_eq!(after["data"], before["data"], "data cannot be changed");

    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);
    Ok(())
}
