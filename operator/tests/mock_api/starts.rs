//! Jobs whose container never starts: they fail in time with their cause, and an edit takes their place at once. And pods of nodes
//! that do not answer.

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{BACKEND, FRONTEND, STACK, World};

const NOT_FOUND: &str = "cannot pull acme/backend:v2: not found";
/// Long before now, for the operator reads the clock.
pub(super) const LONG_AGO: &str = "2026-01-01T00:00:00Z";

#[expect(
    clippy::disallowed_methods,
    reason = "the operator that is tested reads the clock"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// The state of a container whose image is not there.
pub(super) fn no_image() -> Value {
    json!({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}})
}

impl World {
    /// A stack that serves `v1`, with the migration of `v2` on its way, and the address of its Job.
    async fn migrating_to_v2() -> Result<(Self, String)> {
        let world = Self::serving().await?;
        world.patch(&json!({"spec": {"version": "v2"}}))?;
        world.reconcile().await??;
        let job = world.newest_job()?;
        Ok((world, job))
    }

    /// Gives a Job the pod that Kubernetes makes for it, whose container is in this state.
    pub(super) fn pod_of_job(&self, at: &str, made: &str, state: &Value) -> Result<String> {
        let mut job = self.server.get(at).with_context(|| at.to_owned())?;
        let name = at.trim_start_matches("jobs/").to_owned();
        let labels = json!({"batch.kubernetes.io/job-name": name});
        job["spec"]["selector"] = json!({"matchLabels": labels});
        self.server.put(at, job.clone());
        let container = &job["spec"]["template"]["spec"]["containers"][0];
        self.server.put(&format!("pods/{name}"), json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": labels, "creationTimestamp": made},
            "status": {"phase": "Pending", "containerStatuses": [{
                "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "restartCount": 0,
                "state": state,
            }]},
        }));
        Ok(format!("pods/{name}"))
    }
}

#[tokio::test]
async fn a_job_that_cannot_start_fails_in_time_and_stays_failed_with_its_cause() -> Result<()> {
    let (world, job) = World::migrating_to_v2().await?;
    let pod = world.pod_of_job(&job, &now().to_string(), &no_image())?;
    world.reconcile().await??;
    assert_eq!(world.condition("MigrationReady"), "False ImagePullFailed");
    let deadline = |world: &World| {
        world
            .server
            .get(&job)
            .map(|it| it["spec"]["activeDeadlineSeconds"].clone())
    };
    assert_eq!(
        deadline(&world),
        Some(json!(1200)),
        "ten minutes for each of both"
    );

    world.pod_of_job(&job, LONG_AGO, &no_image())?;
    let known = |world: &World| {
        assert_eq!(
            world.condition("MigrationReady"),
            "False JobDeadlineExceeded"
        );
        for type_ in ["MigrationReady", "Ready", "Stalled"] {
            let message = world.message(type_);
            assert!(message.contains(NOT_FOUND), "{type_}: {message}");
        }
    };
    world.reconcile().await??;
    known(&world);
    assert_eq!(deadline(&world), Some(json!(1)));

    // Kubernetes ends it, and takes its pod away.
    let mut ended = world.server.get(&job).context("no Job")?;
    ended["status"] =
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]});
    world.server.put(&job, ended);
    world.server.remove(&pod);
    for _ in 0..2 {
        world.reconcile().await??;
        known(&world);
    }
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0], "it is repeated by itself");
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    Ok(())
}

#[tokio::test]
async fn a_jobs_own_time_counts_from_the_start_of_its_container() -> Result<()> {
    let (world, job) = World::migrating_to_v2().await?;
    let since = |ago: SignedDuration| {
        let start = now().checked_sub(ago).unwrap_or_default();
        json!({"running": {"startedAt": start.to_string()}})
    };
    // It waited for its image for months, and runs for nine of its ten minutes.
    let pod = world.pod_of_job(&job, LONG_AGO, &since(SignedDuration::from_mins(9)))?;
    world.reconcile().await??;
    assert_eq!(world.condition("MigrationReady"), "False JobRunning");
    let name = pod.trim_start_matches("pods/");
    world.server.print(name, b"waits for a lock\n");
    world.pod_of_job(&job, LONG_AGO, &since(SignedDuration::from_mins(11)))?;
    world.reconcile().await??;
    assert_eq!(
        world.condition("MigrationReady"),
        "False JobDeadlineExceeded"
    );
    let message = world.message("MigrationReady");
    assert!(message.contains("waits for a lock"), "{message}");
    Ok(())
}

