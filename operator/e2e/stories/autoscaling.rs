//! A number of pods that an autoscaler chose is nobody else's: no release, no hand-over and no look takes a pod away. The
//! cluster of the stories measures no CPU, so the story scales as an autoscaler would.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{Document, FATED, NOWHERE, SOON, World, condition, names, story};

const FIXED: &str = "spec: {rollout: {soak: 2s, progressDeadline: 1m}, backend: {replicas: 2}}";
const AUTO: &str =
    "spec: {backend: {replicas: null, autoscaling: {minReplicas: 1, maxReplicas: 4}}}";

#[test]
fn from_a_fixed_number_to_an_autoscaler_and_back_no_pod_is_taken_away() {
    story("autoscaling", async |world| {
        let fixed = serves(world, FIXED).await;
        let visitor = world.visitor("shop").await;
        visitor.reads(world, &visitor.api).await;
        let asker = visitor.keeps_asking();
        let before = backend(world).await;
        let pods = pods(world).await;

        world.apply(&fixed.with(AUTO)).await;
        world.ready("shop").await;
        let autoscaled = backend(world).await;
        assert_eq!(count(&autoscaled), 2);
        assert_eq!(target(world).await, Some(autoscaled.name_any()));
        assert_eq!(changes(&before, &autoscaled), 1);
        assert_eq!(self::pods(world).await, pods);

        scale(world, 3).await;
        is_left_alone(world, 3).await;

        let again = fixed.with("spec: {backend: {replicas: 3}}");
        let before = backend(world).await;
        world.apply(&again).await;
        world.ready("shop").await;
        let now = backend(world).await;
        assert_eq!(changes(&before, &now), 1);
        assert_eq!(target(world).await, None);
        // The number is the operator's again.
        scale(world, 1).await;
        world
            .until("three pods are wanted again", SOON, async || {
                (count(&backend(world).await) == 3).then_some(())
            })
            .await;
        asker.was_always_answered().await;
    });
}

#[test]
fn a_release_keeps_the_number_that_an_autoscaler_chose() {
    story("autoscaling-release", async |world| {
        let stack = serves(world, FIXED).await.with(AUTO);
        world.apply(&stack).await;
        world.ready("shop").await;
        scale(world, 3).await;
        is_left_alone(world, 3).await;
        let visitor = world.visitor("shop").await;
        visitor.reads(world, &visitor.api).await;
        let asker = visitor.keeps_asking();
        let old = backend(world).await.name_any();

        world
            .apply(&stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}"))
            .await;
        world
            .until("requests turn to the new pods", SOON * 12, async || {
                let service = world.api::<Service>().get("shop-backend").await.unwrap();
                let selector = service.spec.unwrap().selector.unwrap();
                let deployments = world.deployments("shop", "backend").await;
                let new = deployments.iter().find(|it| it.name_any() != old)?;
                let turned = selector["appstack.dev/revision"] == revision(new);
                let ready = new.status.as_ref().and_then(|it| it.ready_replicas);
                assert!(!turned || ready >= Some(3), "it turned to {ready:?} pods");
                turned.then_some(())
            })
            .await;
        world.ready("shop").await;
        let now = backend(world).await;
        assert_ne!(now.name_any(), old);
        assert_eq!(count(&now), 3);
        assert_eq!(target(world).await, Some(now.name_any()));
        scale(world, 2).await;
        is_left_alone(world, 2).await;

        // What fails leaves the number to the one that serves.
        world
            .apply(&stack.with("spec: {backend: {env: [{name: FATE, value: exits}]}}"))
            .await;
        world.rolled_back("shop", "ContainerCrashing", &[]).await;
        is_left_alone(world, 2).await;
        assert_eq!(target(world).await, Some(now.name_any()));
        asker.was_always_answered().await;

        world.apply(&stack.with("spec: {hibernate: true}")).await;
        world
            .says("shop", "Ready", "Hibernated", &[], SOON * 12)
            .await;
        assert_eq!(target(world).await, None);
    });
}

/// A stack that serves with changes.
async fn serves(world: &World, changes: &str) -> Document {
    world.apply_secret("nowhere", NOWHERE).await;
    let stack = world.document(FATED).with(changes);
    world.apply(&stack).await;
    world.ready("shop").await;
    stack
}

/// The Deployment of the backend, once there is but one.
async fn backend(world: &World) -> Deployment {
    world
        .until("one Deployment is left", SOON * 6, async || {
            let mut all = world.deployments("shop", "backend").await;
            (all.len() == 1).then(|| all.remove(0))
        })
        .await
}

fn count(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().unwrap().replicas.unwrap()
}

/// How often a Deployment was changed. An annotation of it counts, and nothing else is to change in a hand-over: the number
/// is not even for a moment another one.
fn changes(before: &Deployment, now: &Deployment) -> i64 {
    let generation = |it: &Deployment| it.metadata.generation.unwrap();
    generation(now) - generation(before)
}

/// The Deployment that the autoscaler scales.
async fn target(world: &World) -> Option<String> {
    let autoscalers = world.api::<HorizontalPodAutoscaler>();
    let autoscaler = autoscalers.get_opt("shop-backend").await.unwrap()?;
    Some(autoscaler.spec?.scale_target_ref.name)
}

async fn pods(world: &World) -> Vec<String> {
    let pods = world.pods("shop", "backend").await;
    names(&pods).into_iter().map(str::to_owned).collect()
}

/// Scales the backend as an autoscaler does.
async fn scale(world: &World, count: i32) {
    let params = PatchParams {
        field_manager: Some("an-autoscaler".into()),
        ..PatchParams::default()
    };
    let name = backend(world).await.name_any();
    let patch = Patch::Merge(json!({"spec": {"replicas": count}}));
    let deployments = world.api::<Deployment>();
    deployments
        .patch_scale(&name, &params, &patch)
        .await
        .unwrap();
}

/// Waits until so many pods are there, and makes sure that nobody changes their number, and that the stack says
/// the same all along.
async fn is_left_alone(world: &World, wanted: i32) {
    world
        .until(&format!("{wanted} pods are there"), SOON * 6, async || {
            let now = backend(world).await;
            let ready = now.status.as_ref()?.ready_replicas;
            (ready == Some(wanted)).then_some(())
        })
        .await;
    let before = backend(world).await;
    let ready = ready(world).await;
    world
        .stays(
            "the number is left alone",
            Duration::from_secs(10),
            async || {
                let now = backend(world).await;
                let same = now.metadata.generation == before.metadata.generation;
                same && count(&now) == wanted && self::ready(world).await == ready
            },
        )
        .await;
}

/// Whether the stack is ready, as it says.
async fn ready(world: &World) -> String {
    let stack = world.stack("shop").await;
    condition(&stack, "Ready").map_or_else(String::new, |it| it.status.clone())
}

/// The revision that a Deployment's pods are of.
fn revision(deployment: &Deployment) -> &str {
    let template = &deployment.spec.as_ref().unwrap().template;
    let labels = template.metadata.as_ref().unwrap().labels.as_ref();
    &labels.unwrap()["appstack.dev/revision"]
}
