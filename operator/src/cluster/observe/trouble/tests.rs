//! What pods say of themselves.

use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn pod(status: Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p"}, "status": status,
        "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "128Mi"}}}]},
    }))
    .unwrap()
}

fn container(state: Value) -> Value {
    json!({"containerStatuses": [{
        "name": "c", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 1, "state": state
    }]})
}

fn check(status: Value, cause: Option<Cause>) {
    assert_eq!(trouble(&[pod(status)], NOW).map(|it| it.cause), cause);
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
    let status = container(json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}));
    let found = trouble(&[pod(status)], NOW).unwrap();
    assert_eq!(
        (found.cause, found.message.as_str()),
        (Cause::Image, "cannot pull a/b:1: not found")
    );
}

#[test]
fn an_image_that_runs_as_root_is_told_from_other_settings() {
    let waiting = |message: &str| {
        container(json!({"waiting": {"reason": "CreateContainerConfigError", "message": message}}))
    };
    check(
        waiting("container has runAsNonRoot and image will run as root"),
        Some(Cause::Root),
    );
    check(
        waiting("container's runAsUser breaks non-root policy (pod: \"p\", container: c)"),
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
fn what_cannot_do_its_work_before_the_others_is_in_trouble_and_what_did_it_is_not() {
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
    assert_eq!(trouble(&[before(0)], NOW), None);
    let found = trouble(&[before(1)], NOW).unwrap();
    assert_eq!(
        (found.cause, &*found.container),
        (Cause::Crashing, "before")
    );
}

/// The message of a container in this state.
fn told(state: Value) -> (Cause, String) {
    let found = trouble(&[pod(container(state))], NOW).unwrap();
    (found.cause, found.message)
}

#[test]
fn a_failed_pull_keeps_its_wording_however_the_kubelet_turns_it() {
    let cause = "failed to pull and unpack image \"a/b:1\": failed to resolve reference \"a/b:1\": a/b:1: not found";
    let at_once = format!("rpc error: code = NotFound desc = {cause}");
    let later = format!("Back-off pulling image \"a/b:1\": ErrImagePull: {at_once}");
    let expected = (Cause::Image, format!("cannot pull a/b:1: {cause}"));
    for (reason, message) in [("ErrImagePull", &at_once), ("ImagePullBackOff", &later)] {
        let waiting = json!({"waiting": {"reason": reason, "message": message}});
        assert_eq!(told(waiting), expected, "{reason}");
    }
    let silent = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"a/b:1\""}});
    assert_eq!(told(silent), (Cause::Image, "cannot pull a/b:1".into()));
}

#[test]
fn a_container_that_needs_too_much_memory_is_told_with_its_limit() {
    let (cause, message) = told(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}));
    assert_eq!(cause, Cause::OutOfMemory);
    assert_eq!(
        message,
        "container c was killed because it used more memory than its limit of 128Mi (OOMKilled), 2 time(s) so far"
    );
}

