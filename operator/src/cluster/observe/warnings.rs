//! What keeps a pod from becoming ready and is told by Warning Events alone: probes, volumes, and pods that may not be made.
//!
//! Invariant: pure. Events are read only of what is not well and does not say why itself, and of pods on trial.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;
use kube::api::ListParams;

use super::{hooks, probes, trouble};
use crate::model::observed::{Cause, Trouble};

/// The Warning Events of the object with this UID.
pub(super) fn params(uid: &str) -> ListParams {
    ListParams::default().fields(&format!("type=Warning,involvedObject.uid={uid}"))
}

/// All Events of the object with this UID.
pub(super) fn of_all_types(uid: &str) -> ListParams {
    ListParams::default().fields(&format!("involvedObject.uid={uid}"))
}

/// For how long a probe that failed is told without its time. Probes fail every few seconds, but the kubelet tells of 25 alone, and
/// of one every five minutes from then on.
const FRESH: SignedDuration = SignedDuration::from_secs(15);

/// What the newest Event that helps says of a pod.
pub(super) fn of_pod(pod: &Pod, events: Vec<Event>, now: Timestamp) -> Option<Trouble> {
    newest_first(events).find_map(|event| {
        let said = event.message.as_deref().unwrap_or_default().trim();
        let container = container_of(&event).unwrap_or_default();
        let (cause, message) = match event.reason.as_deref()? {
            "Unhealthy" => {
                let told = last(&event).filter(|it| now.duration_since(*it) > FRESH);
                let told = told.map_or_else(String::new, |it| format!(" (told at {it})"));
                (Cause::Probe, probes::failed(pod, &container, said) + &told)
            }
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => {
                (Cause::Volume, format!("a volume cannot be mounted: {said}"))
            }
            "FailedCreatePodSandBox" | "FailedSync" => {
                (Cause::Config, format!("it cannot be set up: {said}"))
            }
            // Kubernetes gives the pod up some minutes later.
            "NodeNotReady" => {
                let node = pod.spec.as_ref().and_then(|it| it.node_name.as_deref());
                let node = node.unwrap_or("(unknown)");
                let message = format!("it is on node {node}, which does not answer: {said}");
                (Cause::NodeLost, message)
            }
            // The end of a container ends its hook as well, and is told by the container itself.
            "FailedPostStartHook" if trouble::ended_by_itself(pod, &container) => return None,
            "FailedPostStartHook" => trouble::not_after_its_hook(&container, said),
            "FailedPreStopHook" => {
                let why = hooks::failed("preStop", said);
                (Cause::Config, format!("container {container}: {why}"))
            }
            _ => return None,
        };
        Some(Trouble::new(pod.name_any(), container, cause, message))
    })
}

/// Why the kubelet told a container to end, where it did so: for a probe, or for a hook that failed.
pub(super) fn of_end(pod: &Pod, container: &str, events: Vec<Event>) -> Option<(Cause, String)> {
    let is_its = |it: &Event| container_of(it).as_deref() == Some(container);
    let its: Vec<Event> = newest_first(events).filter(is_its).collect();
    let said = |it: &Event| it.message.clone().unwrap_or_default().trim().to_owned();
    let newest = |reason: &str, start: &str| {
        let mut those = its.iter().filter(|it| it.reason.as_deref() == Some(reason));
        those.find_map(|it| Some(said(it)).filter(|it| it.contains(start)))
    };
    let killed = newest("Killing", "")?;
    let probes = [
        ("failed liveness probe", "Liveness probe failed"),
        ("failed startup probe", "Startup probe failed"),
    ];
    if let Some((_, start)) = probes.iter().find(|(it, _)| killed.contains(it)) {
        let why = newest("Unhealthy", start).unwrap_or_else(|| (*start).to_owned());
        return Some((Cause::Probe, probes::failed(pod, container, &why)));
    }
    killed.contains("PostStartHook").then(|| {
        let why = newest("FailedPostStartHook", "").unwrap_or_default();
        trouble::not_after_its_hook(container, &why)
    })
}

