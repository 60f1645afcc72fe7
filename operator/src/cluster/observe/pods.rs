//! What keeps a pod from becoming ready, in words that people can act on.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateWaiting, ContainerStatus, Pod, PodCondition, PodStatus,
};
use kube::ResourceExt;

use crate::model::observed::{Cause, OldPod, Trouble};

/// The label by which Kubernetes says which template of a StatefulSet a pod was made from.
const TEMPLATE: &str = "controller-revision-hash";
/// The pods of the StatefulSet with this UID that were not made from its template of now.
pub(super) fn old(pods: &[Pod], owner: &str, template: &str) -> Vec<OldPod> {
    let is_old = |it: &&Pod| it.labels().get(TEMPLATE).is_some_and(|it| it != template);
    staying(pods)
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

/// The trouble of the newest pod that has any.
pub(super) fn trouble(pods: &[Pod]) -> Option<Trouble> {
    let mut pods: Vec<&Pod> = staying(pods).collect();
    pods.sort_by_key(|it| {
        std::cmp::Reverse(it.metadata.creation_timestamp.as_ref().map(|time| time.0))
    });
    pods.into_iter().find_map(trouble_of)
}

/// How often the container that ended most did so.
pub(super) fn most_ends(pods: &[Pod]) -> i32 {
    let status = staying(pods).filter_map(|it| it.status.as_ref());
    status.flat_map(containers).map(ends).max().unwrap_or(0)
}

/// A container that is not started again yet has ended once more than it was started again.
fn ends(container: &ContainerStatus) -> i32 {
    let has_ended = |state: &Option<ContainerState>| {
        let state = state.as_ref();
        state.is_some_and(|it| it.terminated.is_some())
    };
    let runs = container
        .state
        .as_ref()
        .is_some_and(|it| it.running.is_some());
    let ended = has_ended(&container.state) || has_ended(&container.last_state);
    container.restart_count + i32::from(ended && !runs)
}

/// Since when the last of the pods is ready; `None` if one is not.
pub(super) fn ready_since(pods: &[Pod]) -> Option<Timestamp> {
    let since = |pod: &Pod| ready(pod)?.last_transition_time.as_ref().map(|time| time.0);
    let all: Option<Vec<Timestamp>> = staying(pods).map(since).collect();
    all?.into_iter().max()
}

/// The condition that says that a pod is ready; `None` if it is not.
fn ready(pod: &Pod) -> Option<&PodCondition> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions.find(|it| it.type_ == "Ready" && it.status == "True")
}

/// The addresses of the pods, with brackets where they are of IPv6.
pub(super) fn addresses(pods: &[Pod]) -> impl Iterator<Item = String> {
    let found = staying(pods).filter_map(|it| it.status.as_ref()?.pod_ip.as_deref());
    found.map(|it| {
        if it.contains(':') {
            format!("[{it}]")
        } else {
            it.to_owned()
        }
    })
}

/// Pods that are not about to go.
pub(super) fn staying(pods: &[Pod]) -> impl Iterator<Item = &Pod> {
    pods.iter()
        .filter(|it| it.metadata.deletion_timestamp.is_none())
}

/// The pod that ran to a good end, where one did.
pub(super) fn succeeded(pods: &[Pod]) -> Option<String> {
    let pod = pods.iter().find(|it| phase(it) == Some("Succeeded"))?;
    Some(pod.name_any())
}

/// Whether a pod does nothing more.
pub(super) fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), Some("Succeeded" | "Failed"))
}

/// The newest pod that failed, and the container of it that did.
pub(super) fn newest_failed(pods: &[Pod]) -> Option<(String, String)> {
    let failed = pods.iter().filter(|it| phase(it) == Some("Failed"));
    let pod = failed.max_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    let failed = containers(pod.status.as_ref()?).find(|it| {
        let ended = it.state.as_ref().and_then(|it| it.terminated.as_ref());
        ended.is_some_and(|it| it.exit_code != 0)
    })?;
    Some((pod.name_any(), failed.name.clone()))
}

/// The containers of a pod, those first that run first; without those that have done their work before the others.
pub(super) fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let first = status.init_container_statuses.iter().flatten();
    let others = status.container_statuses.iter().flatten();
    first.filter(|it| !is_done(it)).chain(others)
}