#[tokio::test]
async fn an_edit_takes_the_place_of_a_job_that_cannot_start_at_once() -> Result<()> {
    let (world, old) = World::migrating_to_v2().await?;
    let pod = world.pod_of_job(&old, &now().to_string(), &no_image())?;
    world.reconcile().await??;
    world.patch(&json!({"spec": {"version": "v3"}}))?;
    world.reconcile().await??;
    assert_eq!(
        (world.server.get(&old), world.server.get(&pod)),
        (None, None)
    );
    world.reconcile().await??;
    let new = world.newest_job()?;
    assert_ne!(new, old);
    let image = "/spec/template/spec/containers/0/image";
    let made = world.server.get(&new).context("no Job")?;
    assert_eq!(made.pointer(image), Some(&json!("acme/backend:v3")));
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v3");
    Ok(())
}

#[tokio::test]
async fn a_job_of_the_same_name_takes_its_own_place() -> Result<()> {
    let (world, job) = World::migrating_to_v2().await?;
    let root = json!({"waiting": {"reason": "CreateContainerConfigError",
        "message": "container has runAsNonRoot and image will run as root"}});
    world.pod_of_job(&job, &now().to_string(), &root)?;
    world.reconcile().await??;
    assert_eq!(world.condition("MigrationReady"), "False ImageRunsAsRoot");
    let user = json!({"spec": {"securityContext": {"runAsUser": 1000}}});
    world.patch(&json!({"spec": {"backend": {"podTemplate": user}}}))?;
    for _ in 0..2 {
        world.reconcile().await??;
    }
    let made = world.server.get(&job).context("no Job")?;
    assert_eq!(
        made.pointer("/spec/template/spec/securityContext/runAsUser"),
        Some(&json!(1000))
    );
    assert!(
        made["spec"]["selector"].is_null(),
        "it is the old one still"
    );
    Ok(())
}

#[tokio::test]
async fn a_job_that_nobody_asks_for_any_more_does_not_start_later() -> Result<()> {
    let (world, old) = World::migrating_to_v2().await?;
    world.pod_of_job(&old, &now().to_string(), &no_image())?;
    world.patch(&json!({"spec": {"version": "v1"}}))?;
    for _ in ["it ends", "its data are given back"] {
        world.reconcile().await??;
    }
    assert_eq!(world.server.get(&old), None);
    assert_eq!(world.server.get("controllerrevisions/shop-data-hold"), None);
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_job_whose_container_has_started_once_or_is_about_to_is_left_to_run() -> Result<()> {
    for state in [
        json!({"running": {"startedAt": LONG_AGO}}),
        json!({"waiting": {"reason": "ContainerCreating"}}),
    ] {
        let (world, old) = World::migrating_to_v2().await?;
        let pod = world.pod_of_job(&old, &now().to_string(), &state)?;
        world.patch(&json!({"spec": {"version": "v3"}}))?;
        for _ in 0..2 {
            world.reconcile().await??;
            assert_eq!(
                world.condition("MigrationReady"),
                "False DataInUse",
                "{state}"
            );
        }
        assert!(
            world.server.get(&old).is_some() && world.server.get(&pod).is_some(),
            "{state}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_container_that_starts_while_its_job_is_about_to_be_replaced_is_left_to_run() -> Result<()>
{
    let (world, old) = World::migrating_to_v2().await?;
    let pod = world.pod_of_job(&old, &now().to_string(), &no_image())?;
    world.patch(&json!({"spec": {"version": "v3"}}))?;
    let (server, at) = (world.server.clone(), pod.clone());
    let before_deletion = format!("DELETE {pod}");
    world.server.on_request(Some(Box::new(move |request| {
        if request == before_deletion
            && let Some(mut it) = server.get(&at)
        {
            it["status"]["containerStatuses"][0]["state"] =
                json!({"running": {"startedAt": now().to_string()}});
            server.put(&at, it);
        }
        super::server::Fate::Answered
    })));
    for _ in 0..2 {
        world.reconcile().await??;
    }
    world.server.on_request(None);
    assert!(world.server.get(&old).is_some(), "the Job is gone");
    let running = world.server.get(&pod).context("the pod is gone")?;
    assert!(running["status"]["containerStatuses"][0]["state"]["running"].is_object());
    assert_eq!(world.condition("MigrationReady"), "False DataInUse");
    Ok(())
}

#[tokio::test]
async fn hibernate_does_not_wait_for_a_pod_whose_node_does_not_answer() -> Result<()> {
    let world = World::serving().await?;
    world.server.set(STACK, "hibernate", json!(true))?;
    for part in [FRONTEND, BACKEND] {
        world.reconcile().await??;
        let at = world.newest(part)?;
        let name = at.trim_start_matches("deployments/").to_owned();
        let mut pod = world
            .server
            .get(&format!("pods/{name}"))
            .context("no pod")?;
        world.server.complete(&at)?;
        // Its time to end has just come: it is waited for.
        pod["metadata"]["deletionTimestamp"] = json!(now().to_string());
        world.server.put("pods/going", pod.clone());
        world.reconcile().await??;
        assert_ne!(world.condition("Ready"), "False Hibernated");
        assert!(world.server.get(super::DATABASE).context("no database")?["spec"]["replicas"] == 1);
        pod["metadata"]["deletionTimestamp"] = json!(LONG_AGO);
        world.server.put("pods/going", pod);
    }
    world.reconcile().await??;
    world.server.complete(super::DATABASE)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False Hibernated");
    assert!(
        world.server.get("pods/going").is_some(),
        "it is no pod of ours to delete"
    );
    Ok(())
}

#[tokio::test]
async fn a_job_that_ended_without_a_pod_says_why_none_could_be_made() -> Result<()> {
    let (world, at) = World::migrating_to_v2().await?;
    let mut job = world.server.get(&at).context("no Job")?;
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/job-name": "none"}});
    job["status"] =
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]});
    world.server.put(&at, job);
    let said = "Error creating: pods \"shop-migrate-x7k2p\" is forbidden: failed quota: all";
    world.server.put("events/refused", json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "refused"}, "involvedObject": {},
        "type": "Warning", "reason": "FailedCreate", "message": said, "lastTimestamp": LONG_AGO,
    }));
    world.reconcile().await??;
    assert_eq!(
        world.condition("MigrationReady"),
        "False JobDeadlineExceeded"
    );
    let message = world.message("MigrationReady");
    assert!(message.contains("failed quota: all"), "{message}");
    Ok(())
}

