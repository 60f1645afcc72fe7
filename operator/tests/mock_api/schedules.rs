//! Runs of schedules: the one that fails is told with its cause, and takes nothing back.

use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::World;
use super::jobs::SCHEDULE;
use super::starts::{no_image, now};

const HEALTHY: &str = "SchedulesHealthy";
const BEFORE: &str = "2026-01-01T00:00:00Z";

impl World {
    /// Lets the schedule begin a run, as the controller of CronJobs does. Gives the address of its Job.
    fn run_begins(&self, name: &str, made: &str) -> Result<String> {
        let template = self.schedule()?["spec"]["jobTemplate"].clone();
        let run = json!({
            "apiVersion": "batch/v1", "kind": "Job", "spec": template["spec"],
            "metadata": {"name": name, "labels": template["metadata"]["labels"], "creationTimestamp": made},
        });
        let at = format!("jobs/{name}");
        self.server.put(&at, run);
        self.told_of_runs(&json!({"lastScheduleTime": made, "active": [{"name": name}]}))?;
        Ok(at)
    }

    fn schedule(&self) -> Result<Value> {
        self.server.get(SCHEDULE).context("no schedule")
    }

    /// Changes the status of the schedule.
    fn told_of_runs(&self, change: &Value) -> Result<()> {
        let mut schedule = self.schedule()?;
        json_patch::merge(&mut schedule, &json!({"status": change}));
        self.server.put(SCHEDULE, schedule);
        Ok(())
    }
}

#[tokio::test]
async fn a_run_that_fails_is_told_with_its_cause_until_a_later_one_ends_well() -> Result<()> {
    let world = World::with_jobs().await?;
    assert_eq!(world.condition(HEALTHY), "True Available");
    let run = world.run_begins("shop-tidy-1", BEFORE)?;
    let action = world.reconcile().await??;
    assert_eq!(world.condition(HEALTHY), "True Available");
    assert_eq!(
        action,
        Action::requeue(Duration::from_secs(4)),
        "what keeps it from starting may be told by Events alone"
    );

    world.pod_of_job(&run, &now().to_string(), &no_image())?;
    world.reconcile().await??;
    assert_eq!(world.condition(HEALTHY), "False ImagePullFailed");
    let message = world.message(HEALTHY);
    let said = "job tidy: its run shop-tidy-1 does not go on: pod shop-tidy-1: cannot pull acme/backend:v1: not found";
    assert!(message.starts_with(said), "{message}");

    let ended = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
    let pod = world.pod_of_job(&run, BEFORE, &ended)?;
    let mut failed = world.server.get(&pod).context("no pod")?;
    failed["status"]["phase"] = json!("Failed");
    world.server.put(&pod, failed);
    world
        .server
        .print("shop-tidy-1", b"tidying\nerror: no space\n");
    world.server.fail(&run)?;
    world.told_of_runs(&json!({"active": null}))?;
    world.reconcile().await??;
    assert_eq!(world.condition(HEALTHY), "False JobFailed");
    let message = world.message(HEALTHY);
    for words in [
        "job tidy: its run shop-tidy-1 failed: container tidy ended with exit code 3",
        "error: no space",
        "kubectl create job shop-tidy-$(date +%s) -n demo --from=cronjob/shop-tidy",
    ] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.condition("RolledBack"), "False NotNeeded");

    // The next one is under way, and says nothing yet.
    let run = world.run_begins("shop-tidy-2", &now().to_string())?;
    world.reconcile().await??;
    assert_eq!(world.condition(HEALTHY), "False JobFailed");
    world.server.complete(&run)?;
    world.told_of_runs(&json!({"active": null, "lastSuccessfulTime": now().to_string()}))?;
    world.reconcile().await??;
    assert_eq!(world.condition(HEALTHY), "True Available");
    for _ in 0..2 {
        world.catch_up()?;
        world.server.forget();
        world.reconcile().await??;
    }
    assert_eq!(world.server.requests(), [""; 0], "it is at rest");
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_not_there_any_more_is_told_by_what_the_schedule_knows() -> Result<()> {
    let world = World::with_jobs().await?;
    world.told_of_runs(&json!({"lastScheduleTime": BEFORE}))?;
    world.reconcile().await??;
    assert_eq!(world.condition(HEALTHY), "False JobFailed");
    let message = world.message(HEALTHY);
    assert!(message.contains("not there any more"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_stack_without_schedules_says_that_it_has_none() -> Result<()> {
    let world = World::serving().await?;
    assert_eq!(world.condition(HEALTHY), "True NotNeeded");
    Ok(())
}
