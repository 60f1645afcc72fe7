//! What a pod counts as. Decided here, once, for every question that is asked of pods.
//!
//! | | active | terminating | terminated | lost |
//! |---|---|---|---|---|
//! | ready, soak, restarts, trouble, public check | counts | | | |
//! | still to end, before what they need may end (hibernate) | counts | counts | | |
//! | may still write (migration, seed, roles) | counts | counts | | counts |
//!
//! A pod is lost when the cluster says so, or when it should have ended for a minute and is there still. The operator deletes no
//! such pod: Kubernetes holds its place, and with it the volume of a database, until the node answers or is given up, so that
//! there are never two that write.
//!
//! A pod without an owner counts as what it is: the ReplicaSet or Job that takes its place adopts it by its labels.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodCondition};

/// What a pod counts as, in the words of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// It runs, or is about to.
    Active,
    /// It was told to end, or is being evicted or preempted, and may still run.
    Terminating,
    /// It has ended, well or not, and stays as a record only.
    Terminated,
    /// Its node does not answer, so nobody knows; it is deleted when the node is given up.
    Lost,
}

/// How long after the time at which a pod must have ended its node is taken to answer: the kubelet may be busy.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// What a pod counts as.
pub(super) fn of(pod: &Pod) -> Lifecycle {
    let phase = phase(pod);
    let has = |type_, value| condition(pod, type_, value).is_some();
    if matches!(phase, Some("Succeeded" | "Failed")) {
        Lifecycle::Terminated
    } else if phase == Some("Unknown") || has("Ready", "Unknown") {
        Lifecycle::Lost
    } else if pod.metadata.deletion_timestamp.is_some() || has("DisruptionTarget", "True") {
        Lifecycle::Terminating
    } else {
        Lifecycle::Active
    }
}

/// The condition of a pod, where it has this status.
pub(super) fn condition<'a>(pod: &'a Pod, type_: &str, status: &str) -> Option<&'a PodCondition> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions.find(|it| it.type_ == type_ && it.status == status)
}

/// The phase, as the kubelet tells it.
pub(super) fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// The pods that run, or are about to.
pub(super) fn active(pods: &[Pod]) -> impl Iterator<Item = &Pod> {
    pods.iter().filter(|it| of(it) == Lifecycle::Active)
}

/// How many pods have yet to end before what they need may.
pub(super) fn still_to_end(pods: &[Pod], now: Timestamp) -> usize {
    let is_one = |it: &&Pod| may_run(it) && !is_lost(it, now);
    pods.iter().filter(is_one).count()
}

/// Whether the node of a pod does not answer: the cluster says so, or the pod should have ended for long and is still there. Its
/// time of deletion has the grace period in it already.
pub(super) fn is_lost(pod: &Pod, now: Timestamp) -> bool {
    let ends = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let is_overdue = ends.is_some_and(|it| now.duration_since(it) > PATIENCE);
    match of(pod) {
        Lifecycle::Lost => true,
        Lifecycle::Terminating => is_overdue,
        Lifecycle::Active | Lifecycle::Terminated => false,
    }
}

/// Whether a pod may still do something: where its node is lost, nobody knows.
pub(super) fn may_run(pod: &Pod) -> bool {
    of(pod) != Lifecycle::Terminated
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(metadata: Value, status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({"type": type_, "status": status})
    }

    #[test]
    fn what_ended_is_a_record_and_what_ends_or_is_lost_takes_no_requests() {
        use Lifecycle::{Active, Lost, Terminated, Terminating};
        let going = || json!({"deletionTimestamp": "2026-01-02T03:04:05Z"});
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"});
        let cases = [
            (json!({}), json!({}), Active),
            (json!({}), json!({"phase": "Pending"}), Active),
            (
                json!({}),
                json!({"phase": "Running", "conditions": [condition("Ready", "False")]}),
                Active,
            ),
            (going(), json!({"phase": "Running"}), Terminating),
            (
                json!({}),
                json!({"phase": "Running", "conditions": [condition("DisruptionTarget", "True")]}),
                Terminating,
            ),
            (json!({}), json!({"phase": "Succeeded"}), Terminated),
            (json!({}), evicted, Terminated),
            (going(), json!({"phase": "Failed"}), Terminated),
            (json!({}), json!({"phase": "Unknown"}), Lost),
            (
                going(),
                json!({"phase": "Running", "conditions": [condition("Ready", "Unknown")]}),
                Lost,
            ),
        ];
        let pods: Vec<Pod> = cases
            .iter()
            .map(|(metadata, status, _)| pod(metadata.clone(), status.clone()))
            .collect();
        for (pod, (_, _, expected)) in pods.iter().zip(&cases) {
            assert_eq!(of(pod), *expected, "{pod:?}");
        }
        assert_eq!(active(&pods).count(), 3);
        let at = |text: &str| text.parse().unwrap();
        let (in_time, late) = (at("2026-01-02T03:05:05Z"), at("2026-01-02T03:05:06Z"));
        assert_eq!(still_to_end(&pods, in_time), 5);
        assert_eq!(still_to_end(&pods, late), 4);
        let lost = |now| pods.iter().filter(|it| is_lost(it, now)).count();
        assert_eq!((lost(in_time), lost(late)), (2, 3));
        assert_eq!(pods.iter().filter(|it| may_run(it)).count(), 7);
    }
}
