//! The leader goes and another replica works in its place: at once when the leader was told to stop, and as soon as its
//! Lease has run out when it was killed.
//!
//! Times are those of the API server's audit log, so that it does not matter how often a story looks.

use std::time::Duration;

use appstack_operator::api::AppStack;
use futures::FutureExt as _;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use local_cluster::operator::{NAME, NAMESPACE};
use serde_json::json;

use crate::support::{ROLL_OUT, Request, SOON, World, disturbing_story, say};

/// How soon another replica works after the leader gave its Lease back.
const AFTER_A_STOP: Duration = Duration::from_secs(2);
/// How soon one works after the leader was killed.
const AFTER_A_KILL: Duration = Duration::from_secs(17);

#[test]
fn a_standby_works_within_2_seconds_after_the_leader_was_told_to_stop() {
    disturbing_story("takeover-stop", async |world| {
        let leader = leader_with_a_standby(world).await;
        world.fated().await;
        pods(world)
            .delete(&leader, &DeleteParams::default())
            .await
            .unwrap();
        let first = works(world, "another replica", |it| it.pod != leader).await;
        let given_back = last_write_of_the_lease(world, &leader);
        was_taken_over(world, given_back, &first, AFTER_A_STOP).await;
    });
}

/// Its pod goes with it, as with a node that fails: what starts again in its place would be the same holder.
#[test]
fn a_standby_works_within_17_seconds_after_the_leader_was_killed_for_good() {
    disturbing_story("takeover-kill", async |world| {
        let leader = leader_with_a_standby(world).await;
        world.fated().await;
        let killed = kill(world, &leader).await;
        let at_once = DeleteParams::default().grace_period(0);
        pods(world).delete(&leader, &at_once).await.unwrap();
        let first = works(world, "another replica", |it| it.pod != leader).await;
        let last = last_write_of_the_lease(world, &leader);
        assert!(last < killed, "it came back, and had the Lease at {last}");
        was_taken_over(world, killed, &first, AFTER_A_KILL).await;
    });
}

/// The one that starts again in the same pod is the holder that it was, and need not wait for the Lease to run out.
#[test]
fn somebody_works_within_17_seconds_after_the_leader_crashed() {
    disturbing_story("takeover-crash", async |world| {
        let leader = leader_with_a_standby(world).await;
        world.fated().await;
        let killed = kill(world, &leader).await;
        let first = works(world, "a replica", |it| it.at > killed).await;
        was_soon(world, killed, &first, AFTER_A_KILL);
    });
}

/// Gives the operator a second replica for the time of the story, and tells which pod leads.
async fn leader_with_a_standby(world: &World) -> String {
    world.afterwards(|world| one_replica(world).boxed_local());
    replicas(world, 2).await
}

async fn one_replica(world: &World) {
    replicas(world, 1).await;
}

/// Waits until the operator has so many replicas, all of them ready and one of them with the Lease, and names that one.
async fn replicas(world: &World, count: usize) -> String {
    let operators: Api<Deployment> = Api::namespaced(world.client.clone(), NAMESPACE);
    let scaled = Patch::Merge(json!({"spec": {"replicas": count}}));
    operators
        .patch_scale(NAME, &PatchParams::default(), &scaled)
        .await
        .unwrap();
    let what = format!("{count} replicas of the operator are there, and one leads");
    world
        .until(&what, ROLL_OUT, async || {
            let pods = world.operators().await;
            let holder = holder(world).await?;
            let leads = pods.iter().any(|it| it.name_any() == holder);
            (pods.len() == count && pods.iter().all(is_ready) && leads).then_some(holder)
        })
        .await
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|it| it.conditions.iter());
    conditions
        .flatten()
        .any(|it| it.type_ == "Ready" && it.status == "True")
}

fn pods(world: &World) -> Api<Pod> {
    Api::namespaced(world.client.clone(), NAMESPACE)
}

async fn lease(world: &World) -> Lease {
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), NAMESPACE);
    leases.get(NAME).await.unwrap()
}

async fn holder(world: &World) -> Option<String> {
    lease(world).await.spec?.holder_identity
}

/// Kills the operator in a pod, and gives the moment from which on it is dead.
async fn kill(world: &World, pod: &str) -> Timestamp {
    let status = pods(world).get(pod).await.unwrap().status.unwrap();
    let container = &status.container_statuses.unwrap()[0];
    let id = container.container_id.as_ref().expect("a container");
    world.cluster.kill(id).await.unwrap();
    Timestamp::now()
}

/// Keeps changing the stack until somebody among the operator's replicas has answered, and gives that answer.
async fn works(world: &World, who: &str, is_it: impl Fn(&Request) -> bool) -> Request {
    // How many releases are kept is told to the operator alone, and is no release.
    let mut history = (2..=50).cycle();
    world
        .until(&format!("{who} works"), SOON * 6, async || {
            let change = format!("spec: {{rollout: {{history: {}}}}}", history.next()?);
            world.patch::<AppStack>("shop", &change).await;
            world.writes().into_iter().find(|it| {
                let told = it.resource == "appstacks/status" && it.code == 200;
                told && is_it(it)
            })
        })
        .await
}

/// When a pod wrote the Lease last: with its end, it gives it back.
fn last_write_of_the_lease(world: &World, pod: &str) -> Timestamp {
    let writes = world.lease_writes();
    let last = writes.iter().rfind(|it| it.pod == pod);
    last.expect("the leader wrote the Lease").at
}

/// Makes sure that another replica got the Lease and worked soon enough, and says how soon.
async fn was_taken_over(world: &World, since: Timestamp, first: &Request, most: Duration) {
    let lease = lease(world).await.spec.unwrap();
    assert_eq!(lease.holder_identity.as_ref(), Some(&first.pod));
    let acquired = lease.acquire_time.expect("somebody leads").0;
    assert!(
        acquired < first.at,
        "it worked before {acquired}: {first:?}"
    );
    say(&format!(
        "{}: the Lease was acquired after {:.3} s",
        world.namespace,
        seconds(since, acquired)
    ));
    was_soon(world, since, first, most);
}

/// Makes sure that somebody worked soon enough, and says how soon.
fn was_soon(world: &World, since: Timestamp, first: &Request, most: Duration) {
    let after = seconds(since, first.at);
    say(&format!(
        "{}: {} worked after {after:.3} s",
        world.namespace, first.pod
    ));
    assert!(after <= most.as_secs_f64(), "it is to be within {most:?}");
}

fn seconds(since: Timestamp, until: Timestamp) -> f64 {
    until.duration_since(since).as_secs_f64()
}
