//! Maintenance holds at once, is no release, and leads visitors to its page only once that answers.

use anyhow::{Context as _, Result, ensure};
use appstack_operator::api::MANAGER;
use serde_json::{Value, json};

use super::no_release::rolled_back;
use super::starts::now;
use super::{EDGE, World};

const PAGE: &str = "shop-maintenance";
const PODS: &str = "deployments/shop-maintenance";
const SERVICE: &str = "services/shop-maintenance";

impl World {
    /// The Services that the way in leads to.
    fn led_to(&self) -> Result<Vec<Value>> {
        let ingress = self.server.get(EDGE).context("no Ingress")?;
        let rules = ingress["spec"]["rules"].as_array().cloned();
        let rules = rules.unwrap_or_default().into_iter();
        let service =
            |mut rule: Value| rule["http"]["paths"][0]["backend"]["service"]["name"].take();
        Ok(rules.map(service).collect())
    }

    fn set_maintenance(&self, on: bool) -> Result<()> {
        self.patch(&json!({"spec": {"edge": {"maintenance": on}}}))
    }
}

#[tokio::test]
async fn visitors_are_led_to_the_page_once_it_is_there_and_back_before_it_goes() -> Result<()> {
    let world = World::serving().await?;
    let (releases, before) = (world.releases(), world.led_to()?);
    world.set_maintenance(true)?;
    world.reconcile().await??;
    ensure!(world.server.get(PODS).is_some());
    assert_eq!(world.led_to()?, before);
    assert_eq!(world.condition("EdgeReady"), "False SpecNotSeenYet");

    world.settle().await?;
    assert_eq!(world.led_to()?, [PAGE, PAGE]);
    assert_eq!(world.condition("Ready"), "True RolledOut");
    for type_ in ["Ready", "EdgeReady"] {
        ensure!(world.message(type_).contains("maintenance page"), "{type_}");
    }

    world.set_maintenance(false)?;
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.led_to()?, before);
    let place = |request: &str| {
        let requests = world.server.requests();
        requests.iter().position(|it| it.starts_with(request))
    };
    let back = place(&format!("PATCH {EDGE}")).context("no way back")?;
    ensure!(place(&format!("DELETE {PODS}")).is_some_and(|gone| gone > back));
    ensure!(world.server.get(SERVICE).is_none());
    assert_eq!(world.releases(), releases);
    Ok(())
}

#[tokio::test]
async fn the_page_stays_while_the_ingress_controller_may_lead_to_it() -> Result<()> {
    let world = World::serving().await?;
    world.set_maintenance(true)?;
    world.settle().await?;
    world.set_maintenance(false)?;
    // As the API server writes down each change.
    let mut ingress = world.server.get(EDGE).context("no Ingress")?;
    ingress["metadata"]["managedFields"] =
        json!([{"manager": MANAGER, "operation": "Apply", "time": now()}]);
    world.server.put(EDGE, ingress);
    world.reconcile().await??;
    ensure!(world.led_to()?.iter().all(|it| it != PAGE));
    ensure!(world.server.get(PODS).is_some());
    ensure!(world.server.get(SERVICE).is_some());
    Ok(())
}

#[tokio::test]
async fn maintenance_waits_for_no_migration_and_no_failed_release() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    world.set_maintenance(true)?;
    world.reconcile().await??;
    world.server.complete(PODS)?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    assert_eq!(world.led_to()?, [PAGE, PAGE]);

    let world = rolled_back().await?;
    world.set_maintenance(true)?;
    world.settle().await?;
    assert_eq!(world.led_to()?, [PAGE, PAGE]);
    assert_eq!(world.condition("Ready"), "False RolledBack");
    Ok(())
}

#[tokio::test]
async fn a_faulty_spec_shuts_out_as_well() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {
        "secrets": {"from": [{"name": "missing"}]}, "edge": {"maintenance": true},
    }}))?;
    world.settle().await?;
    assert_eq!(world.led_to()?, [PAGE, PAGE]);
    assert_eq!(world.condition("Accepted"), "False Invalid");
    Ok(())
}

#[tokio::test]
async fn a_release_is_rolled_out_behind_the_page() -> Result<()> {
    let world = World::serving().await?;
    let releases = world.releases().len();
    world.set_maintenance(true)?;
    world.settle().await?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v2");
    assert_eq!(world.releases().len(), releases + 1);
    assert_eq!(world.led_to()?, [PAGE, PAGE]);
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_missing_is_told_and_nobody_is_shut_out() -> Result<()> {
    let world = World::serving().await?;
    let before = world.led_to()?;
    world.patch(&json!({"spec": {"edge": {"maintenance": true, "maintenancePage": "closed"}}}))?;
    world.fail().await?;
    let said = world.message("Accepted");
    ensure!(
        said.contains("edge.maintenancePage: there is no ConfigMap closed"),
        "{said}"
    );
    assert_eq!(world.led_to()?, before);
    world.server.put(
        "configmaps/closed",
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "closed"},
            "data": {"index.html": "<h1>Closed</h1>"},
        }),
    );
    world.settle().await?;
    assert_eq!(world.led_to()?, [PAGE, PAGE]);
    let pods = world.server.get(PODS).context("no pods")?;
    let volume = "/spec/template/spec/volumes/1/configMap/name";
    assert_eq!(pods.pointer(volume), Some(&json!("closed")));
    Ok(())
}

#[tokio::test]
async fn a_stack_that_sleeps_shows_the_page() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"hibernate": true, "edge": {"maintenance": true}}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "False Hibernated");
    assert_eq!(world.led_to()?, [PAGE, PAGE]);
    Ok(())
}
