//! Workers and schedules belong to the release: they move with it, hold it up, and come back with it.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use kube::ResourceExt as _;

use crate::support::{CLEAN_UP, Document, FATED, NOWHERE, ROLL_OUT, World, condition, story};

/// A worker that ends when it is fated to, and a schedule that comes once a year, so that only the story starts runs.
const JOBS: &str = r#"
spec:
  rollout: {soak: 2s, progressDeadline: 2m}
  jobs:
    - name: mails
      command: [sh, -c, 'trap "exit 0" TERM; [ "$FATE" = stops ] && { echo no more mails; exit 5; }; sleep 3600 & wait']
    - name: tidy
      command: [sh, -c, 'echo tidy $WORD']
      schedule: "@yearly"
"#;

const HEALTHY: &str = "SchedulesHealthy";

#[test]
fn jobs_move_with_the_release_and_come_back_with_it() {
    story("jobs", async |world| {
        let stack = with_jobs(world).await;
        assert_eq!(workers(world).await, words(&["one"]));
        assert_eq!(scheduled(world).await, "one");
        runs(world, "first", "tidy one").await;
        let visitor = world.visitor("shop").await;
        visitor.reads(world, &visitor.api).await;
        let asker = visitor.keeps_asking();

        world
            .apply(&stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}"))
            .await;
        world
            .until("workers of both releases run", ROLL_OUT, async || {
                (workers(world).await == words(&["one", "two"])).then_some(())
            })
            .await;
        world.ready("shop").await;
        only(world, "two").await;
        runs(world, "second", "tidy two").await;

        // Only the worker minds: the backend is as well as before.
        let bad =
            "spec: {backend: {env: [{name: WORD, value: three}, {name: FATE, value: stops}]}}";
        world.apply(&stack.with(bad)).await;
        let why = ["container mails", "exit code 5", "no more mails"];
        world.rolled_back("shop", "ContainerCrashing", &why).await;
        only(world, "two").await;
        asker.was_always_answered().await;
    });
}

#[test]
fn jobs_rest_while_the_stack_hibernates() {
    story("jobs-hibernate", async |world| {
        let stack = with_jobs(world).await;
        world.apply(&stack.with("spec: {hibernate: true}")).await;
        world
            .until(
                "no worker runs and no run is started",
                CLEAN_UP,
                async || {
                    let workers = of_mails(world).await.len();
                    (workers == 0 && is_suspended(world).await).then_some(())
                },
            )
            .await;
        world
            .says("shop", "Ready", "Hibernated", &[], CLEAN_UP)
            .await;
        world.apply(&stack).await;
        world.ready("shop").await;
        only(world, "one").await;
        assert!(!is_suspended(world).await);
    });
}

#[test]
fn a_run_that_fails_is_told_until_a_later_one_ends_well() {
    story("jobs-run-fails", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let failing = r#"
spec:
  jobs:
    - name: tidy
      command: [sh, -c, 'echo "error: no space left" >&2; exit 3']
      schedule: "* * * * *"
      retries: 0
"#;
        let stack = world.document(FATED).with(failing);
        world.apply(&stack).await;
        world.ready("shop").await;
        let words = ["job tidy", "exit code 3", "error: no space left"];
        let told = world
            .says("shop", HEALTHY, "JobFailed", &words, ROLL_OUT)
            .await;
        world.ready("shop").await;

        // Mended, and run at once by the command of the message.
        let mended =
            "spec: {jobs: [{name: tidy, command: ['true'], schedule: '@yearly', retries: 0}]}";
        world.apply(&stack.with(mended)).await;
        world.ready("shop").await;
        let command = told.message.split("kubectl ").nth(1).unwrap();
        let command = command.split(';').next().unwrap();
        let command = command.replace("$(date +%s)", "now");
        let words: Vec<&str> = command.split_whitespace().collect();
        world.kubectl(&words).await;
        world
            .until("the schedule is well again", ROLL_OUT, async || {
                let stack = world.stack("shop").await;
                (condition(&stack, HEALTHY)?.status == "True").then_some(())
            })
            .await;
    });
}

#[test]
fn a_schedule_that_is_wrong_is_refused_with_the_fix() {
    story("jobs-wrong", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let jobs = "spec: {jobs: [{name: tidy, args: [tidy], schedule: '0 25 * * *', timeZone: Mars/Olympus}]}";
        world.apply(&world.document(FATED).with(jobs)).await;
        let words = [
            "spec.jobs[0].schedule: 25 is no hour",
            "spec.jobs[0].timeZone: Mars/Olympus is no time zone",
        ];
        world.refuses("shop", &words).await;
    });
}

/// A stack that serves the word `one`, with its jobs.
async fn with_jobs(world: &World) -> Document {
    world.apply_secret("nowhere", NOWHERE).await;
    let stack = world.document(FATED).with(JOBS);
    world.apply(&stack).await;
    world.ready("shop").await;
    stack
}

fn words(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

/// Waits until jobs of one release alone are there.
async fn only(world: &World, told: &str) {
    world
        .until(
            &format!("only jobs of {told} are left"),
            CLEAN_UP,
            async || {
                let workers = workers(world).await == words(&[told]);
                (workers && scheduled(world).await == told).then_some(())
            },
        )
        .await;
}

/// The words of the releases whose workers run.
async fn workers(world: &World) -> BTreeSet<String> {
    let pods = of_mails(world).await;
    pods.iter()
        .filter(|it| {
            let phase = it.status.as_ref().and_then(|it| it.phase.as_deref());
            it.metadata.deletion_timestamp.is_none() && phase == Some("Running")
        })
        .map(|it| word(it.spec.as_ref().unwrap()))
        .collect()
}

async fn of_mails(world: &World) -> Vec<Pod> {
    world
        .list::<Pod>("appstack.dev/stack=shop,appstack.dev/job=mails")
        .await
}

/// The word of the release that the schedule is of.
async fn scheduled(world: &World) -> String {
    let schedule = world.api::<CronJob>().get("shop-tidy").await.unwrap();
    let run = schedule.spec.unwrap().job_template.spec.unwrap();
    let PodTemplateSpec { spec, .. } = run.template;
    word(&spec.unwrap())
}

async fn is_suspended(world: &World) -> bool {
    let schedule = world.api::<CronJob>().get("shop-tidy").await.unwrap();
    schedule.spec.unwrap().suspend == Some(true)
}

/// What the variable WORD says.
fn word(pod: &k8s_openapi::api::core::v1::PodSpec) -> String {
    let env = pod.containers[0].env.as_ref().unwrap();
    let word = env.iter().find(|it| it.name == "WORD").unwrap();
    word.value.clone().unwrap()
}

/// Starts a run of the schedule, and waits until it has said something.
async fn runs(world: &World, name: &str, said: &str) {
    world
        .kubectl(&["create", "job", name, "--from=cronjob/shop-tidy"])
        .await;
    world
        .until(&format!("the {name} run is done"), ROLL_OUT, async || {
            let job = world.api::<Job>().get(name).await.unwrap();
            (job.status?.succeeded == Some(1)).then_some(())
        })
        .await;
    let log = world.kubectl(&["logs", &format!("job/{name}")]).await;
    assert_eq!(log.trim(), said);
    let job = world.api::<Job>().get(name).await.unwrap();
    assert_eq!(job.labels()["appstack.dev/job"], "tidy");
}
