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
async fn no_tool_takes_away_what_outlives_the_stack() -> Result<()> {
    let world = World::seeded(&json!({"deletionPolicy": "Retain"})).await?;
    let (mut found, mut records) = (Vec::new(), 0);
    for (at, object) in world.server.everything() {
        let metadata = &object["metadata"];
        let ours = metadata["labels"]["app.kubernetes.io/managed-by"] == "appstack-operator";
        let owned = metadata["ownerReferences"][0]["controller"] == true;
        // Pods are their controllers'.
        if !ours || owned || at.starts_with("pods/") {
            continue;
        }
        let instance = &metadata["labels"]["app.kubernetes.io/instance"];
        assert!(instance.is_null(), "{at}");
        let marks = &metadata["annotations"];
        let mark = &marks["argocd.argoproj.io/sync-options"];
        assert_eq!(mark, "Prune=false", "{at}");
        let mark = &marks["kustomize.toolkit.fluxcd.io/prune"];
        assert_eq!(mark, "disabled", "{at}");
        if at.starts_with("controllerrevisions/") {
            records += 1;
        } else {
            found.push(at);
        }
    }
    assert_eq!(
        found,
        [
            "persistentvolumeclaims/shop-db-data",
            "secrets/shop-generated"
        ]
    );
    assert!(records >= 2, "{records} records are kept with the data");
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

/// The Jobs that run just now.
fn running(world: &World) -> Vec<String> {
    let all = world.server.everything().into_iter();
    let jobs = all.filter(|(at, _)| at.starts_with("jobs/"));
    jobs.filter(|(_, it)| it["status"]["conditions"].is_null())
        .map(|(at, _)| at)
        .collect()
}

/// Who has the data.
fn holder(world: &World) -> Value {
    let hold = world.server.get("controllerrevisions/shop-data-hold");
    hold.map_or(Value::Null, |mut it| it["data"]["holder"].take())
}

/// What an AppStack that is deleted waits for.
fn finalizers(world: &World) -> Value {
    let app = world.server.get(STACK);
    app.map_or(Value::Null, |mut it| it["metadata"]["finalizers"].take())
}

impl World {
    /// A stack that serves, with a release of this version on its way whose migration runs.
    async fn migrating(version: &str) -> Result<(Self, String)> {
        let world = Self::new();
        world.settle().await?;
        world.patch(&json!({"spec": {"version": version}}))?;
        world.reconcile().await??;
        let jobs = running(&world);
        ensure!(jobs.len() == 1 && jobs[0].contains("migrate"), "{jobs:?}");
        ensure!(holder(&world) == "migration");
        Ok((world, jobs[0].clone()))
    }

    fn migrations(&self) -> Vec<Value> {
        let records = self.server.all("ControllerRevision").into_iter();
        let mut data = records.map(|mut it| it["data"].take());
        let mut found: Vec<_> = data
            .by_ref()
            .filter(|it| it["record"] == "migration")
            .collect();
        found.sort_by_key(|it| it["hash"].to_string());
        found
    }
}

#[tokio::test]
async fn a_migration_that_runs_is_never_deleted_and_only_the_newest_release_follows_it()
-> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    for version in ["v3", "v4"] {
        world.patch(&json!({"spec": {"version": version}}))?;
        for _ in 0..3 {
            world.reconcile().await??;
        }
        assert_eq!(running(&world), std::slice::from_ref(&second));
        assert_eq!(world.condition("MigrationReady"), "False DataInUse");
        assert_eq!(world.condition("ServingKnown"), "True Available");
    }
    let before = world.migrations().len();
    world.server.complete(&second)?;
    world.reconcile().await??;
    assert_eq!(world.migrations().len(), before + 1, "that of v2 was done");
    let jobs = running(&world);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let fourth = world.server.get(&jobs[0]).context("no Job")?;
    let image = "/spec/template/spec/containers/0/image";
    assert_eq!(fourth.pointer(image), Some(&json!("acme/backend:v4")));
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.backend_image()?, "acme/backend:v4");
    assert_eq!(
        (holder(&world), finalizers(&world)),
        (Value::Null, json!([]))
    );
    Ok(())
}

#[tokio::test]
async fn a_way_back_leaves_the_migration_that_runs() -> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    world.patch(&json!({"spec": {"version": "v1"}}))?;
    for _ in 0..3 {
        world.reconcile().await??;
    }
    assert_eq!(running(&world), std::slice::from_ref(&second));
    assert_eq!(world.condition("Ready"), "True RolledOut");
    world.server.complete(&second)?;
    world.settle().await?;
    assert_eq!(holder(&world), Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_failed_migration_gives_the_data_back_and_costs_no_write_after_that() -> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    world.server.fail(&second)?;
    for _ in 0..3 {
        world.reconcile().await??;
    }
    assert_eq!(holder(&world), Value::Null);
    assert_eq!(world.condition("MigrationReady"), "False JobFailed");
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);
    world.patch(&json!({"spec": {"version": "v3"}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_migration_that_somebody_deleted_gives_the_data_back_when_its_pods_have_ended()
-> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    let name = second.trim_start_matches("jobs/");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "late", "namespace": super::NAMESPACE,
            "labels": {"batch.kubernetes.io/job-name": name}},
        "status": {"phase": "Running"},
    });
    world.server.put("pods/late", pod);
    world.server.remove(&second);
    world.reconcile().await??;
    assert_eq!(holder(&world), "migration");
    world.patch(&json!({"spec": {"version": "v3"}}))?;
    world.reconcile().await??;
    assert_eq!(world.condition("MigrationReady"), "False DataInUse");
    world.server.remove("pods/late");
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v3");
    Ok(())
}