#[tokio::test]
async fn the_first_pods_of_a_stack_fail_when_they_have_ended_three_times_and_may_become_well_after_all()
-> Result<()> {
    let world = World::new();
    world.crash(b"no PORT\n").await?;
    assert_eq!(world.condition("BackendReady"), "False ContainerCrashing");
    assert_eq!(world.condition("Stalled"), "True StageFailed");
    let message = world.message("Ready");
    assert!(
        message.contains("goes on by itself once its pods are well"),
        "{message}"
    );
    world.server.remove("pods/crashing");
    world.roll_out().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

/// Its preStop hook and its grace period keep such a pod ready for longer than many trials take.
#[tokio::test]
async fn pods_on_trial_that_a_liveness_probe_is_about_to_end_do_not_pass_it() -> Result<()> {
    let (world, job) = World::migrating_to_v2().await?;
    world.server.complete(&job)?;
    world.reconcile().await??;
    let at = world.newest(BACKEND)?;
    world.server.complete(&at)?;
    let at = at.replacen("deployments", "pods", 1);
    let ready = world.server.get(&at).context("no pod")?;
    let probed = |restarts: u32| {
        let mut pod = ready.clone();
        let probe = json!({"httpGet": {"path": "/", "port": 1}});
        pod["spec"] = json!({"containers": [{"name": "backend", "livenessProbe": probe}]});
        pod["status"]["containerStatuses"] = json!([{
            "name": "backend", "image": "a/b:1", "imageID": "", "ready": true, "restartCount": restarts,
            "state": {"running": {"startedAt": LONG_AGO}},
        }]);
        pod
    };
    let event = |reason: &str, message: &str| {
        world.server.put(&format!("events/{reason}"), json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": reason}, "reason": reason, "message": message,
            "involvedObject": {"kind": "Pod", "uid": ready["metadata"]["uid"], "fieldPath": "spec.containers{backend}"},
            "type": "Normal", "lastTimestamp": now().to_string(),
        }));
    };
    event(
        "Killing",
        "Container backend failed liveness probe, will be restarted",
    );
    event(
        "Unhealthy",
        "Liveness probe failed: HTTP probe failed with statuscode: 500",
    );
    for (restarts, stalled) in [(0, "False"), (2, "True")] {
        world.server.put(&at, probed(restarts));
        world.reconcile().await??;
        assert_eq!(world.condition("BackendReady"), "False ProbeFailing");
        let message = world.message("BackendReady");
        let told = "the liveness probe failed: GET / at port 1 answered 500; so container backend is ended and started again";
        assert!(message.contains(told), "{message}");
        assert!(
            world.condition("Stalled").starts_with(stalled),
            "{restarts}"
        );
    }
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    Ok(())
}