/// The kubelet says of a container that ended while its hook ran that the hook failed, and a moment later that it waits.
#[test]
fn a_container_that_ends_takes_its_hook_with_it_and_has_one_cause() {
    let said = "Exec lifecycle hook ([sh -c until up]) for Container \"c\" in Pod \"p_n(1)\" failed - error: command 'sh -c until up' exited with 137: , message: \"\"";
    let told = |reason: &str, ended: Value| {
        let mut status = container(json!({"waiting": {"reason": reason, "message": said}}));
        status["containerStatuses"][0]["lastState"] = ended;
        let found = trouble(&[pod(status)], NOW).unwrap();
        (found.cause, found.message)
    };
    for (code, reason, cause) in [
        (137, "OOMKilled", Cause::OutOfMemory),
        (1, "Error", Cause::Crashing),
    ] {
        let ended = || json!({"terminated": {"exitCode": code, "reason": reason}});
        let hook = told("PostStartHookError", ended());
        assert_eq!(hook.0, cause);
        assert_eq!(hook, told("CrashLoopBackOff", ended()));
    }
    let failed = "container c cannot start: its postStart hook failed with exit code 137";
    for ended in [
        json!({"terminated": {"exitCode": 143, "reason": "Error"}}),
        json!({}),
    ] {
        let hook = told("PostStartHookError", ended);
        assert_eq!(hook, (Cause::Config, failed.into()));
    }
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let said = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"alembicc\": executable file not found in $PATH: unknown";
    let expected =
        "container c cannot start: exec: \"alembicc\": executable file not found in $PATH";
    let states = [
        json!({"waiting": {"reason": "RunContainerError", "message": said}}),
        json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": said}}),
    ];
    for state in states {
        let (cause, message) = told(state);
        assert_eq!(cause, Cause::Config);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn an_exit_code_is_told_with_what_it_means() {
    let (_, message) = told(
        json!({"terminated": {"exitCode": 127, "reason": "Error", "message": "no such file\n"}}),
    );
    assert_eq!(
        message,
        "container c ended with exit code 127 (its command was not found): no such file, 2 time(s) so far"
    );
}

#[test]
fn an_eviction_is_told_of_a_pod_that_is_only_a_record() {
    let evicted = pod(
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}),
    );
    assert_eq!(trouble(std::slice::from_ref(&evicted), NOW), None);
    let found = ended(&[evicted]).unwrap();
    assert_eq!(
        (found.cause, found.message.as_str()),
        (
            Cause::Evicted,
            "it was evicted: The node was low on resource: memory."
        )
    );
    assert_eq!(ended(&[pod(json!({"phase": "Failed"}))]), None);
}

