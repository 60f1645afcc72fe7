//! Numbers of pods that an autoscaler chooses: nobody fights for them, and no hand-over takes a pod away.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{BACKEND, BACKEND_SERVICE, DATABASE, FRONTEND, STACK, World};

const AUTOSCALER: &str = "horizontalpodautoscalers/shop-backend";

impl World {
    /// A stack that serves with a backend of these settings.
    async fn with_backend(settings: Value) -> Result<Self> {
        let world = Self::new();
        world.set_backend(settings)?;
        world.roll_out().await?;
        world.reconcile().await??;
        assert_eq!(world.condition("Ready"), "True RolledOut");
        world.server.forget();
        Ok(world)
    }

    /// A stack that serves, and whose autoscaler has made five pods of at least two.
    async fn autoscaled() -> Result<Self> {
        let world = Self::with_backend(auto()).await?;
        world.autoscale(5)?;
        world.reconcile().await??;
        world.server.forget();
        Ok(world)
    }

    fn set_backend(&self, mut settings: Value) -> Result<()> {
        settings["image"] = json!("acme/backend");
        settings["migrate"] = json!({"args": ["migrate"]});
        self.server.set(STACK, "backend", settings)
    }

    /// Scales what serves, as the autoscaler would, and lets the pods come.
    fn autoscale(&self, count: i64) -> Result<()> {
        let serving = self.serving_backend()?;
        self.server.scale(&serving, count)?;
        self.server.complete(&serving)
    }

    fn count(&self, at: &str) -> Result<Value> {
        let found = self.server.get(at).with_context(|| format!("no {at}"))?;
        Ok(found["spec"]["replicas"].clone())
    }

    /// The address of the Deployment that the autoscaler scales.
    fn scaled(&self) -> Result<String> {
        let autoscaler = self.server.get(AUTOSCALER).context("no autoscaler")?;
        let target = autoscaler["spec"]["scaleTargetRef"]["name"].as_str();
        Ok(format!("deployments/{}", target.context("no target")?))
    }

    /// Begins a release, and lets its migration be done.
    async fn migrate_to(&self, version: &str) -> Result<()> {
        self.server.set(STACK, "version", json!(version))?;
        self.reconcile().await??;
        self.server.complete(&self.newest_job()?)?;
        self.reconcile().await??;
        Ok(())
    }
}

fn auto() -> Value {
    json!({"autoscaling": {"minReplicas": 2, "maxReplicas": 9}})
}

fn fixed(count: i64) -> Value {
    json!({"replicas": count})
}

#[tokio::test]
async fn the_first_release_begins_with_the_fewest_pods_and_is_scaled_when_it_serves() -> Result<()>
{
    let world = World::new();
    world.set_backend(auto())?;
    world.reconcile().await??;
    world.server.complete(DATABASE)?;
    world.reconcile().await??;
    for _ in ["the role", "the migration"] {
        world.server.complete(&world.newest_job()?)?;
        world.reconcile().await??;
    }
    let backend = world.newest(BACKEND)?;
    assert_eq!(world.count(&backend)?, 2);
    assert!(!world.applied(AUTOSCALER), "it does not serve yet");
    world.server.complete(&backend)?;
    world.reconcile().await??;
    assert_eq!(world.scaled()?, backend);
    assert_eq!(world.serving_backend()?, backend);
    Ok(())
}

