//! What is counted of pods.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition, PodStatus};
use kube::ResourceExt;

use super::lifecycle::{active, condition, phase};
use super::trouble::{containers, is_running};
use crate::model::observed::{OldPod, PodVersion};

/// The label by which Kubernetes says which template of a StatefulSet a pod was made from.
const TEMPLATE: &str = "controller-revision-hash";
/// The pods of the StatefulSet with this UID that were not made from its template of now.
pub(super) fn old(pods: &[Pod], owner: &str, template: &str) -> Vec<OldPod> {
    let is_old = |it: &&Pod| it.labels().get(TEMPLATE).is_some_and(|it| it != template);
    active(pods)
        .filter(|it| it.owner_references().iter().any(|it| it.uid == owner))
        .filter(is_old)
        .filter_map(|it| {
            Some(OldPod {
                name: it.name_any(),
                uid: it.uid()?,
                ready: ready(it).is_some(),
            })
        })
        .collect()
}

/// How often the container that ended most did so.
pub(super) fn most_ends(pods: &[Pod]) -> i32 {
    let status = active(pods).filter_map(|it| it.status.as_ref());
    status.flat_map(containers).map(ends).max().unwrap_or(0)
}

/// A container that is not started again yet has ended once more than it was started again.
pub(super) fn ends(container: &ContainerStatus) -> i32 {
    let has_ended = |state: &Option<ContainerState>| {
        let state = state.as_ref();
        state.is_some_and(|it| it.terminated.is_some())
    };
    let ended = has_ended(&container.state) || has_ended(&container.last_state);
    container.restart_count + i32::from(ended && !is_running(container))
}

/// Since when the last of the pods is ready; `None` if one is not.
pub(super) fn ready_since(pods: &[Pod]) -> Option<Timestamp> {
    let since = |pod: &Pod| ready(pod)?.last_transition_time.as_ref().map(|time| time.0);
    let all: Option<Vec<Timestamp>> = active(pods).map(since).collect();
    all?.into_iter().max()
}

/// The condition that says that a pod is ready; `None` if it is not.
fn ready(pod: &Pod) -> Option<&PodCondition> {
    condition(pod, "Ready", "True")
}

/// The addresses of the pods, with brackets where they are of IPv6.
pub(super) fn addresses(pods: &[Pod]) -> impl Iterator<Item = String> {
    let found = active(pods).filter_map(|it| it.status.as_ref()?.pod_ip.as_deref());
    found.map(|it| {
        if it.contains(':') {
            format!("[{it}]")
        } else {
            it.to_owned()
        }
    })
}

/// The pod that ran to a good end, where one did.
pub(super) fn succeeded(pods: &[Pod]) -> Option<String> {
    let pod = pods.iter().find(|it| phase(it) == Some("Succeeded"))?;
    Some(pod.name_any())
}

/// When a container of the pods started first. One that could not be started has the time zero.
pub(super) fn started(pods: &[Pod]) -> Option<Timestamp> {
    let containers = pods.iter().filter_map(|it| it.status.as_ref());
    let starts = containers.flat_map(all_containers).flat_map(|it| {
        let states = [it.state.as_ref(), it.last_state.as_ref()]
            .into_iter()
            .flatten();
        states.filter_map(|it| {
            let running = it.running.as_ref().and_then(|it| it.started_at.as_ref());
            let ended = || it.terminated.as_ref()?.started_at.as_ref();
            running.or_else(ended).map(|time| time.0)
        })
    });
    starts.filter(|it| *it > Timestamp::UNIX_EPOCH).min()
}

/// Since when the newest pod waits for its first container to start; `None` if it does not.
pub(super) fn waits_since(pods: &[Pod]) -> Option<Timestamp> {
    let newest = newest(active(pods))?;
    let waits = started(std::slice::from_ref(newest)).is_none();
    let made = newest.metadata.creation_timestamp.as_ref().map(|it| it.0);
    made.filter(|_| waits)
}

/// When the newest of the pods was made.
pub(super) fn newest_made(pods: &[Pod]) -> Option<Timestamp> {
    let made = newest(pods.iter())?.metadata.creation_timestamp.as_ref()?;
    Some(made.0)
}

/// The pod that runs, and the container of it that does.
pub(super) fn running(pods: &[Pod]) -> Option<(&Pod, &ContainerStatus)> {
    let pod = newest(active(pods))?;
    let running = containers(pod.status.as_ref()?).find(|it| is_running(it))?;
    Some((pod, running))
}

fn all_containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let first = status.init_container_statuses.iter().flatten();
    first.chain(status.container_statuses.iter().flatten())
}

/// The pods as they were seen, if none of them has ever started a container and all are there still.
pub(super) fn unstarted(pods: &[Pod]) -> Option<Vec<PodVersion>> {
    if started(pods).is_some() || active(pods).count() < pods.len() {
        return None;
    }
    let seen = |it: &Pod| {
        Some(PodVersion {
            name: it.name_any(),
            uid: it.uid()?,
            version: it.resource_version()?,
        })
    };
    pods.iter().map(seen).collect()
}

/// The newest pod that failed, and the container of it that did.
pub(super) fn newest_failed(pods: &[Pod]) -> Option<(&Pod, &ContainerStatus)> {
    let failed = pods.iter().filter(|it| phase(it) == Some("Failed"));
    let pod = newest(failed)?;
    let failed = containers(pod.status.as_ref()?).find(|it| {
        let ended = it.state.as_ref().and_then(|it| it.terminated.as_ref());
        ended.is_some_and(|it| it.exit_code != 0)
    })?;
    Some((pod, failed))
}