/// Why pods of an object cannot be made, in the words of the API server, and since when as far as Events tell. `made` is when the
/// newest of those was made that were: what was refused before is over.
pub(super) fn refused(
    events: Vec<Event>,
    made: Option<Timestamp>,
) -> Option<(String, Option<Timestamp>)> {
    let is_refusal = |it: &Event| it.reason.as_deref() == Some("FailedCreate") && last(it) > made;
    let since = events.iter().filter(|it| is_refusal(it)).filter_map(|it| {
        let first = it.first_timestamp.as_ref().map(|it| it.0);
        first.or(it.event_time.as_ref().map(|it| it.0))
    });
    let since = since.min();
    let said = newest_first(events).find(is_refusal)?.message?;
    // `Error creating: pods "NAME" is forbidden: WHY`; the name is another one each time.
    let why = said.split_once("is forbidden: ").map(|(_, why)| why);
    let why = why.or_else(|| said.split_once("Error creating: ").map(|(_, why)| why));
    Some((why.unwrap_or(&said).trim().to_owned(), since))
}

/// The claims whose volumes a pod mounts.
pub(super) fn claims(pod: &Pod) -> impl Iterator<Item = &str> {
    let volumes = pod.spec.iter().flat_map(|it| it.volumes.iter().flatten());
    volumes.filter_map(|it| Some(it.persistent_volume_claim.as_ref()?.claim_name.as_str()))
}

/// Why a claim gets no volume, where it waits for one.
pub(super) fn pending(claim: &PersistentVolumeClaim, events: Vec<Event>) -> Option<String> {
    let status = claim.status.as_ref()?;
    if status.phase.as_deref() != Some("Pending") {
        return None;
    }
    let name = claim.name_any();
    let class = claim.spec.as_ref()?.storage_class_name.as_deref();
    let class = class.map_or_else(
        || "no storage class, and the cluster has no default one".to_owned(),
        |it| format!("storage class {it}"),
    );
    let said = newest_first(events).find_map(|it| it.message);
    let said = said.map_or_else(String::new, |it| format!(": {}", it.trim()));
    Some(format!("claim {name} is Pending, of {class}{said}"))
}

fn newest_first(mut events: Vec<Event>) -> impl Iterator<Item = Event> {
    events.sort_by_key(|it| std::cmp::Reverse(last(it)));
    events.into_iter()
}

/// When an Event happened last.
pub(super) fn last(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref();
    let series = series.and_then(|it| it.last_observed_time.as_ref());
    let last = event.last_timestamp.as_ref().map(|it| it.0);
    let first = event.event_time.as_ref().map(|it| it.0);
    series.map(|it| it.0).or(last).or(first)
}

