//! What is no release waits for nobody, and what cannot start makes room for its correction at once.

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use crate::support::{Document, FATED, NOWHERE, SOON, World, condition, release, story};

/// An image that no registry has.
const NOTHING: &str = "localhost:9/nothing:v1";
/// A migration that needs no database.
const MIGRATES: &str = "spec: {backend: {migrate: {command: [sh, -c, 'true']}}}";

#[test]
fn a_scale_up_waits_for_no_approval_no_migration_and_no_failed_release() {
    story("no-release-scale", async |world| {
        let good = serves(world).await;
        let visitor = world.visitor("shop").await;
        visitor.reads(world, &visitor.api).await;
        let asker = visitor.keeps_asking();
        let served = release(&world.stack("shop").await).to_owned();

        let held = good.with(
            "spec: {rollout: {approval: Required}, backend: {env: [{name: WORD, value: two}]}}",
        );
        world.apply(&held).await;
        awaits_approval(world).await;
        world
            .apply(&held.with("spec: {backend: {replicas: 2}}"))
            .await;
        has_pods(world, &served, 2).await;
        awaits_approval(world).await;

        let slow =
            good.with("spec: {backend: {replicas: 2, migrate: {command: [sh, -c, sleep 40]}}}");
        world.apply(&slow).await;
        world
            .says("shop", "MigrationReady", "JobRunning", &[], SOON * 3)
            .await;
        world
            .apply(&slow.with("spec: {backend: {replicas: 3}}"))
            .await;
        has_pods(world, &served, 3).await;
        world.ready("shop").await;

        let served = release(&world.stack("shop").await).to_owned();
        let bad = slow.with("spec: {backend: {replicas: 3, env: [{name: FATE, value: exits}]}}");
        world.apply(&bad).await;
        world.rolled_back("shop", "ContainerCrashing", &[]).await;
        world
            .apply(&bad.with("spec: {backend: {replicas: 1}}"))
            .await;
        has_pods(world, &served, 1).await;
        world
            .stays("the failed release is not tried again", SOON, async || {
                let found = world.stack("shop").await;
                let is_back = condition(&found, "RolledBack").is_some_and(|it| it.status == "True");
                is_back && world.deployments("shop", "backend").await.len() == 1
            })
            .await;
        asker.was_always_answered().await;
    });
}

#[test]
fn a_job_that_cannot_start_is_replaced_by_an_edit_at_once() {
    story("no-release-edit", async |world| {
        let good = serves(world).await;
        let served = release(&world.stack("shop").await).to_owned();
        let bad = without_image(&good);
        world.apply(&bad).await;
        cannot(world, "ImagePullFailed", &["cannot pull"]).await;
        let image = "spec: {backend: {image: docker.io/library/postgres, migrate: {command: [sh, -c, echo]}}}";
        let served = corrected(world, &bad.with(image), &served).await;

        // Its pods may not be made, and the correction keeps the name of the Job.
        let user = |user: &str| {
            good.with(&format!(
                "spec: {{backend: {{migrate: {{command: [sh, -c, pwd]}}, podTemplate: {{spec: {{securityContext: {{runAsUser: {user}}}}}}}}}}}"
            ))
        };
        world.apply(&user("0")).await;
        cannot(world, "PodsRefused", &["must not set runAsUser=0"]).await;
        corrected(world, &user("999"), &served).await;
    });
}

#[test]
fn a_job_that_cannot_start_fails_in_time_and_its_cause_stays() {
    story("no-release-late", async |world| {
        let good = serves(world).await;
        let served = release(&world.stack("shop").await).to_owned();
        world.apply(&without_image(&good)).await;
        let words = [
            "did not start within 40s (rollout.progressDeadline)",
            "cannot pull",
        ];
        cannot(world, "JobDeadlineExceeded", &words).await;
        assert_eq!(release(&world.stack("shop").await), served);
        world
            .until("Kubernetes has ended the Job", SOON * 3, async || {
                let jobs = migrations(world).await;
                let status = jobs.iter().filter_map(|it| it.status.as_ref());
                let mut all = status.flat_map(|it| it.conditions.iter().flatten());
                all.any(|it| it.type_ == "Failed" && it.status == "True")
                    .then_some(())
            })
            .await;
        cannot(world, "JobDeadlineExceeded", &words).await;
        let uids = async || -> Vec<_> {
            migrations(world)
                .await
                .iter()
                .map(ResourceExt::uid)
                .collect()
        };
        let failed = uids().await;
        world
            .stays("it is not repeated", SOON, async || uids().await == failed)
            .await;
    });
}

/// The same with an image that no registry has.
fn without_image(stack: &Document) -> Document {
    stack.with(&format!(
        "spec: {{rollout: {{progressDeadline: 40s}}, backend: {{image: '{NOTHING}'}}}}"
    ))
}

/// The condition that is True while a release waits.
async fn awaits_approval(world: &World) {
    world
        .until("the release waits for its approval", SOON, async || {
            let found = world.stack("shop").await;
            let it = condition(&found, "AwaitingApproval")?;
            let is_current = it.observed_generation == found.metadata.generation;
            (is_current && it.status == "True").then_some(())
        })
        .await;
}

/// The migration says so, at the latest some time after the deadline of [`without_image`].
async fn cannot(world: &World, reason: &str, words: &[&str]) {
    let limit = Duration::from_secs(75);
    world
        .says("shop", "MigrationReady", reason, words, limit)
        .await;
}

/// A correction is rolled out long before the time of the Job that could not start is over. Gives the release.
async fn corrected(world: &World, stack: &Document, served: &str) -> String {
    let since = Instant::now();
    world.apply(stack).await;
    let found = world.ready_with_release_other_than("shop", served).await;
    assert!(
        since.elapsed() < Duration::from_mins(1),
        "{:?}",
        since.elapsed()
    );
    release(&found).to_owned()
}

/// A stack that serves, with a migration.
async fn serves(world: &World) -> Document {
    world.apply_secret("nowhere", NOWHERE).await;
    let stack = world.document(FATED).with(MIGRATES);
    world.apply(&stack).await;
    world.ready("shop").await;
    stack
}

async fn migrations(world: &World) -> Vec<Job> {
    world
        .list("appstack.dev/stack=shop,app.kubernetes.io/component=migration")
        .await
}

/// The release that serves is that one, and so many pods of its backend are ready soon.
async fn has_pods(world: &World, served: &str, count: i32) {
    world
        .until(
            "as many pods serve as are asked for",
            SOON * 2,
            async || {
                assert_eq!(release(&world.stack("shop").await), served);
                let all = world.deployments("shop", "backend").await;
                let mut ready = all
                    .iter()
                    .filter_map(|it| it.status.as_ref()?.ready_replicas);
                ready.any(|it| it == count).then_some(())
            },
        )
        .await;
}