#[tokio::test]
async fn hibernate_waits_for_a_migration_and_has_the_data_then() -> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    let serving = world.serving_backend()?;
    world.patch(&json!({"spec": {"hibernate": true}}))?;
    for _ in 0..3 {
        world.reconcile().await??;
    }
    assert_eq!(running(&world), std::slice::from_ref(&second));
    assert_eq!(world.condition("Ready"), "False DataInUse");
    let replicas = |world: &World| {
        let backend = world.server.get(&serving);
        backend.map_or(Value::Null, |mut it| it["spec"]["replicas"].take())
    };
    assert_eq!(replicas(&world), 1);
    world.server.complete(&second)?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "False Hibernated");
    assert_eq!(
        (replicas(&world), holder(&world)),
        (json!(0), json!("hibernation"))
    );
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);

    world.patch(&json!({"spec": {"hibernate": false}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(
        (world.backend_image()?, holder(&world)),
        (json!("acme/backend:v2"), Value::Null)
    );
    Ok(())
}

#[tokio::test]
async fn hibernate_does_not_wait_for_what_should_have_been_over_for_long() -> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    let at = "controllerrevisions/shop-data-hold";
    let mut hold = world.server.get(at).context("no hold")?;
    hold["data"]["until"] = json!("2026-01-01T00:00:00Z");
    world.server.put(at, hold);
    world.patch(&json!({"spec": {"hibernate": true}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "False Hibernated");
    assert!(world.server.get(&second).is_none());
    Ok(())
}

#[tokio::test]
async fn a_stack_that_is_deleted_waits_for_a_migration_and_writes_down_that_it_was_done()
-> Result<()> {
    let (world, second) = World::migrating("v2").await?;
    assert_eq!(finalizers(&world), json!(["appstack.dev/data"]));
    let before = world.migrations().len();
    let mut app = world.server.get(STACK).context("no AppStack")?;
    app["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    world.server.put(STACK, app);
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False DataInUse");
    assert_eq!(running(&world), std::slice::from_ref(&second));
    assert_eq!(finalizers(&world), json!(["appstack.dev/data"]));
    world.server.complete(&second)?;
    world.reconcile().await??;
    assert_eq!(finalizers(&world), json!([]));
    assert_eq!(world.migrations().len(), before + 1);
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(
        world.server.requests(),
        [""; 0],
        "there is nothing more to do"
    );
    Ok(())
}

impl World {
    /// The Jobs that were made or changed since the last `forget`.
    fn changed_jobs(&self) -> Vec<String> {
        let mut jobs = self.server.changed();
        jobs.retain(|it| it.starts_with("jobs/"));
        jobs
    }

    /// Lets everything but a Job of this kind be, which is the only one that was made, and completes it.
    async fn next_is(&self, kind: &str) -> Result<()> {
        self.server.forget();
        for _ in 0..2 {
            self.reconcile().await??;
        }
        let mut jobs = self.changed_jobs();
        jobs.dedup();
        assert!(
            jobs.len() == 1 && jobs[0].starts_with(&format!("jobs/shop-{kind}")),
            "{kind}: {jobs:?}"
        );
        self.server.complete(&jobs[0])
    }
}

#[tokio::test]
async fn on_a_new_volume_role_migration_and_seed_follow_each_other_again() -> Result<()> {
    let world = World::seeded(&json!({})).await?;
    // The claim is gone with its data, the Jobs with their time.
    world.server.remove(VOLUME);
    for job in world.jobs() {
        world.server.remove(&job);
    }
    let mut database = world.server.get(super::DATABASE).context("no database")?;
    database["status"] = json!({});
    world.server.put(super::DATABASE, database);
    world.server.forget();
    for _ in 0..3 {
        world.reconcile().await??;
    }
    assert_eq!(world.changed_jobs(), [""; 0], "no database runs yet");
    let events = world.server.events();
    let lost = events.iter().filter(|it| it["reason"] == "ClaimLost");
    assert_eq!(lost.count(), 1);

    world.server.complete(super::DATABASE)?;
    for kind in ["role", "migrate", "seed"] {
        world.next_is(kind).await?;
    }
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_claim_that_somebody_deletes_is_told_while_its_data_are_there() -> Result<()> {
    let world = World::serving().await?;
    let mut claim = world.server.get(VOLUME).context("no claim")?;
    claim["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    world.server.put(VOLUME, claim);
    for _ in 0..2 {
        world.reconcile().await??;
        assert_eq!(world.condition("DatabaseReady"), "False ClaimDeleted");
        assert!(world.message("Ready").contains("shop-db-data"));
    }
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    Ok(())
}

#[tokio::test]
async fn a_pin_says_that_the_schema_stays_as_it_is() -> Result<()> {
    let world = World::new();
    world.settle().await?;
    let first =
        world.server.get(STACK).context("no AppStack")?["status"]["release"]["name"].clone();
    for (at, mut record) in world.server.everything() {
        if record["metadata"]["labels"]["appstack.dev/record"] == "migration" {
            record["metadata"]["creationTimestamp"] = json!("2025-12-31T00:00:00Z");
            world.server.put(&at, record);
        }
    }
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.settle().await?;
    assert!(!world.message("Ready").contains("schema"));
    let pinned = |how: &str| json!({"spec": {"rollout": {"pin": first, "schemaRollback": how}}});
    world.patch(&pinned("Warn"))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let message = world.message("Ready");
    assert!(
        message.contains("the schema is not rolled back with it: it was released with schema"),
        "{message}"
    );
    world.patch(&pinned("Allow"))?;
    world.settle().await?;
    assert!(!world.message("Ready").contains("schema"));
    Ok(())
}