/// An Event names its container by a path such as `spec.containers{backend}`.
pub(super) fn container_of(event: &Event) -> Option<String> {
    let path = event.involved_object.field_path.as_deref()?;
    let name = path.split_once('{')?.1.strip_suffix('}')?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{
                "name": "backend", "ports": [{"name": "http", "containerPort": 8000}],
                "startupProbe": {"httpGet": {"path": "/nope", "port": "http"}},
                "readinessProbe": {"exec": {"command": ["pg_isready", "-q"]}},
                "livenessProbe": {"tcpSocket": {"port": 8000}},
            }]},
        }))
        .unwrap()
    }

    fn event(reason: &str, message: &str, second: u32) -> Event {
        let event: Value = json!({
            "metadata": {}, "reason": reason, "message": message, "type": "Warning",
            "firstTimestamp": "2026-01-02T03:00:00Z",
            "lastTimestamp": format!("2026-01-02T03:04:{second:02}Z"),
            "involvedObject": {"fieldPath": "spec.containers{backend}"},
        });
        serde_json::from_value(event).unwrap()
    }

    fn now(second: u32) -> Timestamp {
        format!("2026-01-02T03:04:{second:02}Z").parse().unwrap()
    }

    fn told(reason: &str, message: &str) -> Option<(Cause, String)> {
        let found = of_pod(&pod(), vec![event(reason, message, 1)], now(10))?;
        assert_eq!(found.container, "backend");
        Some((found.cause, found.message))
    }

    #[test]
    fn a_probe_that_fails_says_what_it_asked_and_what_came_back() {
        let cases = [
            (
                "Startup probe failed: HTTP probe failed with statuscode: 404",
                "the startup probe failed: GET /nope at port 8000 answered 404",
            ),
            (
                "Startup probe failed: Get \"http://10.1.2.3:8000/nope\": dial tcp 10.1.2.3:8000: connect: connection refused",
                "the startup probe failed: GET /nope at port 8000: connection refused: does nothing listen there yet, or on 127.0.0.1 alone?",
            ),
            (
                "Startup probe failed: Get \"http://10.1.2.3:8000/nope\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                "the startup probe failed: GET /nope at port 8000 was not answered in time",
            ),
            (
                "Liveness probe failed: dial tcp 10.1.2.3:8000: connect: connection refused",
                "the liveness probe failed: a connection at port 8000: connection refused: does nothing listen there yet, or on 127.0.0.1 alone?",
            ),
            (
                "Readiness probe failed: /run:5432 - no response",
                "the readiness probe failed: `pg_isready -q`: /run:5432 - no response",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(
                told("Unhealthy", said),
                Some((Cause::Probe, expected.into()))
            );
        }
    }

    #[test]
    fn a_volume_that_does_not_mount_is_told_and_what_does_not_help_is_not() {
        let said = "MountVolume.SetUp failed for volume \"ca\" : secret \"ca\" not found";
        let expected = format!("a volume cannot be mounted: {said}");
        assert_eq!(told("FailedMount", said), Some((Cause::Volume, expected)));
        assert_eq!(
            told("BackOff", "Back-off restarting failed container"),
            None
        );
    }

    #[test]
    fn a_probe_of_which_nothing_was_told_for_a_while_has_its_time() {
        let said = "Startup probe failed: HTTP probe failed with statuscode: 404";
        let told = |second| {
            let found = of_pod(&pod(), vec![event("Unhealthy", said, 1)], now(second));
            found.map(|it| it.message)
        };
        let fresh = "the startup probe failed: GET /nope at port 8000 answered 404";
        assert_eq!(told(16).as_deref(), Some(fresh));
        let old = format!("{fresh} (told at 2026-01-02T03:04:01Z)");
        assert_eq!(told(17), Some(old));
    }

    #[test]
    fn the_newest_event_speaks() {
        let events = vec![
            event("FailedMount", "old", 1),
            event(
                "Unhealthy",
                "Startup probe failed: HTTP probe failed with statuscode: 500",
                2,
            ),
            event("BackOff", "newest, and of no help", 3),
        ];
        assert_eq!(
            of_pod(&pod(), events, now(10)).map(|it| it.cause),
            Some(Cause::Probe)
        );
    }

    #[test]
    fn a_hook_is_the_cause_only_where_its_container_did_not_end_by_itself() {
        let hook = || vec![event("FailedPostStartHook", "PostStartHook failed", 1)];
        let ended = |reason: &str| {
            let mut pod = pod();
            let state = json!({"terminated": {"exitCode": 137, "reason": reason}});
            let status = json!({"containerStatuses": [{
                "name": "backend", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            }]});
            pod.status = serde_json::from_value(status).unwrap();
            of_pod(&pod, hook(), now(10)).map(|it| it.message)
        };
        let expected = "container backend cannot start: its postStart hook failed";
        assert_eq!(ended("Error").as_deref(), Some(expected));
        assert_eq!(ended("OOMKilled"), None);
    }

    #[test]
    fn a_claim_that_waits_is_told_with_its_class() {
        let claim = |phase: &str, class: Option<&str>| -> PersistentVolumeClaim {
            serde_json::from_value(json!({
                "metadata": {"name": "shop-db-data"}, "spec": {"storageClassName": class}, "status": {"phase": phase},
            }))
            .unwrap()
        };
        let said = "storageclass.storage.k8s.io \"fast\" not found";
        let events = || vec![event("ProvisioningFailed", said, 1)];
        assert_eq!(
            pending(&claim("Pending", Some("fast")), events()),
            Some(format!(
                "claim shop-db-data is Pending, of storage class fast: {said}"
            ))
        );
        assert_eq!(
            pending(&claim("Pending", None), Vec::new()).as_deref(),
            Some(
                "claim shop-db-data is Pending, of no storage class, and the cluster has no default one"
            )
        );
        assert_eq!(pending(&claim("Bound", None), events()), None);
    }

    #[test]
    fn a_node_that_stops_to_answer_is_told_before_its_pods_are_given_up() {
        let mut pod = pod();
        pod.spec.get_or_insert_default().node_name = Some("worker-3".into());
        let found = of_pod(
            &pod,
            vec![event("NodeNotReady", "Node is not ready", 1)],
            now(50),
        )
        .unwrap();
        assert_eq!(found.cause, Cause::NodeLost);
        let expected = "it is on node worker-3, which does not answer: Node is not ready";
        assert_eq!(found.message, expected);
    }

    #[test]
    fn pods_that_may_not_be_made_are_told_in_the_words_of_the_api_server() {
        let said = "Error creating: pods \"shop-migrate-x7k2p\" is forbidden: failed quota: all: must specify limits.cpu for: make";
        let events = vec![event("FailedCreate", said, 1)];
        let expected = "failed quota: all: must specify limits.cpu for: make";
        let made = |text: &str| text.parse().ok();
        let (why, since) = refused(events.clone(), None).unwrap();
        assert_eq!(refused(events.clone(), made("2026-01-02T03:59:00Z")), None);
        assert!(refused(events, made("2026-01-02T02:59:00Z")).is_some());
        assert_eq!(why, expected);
        assert_eq!(since.unwrap().to_string(), "2026-01-02T03:00:00Z");
        assert_eq!(
            refused(vec![event("BackoffLimitExceeded", "m", 1)], None),
            None
        );
    }

    #[test]
    fn what_told_a_container_to_end_is_what_the_kubelet_says() {
        let told = |events: &[(&str, &str)]| {
            let events = events.iter().zip(1..);
            let events = events.map(|((reason, said), second)| event(reason, said, second));
            of_end(&pod(), "backend", events.collect())
        };
        let killed = (
            "Killing",
            "Container backend failed liveness probe, will be restarted",
        );
        let refused = (
            "Unhealthy",
            "Liveness probe failed: dial tcp 10.1.2.3:8000: connect: connection refused",
        );
        let (cause, said) = told(&[refused, killed]).unwrap();
        assert_eq!(cause, Cause::Probe);
        assert!(
            said.starts_with(
                "the liveness probe failed: a connection at port 8000: connection refused"
            ),
            "{said}"
        );
        let unready = ("Unhealthy", "Readiness probe failed: no");
        assert_eq!(told(&[refused, unready]), None, "nobody told it to end");
        assert_eq!(
            told(&[refused, ("Killing", "Stopping container backend")]),
            None
        );
        let hook = (
            "FailedPostStartHook",
            "PostStartHook failed: command 'exit 4' exited with 4",
        );
        let (cause, said) = told(&[hook, ("Killing", "FailedPostStartHook")]).unwrap();
        assert_eq!(cause, Cause::Config);
        assert_eq!(
            said,
            "container backend cannot start: its postStart hook failed with exit code 4"
        );
    }
}
