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
        world
            .says("shop", "AwaitingApproval", "AwaitingApproval", &[], SOON)
            .await;
        world
            .apply(&held.with("spec: {backend: {replicas: 2}}"))
            .await;
        has_pods(world, &served, 2).await;
        world
            .says("shop", "AwaitingApproval", "AwaitingApproval", &[], SOON)
            .await;

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
fn a_job_that_cannot_start_gives_way_to_an_edit_and_fails_in_time_without_one() {
    story("no-release-start", async |world| {
        let good = serves(world).await;
        let served = release(&world.stack("shop").await).to_owned();
        let bad = good.with(&format!(
            "spec: {{rollout: {{progressDeadline: 40s}}, backend: {{image: '{NOTHING}'}}}}"
        ));
        world.apply(&bad).await;
        world
            .says(
                "shop",
                "MigrationReady",
                "ImagePullFailed",
                &["cannot pull"],
                SOON * 3,
            )
            .await;
        let since = Instant::now();
        let other = "spec: {backend: {image: docker.io/library/postgres, migrate: {command: [sh, -c, echo]}}}";
        world.apply(&bad.with(other)).await;
        let found = world.ready_with_release_other_than("shop", &served).await;
        let served = release(&found).to_owned();
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "{:?}",
            since.elapsed()
        );

        world.apply(&bad).await;
        let words = [
            "did not start within 40s (rollout.progressDeadline)",
            "cannot pull",
        ];
        world
            .says(
                "shop",
                "MigrationReady",
                "JobDeadlineExceeded",
                &words,
                Duration::from_secs(75),
            )
            .await;
        assert_eq!(release(&world.stack("shop").await), served);
        stays_failed(world, &words).await;
    });
}

#[test]
fn a_migration_whose_image_runs_as_root_is_replaced_under_its_name() {
    story("no-release-root", async |world| {
        let good = serves(world).await;
        let served = release(&world.stack("shop").await).to_owned();
        let root = good.with("spec: {backend: {migrate: {command: [sh, -c, pwd]}, podTemplate: {spec: {securityContext: {runAsUser: null}}}}}");
        world.apply(&root).await;
        world
            .says("shop", "MigrationReady", "ImageRunsAsRoot", &[], SOON * 3)
            .await;
        let since = Instant::now();
        world
            .apply(&root.with(
                "spec: {backend: {podTemplate: {spec: {securityContext: {runAsUser: 999}}}}}",
            ))
            .await;
        world.ready_with_release_other_than("shop", &served).await;
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "{:?}",
            since.elapsed()
        );
    });
}

/// A stack that serves, with a migration.
async fn serves(world: &World) -> Document {
    world.apply_secret("nowhere", NOWHERE).await;
    let stack = world.document(FATED).with(MIGRATES);
    world.apply(&stack).await;
    world.ready("shop").await;
    stack
}

/// Kubernetes has ended the migration, whose cause is known still, and it is not repeated.
async fn stays_failed(world: &World, words: &[&str]) {
    world
        .until("the Job has failed", SOON, async || {
            let jobs = migrations(world).await;
            let conditions = jobs
                .iter()
                .filter_map(|it| it.status.as_ref()?.conditions.as_ref());
            let mut all = conditions.flatten();
            all.any(|it| it.type_ == "Failed" && it.status == "True")
                .then_some(())
        })
        .await;
    world
        .says("shop", "MigrationReady", "JobDeadlineExceeded", words, SOON)
        .await;
    let failed: Vec<_> = migrations(world)
        .await
        .iter()
        .map(ResourceExt::uid)
        .collect();
    world
        .stays("it is not repeated", SOON, async || {
            let now: Vec<_> = migrations(world)
                .await
                .iter()
                .map(ResourceExt::uid)
                .collect();
            now == failed
        })
        .await;
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