fn is_done(container: &ContainerStatus) -> bool {
    let ended = container
        .state
        .as_ref()
        .and_then(|it| it.terminated.as_ref());
    ended.is_some_and(|it| it.exit_code == 0)
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn trouble_of(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let unschedulable =
        unschedulable(pod).map(|message| (String::new(), Cause::Unschedulable, message));
    let (container, cause, message) = unschedulable.or_else(|| {
        containers(status).find_map(|it| {
            let (cause, message) = container_trouble(it)?;
            Some((it.name.clone(), cause, message))
        })
    })?;
    Some(Trouble {
        pod: pod.name_any(),
        container,
        cause,
        message,
        log: None,
    })
}

/// Why no node takes a pod, if none does.
pub(super) fn unschedulable(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions
        .filter(|it| it.type_ == "PodScheduled" && it.reason.as_deref() == Some("Unschedulable"))
        .find_map(|it| it.message.clone())
}

/// What keeps a container from running, if something does.
pub(super) fn container_trouble(container: &ContainerStatus) -> Option<(Cause, String)> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        return waiting_trouble(container, waiting);
    }
    // Between its end and the next start a container is terminated, not waiting.
    let ended = state
        .terminated
        .as_ref()
        .filter(|_| container.restart_count > 0)?;
    Some((Cause::Crashing, exit_message(container, ended.exit_code)))
}

fn waiting_trouble(
    container: &ContainerStatus,
    waiting: &ContainerStateWaiting,
) -> Option<(Cause, String)> {
    let said = waiting.message.clone().unwrap_or_default();
    match waiting.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => Some((
            Cause::Image,
            format!("cannot pull {}: {said}", container.image),
        )),
        "CreateContainerConfigError" if said.contains("runAsNonRoot") => Some((Cause::Root, said)),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some((Cause::Config, said))
        }
        "CrashLoopBackOff" => {
            let ended = container
                .last_state
                .as_ref()
                .and_then(|it| it.terminated.as_ref());
            Some((
                Cause::Crashing,
                exit_message(container, ended.map_or(-1, |it| it.exit_code)),
            ))
        }
        _ => None,
    }
}

fn exit_message(container: &ContainerStatus, exit_code: i32) -> String {
    let times = container.restart_count + 1;
    format!(
        "container {} ended with exit code {exit_code}, {times} time(s) so far",
        container.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    fn container(state: Value) -> Value {
        json!({"containerStatuses": [{
            "name": "c", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 1, "state": state
        }]})
    }

    fn check(status: Value, cause: Option<Cause>) {
        assert_eq!(trouble(&[pod(status)]).map(|it| it.cause), cause);
    }

    #[test]
    fn a_pod_that_is_starting_has_no_trouble() {
        check(
            container(json!({"waiting": {"reason": "ContainerCreating"}})),
            None,
        );
        check(container(json!({"running": {}})), None);
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_named() {
        let status =
            container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}));
        let found = trouble(&[pod(status)]).unwrap();
        assert_eq!(
            (found.cause, found.message.as_str()),
            (Cause::Image, "cannot pull a/b:1: not found")
        );
    }

    #[test]
    fn an_image_that_runs_as_root_is_told_from_other_settings() {
        let waiting = |message: &str| {
            container(
                json!({"waiting": {"reason": "CreateContainerConfigError", "message": message}}),
            )
        };
        check(
            waiting("container has runAsNonRoot and image will run as root"),
            Some(Cause::Root),
        );
        check(
            waiting("couldn't find key X in Secret ns/s"),
            Some(Cause::Config),
        );
    }

    #[test]
    fn a_container_between_two_starts_is_crashing() {
        check(
            container(json!({"terminated": {"exitCode": 1}})),
            Some(Cause::Crashing),
        );
        check(
            container(json!({"waiting": {"reason": "CrashLoopBackOff"}})),
            Some(Cause::Crashing),
        );
    }

    #[test]
    fn a_pod_that_no_node_takes_says_why() {
        let scheduled = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m"});
        check(
            json!({"conditions": [scheduled]}),
            Some(Cause::Unschedulable),
        );
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
        assert_eq!(trouble(std::slice::from_ref(&done)), None);
        assert_eq!(most_ends(&[done]), 0);
        let found = trouble(std::slice::from_ref(&failed)).unwrap();
        assert_eq!(
            (found.cause, &*found.container),
            (Cause::Crashing, "before")
        );
        assert_eq!(most_ends(&[failed]), 2);
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
