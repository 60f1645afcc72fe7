//! What pods wait for.

use serde_json::{Value, json};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

/// A pod that was made at the beginning of time.
fn pod(spec: &Value, status: &Value) -> Pod {
    let pod = json!({
        "metadata": {"name": "p", "creationTimestamp": at(0).to_string()}, "spec": spec, "status": status,
    });
    serde_json::from_value(pod).unwrap()
}

/// What it waits for a quarter of a minute later.
fn waited(spec: &Value, status: &Value) -> Option<String> {
    let pod = pod(spec, status);
    assert_eq!(of(&pod, at(9)), None);
    let found = of(&pod, at(15))?;
    assert_eq!(found.cause, Cause::Starting);
    Some(found.message)
}

/// The spec of a pod that has a node.
fn placed(more: Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c"}], "nodeName": "n"});
    let more = more.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(more);
    spec
}

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({
        "conditions": [{"type": type_, "status": status, "reason": reason}],
        "containerStatuses": [container(json!(null), json!({"running": {}}))],
    })
}

fn container(started: Value, state: Value) -> Value {
    json!({
        "name": "wait", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0,
        "started": started, "state": state,
    })
}

#[test]
fn who_is_to_schedule_it_or_to_set_a_condition_is_named() {
    let nobody = json!({"containers": [{"name": "c"}], "schedulerName": "mine"});
    let said = waited(&nobody, &json!({})).unwrap();
    assert_eq!(said, "scheduler mine has not looked at it; does it run?");
    let gated =
        json!({"containers": [{"name": "c"}], "schedulingGates": [{"name": "a"}, {"name": "b"}]});
    let said = waited(
        &gated,
        &condition("PodScheduled", "False", "SchedulingGated"),
    );
    assert_eq!(
        said.unwrap(),
        "it is scheduled once somebody removes its schedulingGates: a, b"
    );
    let gate = placed(json!({"readinessGates": [{"conditionType": "example.com/lb"}]}));
    let said = waited(&gate, &condition("ContainersReady", "True", "")).unwrap();
    assert!(
        said.contains("the condition example.com/lb of its readinessGates"),
        "{said}"
    );
    let runs = condition("ContainersReady", "False", "");
    assert_eq!(waited(&placed(json!({})), &runs), None);
}

/// The kubelet says of each container without a startup probe that it has started as soon as it runs.
#[test]
fn a_container_that_does_not_end_before_the_others_is_named_once_it_has_run_for_a_while() {
    let before = |policy: Value| {
        placed(json!({"initContainers": [{"name": "wait", "restartPolicy": policy}]}))
    };
    let runs = |started: bool, since: i64| {
        let state = json!({"running": {"startedAt": at(since).to_string()}});
        json!({"initContainerStatuses": [container(json!(started), state)]})
    };
    let expected = "container wait runs, and the others start once it has ended";
    for started in [true, false] {
        let said = waited(&before(json!(null)), &runs(started, 5));
        assert_eq!(said.as_deref(), Some(expected), "{started}");
    }
    let pod = pod(&before(json!(null)), &runs(true, 5));
    assert_eq!(of(&pod, at(15)).unwrap().container, "wait");
    assert_eq!(waited(&before(json!(null)), &runs(true, 6)), None);
    assert_eq!(waited(&before(json!("Always")), &runs(true, 1)), None);
    let said = waited(&before(json!("Always")), &runs(false, 1)).unwrap();
    assert!(said.ends_with("once its startup probe succeeds"), "{said}");
}

#[test]
fn a_node_that_does_not_take_a_pod_up_is_named() {
    let expected =
        "node n has not taken it up; is there such a node, and is it ready? kubectl get node n";
    let by_name = waited(&placed(json!({})), &json!({"phase": "Pending"}));
    assert_eq!(by_name.as_deref(), Some(expected));
    let scheduled = |second: i64| {
        json!({"conditions": [{
            "type": "PodScheduled", "status": "True", "lastTransitionTime": at(second).to_string(),
        }]})
    };
    let said = waited(&placed(json!({})), &scheduled(5));
    assert_eq!(said.as_deref(), Some(expected));
    assert_eq!(waited(&placed(json!({})), &scheduled(6)), None);
    let mut taken = scheduled(0);
    let creating = json!({"waiting": {"reason": "ContainerCreating"}});
    taken["containerStatuses"] = json!([container(json!(false), creating)]);
    assert_eq!(waited(&placed(json!({})), &taken), None);
}
