//! The operator is killed in the middle of a roll-out, and its successor goes on where it was.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::DeleteParams;
use kube::{Api, ResourceExt as _};

use crate::support::{ROLL_OUT, SCRIPTED, World, disturbing_story, release};

#[test]
fn a_killed_operator_leaves_nothing_half_done() {
    disturbing_story("restart", async |world| {
        let stack = world
            .document(SCRIPTED)
            .with("spec: {database: {external: null, embedded: {}}}");
        world.apply(&stack).await;
        at_stage(world, "database").await;
        let generated = generated(world).await;
        kill_the_operator(world).await;
        for stage in ["migration", "backend", "frontend"] {
            at_stage(world, stage).await;
            kill_the_operator(world).await;
        }
        world.ready("shop").await;

        assert_eq!(self::generated(world).await, generated);
        let jobs = world.list::<Job>("appstack.dev/stack=shop").await;
        assert_eq!(jobs.len(), 2, "the role and the migration: {jobs:?}");
        nothing_was_made_twice(world);
    });
}

#[test]
fn a_release_ends_well_whenever_the_operator_is_killed() {
    disturbing_story("release-restart", async |world| {
        let (stack, visitor) = world.fated_with(SLOW).await;
        let served = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();

        // The table cannot be made twice.
        let bump = "spec: {database: {embedded: {resources: {requests: {cpu: 60m}}}}, backend: {
            env: [{name: WORD, value: two}, {name: FATE, value: tardy}],
            migrate: {command: [sh, -c, \"sleep 3; psql -q -c 'create table once()'\"], retries: 0}}}";
        let bumped = stack.with(bump);
        world.apply(&bumped).await;
        for stage in ["database", "migration", "backend"] {
            at_stage(world, stage).await;
            kill_the_operator(world).await;
        }
        world
            .says("shop", "BackendReady", "Soaking", &[], ROLL_OUT)
            .await;
        kill_the_operator(world).await;
        at_stage(world, "edge").await;
        kill_the_operator(world).await;
        world.ready_with_release_other_than("shop", &served).await;
        visitor.hears(world, "two first").await;
        let jobs = made(world, "jobs");
        assert_eq!(jobs.len(), 3, "the role and two migrations: {jobs:?}");
        assert!(jobs.values().all(|times| *times == 1), "{jobs:?}");

        // The way back.
        world
            .apply(&bumped.with("spec: {backend: {env: [{name: FATE, value: exits}]}}"))
            .await;
        world
            .until("the release has failed", ROLL_OUT, async || {
                let failed = "appstack.dev/record=failure";
                let records = world.list::<ControllerRevision>(failed).await;
                (!records.is_empty()).then_some(())
            })
            .await;
        kill_the_operator(world).await;
        let words = ["cannot find the soul of ***"];
        world.rolled_back("shop", "ContainerCrashing", &words).await;
        visitor.hears(world, "two first").await;
        asker.was_always_answered().await;
    });
}

/// A stack each step of whose releases takes a while: by the time that an operator is back, the pods still soak.
const SLOW: &str = "spec: {
    rollout: {soak: 40s, progressDeadline: 2m, publicCheck: {path: /checked, timeout: 60s}},
    database: {external: null, embedded: {}}, backend: {migrate: {command: [sh, -c, echo nothing to do]}}}";

/// How often the operator has made each object of a kind.
fn made(world: &World, resource: &str) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for write in world.writes() {
        if write.code == 201 && write.resource == resource {
            *made.entry(write.name).or_default() += 1;
        }
    }
    made
}

async fn at_stage(world: &World, stage: &str) {
    world
        .until(
            &format!("the roll-out is at {stage}"),
            ROLL_OUT,
            async || {
                let found = world.stack("shop").await;
                (found.status?.stage? == stage).then_some(())
            },
        )
        .await;
}

/// Takes its pod away at once: what it was about to write may or may not have been written.
async fn kill_the_operator(world: &World) {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), "appstack-system");
    let found = world.operators().await;
    assert!(!found.is_empty(), "there is no operator to kill");
    let now = DeleteParams::default().grace_period(0);
    for pod in found {
        pods.delete(&pod.name_any(), &now).await.unwrap();
    }
}

/// The values that are drawn once.
async fn generated(world: &World) -> BTreeMap<String, Vec<u8>> {
    let secret = world.api::<Secret>().get("shop-generated").await.unwrap();
    let data = secret.data.unwrap();
    assert_eq!(data.len(), 4, "{:?}", data.keys());
    data.into_iter()
        .map(|(key, value)| (key, value.0))
        .collect()
}

fn nothing_was_made_twice(world: &World) {
    let mut made = BTreeMap::<(String, String), usize>::new();
    for write in world.writes() {
        // Who has the data comes and goes.
        if write.name == "shop-data-hold" {
            continue;
        }
        assert_ne!(write.verb, "delete", "{write:?}");
        if write.code == 201 {
            *made.entry((write.resource, write.name)).or_default() += 1;
        }
    }
    assert!(
        made.len() > 10,
        "the audit log knows of too little: {made:?}"
    );
    made.retain(|_, times| *times > 1);
    assert!(made.is_empty(), "made more than once: {made:?}");
}
