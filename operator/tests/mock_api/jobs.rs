//! Jobs move with the release: workers are waited for, and schedules turn when requests do.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{BACKEND, FRONTEND, STACK, World};

/// How the addresses of the worker's Deployments begin; a revision follows.
const WORKER: &str = "deployments/shop-mails-";
pub(super) const SCHEDULE: &str = "cronjobs/shop-tidy";

impl World {
    /// A stack that serves `v1`, with a worker and a schedule.
    pub(super) async fn with_jobs() -> Result<Self> {
        let world = Self::new();
        let jobs = json!([
            {"name": "mails", "args": ["mails"]},
            {"name": "tidy", "args": ["tidy"], "schedule": "@daily"},
        ]);
        world.server.set(STACK, "jobs", jobs)?;
        world.roll_out_jobs("v1").await?;
        world.server.forget();
        Ok(world)
    }

    /// Rolls out a version until all gates are open.
    async fn roll_out_jobs(&self, version: &str) -> Result<()> {
        self.begin(version).await?;
        self.server.complete(&self.newest(WORKER)?)?;
        self.reconcile().await??;
        self.server.complete(&self.newest(FRONTEND)?)?;
        self.reconcile().await??;
        // What was written in the last step is read in the next one.
        self.reconcile().await??;
        assert_eq!(self.condition("Ready"), "True RolledOut");
        Ok(())
    }

    /// Rolls out a version until it waits for the worker.
    async fn begin(&self, version: &str) -> Result<()> {
        self.server.set(STACK, "version", json!(version))?;
        self.reconcile().await??;
        if self.stage() == "database" {
            self.server.complete(super::DATABASE)?;
            self.reconcile().await??;
            self.server.complete(&self.newest_job()?)?;
            self.reconcile().await??;
        }
        self.server.complete(&self.newest_job()?)?;
        self.reconcile().await??;
        self.server.complete(&self.newest(BACKEND)?)?;
        self.reconcile().await??;
        assert_eq!(self.stage(), "backend");
        Ok(())
    }

    /// The image that the schedule runs.
    fn scheduled(&self) -> Result<Value> {
        let schedule = self.server.get(SCHEDULE).context("no schedule")?;
        let image = "/spec/jobTemplate/spec/template/spec/containers/0/image";
        Ok(schedule.pointer(image).cloned().unwrap_or_default())
    }
}

#[tokio::test]
async fn the_first_release_waits_for_its_worker() -> Result<()> {
    let world = World::new();
    let jobs = json!([
        {"name": "mails", "args": ["mails"]},
        {"name": "tidy", "args": ["tidy"], "schedule": "@daily"},
    ]);
    world.server.set(STACK, "jobs", jobs)?;
    world.begin("v1").await?;
    assert!(!world.applied(super::BACKEND_SERVICE), "no worker is ready");
    assert!(!world.applied(SCHEDULE), "no request has turned");
    Ok(())
}

#[tokio::test]
async fn workers_run_side_by_side_and_schedules_turn_with_the_requests() -> Result<()> {
    let world = World::with_jobs().await?;
    let old = world.worker()?;
    world.begin("v2").await?;
    let new = world.newest(WORKER)?;
    assert_ne!(old, new);
    assert!(world.server.get(&old).is_some(), "the old worker went");
    assert_eq!(world.scheduled()?, "acme/backend:v1");
    assert_eq!(world.backend_image()?, "acme/backend:v1");

    world.server.complete(&new)?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "frontend");
    assert_eq!(world.scheduled()?, "acme/backend:v2");
    assert_eq!(world.backend_image()?, "acme/backend:v2");
    assert!(world.server.get(&old).is_some(), "the way back is cut off");

    world.server.complete(&world.newest(FRONTEND)?)?;
    world.reconcile().await??;
    assert!(world.server.get(&old).is_none(), "the old worker is kept");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_fails_takes_its_release_back() -> Result<()> {
    let world = World::with_jobs().await?;
    let old = world.worker()?;
    world.begin("v2").await?;
    let new = world.newest(WORKER)?;
    world.server.fail(&new)?;
    world.reconcile().await??;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RolledBack");
    assert_eq!(world.scheduled()?, "acme/backend:v1");
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    assert!(world.server.get(&old).is_some(), "the old worker went");
    assert!(world.server.get(&new).is_none(), "the failed one is kept");
    Ok(())
}

