//! Containers that a liveness probe has failed and that run on for a while: until their preStop hook and their grace period are over
//! Kubernetes calls their pod ready, and Events alone tell of it.
//!
//! Invariant: pure. Events outlive what they tell of, so that only those count that are of the run of now.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::ListParams;

use super::trouble::{containers, is_running};
use super::warnings::{container_of, last};

/// The Events that tell of containers which are told to end, of all pods of a namespace: so it is one request for however many pods.
pub(super) fn params() -> ListParams {
    ListParams::default().fields("involvedObject.kind=Pod,reason=Killing")
}

/// Whether a container of a pod can be told to end by such a probe.
pub(super) fn is_probed(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let mut all = spec.into_iter().flat_map(|it| {
        let first = it.init_containers.iter().flatten();
        first.chain(&it.containers)
    });
    all.any(|it| it.liveness_probe.is_some())
}

/// The container of a pod that is about to end by its liveness probe, and runs; of several the one that ended most.
pub(super) fn about_to_end<'a>(pod: &'a Pod, events: &[Event]) -> Option<&'a ContainerStatus> {
    let running = containers(pod.status.as_ref()?).filter(|it| is_running(it));
    let is_told = |it: &&ContainerStatus| events.iter().any(|event| tells_of(event, pod, it));
    running.filter(is_told).max_by_key(|it| it.restart_count)
}

fn tells_of(event: &Event, pod: &Pod, container: &ContainerStatus) -> bool {
    let said = event.message.as_deref().unwrap_or_default();
    let uid = event.involved_object.uid.as_ref();
    event.reason.as_deref() == Some("Killing")
        && said.contains("failed liveness probe")
        && uid.is_some()
        && uid == pod.metadata.uid.as_ref()
        && container_of(event).as_deref() == Some(container.name.as_str())
        && last(event).is_some_and(|it| is_of_this_run(container, it))
}

/// Times are whole seconds, in which a container may be told to end, end and be started again.
fn is_of_this_run(container: &ContainerStatus, told: Timestamp) -> bool {
    let running = container.state.as_ref().and_then(|it| it.running.as_ref());
    let started = running.and_then(|it| it.started_at.as_ref());
    let before = container.last_state.as_ref();
    let before = before.and_then(|it| it.terminated.as_ref()?.finished_at.as_ref());
    started.is_none_or(|it| it.0 <= told) && before.is_none_or(|it| it.0 < told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(second: u32) -> String {
        format!("2026-01-02T03:04:{second:02}Z")
    }

    fn event(uid: &str, message: &str, second: u32) -> Event {
        serde_json::from_value(json!({
            "metadata": {}, "type": "Normal", "reason": "Killing", "message": message, "lastTimestamp": at(second),
            "involvedObject": {"kind": "Pod", "uid": uid, "fieldPath": "spec.containers{backend}"},
        }))
        .unwrap()
    }

    fn pod(state: &Value, before: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "uid": "ours"},
            "spec": {"containers": [{"name": "backend", "livenessProbe": {"httpGet": {"port": 1}}}]},
            "status": {"containerStatuses": [{
                "name": "backend", "image": "a/b:1", "imageID": "", "ready": true, "restartCount": 1,
                "state": state, "lastState": before,
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn a_container_is_about_to_end_by_what_was_told_in_its_own_run() {
        let failed = "Container backend failed liveness probe, will be restarted";
        let runs = json!({"running": {"startedAt": at(10)}});
        let before = json!({"terminated": {"exitCode": 137, "finishedAt": at(10)}});
        let found = |uid: &str, said: &str, second: u32, before: &Value| {
            let pod = pod(&runs, before);
            assert!(is_probed(&pod));
            about_to_end(&pod, &[event(uid, said, second)]).is_some()
        };
        let none = json!({});
        assert!(found("ours", failed, 11, &before));
        assert!(found("ours", failed, 10, &none));
        assert!(
            !found("ours", failed, 10, &before),
            "it is of the run before"
        );
        assert!(!found("ours", failed, 9, &none));
        assert!(!found("theirs", failed, 11, &none));
        assert!(!found("ours", "Stopping container backend", 11, &none));
        let ended = pod(&json!({"terminated": {"exitCode": 137}}), &none);
        let told = [event("ours", failed, 11)];
        assert!(about_to_end(&ended, &told).is_none(), "it counts as ended");
        assert!(!is_probed(&Pod::default()));
    }
}
