//! What a pod waits for that is in no trouble: a container that is to end before the others start, its node, a scheduler, or a gate.
//!
//! Invariant: pure. Nothing is said before what is waited for has had the time that it commonly takes.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt as _;

use super::lifecycle;
use super::trouble::is_running;
use crate::model::observed::{Cause, Trouble};

/// How long a pod, or a container that runs before the others, may take before it is said what is waited for.
const STARTS: SignedDuration = SignedDuration::from_secs(10);

/// What a pod waits for that is not ready and in no trouble.
pub(super) fn of(pod: &Pod, now: Timestamp) -> Option<Trouble> {
    let made = pod.metadata.creation_timestamp.as_ref()?.0;
    let is_due = |since: Timestamp| now.duration_since(since) >= STARTS;
    if !is_due(made) {
        return None;
    }
    let of_pod = |message| (String::new(), message);
    let (container, message) = for_container(pod, is_due)
        .or_else(|| for_scheduler(pod).map(of_pod))
        .or_else(|| for_node(pod, is_due).map(of_pod))
        .or_else(|| for_gate(pod).map(of_pod))?;
    let name = pod.name_any();
    Some(Trouble::new(name, container, Cause::Starting, message))
}

/// Of a container that runs before the others the kubelet says that it has started as soon as it runs; only one that goes on beside
/// them, which the spec tells, may have yet to do so while it runs.
fn for_container(pod: &Pod, is_due: impl Fn(Timestamp) -> bool) -> Option<(String, String)> {
    let status = pod.status.as_ref()?;
    let mut first = status.init_container_statuses.iter().flatten();
    let running = first.find(|it| {
        is_running(it) && !(goes_on_beside_others(pod, it) && it.started == Some(true))
    })?;
    if started(running).is_some_and(|it| !is_due(it)) {
        return None;
    }
    let name = running.name.clone();
    let until = if goes_on_beside_others(pod, running) {
        "its startup probe succeeds"
    } else {
        "it has ended"
    };
    let message = format!("container {name} runs, and the others start once {until}");
    Some((name, message))
}

fn started(container: &ContainerStatus) -> Option<Timestamp> {
    let running = container.state.as_ref()?.running.as_ref()?;
    running.started_at.as_ref().map(|it| it.0)
}

/// Whether it is restarted for ever, so that the others do not wait for its end.
fn goes_on_beside_others(pod: &Pod, container: &ContainerStatus) -> bool {
    let spec = pod.spec.iter();
    let mut first = spec.flat_map(|it| it.init_containers.iter().flatten());
    let found = first.find(|it| it.name == container.name);
    found.is_some_and(|it| it.restart_policy.as_deref() == Some("Always"))
}

fn for_scheduler(pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    if spec.node_name.is_some() {
        return None;
    }
    let conditions = pod
        .status
        .iter()
        .flat_map(|it| it.conditions.iter().flatten());
    let mut scheduled = conditions.filter(|it| it.type_ == "PodScheduled");
    match scheduled.next() {
        Some(it) if it.reason.as_deref() == Some("SchedulingGated") => {
            let gates = spec.scheduling_gates.iter().flatten();
            let gates: Vec<&str> = gates.map(|it| it.name.as_str()).collect();
            let gates = gates.join(", ");
            Some(format!(
                "it is scheduled once somebody removes its schedulingGates: {gates}"
            ))
        }
        Some(_) => None,
        None => {
            let name = spec.scheduler_name.as_deref().unwrap_or_default();
            Some(format!(
                "scheduler {name} has not looked at it; does it run?"
            ))
        }
    }
}

/// The kubelet names the containers of a pod as soon as it has taken it up, long before they run.
fn for_node(pod: &Pod, is_due: impl Fn(Timestamp) -> bool) -> Option<String> {
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    let status = pod.status.as_ref();
    let is_taken_up = status.is_some_and(|it| {
        let mut all = [&it.init_container_statuses, &it.container_statuses].into_iter();
        all.any(|it| it.as_ref().is_some_and(|it| !it.is_empty()))
    });
    // Whoever names a node in the spec passes the scheduler by, and then nobody says when.
    let scheduled = lifecycle::condition(pod, "PodScheduled", "True");
    let since = scheduled.and_then(|it| it.last_transition_time.as_ref());
    if is_taken_up || since.is_some_and(|it| !is_due(it.0)) {
        return None;
    }
    Some(format!(
        "node {node} has not taken it up; is there such a node, and is it ready? kubectl get node {node}"
    ))
}

fn for_gate(pod: &Pod) -> Option<String> {
    lifecycle::condition(pod, "ContainersReady", "True")?;
    let gates = pod.spec.as_ref()?.readiness_gates.iter().flatten();
    let mut shut =
        gates.filter(|it| lifecycle::condition(pod, &it.condition_type, "True").is_none());
    let gate = &shut.next()?.condition_type;
    Some(format!(
        "its containers are ready, and nobody has set the condition {gate} of its readinessGates to True"
    ))
}

#[cfg(test)]
mod tests;