#[tokio::test]
async fn a_release_that_fails_after_the_turn_gives_the_schedule_back() -> Result<()> {
    let world = World::with_jobs().await?;
    world.begin("v2").await?;
    world.server.complete(&world.newest(WORKER)?)?;
    world.reconcile().await??;
    assert_eq!(world.scheduled()?, "acme/backend:v2");
    world.server.fail(&world.newest(FRONTEND)?)?;
    world.reconcile().await??;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RolledBack");
    assert_eq!(world.scheduled()?, "acme/backend:v1");
    Ok(())
}

#[tokio::test]
async fn a_job_that_the_spec_has_no_more_is_removed() -> Result<()> {
    let world = World::with_jobs().await?;
    let worker = world.worker()?;
    world.server.set(STACK, "jobs", json!([]))?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    for gone in [worker.as_str(), SCHEDULE] {
        assert!(world.server.get(gone).is_none(), "{gone} is kept");
    }
    Ok(())
}

#[tokio::test]
async fn a_stack_that_hibernates_starts_no_run_and_waits_for_the_one_that_goes_on() -> Result<()> {
    let world = World::with_jobs().await?;
    let worker = world.worker()?;
    let schedule = world.server.get(SCHEDULE).context("no schedule")?;
    let run = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": "shop-tidy-1", "labels": schedule["spec"]["jobTemplate"]["metadata"]["labels"],
        },
        "spec": {"template": {"spec": {"containers": []}}},
    });
    world.server.put("jobs/shop-tidy-1", run);
    world.server.set(STACK, "hibernate", json!(true))?;
    world.reconcile().await??;
    world.end_pods(FRONTEND)?;
    world.reconcile().await??;
    let schedule = world.server.get(SCHEDULE).context("no schedule")?;
    assert_eq!(schedule["spec"]["suspend"], true);
    world.end_pods(BACKEND)?;
    world.end_pods(WORKER)?;
    world.reconcile().await??;
    let count = |at: &str| {
        world
            .server
            .get(at)
            .map(|it| it["spec"]["replicas"].clone())
    };
    assert_eq!(count(&worker), Some(json!(0)));
    assert_eq!(
        count(super::DATABASE),
        Some(json!(1)),
        "the run needs the database"
    );
    world.server.complete("jobs/shop-tidy-1")?;
    world.reconcile().await??;
    assert_eq!(count(super::DATABASE), Some(json!(0)));

    world.server.set(STACK, "hibernate", json!(false))?;
    world.reconcile().await??;
    world.server.complete(super::DATABASE)?;
    world.reconcile().await??;
    world.server.complete(&world.newest(BACKEND)?)?;
    world.server.complete(&worker)?;
    world.reconcile().await??;
    assert_eq!(count(&worker), Some(json!(1)));
    let schedule = world.server.get(SCHEDULE).context("no schedule")?;
    assert_eq!(schedule["spec"]["suspend"], false);
    Ok(())
}

impl World {
    /// The address of the worker's Deployment.
    fn worker(&self) -> Result<String> {
        let all = self.server.all("Deployment");
        let names = all.iter().filter_map(|it| it["metadata"]["name"].as_str());
        let mut workers = names.filter(|it| it.starts_with("shop-mails-"));
        let name = workers.next().context("no worker")?;
        Ok(format!("deployments/{name}"))
    }

    /// Lets the pods of the Deployments whose addresses begin so end.
    fn end_pods(&self, start: &str) -> Result<()> {
        for it in self.server.all("Deployment") {
            let name = it["metadata"]["name"].as_str().context("no name")?;
            let at = format!("deployments/{name}");
            if at.starts_with(start) {
                self.server.complete(&at)?;
                self.server.remove(&format!("pods/{name}"));
            }
        }
        Ok(())
    }
}