#[test]
fn a_pod_that_others_tell_to_end_says_who_and_why() {
    let told = |phase: &str, reason: &str, message: &str| {
        let disruption = json!({"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message});
        let pod = pod(json!({"phase": phase, "conditions": [disruption]}));
        ended(&[pod]).map(|it| it.message)
    };
    let scheduler = "default-scheduler: preempting to accommodate a higher priority pod";
    let preempted = Some("it had to make room for a pod of a higher priority".to_owned());
    assert_eq!(
        told("Running", "PreemptionByScheduler", scheduler),
        preempted
    );
    assert_eq!(
        told("Failed", "PreemptionByScheduler", scheduler),
        preempted
    );
    assert_eq!(
        told("Running", "EvictionByEvictionAPI", "Eviction API: evicting"),
        Some("it was evicted: Eviction API: evicting".into())
    );
    assert_eq!(
        told(
            "Failed",
            "TerminationByKubelet",
            "Pod was terminated in response to imminent node shutdown."
        ),
        Some(
            "it failed: Pod was terminated in response to imminent node shutdown. (TerminationByKubelet)"
                .into()
        )
    );
    let kubelets = pod(
        json!({"phase": "Failed", "reason": "Preempting", "message": "Preempted in order to admit critical pod"}),
    );
    assert_eq!(ended(&[kubelets]).map(|it| it.message), preempted);
    assert_eq!(ended(&[pod(json!({"phase": "Running"}))]), None);
}

#[test]
fn a_pod_whose_node_does_not_answer_names_it_and_what_is_known_of_it() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let made = |metadata: Value, status: Value| -> Pod {
        serde_json::from_value(json!({
            "metadata": metadata, "spec": {"nodeName": "worker-3", "containers": []}, "status": status,
        }))
        .unwrap()
    };
    let now = at("2026-01-02T03:10:00Z");
    let told = |pod: Pod| lost(&[pod], now).map(|it| (it.cause, it.message));
    let said = |why: &str| {
        let message = format!(
            "it is on node worker-3, which does not answer: {why}; its place is taken once the node answers, or is given up: kubectl delete node worker-3"
        );
        Some((Cause::NodeLost, message))
    };
    let unknown = json!({"phase": "Unknown", "reason": "NodeLost", "message": "Node worker-3 is unresponsive"});
    assert_eq!(
        told(made(json!({"name": "p"}), unknown)),
        said("Node worker-3 is unresponsive")
    );
    let going = || json!({"name": "p", "deletionTimestamp": "2026-01-02T03:04:05Z"});
    let taint =
        json!({"type": "DisruptionTarget", "status": "True", "message": "Taint manager: deleting"});
    assert_eq!(
        told(made(
            going(),
            json!({"phase": "Running", "conditions": [taint]})
        )),
        said("Taint manager: deleting")
    );
    let overdue = made(going(), json!({"phase": "Running"}));
    assert_eq!(
        told(overdue.clone()),
        said("it was to have ended at 2026-01-02T03:04:05Z")
    );
    assert_eq!(lost(&[overdue], at("2026-01-02T03:05:00Z")), None);
    assert_eq!(
        told(made(json!({"name": "p"}), json!({"phase": "Running"}))),
        None
    );
}

/// A container that was started again, and runs.
fn again(code: i32, reason: &str, lasted: u32, ready: bool) -> Pod {
    pod(json!({"containerStatuses": [{
        "name": "c", "image": "a/b:1", "imageID": "", "ready": ready, "restartCount": 3,
        "state": {"running": {"startedAt": "2026-01-02T03:01:00Z"}},
        "lastState": {"terminated": {
            "exitCode": code, "reason": reason,
            "startedAt": "2026-01-02T03:00:00Z", "finishedAt": format!("2026-01-02T03:00:{lasted:02}Z"),
        }},
    }]}))
}

#[test]
fn a_container_that_ends_again_and_again_has_one_cause_also_while_it_runs() {
    let told = |pod: Pod, now: &str| {
        let now: Timestamp = format!("2026-01-02T{now}Z").parse().unwrap();
        trouble(&[pod], now).map(|it| (it.cause, it.message))
    };
    let crashed = || {
        let message = "container c ended with exit code 1, 3 time(s) so far".to_owned();
        Some((Cause::Crashing, message))
    };
    assert_eq!(told(again(1, "Error", 5, false), "03:01:15"), crashed());
    // It has outlived the run before.
    assert_eq!(told(again(1, "Error", 5, false), "03:01:16"), None);
    assert_eq!(told(again(1, "Error", 5, true), "03:01:01"), None);
    // A probe may have ended it, and tells so itself; not so soon, and no probe takes memory.
    assert_eq!(told(again(137, "Error", 30, false), "03:01:01"), None);
    assert!(told(again(0, "Completed", 2, false), "03:01:01").is_some());
    let cause = told(again(137, "OOMKilled", 30, false), "03:01:01").map(|it| it.0);
    assert_eq!(cause, Some(Cause::OutOfMemory));
    let waiting = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    assert!(!runs(&[pod(waiting)], "p", "c"));
    assert!(runs(&[again(1, "Error", 5, false)], "p", "c"));
}

#[test]
fn the_last_end_is_that_of_the_container_that_ended_most() {
    let container = |name: &str, restarts: i32, code: i32| {
        json!({
            "name": name, "image": "a/b:1", "imageID": "", "ready": true, "restartCount": restarts,
            "state": {"running": {}}, "lastState": {"terminated": {"exitCode": code}},
        })
    };
    let all = json!({"containerStatuses": [container("a", 1, 1), container("c", 3, 143)]});
    let several = pod(all);
    let found = last_end(std::slice::from_ref(&several)).unwrap();
    assert_eq!(found.container, "c");
    assert_eq!(
        found.message,
        "container c ended with exit code 143 (SIGTERM: it was told to end), 3 time(s) so far"
    );
    assert!(may_be_told_to_end(&several, "c"));
    assert!(!may_be_told_to_end(&several, "a"));
    let never = json!({"containerStatuses": [{
        "name": "a", "image": "a/b:1", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}},
    }]});
    assert_eq!(last_end(&[pod(never)]), None);
}