#[tokio::test]
async fn a_number_that_an_autoscaler_chose_is_left_alone() -> Result<()> {
    let world = World::autoscaled().await?;
    let backend = world.serving_backend()?;
    for count in [7, 3] {
        world.autoscale(count)?;
        world.server.forget();
        world.reconcile().await??;
        assert_eq!(world.count(&backend)?, count);
        assert_eq!(world.server.changed(), [""; 0]);
        assert_eq!(world.condition("Ready"), "True RolledOut");
    }
    // While more are on their way it is still as it should be.
    world.server.scale(&backend, 9)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_status_that_moves_by_itself_is_asked_and_answered_by_nobody() -> Result<()> {
    let world = World::autoscaled().await?;
    world.requests_of_a_look().await?;
    let mut autoscaler = world.server.get(AUTOSCALER).context("no autoscaler")?;
    autoscaler["status"] = json!({"currentReplicas": 5});
    world.server.put(AUTOSCALER, autoscaler);
    assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_release_begins_with_as_many_pods_as_serve_and_keeps_up_with_them() -> Result<()> {
    let world = World::autoscaled().await?;
    let old = world.serving_backend()?;
    world.migrate_to("v2").await?;
    let new = world.newest(BACKEND)?;
    assert_eq!(world.count(&new)?, 5);
    assert_eq!(world.scaled()?, old);
    world.autoscale(7)?;
    world.reconcile().await??;
    assert_eq!(world.count(&new)?, 7);

    world.server.complete(&new)?;
    world.reconcile().await??;
    assert_eq!(world.serving_backend()?, new);
    assert_eq!(world.scaled()?, new);
    // Now the new ones are the autoscaler's, and the old ones stay as they are for the way back.
    world.server.scale(&new, 4)?;
    world.server.complete(&new)?;
    world.reconcile().await??;
    assert_eq!(
        (world.count(&new)?, world.count(&old)?),
        (json!(4), json!(7))
    );
    Ok(())
}

#[tokio::test]
async fn a_release_goes_back_to_as_many_pods_as_served_last() -> Result<()> {
    let world = World::autoscaled().await?;
    let old = world.serving_backend()?;
    world.migrate_to("v2").await?;
    let new = world.newest(BACKEND)?;
    world.server.complete(&new)?;
    world.reconcile().await??;
    world.autoscale(8)?;
    world.server.fail(&world.newest(FRONTEND)?)?;
    world.reconcile().await??;
    world.reconcile().await??;
    // Those that are still to come are not waited for: what failed serves until then.
    assert_eq!(world.count(&old)?, 8);
    assert_eq!(world.serving_backend()?, old);
    assert_eq!(world.scaled()?, old);
    world.server.complete(&old)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RolledBack");
    Ok(())
}

#[tokio::test]
async fn from_a_fixed_number_to_an_autoscaler_and_back_no_pod_is_taken_away() -> Result<()> {
    let world = World::with_backend(fixed(3)).await?;
    let backend = world.serving_backend()?;
    world.set_backend(auto())?;
    world.reconcile().await??;
    assert_eq!(world.scaled()?, backend);
    assert_eq!(world.server.numbers(&backend), [json!(3)]);
    assert_eq!(world.count(&backend)?, 3);

    world.autoscale(6)?;
    world.reconcile().await??;
    world.catch_up()?;
    world.server.forget();
    world.set_backend(fixed(6))?;
    world.reconcile().await??;
    assert_eq!(world.server.numbers(&backend), [json!(6)]);
    assert!(world.server.get(AUTOSCALER).is_none());
    // The autoscaler goes before the number is said.
    let requests = world.server.requests();
    let place = |of: String| requests.iter().position(|it| *it == of);
    let gone = place(format!("DELETE {AUTOSCALER}"));
    assert!(gone.is_some() && gone < place(format!("PATCH {backend}")));

    world.set_backend(fixed(4))?;
    world.reconcile().await??;
    assert_eq!(world.count(&backend)?, 4, "the number is ours again");
    Ok(())
}

#[tokio::test]
async fn a_number_that_a_release_says_is_not_said_by_the_autoscaler_that_served() -> Result<()> {
    let world = World::autoscaled().await?;
    let backend = world.serving_backend()?;
    world
        .server
        .set(STACK, "jobs", json!([{"name": "mails", "args": ["mails"]}]))?;
    world.set_backend(fixed(4))?;
    // The worker keeps the gate shut.
    for _ in 0..2 {
        world.reconcile().await??;
        assert_eq!(world.count(&backend)?, 4);
        assert!(world.server.get(AUTOSCALER).is_none());
    }
    assert!(world.server.get(BACKEND_SERVICE).is_some());
    Ok(())
}

#[tokio::test]
async fn an_autoscaled_stack_hibernates_and_wakes_with_the_fewest_pods() -> Result<()> {
    let world = World::autoscaled().await?;
    let backend = world.serving_backend()?;
    world.server.set(STACK, "hibernate", json!(true))?;
    world.reconcile().await??;
    for part in [FRONTEND, &backend] {
        let at = world.newest(part)?;
        world.server.complete(&at)?;
        world
            .server
            .remove(&at.replacen("deployments/", "pods/", 1));
        world.reconcile().await??;
    }
    world.server.complete(DATABASE)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False Hibernated");
    assert_eq!(world.count(&backend)?, 0);
    assert!(world.server.get(AUTOSCALER).is_none());

    world.server.set(STACK, "hibernate", json!(false))?;
    world.reconcile().await??;
    world.server.complete(DATABASE)?;
    world.reconcile().await??;
    assert_eq!(world.count(&backend)?, 2);
    world.server.complete(&backend)?;
    world.reconcile().await??;
    assert_eq!(world.scaled()?, backend);
    Ok(())
}

#[tokio::test]
async fn a_deployment_that_somebody_deletes_or_empties_comes_back_with_the_fewest_pods()
-> Result<()> {
    let world = World::autoscaled().await?;
    let backend = world.serving_backend()?;
    world.server.remove(&backend);
    world.reconcile().await??;
    assert_eq!(world.count(&backend)?, 2);
    world.server.scale(&backend, 0)?;
    world.reconcile().await??;
    assert_eq!(world.count(&backend)?, 2);
    Ok(())
}
