//! An upgrade of the operator harms nobody: what serves goes on as it is, pod by pod, under visitors; and so it is on the way down.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::ResourceExt as _;
use local_cluster::{folders, operator};

use crate::support::{Document, MIGRATED, SOON, World, condition, disturbing_story, release, uid};

/// For how long nothing may happen after another operator has come.
const QUIET: Duration = Duration::from_secs(20);
/// The operator of this folder: its own tag and chart.
const NOW: &str = "NOW";

#[test]
fn upgrade_from_an_operator_that_remembered_nothing() {
    disturbing_story("upgrade-before", async |world| {
        install(world, "BEFORE").await;
        // That one knows of no tools.
        let silent = MIGRATED.replace("spec: {", "spec: {tools: null, ");
        let (stack, visitor) = world.fated_with(&silent).await;
        let served = release(&world.stack("shop").await).to_owned();
        let before = running(world).await;
        let asker = visitor.keeps_asking();

        install(world, NOW).await;
        goes_on(world, &before, &served).await;

        // The next release is one like any other, and so is the way back to one of the other operator.
        bump(world, &stack, "two").await;
        visitor.hears(world, "two first").await;
        let back = stack.with(&format!("spec: {{rollout: {{pin: {served}}}}}"));
        world.apply(&back).await;
        let now = world.ready("shop").await;
        assert_eq!(release(&now), served);
        asker.was_always_answered().await;
    });
}

#[test]
fn upgrade_and_downgrade_between_operators_of_different_templates() {
    disturbing_story("upgrade-templates", async |world| {
        install(world, NOW).await;
        let (stack, visitor) = world.fated_with(MIGRATED).await;
        let served = release(&world.stack("shop").await).to_owned();
        let before = running(world).await;
        let asker = visitor.keeps_asking();

        install(world, "OTHER").await;
        goes_on(world, &before, &served).await;
        is_current(world, "False").await;
        bump(world, &stack, "two").await;
        is_current(world, "True").await;
        let second = release(&world.stack("shop").await).to_owned();
        let other = running(world).await;

        install(world, NOW).await;
        goes_on(world, &other, &second).await;
        is_current(world, "False").await;
        asker.was_always_answered().await;
    });
}

async fn bump(world: &World, stack: &Document, text: &str) {
    let served = release(&world.stack("shop").await).to_owned();
    let bumped = format!("spec: {{backend: {{env: [{{name: WORD, value: {text}}}]}}}}");
    world.apply(&stack.with(&bumped)).await;
    world.ready_with_release_other_than("shop", &served).await;
}

/// Puts an operator in the place of the one that is there.
async fn install(world: &World, which: &str) {
    let by_chart = |chart: &Path| operator::install(&world.cluster, chart).unwrap();
    let mut helm = if which == NOW {
        by_chart(&folders::in_repository("charts/appstack-operator"))
    } else {
        let made = std::env::var(format!("APPSTACK_OPERATOR_{which}")).unwrap();
        let (tag, chart) = made.split_once(' ').unwrap();
        let mut helm = by_chart(Path::new(chart));
        helm.args(["--set", &format!("image.tag={tag}")]);
        helm
    };
    let output = helm.output().await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Nothing of a stack is replaced, and the same release serves.
async fn goes_on(world: &World, before: &[String], served: &str) {
    world
        .until(
            "the operator has looked at the stack",
            SOON * 6,
            async || {
                let found = world.stack("shop").await;
                let ready = condition(&found, "Ready")?;
                (ready.status == "True").then_some(())
            },
        )
        .await;
    world
        .stays("no pod and no workload is replaced", QUIET, async || {
            running(world).await == before && release(&world.stack("shop").await) == served
        })
        .await;
}

async fn is_current(world: &World, expected: &str) {
    world
        .until(
            &format!("TemplatesCurrent is {expected}"),
            SOON * 6,
            async || {
                let found = world.stack("shop").await;
                let current = condition(&found, "TemplatesCurrent")?;
                (current.status == expected).then_some(())
            },
        )
        .await;
}

/// The UIDs of all pods that run, the database's included, and of what makes them, with their generations.
async fn running(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["backend", "frontend", "database"] {
        found.extend(world.pods("shop", part).await.iter().map(uid));
    }
    let serving = "appstack.dev/stack=shop,app.kubernetes.io/component notin (adminer,mail)";
    for it in world.list::<Deployment>(serving).await {
        found.push(format!("{} {}", it.name_any(), uid(&it)));
    }
    for it in world.list::<StatefulSet>("appstack.dev/stack=shop").await {
        found.push(format!(
            "{} {} {:?}",
            it.name_any(),
            uid(&it),
            it.metadata.generation
        ));
    }
    found.sort_unstable();
    found
}
