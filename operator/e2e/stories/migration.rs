//! A migration runs before any new pod, and whatever happens to it the old release serves.

use appstack_operator::api::AppStack;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::DeleteParams;

use crate::support::{SOON, World, release, story};

/// What fails once and then goes well: what is half done is there when it runs again.
const HALF: &str = "psql -q -c 'create table half()' && sleep 300; echo the rest is done";

#[test]
fn a_migration_that_fails_leaves_the_old_release_serving() {
    story("migration-fails", async |world| {
        let (stack, visitor) = world.migrated().await;
        let good = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        let fails = |run: &str, more: &str| {
            stack.with(&format!(
                "spec: {{backend: {{env: [{{name: WORD, value: two}}],
                  migrate: {{command: [sh, -c, \"{run}\"], retries: 0{more}}}}}}}"
            ))
        };
        let wrong = fails(
            "psql -q -v ON_ERROR_STOP=1 -c 'alter table none add x int'",
            "",
        );
        world.apply(&wrong).await;
        let words = ["relation \"none\" does not exist"];
        world
            .says("shop", "MigrationReady", "JobFailed", &words, SOON * 6)
            .await;
        // It is not repeated by itself, and is on request.
        let failed = newest_job(world).await;
        world
            .stays("the Job is not repeated", SOON, async || {
                newest_job(world).await.uid() == failed.uid()
            })
            .await;
        let again = "metadata: {annotations: {appstack.dev/retry: please}}";
        world.patch::<AppStack>("shop", again).await;
        world
            .until("the Job is repeated", SOON * 3, async || {
                (newest_job(world).await.uid() != failed.uid()).then_some(())
            })
            .await;

        world.apply(&fails("sleep 600", ", timeout: 5s")).await;
        let words = ["it ran longer than 5s, its timeout"];
        world
            .says(
                "shop",
                "MigrationReady",
                "JobDeadlineExceeded",
                &words,
                SOON * 6,
            )
            .await;
        assert_eq!(release(&world.stack("shop").await), good);
        assert_eq!(world.deployments("shop", "backend").await.len(), 1);
        asker.was_always_answered().await;

        world.apply(&fails("echo it is well", "")).await;
        world.ready("shop").await;
    });
}

#[test]
fn a_migration_that_is_interrupted_is_finished() {
    story("migration-interrupted", async |world| {
        let (stack, visitor) = world.migrated().await;
        let asker = visitor.keeps_asking();
        let half = |table: &str| {
            let run = HALF.replace("half", table);
            stack.with(&format!(
                "spec: {{backend: {{migrate: {{command: [sh, -c, \"{run}\"]}}}}}}"
            ))
        };
        world.apply(&half("one")).await;
        let pod = running_pod(world, "one").await;
        let now = DeleteParams::default().grace_period(0);
        world.api::<Pod>().delete(&pod, &now).await.unwrap();
        world.ready("shop").await;

        world.apply(&half("two")).await;
        running_pod(world, "two").await;
        let job = newest_job(world).await;
        world.delete::<Job>(&job.name_any()).await;
        world.ready("shop").await;
        asker.was_always_answered().await;
    });
}

#[test]
fn a_release_with_another_schema_is_not_restored_where_that_is_refused() {
    story("migration-head", async |world| {
        let (stack, _) = world.migrated().await;
        let with_head = |head: &str, run: &str| {
            stack.with(&format!(
                "spec: {{rollout: {{schemaRollback: Refuse}}, backend: {{migrate:
                  {{command: [sh, -c, \"echo {run}\"], headCommand: [sh, -c, \"echo now at; echo {head}\"]}}}}}}"
            ))
        };
        world.apply(&with_head("0001_first", "one")).await;
        let first = release(&world.ready("shop").await).to_owned();
        world.apply(&with_head("0001_first", "two")).await;
        let second = release(&world.ready("shop").await).to_owned();
        let pinned = |to: &str| {
            with_head("0002_second", "three").with(&format!("spec: {{rollout: {{pin: {to}}}}}"))
        };
        // The same schema by another migration.
        world.apply(&pinned(&first)).await;
        assert_eq!(release(&world.ready("shop").await), first);

        world.apply(&with_head("0002_second", "three")).await;
        world.ready("shop").await;
        world.apply(&pinned(&second)).await;
        let words = [
            &second,
            "0001_first",
            "0002_second",
            "schemaRollback: Refuse",
        ];
        world.refuses("shop", &words).await;

        let bad = with_head("0003_third", "four")
            .with("spec: {backend: {env: [{name: FATE, value: exits}]}}");
        world.apply(&bad).await;
        let words = ["ContainerCrashing", "0002_second", "0003_third"];
        world
            .says("shop", "Ready", "StageFailed", &words, SOON * 12)
            .await;
    });
}

async fn newest_job(world: &World) -> Job {
    let jobs = world
        .list::<Job>("app.kubernetes.io/component=migration")
        .await;
    jobs.into_iter()
        .max_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|it| it.0))
        .expect("a Job of the migration")
}

/// The pod of a migration that has made its table and sleeps.
async fn running_pod(world: &World, table: &str) -> String {
    world
        .until(
            &format!("the table {table} is there"),
            SOON * 6,
            async || {
                let pods = world.pods("shop", "migration").await;
                let pod = pods.iter().rfind(|it| {
                    let status = it.status.as_ref();
                    status.and_then(|it| it.phase.as_deref()) == Some("Running")
                })?;
                let ask = format!("select to_regclass('{table}')");
                let words = ["exec", &pod.name_any(), "--", "psql", "-At", "-c", &ask];
                (world.kubectl(&words).await.trim() == table).then(|| pod.name_any())
            },
        )
        .await
}

#[test]
fn a_migration_makes_the_extensions_that_applications_ask_for() {
    story("migration-extensions", async |world| {
        let (stack, _) = world.migrated().await;
        let run = r#"for it in uuid-ossp pgcrypto pg_trgm citext hstore unaccent btree_gin; do
            echo "create extension \"$it\";"; done | psql -q -v ON_ERROR_STOP=1 &&
          psql -q -v ON_ERROR_STOP=1 -c 'create table named (id uuid default uuid_generate_v4(), name citext)'"#;
        let migrate =
            serde_json::json!({"spec": {"backend": {"migrate": {"command": ["sh", "-c", run]}}}});
        world.apply(&stack.with(&migrate.to_string())).await;
        world.ready("shop").await;
    });
}
