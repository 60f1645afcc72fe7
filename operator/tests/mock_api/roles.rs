//! The roles of the database: one for each password, made before anything of its release runs, and gone after it.

use anyhow::{Context as _, Result};
use appstack_operator::api::annotation::ROTATE_DATABASE_PASSWORD;
use serde_json::{Value, json};

use super::{BACKEND, DATABASE, STACK, World};

const ROLE: &str = "jobs/shop-role-";
const REVOCATION: &str = "jobs/shop-revoke-";

impl World {
    /// Asks for a new password of the database.
    fn rotate(&self, request: &str) -> Result<()> {
        let mut app = self.server.get(STACK).context("no AppStack")?;
        app["metadata"]["annotations"][ROTATE_DATABASE_PASSWORD] = json!(request);
        self.server.put(STACK, app);
        Ok(())
    }

    /// Rolls a release out whose backend alone is new, from the Job of its role on.
    async fn roll_out_with_role(&self) -> Result<()> {
        self.reconcile().await??;
        self.server.complete(&self.newest(ROLE)?)?;
        self.reconcile().await??;
        self.server.complete(&self.newest(BACKEND)?)?;
        self.reconcile().await??;
        Ok(())
    }

    /// The role that a Job makes or that pods log in as: the user in `shop-db-app`.
    fn user(&self) -> Result<Value> {
        let mut secret = self
            .server
            .get("secrets/shop-db-app")
            .context("no Secret")?;
        Ok(secret["data"]["user"].take())
    }

    /// The records of a kind.
    fn records(&self, kind: &str) -> Vec<Value> {
        let mut records = self.server.all("ControllerRevision");
        records.retain(|it| it["metadata"]["labels"]["appstack.dev/record"] == kind);
        records
    }

    /// A variable of a Job.
    fn variable(&self, job: &str, name: &str) -> Result<String> {
        let job = self.server.get(job).context("no Job")?;
        let env = job.pointer("/spec/template/spec/containers/0/env");
        let mut env = env.and_then(Value::as_array).into_iter().flatten();
        let found = env.find(|it| it["name"] == name).context("no variable")?;
        Ok(found["value"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn a_new_password_is_a_new_role_and_the_old_one_goes_once_its_release_is_gone() -> Result<()>
{
    let world = World::serving().await?;
    let old = world.user()?;
    world.rotate("now")?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "database");
    assert_ne!(world.user()?, old);
    let changed = world.server.changed();
    let has_backend = changed.iter().any(|it| it.starts_with(BACKEND));
    assert!(!has_backend, "there is no role yet: {changed:?}");
    assert!(!changed.contains(&DATABASE.to_owned()), "{changed:?}");
    assert!(!world.applied(REVOCATION));

    world.roll_out_with_role().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert!(!world.applied("jobs/shop-migrate-"), "it is migrated again");
    assert!(!world.applied(REVOCATION), "the old pods are still there");

    // What was verified is read in the next look; then it is written down that the old one is to go; then it goes.
    world.reconcile().await??;
    assert_eq!(world.records("revocation").len(), 1);
    world.reconcile().await??;
    let job = world.newest(REVOCATION)?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.variable(&job, "ROLES")?.split(' ').count(), 1);
    assert!(world.server.get(&job).is_some(), "it is pruned");
    world.server.complete(&job)?;
    world.reconcile().await??;
    assert!(world.records("revocation").is_empty());
    assert_eq!(world.records("role").len(), 1);
    world.reconcile().await??;
    assert!(world.server.get(&job).is_none(), "it is kept");
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_release_that_comes_back_gets_a_role_that_an_older_revocation_does_not_take() -> Result<()>
{
    let world = World::serving().await?;
    let release = |world: &World| -> Result<Value> {
        let mut app = world.server.get(STACK).context("no AppStack")?;
        Ok(app["status"]["release"]["name"].take())
    };
    let (first, old) = (release(&world)?, world.user()?);
    let made = world.records("role");
    world.rotate("now")?;
    world.roll_out_with_role().await?;
    for _ in ["it is verified", "it is written down", "it is under way"] {
        world.reconcile().await??;
    }
    let outgoing = world.variable(&world.newest(REVOCATION)?, "ROLES")?;

    world.server.set(STACK, "rollout", json!({"pin": first}))?;
    // The removal of the old role gives way.
    world.reconcile().await??;
    world.roll_out_with_role().await?;
    assert_eq!(release(&world)?, first);
    assert_eq!(world.user()?, old);
    let records = world.records("role");
    let again = records
        .iter()
        .find(|it| it["data"]["role"] == made[0]["data"]["role"] && **it != made[0])
        .context("it was not made again")?;
    let by = |record: &Value| record["data"]["made_by"].as_str().unwrap_or("-").to_owned();
    assert!(outgoing.contains(&by(&made[0])), "{outgoing}");
    assert!(!outgoing.contains(&by(again)), "{outgoing}");
    Ok(())
}

#[tokio::test]
async fn a_request_that_changes_nothing_is_told_once() -> Result<()> {
    let world = World::new();
    super::users_secret(
        &world,
        "elsewhere",
        json!({"host": "aA==", "dbname": "ZA==", "user": "dQ==", "password": "cGFzcw=="}),
    );
    let external = json!({"external": {"secretName": "elsewhere"}});
    world.server.set(STACK, "database", external)?;
    world.reconcile().await??;
    world.server.forget();
    world.rotate("now")?;
    let told = || {
        let requests = world.server.requests();
        requests.iter().filter(|it| it.starts_with("POST ")).count()
    };
    world.reconcile().await??;
    assert_eq!(told(), 1, "{:?}", world.server.requests());
    world.reconcile().await??;
    assert_eq!(told(), 1, "{:?}", world.server.requests());
    assert!(!world.applied(ROLE));
    Ok(())
}
