//! A stack at rest is left at rest: the operator asks and writes nothing, and no object moves. One that somebody disturbs
//! costs no more than what was disturbed.

use std::time::{Duration, Instant};

use appstack_operator::api::AppStack;
use appstack_operator::api::label::COMPONENT;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt as _;

use crate::support::{
    CLEAN_UP, Child, FATED, NOWHERE, Request, SHOP, SOON, World, disturbing_story, story,
};

/// How long nothing may happen.
const A_WHILE: Duration = Duration::from_mins(1);
/// The Service of the backend.
const BACKEND: &str = "shop-backend";

/// It is told alone, so that every reconciliation that the operator counts is one of this stack.
#[test]
fn a_stack_at_rest_causes_no_request() {
    disturbing_story("quiet", async |world| {
        world.apply(&world.document(SHOP)).await;
        world.ready("shop").await;
        // Kubernetes itself has the last word on a roll-out: it notes the time, or takes a moment to remove a pod.
        let before = settled(world).await;
        assert!(
            !world.writes().is_empty(),
            "the audit log knows of no write at all"
        );
        assert!(
            world.requests().iter().any(|it| it.verb == "get"),
            "the audit log knows of no read at all"
        );
        wake(world, "first").await;
        settled(world).await;

        let requests = world.requests().len();
        wake(world, "second").await;
        wake(world, "third").await;
        world
            .stays("no child of the stack moves", A_WHILE, async || {
                let now = fingerprints(world).await;
                assert_eq!(now, before);
                true
            })
            .await;
        let more: Vec<_> = world.requests().into_iter().skip(requests).collect();
        assert!(more.is_empty(), "the operator asked: {more:#?}");

        disturbed(world).await;
    });
}

/// What the controllers of Kubernetes write about an autoscaler is none of the operator's business. A run of a schedule is looked at
/// while it goes on, and nothing is changed for it.
#[test]
fn a_schedule_that_runs_is_looked_at_and_changes_nothing() {
    story("quiet-schedule", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world.document(FATED).with(
            "
spec:
  backend: {autoscaling: {maxReplicas: 2}}
  jobs: [{name: tidy, command: [echo, tidy], schedule: '* * * * *'}]
",
        );
        world.apply(&stack).await;
        world.ready("shop").await;
        settled(world).await;
        let requests = world.requests().len();
        let before = ended(world).await;
        world
            .until("a run has ended", CLEAN_UP, async || {
                (ended(world).await > before).then_some(())
            })
            .await;
        settled(world).await;
        let mut more: Vec<_> = world.requests().into_iter().skip(requests).collect();
        // They are those of all stories.
        more.retain(|it| it.resource != "ingressclasses");
        // The schedule itself is applied as it is; its status comes with the answer.
        let looks = ["cronjobs", "jobs", "pods", "events"];
        assert!(
            more.iter().all(|it| looks.contains(&&*it.resource)),
            "the operator asked: {more:#?}"
        );
        let is_write = |it: &&Request| !["get", "list"].contains(&&*it.verb);
        let written: Vec<&Request> = more.iter().filter(is_write).collect();
        assert!(
            written.iter().all(|it| it.resource == "cronjobs"),
            "{written:#?}"
        );
        assert!(more.len() < 20, "the operator asked: {more:#?}");
    });
}

/// How many runs of the schedule have ended well.
async fn ended(world: &World) -> usize {
    let jobs = world.list::<Job>("appstack.dev/job=tidy").await;
    let done = jobs.iter().filter_map(|it| it.status.as_ref()?.succeeded);
    done.filter(|it| *it > 0).count()
}

/// A label of ours that somebody else changes is put right, and nothing else is asked or sent for it.
async fn disturbed(world: &World) {
    let requests = world.requests().len();
    let theirs = format!("metadata: {{labels: {{{COMPONENT}: theirs}}}}");
    world.patch::<Service>(BACKEND, &theirs).await;
    world
        .until("the Service is as it was", SOON, async || {
            let now = world.api::<Service>().get(BACKEND).await.unwrap();
            (now.labels().get(COMPONENT)? == "backend").then_some(())
        })
        .await;
    settled(world).await;
    let sent: Vec<_> = world.requests().into_iter().skip(requests).collect();
    let right =
        |it: &Request| (&*it.verb, &*it.resource, &*it.name) == ("patch", "services", BACKEND);
    assert!(!sent.is_empty() && sent.iter().all(right), "{sent:#?}");
}

/// Wakes the operator by a change of the AppStack that is none of its business.
async fn wake(world: &World, why: &str) {
    let before = reconciliations(world).await;
    let label = format!("metadata: {{labels: {{woken: {why}}}}}");
    world.patch::<AppStack>("shop", &label).await;
    world
        .until("the operator has looked at the stack", SOON, async || {
            (reconciliations(world).await > before).then_some(())
        })
        .await;
}

/// How often the operator has looked at a stack, and found nothing wrong.
async fn reconciliations(world: &World) -> u64 {
    let text = world.operator_metrics().await;
    let all = text
        .lines()
        .filter(|it| it.starts_with("controller_runtime_reconcile_total{"))
        .filter(|it| it.contains(r#"result="success""#));
    all.filter_map(|it| it.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

type Fingerprint = (String, Option<String>, Option<String>, Option<i64>);

/// The children once they did not move, and nothing was asked, for a few seconds.
async fn settled(world: &World) -> Vec<Fingerprint> {
    let look = async || (fingerprints(world).await, world.requests().len());
    let mut last = look().await;
    let mut since = Instant::now();
    world
        .until("the children come to rest", CLEAN_UP, async || {
            let now = look().await;
            if now != last {
                last.clone_from(&now);
                since = Instant::now();
            }
            (since.elapsed() > SOON).then_some(now.0)
        })
        .await
}

async fn fingerprints(world: &World) -> Vec<Fingerprint> {
    let children = world.children("shop").await;
    children.iter().map(Child::fingerprint).collect()
}
