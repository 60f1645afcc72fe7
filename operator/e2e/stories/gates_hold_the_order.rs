//! Nothing of a stage is made before the stage before it is done.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::Ingress;

use crate::support::{Document, NOWHERE, ROLL_OUT, SCRIPTED, SOON, World, condition, names, story};

#[test]
fn each_stage_waits_for_the_one_before() {
    story("gates", async |world| {
        world.apply(&scripted(world).await).await;
        let mut seen = Seen::default();
        world
            .until("the stack is ready", ROLL_OUT, async || {
                // What must wait is read before what it waits for: had that been done by then, it is done still.
                let backend_pods = world.pods("shop", "backend").await;
                let frontend_pods = world.pods("shop", "frontend").await;
                let ingresses = world.list::<Ingress>("appstack.dev/stack=shop").await;
                let frontend_serves = is_available(world, "frontend").await;
                let backend_serves = is_available(world, "backend").await;
                let migrated = is_migrated(world).await;

                let pods = names(&backend_pods);
                assert!(pods.is_empty() || migrated, "{pods:?} came too early");
                let pods = names(&frontend_pods);
                assert!(pods.is_empty() || backend_serves, "{pods:?} came too early");
                let early = !ingresses.is_empty() && !frontend_serves;
                assert!(!early, "the Ingress came before the frontend served");

                seen.waiting_for_migration |= !migrated;
                seen.waiting_for_backend |= migrated && !backend_serves;
                seen.waiting_for_frontend |= backend_serves && !frontend_serves;
                let stack = world.stack("shop").await;
                (condition(&stack, "Ready")?.status == "True").then_some(())
            })
            .await;
        assert_eq!(seen, Seen::ALL, "a stage passed too fast to be looked at");
    });
}

#[test]
fn nothing_starts_behind_a_migration_that_fails() {
    story("gates-failing", async |world| {
        let failing = scripted(world)
            .await
            .with("spec: {backend: {migrate: {command: [sh, -c, exit 7]}}}");
        world.apply(&failing).await;
        world
            .says(
                "shop",
                "MigrationReady",
                "JobRetrying",
                &["1 of 3"],
                SOON * 3,
            )
            .await;
        world
            .stays("no pod is made for the backend", SOON, async || {
                world.pods("shop", "backend").await.is_empty()
            })
            .await;
        let stack = world.stack("shop").await;
        for later in ["BackendReady", "FrontendReady", "EdgeReady"] {
            let it = condition(&stack, later).unwrap();
            assert_eq!(it.reason, "WaitingForEarlierStage", "{it:?}");
        }
    });
}

/// What the story must have seen, or it has proved nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    waiting_for_migration: bool,
    waiting_for_backend: bool,
    waiting_for_frontend: bool,
}

impl Seen {
    const ALL: Self = Self {
        waiting_for_migration: true,
        waiting_for_backend: true,
        waiting_for_frontend: true,
    };
}

/// A stack of scripts, each of which takes a few seconds.
async fn scripted(world: &World) -> Document {
    world.apply_secret("nowhere", NOWHERE).await;
    world.document(SCRIPTED)
}

/// Whether a pod of the migration came to a good end; its Job tells a second or two later.
async fn is_migrated(world: &World) -> bool {
    let pods = world.pods("shop", "migration").await;
    let phase = |pod: &Pod| pod.status.as_ref()?.phase.clone();
    pods.iter()
        .any(|it| phase(it).as_deref() == Some("Succeeded"))
}

async fn is_available(world: &World, component: &str) -> bool {
    let found = world.deployments("shop", component).await;
    let available = |it: &Deployment| it.status.as_ref()?.available_replicas;
    found.iter().filter_map(available).sum::<i32>() > 0
}
