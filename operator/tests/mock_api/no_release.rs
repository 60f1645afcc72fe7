//! What is no release takes effect at once, whatever else is under way: numbers of pods and stopped schedules wait for
//! no gate, no approval and no better time, and nothing is tried, soaked or tried again for them.

use anyhow::{Context as _, Result};
use appstack_operator::plan::debounce::Debounce;
use serde_json::{Value, json};

use super::{BACKEND, FRONTEND, STACK, World, users_secret};

impl World {
    /// The address and the number of pods of what serves the API.
    fn serving_count(&self) -> Result<(String, Value)> {
        let at = self.serving_backend()?;
        let count = self.server.get(&at).context("no Deployment")?["spec"]["replicas"].clone();
        Ok((at, count))
    }

    /// The names of the records of releases and of failures.
    pub(super) fn releases(&self) -> Vec<String> {
        let records = self.server.all("ControllerRevision").into_iter();
        let told = records.filter(|it| {
            ["release", "failure"].contains(&it["data"]["record"].as_str().unwrap_or_default())
        });
        told.map(|it| format!("{} {}", it["metadata"]["name"], it["revision"]))
            .collect()
    }

    /// Asks for so many pods of the backend, and says whether they are asked of Kubernetes in the same look, of the pods that
    /// served before, without a release.
    async fn scales_at_once(&self, count: i64) -> Result<()> {
        let (serving, before) = self.serving_count()?;
        assert_ne!(before, count);
        let releases = self.releases();
        self.patch(&json!({"spec": {"backend": {"replicas": count, "autoscaling": null}}}))?;
        self.reconcile().await??;
        assert_eq!(self.serving_count()?, (serving, json!(count)));
        assert_eq!(self.releases(), releases);
        Ok(())
    }
}

#[tokio::test]
async fn a_scale_up_of_what_serves_is_no_release() -> Result<()> {
    let world = World::serving().await?;
    world.scales_at_once(3).await?;
    let target = |world: &World| {
        world
            .server
            .get(STACK)
            .map(|it| it["status"]["target"].clone())
    };
    let (serving, _) = world.serving_count()?;
    let before = target(&world);
    world.server.complete(&serving)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(target(&world), before);
    world.settle().await?;
    assert_eq!(world.serving_count()?, (serving, json!(3)));
    Ok(())
}

#[tokio::test]
async fn a_scale_up_waits_for_no_approval_and_asks_for_none() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"rollout": {"approval": "Required"}}}))?;
    world.scales_at_once(3).await?;
    assert_eq!(world.condition("AwaitingApproval"), "False NotNeeded");
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    assert_eq!(world.condition("AwaitingApproval"), "True AwaitingApproval");
    let asked = world.server.get(STACK).context("no AppStack")?["status"]["target"].clone();
    world.scales_at_once(5).await?;
    assert_eq!(world.condition("AwaitingApproval"), "True AwaitingApproval");
    let still = world.server.get(STACK).context("no AppStack")?["status"]["target"].clone();
    assert_eq!(
        still, asked,
        "the approval would have to be for another release"
    );
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    Ok(())
}

#[tokio::test]
async fn a_scale_up_does_not_wait_for_the_migration_of_a_release() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    let job = world.newest_job()?;
    world.scales_at_once(3).await?;
    assert_eq!(
        (world.stage(), world.newest_job()?),
        ("migration".into(), job.clone())
    );
    // The release that waits has as many, and a budget that two pods or more have.
    world.server.complete(&job)?;
    world.reconcile().await??;
    let new = world.newest(BACKEND)?;
    let count = world.server.get(&new).context("no new pods")?["spec"]["replicas"].clone();
    assert_eq!(count, 3);
    assert!(
        world
            .server
            .get("poddisruptionbudgets/shop-backend")
            .is_some()
    );
    Ok(())
}

#[tokio::test]
async fn an_autoscaler_goes_before_a_number_is_said_while_a_release_waits() -> Result<()> {
    const AUTOSCALER: &str = "horizontalpodautoscalers/shop-backend";
    let world = World::serving().await?;
    world.patch(
        &json!({"spec": {"backend": {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}}}),
    )?;
    world.reconcile().await??;
    let (serving, _) = world.serving_count()?;
    assert!(
        world.server.get(AUTOSCALER).is_some(),
        "it waits for a release"
    );
    world.server.complete(&serving)?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    world.server.forget();
    world.scales_at_once(4).await?;
    let requests = world.server.requests();
    let place = |of: String| requests.iter().position(|it| *it == of);
    let gone = place(format!("DELETE {AUTOSCALER}"));
    assert!(
        gone.is_some() && gone < place(format!("PATCH {serving}")),
        "{requests:?}"
    );
    Ok(())
}

