//! A stack is applied and becomes a site with an API over HTTPS.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::events::v1::Event;
use serde_json::Value;

use crate::support::{SHOP, SOON, World, story};

#[test]
fn a_new_stack_becomes_ready_and_serves() {
    story("first-rollout", async |world| {
        world.apply(&world.document(SHOP)).await;
        world.ready("shop").await;

        everything_answers(world).await;
        every_condition_is_about_this_generation(world).await;
        kubectl_shows_what_matters(world).await;
        events_tell_the_story(world).await;
        the_seed_ran_once(world).await;
    });
}

async fn everything_answers(world: &World) {
    let visitor = world.visitor("shop").await;

    let page = visitor.reads(world, &visitor.site).await;
    assert!(page.contains("<div id=\"root\">"), "{page}");
    let config = visitor
        .reads(world, &format!("{}/config.json", visitor.site))
        .await;
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["apiUrl"], visitor.api.as_str(), "{config}");

    visitor.items(world).await;
    visitor.adds_item("Written over HTTPS").await;
    let items = visitor.items(world).await;
    assert!(items.contains(&"Written over HTTPS".into()), "{items:?}");
    visitor.reads(world, &format!("{}/docs", visitor.api)).await;

    // In local also without HTTPS.
    visitor.reads(world, &visitor.plain_site).await;
    visitor
        .reads(world, &format!("{}/api/v1/version", visitor.plain_api))
        .await;
}

async fn every_condition_is_about_this_generation(world: &World) {
    let stack = world.stack("shop").await;
    let status = stack.status.unwrap();
    assert_eq!(status.observed_generation, stack.metadata.generation);
    assert_eq!(status.stage.as_deref(), Some("done"));
    let mut good = Vec::new();
    for condition in status.conditions {
        assert_eq!(
            condition.observed_generation, stack.metadata.generation,
            "{condition:?}"
        );
        // kstatus reads these two the other way around.
        let wanted = match condition.type_.as_str() {
            "AwaitingApproval" | "Reconciling" | "RolledBack" | "Stalled" => "False",
            _ => "True",
        };
        assert_eq!(condition.status, wanted, "{condition:?}");
        good.push(condition.type_);
    }
    assert_eq!(
        good,
        [
            "Accepted",
            "AwaitingApproval",
            "BackendReady",
            "DatabaseReady",
            "EdgeReady",
            "FrontendReady",
            "MigrationReady",
            "Ready",
            "Reconciling",
            "RolledBack",
            "SchedulesHealthy",
            "ServingKnown",
            "Stalled",
            "TemplatesCurrent"
        ]
    );
}

async fn kubectl_shows_what_matters(world: &World) {
    let table = world.kubectl(&["get", "aps"]).await;
    let mut lines = table.lines();
    let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        columns,
        ["NAME", "READY", "STAGE", "VERSION", "URL", "AGE"],
        "{table}"
    );
    let cells: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let site = world.visitor("shop").await.site;
    assert_eq!(
        cells[..5],
        ["shop", "True", "done", "dev", &site],
        "{table}"
    );
}

async fn events_tell_the_story(world: &World) {
    let wanted = [
        "DatabaseReady",
        "MigrationReady",
        "BackendReady",
        "FrontendReady",
        "EdgeReady",
        "Ready",
    ];
    // Events are written after the status.
    world
        .until("an Event for each stage", SOON, async || {
            let events = world.list::<Event>("").await;
            let told = |reason: &str| {
                events.iter().any(|event| {
                    let about = event.regarding.as_ref();
                    let ours = about.is_some_and(|it| it.kind.as_deref() == Some("AppStack"));
                    ours && event.reason.as_deref() == Some(reason)
                })
            };
            wanted.iter().all(|reason| told(reason)).then_some(())
        })
        .await;
}

async fn the_seed_ran_once(world: &World) {
    let jobs = world.list::<Job>("app.kubernetes.io/component=seed").await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let status = jobs[0].status.clone().unwrap();
    assert_eq!((status.succeeded, status.failed), (Some(1), None));
    let made = world
        .writes()
        .into_iter()
        .filter(|it| it.resource == "jobs" && it.name == "shop-seed" && it.code == 201);
    assert_eq!(made.count(), 1);
}
