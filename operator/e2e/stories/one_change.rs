//! One change to the data at a time: a migration that runs is never broken off, and whoever needs the data waits for it.

use appstack_operator::api::AppStack;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;

use crate::support::{CLEAN_UP, Document, SOON, World, condition, release, story};

/// A migration that takes 20 seconds and leaves a table of this name.
const SLOW: &str = "sleep 20 && psql -q -v ON_ERROR_STOP=1 -c 'create table half()'";

#[test]
fn of_two_bumps_while_a_migration_runs_the_newest_follows_it() {
    story("change-bumps", async |world| {
        let (stack, visitor) = world.migrated().await;
        let asker = visitor.keeps_asking();
        world.apply(&slow(&stack, "first")).await;
        let first = running_job(world).await;
        for table in ["second", "third"] {
            world.apply(&slow(&stack, table)).await;
            let words = ["the migration of release"];
            world
                .says("shop", "MigrationReady", "DataInUse", &words, SOON)
                .await;
        }
        world.ready("shop").await;
        assert!(has_table(world, "first").await, "{first} was broken off");
        assert!(!has_table(world, "second").await);
        assert!(has_table(world, "third").await);
        asker.was_always_answered().await;
    });
}

#[test]
fn hibernate_waits_for_a_migration() {
    story("change-hibernate", async |world| {
        let (stack, visitor) = world.migrated().await;
        let served = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        let slow = slow(&stack, "first");
        world.apply(&slow).await;
        running_job(world).await;
        world.apply(&slow.with("spec: {hibernate: true}")).await;
        let words = ["hibernate waits", "the migration of release"];
        world.says("shop", "Ready", "DataInUse", &words, SOON).await;
        world
            .stays("it serves meanwhile", SOON, async || {
                let found = world.stack("shop").await;
                release(&found) == served && !world.pods("shop", "backend").await.is_empty()
            })
            .await;
        asker.was_always_answered().await;
        world
            .until("nothing runs any more", CLEAN_UP * 2, async || {
                let found = world.stack("shop").await;
                let reason = &condition(&found, "Ready")?.reason;
                (reason == "Hibernated").then_some(())
            })
            .await;
        world.apply(&slow.with("spec: {hibernate: false}")).await;
        world.ready_with_release_other_than("shop", &served).await;
        assert!(has_table(world, "first").await);
    });
}

#[test]
fn a_deletion_waits_for_a_migration() {
    story("change-deletion", async |world| {
        let (stack, _) = world.migrated().await;
        let stack = stack.with("spec: {deletionPolicy: Retain}");
        world.apply(&slow(&stack, "first")).await;
        running_job(world).await;
        world.delete::<AppStack>("shop").await;
        let words = ["the deletion waits", "the migration of release"];
        world.says("shop", "Ready", "DataInUse", &words, SOON).await;
        world
            .until("the stack is gone", CLEAN_UP * 2, async || {
                let found = world.api::<AppStack>().get_opt("shop").await.unwrap();
                found.is_none().then_some(())
            })
            .await;
        // It was done and is not done again, which would fail.
        world.apply(&slow(&stack, "first")).await;
        world.ready("shop").await;
        assert!(has_table(world, "first").await);
    });
}

/// The same with a migration that takes its time to make a table.
fn slow(stack: &Document, table: &str) -> Document {
    let run = SLOW.replace("half", table);
    stack.with(&format!(
        "spec: {{backend: {{migrate: {{command: [sh, -c, \"{run}\"]}}}}}}"
    ))
}

/// The name of the Job of a migration, once it runs.
async fn running_job(world: &World) -> String {
    world
        .until("a migration runs", SOON * 6, async || {
            let jobs = world
                .list::<Job>("app.kubernetes.io/component=migration")
                .await;
            let running = jobs.iter().find(|it| {
                let status = it.status.as_ref();
                status.and_then(|it| it.active).is_some_and(|it| it > 0)
            })?;
            Some(running.name_any())
        })
        .await
}

async fn has_table(world: &World, table: &str) -> bool {
    let pods = world.pods("shop", "database").await;
    let pod = pods.first().expect("a pod of the database").name_any();
    let ask = format!("select to_regclass('{table}')");
    let words = [
        "exec", &pod, "--", "psql", "-U", "postgres", "-d", "app", "-At", "-c", &ask,
    ];
    world.kubectl(&words).await.trim() == table
}