/// A stack whose release `v2` has failed, so that `v1` serves again.
pub(super) async fn rolled_back() -> Result<World> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    world.server.fail(&world.newest(BACKEND)?)?;
    world.reconcile().await??;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RolledBack");
    Ok(world)
}

/// As Kubernetes counts the edits of a spec.
fn edit(world: &World, patch: &Value) -> Result<()> {
    world.patch(patch)
}

#[tokio::test]
async fn a_scale_up_beside_a_failed_release_does_not_try_it_again() -> Result<()> {
    let world = rolled_back().await?;
    let generation = |world: &World| {
        world
            .server
            .get(STACK)
            .map(|it| it["metadata"]["generation"].clone())
    };
    let before = generation(&world);
    world.scales_at_once(3).await?;
    assert_ne!(generation(&world), before, "it is no edit");
    for _ in 0..3 {
        world.server.complete_all()?;
        world.reconcile().await??;
        assert_eq!(world.condition("Ready"), "False RolledBack");
        assert_eq!(world.backend_image()?, "acme/backend:v1");
    }
    edit(
        &world,
        &json!({"spec": {"rollout": {"soak": "0s", "history": 3}}}),
    )?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RolledBack");
    // Whoever asks for something else and comes back tries it again.
    edit(&world, &json!({"spec": {"version": "v1"}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    edit(&world, &json!({"spec": {"version": "v2"}}))?;
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v2");
    Ok(())
}

#[tokio::test]
async fn a_pin_brings_back_pods_and_not_how_many_there_were() -> Result<()> {
    let world = World::new();
    world.patch(&json!({"spec": {"backend": {"replicas": 2}}}))?;
    world.settle().await?;
    let first =
        world.server.get(STACK).context("no AppStack")?["status"]["release"]["name"].clone();
    world.patch(&json!({"spec": {"version": "v2", "backend": {"replicas": 5}}}))?;
    world.settle().await?;
    assert_eq!(world.serving_count()?.1, 5);
    world.patch(&json!({"spec": {"rollout": {"pin": first}}}))?;
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    assert_eq!(world.serving_count()?.1, 5);
    world.scales_at_once(3).await?;
    Ok(())
}

#[tokio::test]
async fn a_scale_up_does_not_begin_a_release_whose_values_rest() -> Result<()> {
    let hour = std::time::Duration::from_hours(1);
    let world = World::with(Debounce::new(hour, hour));
    users_secret(&world, "own", json!({"SMTP_USER": "YQ=="}));
    world.patch(&json!({"spec": {"secrets": {"from": [{"name": "own"}]}}}))?;
    world.settle().await?;
    users_secret(&world, "own", json!({"SMTP_USER": "Yg=="}));
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False ValuesChanging");
    world.scales_at_once(3).await?;
    world.server.complete_all()?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False ValuesChanging");
    Ok(())
}

#[tokio::test]
async fn a_faulty_spec_scales_what_serves() -> Result<()> {
    let world = World::serving().await?;
    let (serving, _) = world.serving_count()?;
    world.patch(&json!({"spec": {
        "secrets": {"from": [{"name": "missing"}]}, "backend": {"replicas": 3},
    }}))?;
    world.fail().await?;
    assert_eq!(world.serving_count()?, (serving, json!(3)));
    Ok(())
}

#[tokio::test]
async fn a_part_that_a_waiting_release_takes_away_keeps_the_number_that_it_had_last() -> Result<()>
{
    let world = World::new();
    let jobs = json!([
        {"name": "mails", "args": ["mails"], "replicas": 2},
        {"name": "tidy", "args": ["tidy"], "schedule": "@daily"},
    ]);
    world.patch(&json!({"spec": {"jobs": jobs}}))?;
    world.settle().await?;
    let jobs = json!([
        {"name": "mails", "args": ["mails"], "replicas": 4},
        {"name": "tidy", "args": ["tidy"], "schedule": "@daily", "suspend": true},
    ]);
    let releases = world.releases();
    world.patch(&json!({"spec": {"jobs": jobs, "frontend": {"replicas": 3}}}))?;
    world.settle().await?;
    assert_eq!(
        world.releases(),
        releases,
        "a stopped schedule made a release"
    );
    let records = world.server.all("ControllerRevision");
    let manifests = records
        .iter()
        .filter(|it| it["data"]["record"] == "manifests");
    assert_eq!(manifests.count(), 1, "what nobody needs any more is kept");
    world.patch(&json!({"spec": {
        "rollout": {"approval": "Required"}, "frontend": null, "jobs": null, "version": "v2",
    }}))?;
    for _ in 0..2 {
        world.reconcile().await??;
        assert_eq!(world.condition("AwaitingApproval"), "True AwaitingApproval");
        let deployments = world.server.all("Deployment");
        let count = |start: &str| {
            let mut those = deployments.iter();
            let found = those.find(|it| {
                format!(
                    "deployments/{}",
                    it["metadata"]["name"].as_str().unwrap_or_default()
                )
                .starts_with(start)
            });
            found.map(|it| it["spec"]["replicas"].clone())
        };
        assert_eq!(count(FRONTEND), Some(json!(3)));
        assert_eq!(count("deployments/shop-mails-"), Some(json!(4)));
        let schedule = world
            .server
            .get("cronjobs/shop-tidy")
            .context("no schedule")?;
        assert_eq!(schedule["spec"]["suspend"], true);
        assert_eq!(world.condition("TemplatesCurrent"), "True Available");
    }
    Ok(())
}

#[tokio::test]
async fn a_stopped_schedule_is_no_release() -> Result<()> {
    let world = World::new();
    let job = |suspend: bool| {
        json!({"spec": {"jobs": [
            {"name": "tidy", "args": ["tidy"], "schedule": "@daily", "suspend": suspend},
        ]}})
    };
    world.patch(&job(false))?;
    world.settle().await?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    world.patch(&job(true))?;
    world.reconcile().await??;
    let schedule = world
        .server
        .get("cronjobs/shop-tidy")
        .context("no schedule")?;
    assert_eq!(schedule["spec"]["suspend"], true);
    Ok(())
}

/// What an earlier version of the operator wrote down of what serves: the numbers of the spec were in the record of a release,
/// and in its hash.
fn of_an_earlier_version(world: &World) -> Result<()> {
    let spec = world.server.get(STACK).context("no AppStack")?["spec"].clone();
    for mut it in world.server.all("ControllerRevision") {
        if it["data"]["record"] != "release" {
            continue;
        }
        let at =
            |name: &Value| format!("controllerrevisions/{}", name.as_str().unwrap_or_default());
        world.server.remove(&at(&it["metadata"]["name"]));
        it["metadata"]["name"] = json!("shop-0123456789");
        it["data"]["hash"] = json!("0123456789");
        for part in ["backend", "frontend"] {
            it["data"]["spec"][part]["replicas"] = spec[part]["replicas"].clone();
        }
        it["data"]["spec"]["jobs"] = spec["jobs"].clone();
        world.server.put(&at(&it["metadata"]["name"]), it);
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_released_anew_from_records_that_hold_numbers() -> Result<()> {
    let mut world = World::new();
    let jobs = json!([{"name": "mails", "args": ["mails"], "replicas": 2},
        {"name": "tidy", "args": ["tidy"], "schedule": "@daily", "suspend": true}]);
    world.patch(&json!({"spec": {
        "backend": {"replicas": 3}, "frontend": {"replicas": 2}, "jobs": jobs,
    }}))?;
    world.settle().await?;
    of_an_earlier_version(&world)?;
    world.restart()?;
    world.server.forget();
    let releases = world.releases();
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let changed = world.server.changed();
    let changed: Vec<_> = changed
        .iter()
        .filter(|it| !it.starts_with("appstacks/"))
        .collect();
    assert_eq!(changed, [""; 0]);
    assert_eq!(world.releases(), releases);
    world.scales_at_once(4).await?;
    world.settle().await?;
    assert_eq!(world.releases(), releases);
    let name = world.server.get(STACK).context("no AppStack")?["status"]["release"]["name"].clone();
    assert_eq!(name, "shop-0123456789");
    Ok(())
}
