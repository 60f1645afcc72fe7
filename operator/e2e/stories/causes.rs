//! Why a release does not come up is told by the condition: people need look nowhere else.

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::support::{NOWHERE, PICKY, ROLL_OUT, SOON, World, condition, story};

/// A release that does not come up: the change, the condition, its reason, and words of its message.
const CAUSES: [(&str, &str, &str, &[&str]); 5] = [
    (
        "backend: {env: [{name: HOST, value: 127.0.0.1}]}",
        "BackendReady",
        "ProbeFailing",
        &["GET / at port 8000: connection refused", "127.0.0.1 alone"],
    ),
    (
        "backend: {healthPath: /nope}",
        "BackendReady",
        "ProbeFailing",
        &["GET /nope at port 8000 answered 404"],
    ),
    (
        "backend: {migrate: {command: [alembicc, upgrade, head]}}",
        "MigrationReady",
        "JobRetrying",
        &["alembicc", "executable file not found"],
    ),
    (
        "backend: {migrate: {command: [sh, -c, exit 127]}}",
        "MigrationReady",
        "JobRetrying",
        &["exit code 127 (its command was not found)"],
    ),
    (
        "backend: {env: [{name: HEAVY, value: '30000000'}], resources: {limits: {memory: 64Mi}}}",
        "BackendReady",
        "OutOfMemory",
        &[
            "more memory than its limit of 64Mi (OOMKilled)",
            "resources.limits.memory",
        ],
    ),
];

#[test]
fn the_condition_names_the_cause() {
    story("causes", async |world| {
        let good = world.document(PICKY);
        world.apply_secret("nowhere", NOWHERE).await;
        world.apply(&good).await;
        world.ready("shop").await;
        for (change, condition, reason, words) in CAUSES {
            let bad = good.with(&format!("spec: {{{change}}}"));
            world.apply(&bad).await;
            world.says("shop", condition, reason, words, ROLL_OUT).await;
        }
    });
}

#[test]
fn pods_that_a_quota_refuses_are_told_in_the_words_of_the_api_server() {
    story("causes-quota", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let create = [
            "create",
            "quota",
            "limits",
            "--hard=limits.cpu=4,limits.memory=4Gi",
        ];
        world.kubectl(&create).await;
        let migrates = "spec: {backend: {migrate: {command: [sh, -c, 'true']}}}";
        world.apply(&world.document(PICKY).with(migrates)).await;
        let words = ["pods cannot be made", "must specify limits.cpu"];
        world
            .says("shop", "MigrationReady", "PodsRefused", &words, SOON * 3)
            .await;
    });
}

/// The kubelet ends the pod as it ends one that it evicts.
#[test]
fn a_pod_that_ended_is_only_a_record() {
    story("causes-ended", async |world| {
        let good = world.document(PICKY);
        world.apply_secret("nowhere", NOWHERE).await;
        world.apply(&good).await;
        world.ready("shop").await;
        let soaking = "spec: {rollout: {soak: 15s}, backend: {env: [{name: A, value: b}]}}";
        let soaking = good.with(soaking);
        world.apply(&soaking).await;
        world
            .says("shop", "BackendReady", "Soaking", &[], ROLL_OUT)
            .await;
        let pods = world.pods("shop", "backend").await;
        let newest = pods.last().unwrap().metadata.name.clone().unwrap();
        let ends = json!({"spec": {"activeDeadlineSeconds": 1}});
        world.patch::<Pod>(&newest, &ends.to_string()).await;
        world
            .until("the pod has failed", ROLL_OUT, async || {
                let pods = world.pods("shop", "backend").await;
                let phase = |it: &Pod| it.status.as_ref()?.phase.clone();
                pods.iter()
                    .any(|it| phase(it).as_deref() == Some("Failed"))
                    .then_some(())
            })
            .await;
        world.ready("shop").await;
        is_asleep(world, &soaking.with("spec: {hibernate: true}")).await;
    });
}

async fn is_asleep(world: &World, stack: &crate::support::Document) {
    world.apply(stack).await;
    world
        .until(
            "it sleeps beside the pod that ended",
            ROLL_OUT,
            async || {
                let found = world.stack("shop").await;
                let reason = &condition(&found, "Ready")?.reason;
                (reason == "Hibernated").then_some(())
            },
        )
        .await;
}