/// The newest pod that is there and not ready.
pub(super) fn newest_unready(pods: &[Pod]) -> Option<&Pod> {
    newest(active(pods).filter(|it| ready(it).is_none()))
}

fn newest<'a>(pods: impl Iterator<Item = &'a Pod>) -> Option<&'a Pod> {
    pods.max_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    #[test]
    fn a_container_between_two_starts_has_ended_once_more_than_it_was_started_again() {
        let ends = |state: Value, last: Value| {
            most_ends(&[pod(json!({"containerStatuses": [{
                "name": "c", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 1, "state": state,
                "lastState": last,
            }]}))])
        };
        let ended = || json!({"terminated": {"exitCode": 1}});
        assert_eq!(ends(json!({"running": {}}), ended()), 1);
        assert_eq!(ends(ended(), json!({})), 2);
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert_eq!(ends(waiting, ended()), 2);
        assert_eq!(most_ends(&[pod(json!({}))]), 0);
    }

    #[test]
    fn what_has_done_its_work_before_the_others_is_in_no_trouble_and_what_cannot_do_it_is() {
        let before = |exit_code: i32| {
            pod(json!({
                "initContainerStatuses": [{
                    "name": "before", "image": "a/b:1", "imageID": "", "ready": exit_code == 0, "restartCount": 1,
                    "state": {"terminated": {"exitCode": exit_code}}, "lastState": {"terminated": {"exitCode": 1}},
                }],
                "containerStatuses": [{
                    "name": "c", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {"waiting": {"reason": "PodInitializing"}},
                }],
            }))
        };
        let (done, failed) = (before(0), before(1));
        assert_eq!(most_ends(&[done]), 0);
        assert_eq!(most_ends(&[failed]), 2);
    }

    /// A pod that was made at this second, whose container is in this state.
    fn made(second: u32, state: Value) -> Pod {
        let mut pod = pod(json!({"containerStatuses": [{
            "name": "c", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }]}));
        let at = format!("2026-01-02T03:04:{second:02}Z");
        pod.metadata.creation_timestamp = Some(serde_json::from_value(json!(at)).unwrap());
        pod.metadata.uid = Some("uid".into());
        pod.metadata.resource_version = Some("7".into());
        pod
    }

    #[test]
    fn a_job_waits_since_its_newest_pod_was_made_until_a_container_starts() {
        let second = |it: Option<Timestamp>| it.map(|it| it.strftime("%S").to_string());
        let check = |pods: &[Pod], start: Option<&str>, wait: Option<&str>, can_be_replaced| {
            let found = (second(started(pods)), second(waits_since(pods)));
            assert_eq!(found, (start.map(Into::into), wait.map(Into::into)));
            assert_eq!(unstarted(pods).is_some(), can_be_replaced, "{pods:?}");
        };
        let waits = |at| made(at, json!({"waiting": {"reason": "ErrImagePull"}}));
        let runs = || made(2, json!({"running": {"startedAt": "2026-01-02T03:04:05Z"}}));
        let ended = || {
            let ended = json!({"exitCode": 1, "startedAt": "2026-01-02T03:04:04Z"});
            let mut pod = made(1, json!({"terminated": ended}));
            pod.status.get_or_insert_default().phase = Some("Failed".into());
            pod
        };
        // The runtime says that it never started.
        let no_start = || {
            made(
                1,
                json!({"terminated": {"exitCode": 128, "startedAt": "1970-01-01T00:00:00Z"}}),
            )
        };
        check(&[waits(3)], None, Some("03"), true);
        check(&[pod(json!({}))], None, None, false);
        check(&[runs()], Some("05"), None, false);
        check(&[ended(), waits(9)], Some("04"), Some("09"), false);
        check(&[ended()], Some("04"), None, false);
        check(&[no_start()], None, Some("01"), true);
        let mut going = waits(3);
        going
            .metadata
            .deletion_timestamp
            .clone_from(&going.metadata.creation_timestamp);
        check(&[going], None, None, false);
        check(&[], None, None, true);
    }

    #[test]
    fn pods_are_ready_since_the_last_of_them_is() {
        let ready = |status: &str, second: u32| {
            pod(json!({"conditions": [{
                "type": "Ready", "status": status, "lastTransitionTime": format!("2026-01-02T03:04:{second:02}Z"),
            }]}))
        };
        let since = ready_since(&[ready("True", 5), ready("True", 9)]);
        assert_eq!(since.unwrap().to_string(), "2026-01-02T03:04:09Z");
        assert_eq!(ready_since(&[ready("True", 5), ready("False", 9)]), None);
        assert_eq!(ready_since(&[]), None);
    }

    #[test]
    fn a_pod_of_an_older_template_is_told_from_those_of_now_of_others_and_that_go() {
        let made = |name: &str, owner: &str, template: &str| -> Pod {
            serde_json::from_value(json!({"metadata": {
                "name": name, "uid": format!("uid-{name}"), "labels": {TEMPLATE: template},
                "ownerReferences": [{"apiVersion": "v1", "kind": "k", "name": "n", "uid": owner}],
            }}))
            .unwrap()
        };
        let mut ready = made("ready", "ours", "old");
        ready.status = pod(json!({"conditions": [{"type": "Ready", "status": "True"}]})).status;
        let mut going = made("going", "ours", "old");
        going.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap());
        let pods = [
            made("new", "ours", "now"),
            made("broken", "ours", "old"),
            made("foreign", "theirs", "old"),
            ready,
            going,
            pod(json!({})),
        ];
        let found = old(&pods, "ours", "now");
        let found: Vec<_> = found.iter().map(|it| (&*it.uid, it.ready)).collect();
        assert_eq!(found, [("uid-broken", false), ("uid-ready", true)]);
    }
}
