//! What keeps a pod from becoming ready, as its own status tells it.
//!
//! Invariant: pure. Words for people come first; one cause keeps one wording, however Kubernetes turns it: each other wording
//! would be a write of the status.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod,
    PodStatus,
};
use kube::ResourceExt as _;

use super::hooks;
use super::lifecycle::{self, phase};
use crate::model::observed::{Cause, Trouble};

/// What a run of a container counts for at most when it is asked whether the next one has outlived it.
const LONG_RUN: SignedDuration = SignedDuration::from_mins(1);
/// How much longer than the run before a container must run until that one's end is not told any more.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// No probe ends a container that has not run for as long.
const PROBES_END: SignedDuration = SignedDuration::from_secs(10);

/// The trouble of the newest pod that has any.
pub(super) fn trouble(pods: &[Pod], now: Timestamp) -> Option<Trouble> {
    newest_first(lifecycle::active(pods)).find_map(|it| of(it, now))
}

/// Whether a container of one of these pods runs.
pub(super) fn runs(pods: &[Pod], pod: &str, container: &str) -> bool {
    let mut pods = pods.iter().filter(|it| it.name_any() == pod);
    let status = pods.next().and_then(|it| it.status.as_ref());
    let mut found = status.into_iter().flat_map(containers);
    found.any(|it| it.name == container && is_running(it))
}

pub(super) fn is_running(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    state.is_some_and(|it| it.running.is_some())
}

/// Why the newest of the pods that ended, or are about to, does so against its will, such as for an eviction.
pub(super) fn ended(pods: &[Pod]) -> Option<Trouble> {
    newest_first(pods.iter()).find_map(|pod| {
        let (reason, message) = against_its_will(pod)?;
        let message = match (reason, message.trim()) {
            ("Preempting" | "PreemptionByScheduler", _) => {
                "it had to make room for a pod of a higher priority".into()
            }
            ("Evicted" | "EvictionByEvictionAPI" | "DeletionByTaintManager", message) => {
                format!("it was evicted: {message}")
            }
            ("DeadlineExceeded", _) => "it ran longer than its own activeDeadlineSeconds".into(),
            (reason, "") => format!("it failed: {reason}"),
            (reason, message) => format!("it failed: {message} ({reason})"),
        };
        let evicted = Trouble::new(pod.name_any(), String::new(), Cause::Evicted, message);
        Some(evicted)
    })
}

/// What Kubernetes calls the end of a pod that it brought about, and its words: of one that has ended the kubelet's, else those of
/// whoever told it to end.
fn against_its_will(pod: &Pod) -> Option<(&str, &str)> {
    let status = pod.status.as_ref()?;
    let kubelets = status
        .reason
        .as_deref()
        .filter(|_| phase(pod) == Some("Failed"));
    if let Some(reason) = kubelets {
        return Some((reason, status.message.as_deref().unwrap_or_default()));
    }
    let disruption = lifecycle::condition(pod, "DisruptionTarget", "True")?;
    let reason = disruption.reason.as_deref()?;
    Some((reason, disruption.message.as_deref().unwrap_or_default()))
}

/// The newest pod whose node does not answer, and what is known of that.
pub(super) fn lost(pods: &[Pod], now: Timestamp) -> Option<Trouble> {
    let pod = newest_first(pods.iter().filter(|it| lifecycle::is_lost(it, now))).next()?;
    // What no node has taken is on none that could be lost.
    let node = pod.spec.as_ref()?.node_name.as_deref()?;
    let status = pod.status.as_ref();
    let conditions = status.iter().flat_map(|it| it.conditions.iter().flatten());
    let of_cluster = status.and_then(|it| it.message.clone()).or_else(|| {
        let mut told =
            conditions.filter(|it| it.status == "Unknown" || it.type_ == "DisruptionTarget");
        told.find_map(|it| it.message.clone())
    });
    let ends = pod.metadata.deletion_timestamp.as_ref();
    let why = of_cluster.or_else(|| Some(format!("it was to have ended at {}", ends?.0)));
    let message = format!(
        "it is on node {node}, which does not answer: {}; its place is taken once the node answers, or is given up: kubectl delete node {node}",
        why.unwrap_or_default(),
    );
    Some(Trouble::new(
        pod.name_any(),
        String::new(),
        Cause::NodeLost,
        message,
    ))
}

/// How the container that ended most did so last, with the pod that it is of.
pub(super) fn last_end(pods: &[Pod]) -> Option<Trouble> {
    let all = lifecycle::active(pods).flat_map(|pod| {
        let status = pod.status.as_ref().into_iter();
        status.flat_map(containers).map(move |it| (pod, it))
    });
    let (pod, container) = all.max_by_key(|(_, it)| it.restart_count)?;
    let (cause, message) = crashing(pod, container, Some(last_termination(container)?));
    let name = container.name.clone();
    Some(Trouble::new(pod.name_any(), name, cause, message))
}

/// Whether a container of a pod may have been told to end when it did so last: nothing of its own says why then.
pub(super) fn may_be_told_to_end(pod: &Pod, container: &str) -> bool {
    let mut all = pod.status.iter().flat_map(containers);
    let found = all.find(|it| it.name == container);
    found.and_then(last_termination).is_some_and(as_told)
}

/// How a container ended last.
fn last_termination(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    terminated(container.state.as_ref()).or_else(|| terminated(container.last_state.as_ref()))
}

/// Whether an end is like that of a container that was told to.
fn as_told(ended: &ContainerStateTerminated) -> bool {
    ended.reason.as_deref() != Some("OOMKilled") && matches!(ended.exit_code, 0 | 137 | 143)
}

fn newest_first<'a>(pods: impl Iterator<Item = &'a Pod>) -> impl Iterator<Item = &'a Pod> {
    let mut pods: Vec<&Pod> = pods.collect();
    pods.sort_by_key(|it| {
        std::cmp::Reverse(it.metadata.creation_timestamp.as_ref().map(|time| time.0))
    });
    pods.into_iter()
}

fn of(pod: &Pod, now: Timestamp) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let unschedulable =
        unschedulable(pod).map(|message| (String::new(), Cause::Unschedulable, message));
    let (container, cause, message) = unschedulable.or_else(|| {
        containers(status).find_map(|it| {
            let found = of_container(pod, it).or_else(|| ended_before(pod, it, now));
            let (cause, message) = found?;
            Some((it.name.clone(), cause, message))
        })
    })?;
    Some(Trouble::new(pod.name_any(), container, cause, message))
}

/// The containers of a pod, those first that run first; without those that have done their work before the others.
pub(super) fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let first = status.init_container_statuses.iter().flatten();
    let others = status.container_statuses.iter().flatten();
    first.filter(|it| !is_done(it)).chain(others)
}

fn is_done(container: &ContainerStatus) -> bool {
    terminated(container.state.as_ref()).is_some_and(|it| it.exit_code == 0)
}

fn terminated(state: Option<&ContainerState>) -> Option<&ContainerStateTerminated> {
    state?.terminated.as_ref()
}

/// Why no node takes a pod, if none does.
pub(super) fn unschedulable(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions
        .filter(|it| it.type_ == "PodScheduled" && it.reason.as_deref() == Some("Unschedulable"))
        .find_map(|it| it.message.clone())
}

/// What keeps a container from running, if something does.
pub(super) fn of_container(pod: &Pod, container: &ContainerStatus) -> Option<(Cause, String)> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        return of_waiting(pod, container, waiting);
    }
    // Between its end and the next start a container is terminated, not waiting.
    let ended = state
        .terminated
        .as_ref()
        .filter(|_| container.restart_count > 0)?;
    Some(crashing(pod, container, Some(ended)))
}

/// How the run before this one ended, as long as this one may be about to end alike: a container that ends again and again has one
/// cause all the time, also while it runs.
fn ended_before(pod: &Pod, container: &ContainerStatus, now: Timestamp) -> Option<(Cause, String)> {
    let running = container.state.as_ref()?.running.as_ref()?;
    let ended = terminated(container.last_state.as_ref()).filter(|_| !container.ready)?;
    let start = ended.started_at.as_ref().map(|it| it.0);
    let end = ended.finished_at.as_ref().map(|it| it.0);
    let lasted = end.zip(start).map(|(end, start)| end.duration_since(start));
    let lasted = lasted.unwrap_or_default().min(LONG_RUN);
    let runs_for = now.duration_since(running.started_at.as_ref()?.0);
    // What a probe may have ended is told by the probe.
    let by_a_probe = lasted >= PROBES_END && as_told(ended);
    (!by_a_probe && runs_for <= lasted + MARGIN).then(|| crashing(pod, container, Some(ended)))
}

fn of_waiting(
    pod: &Pod,
    container: &ContainerStatus,
    waiting: &ContainerStateWaiting,
) -> Option<(Cause, String)> {
    let said = waiting.message.as_deref().unwrap_or_default();
    let cannot_start = |cause| Some((cause, cannot_start(&container.name, said)));
    match waiting.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "SignatureValidationFailed"
        | "RegistryUnavailable" => Some((Cause::Image, cannot_pull(&container.image, said))),
        "CreateContainerConfigError" if is_of_root(said) => cannot_start(Cause::Root),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "RunContainerError" => cannot_start(Cause::Config),
        "PostStartHookError" => Some(hook_failed(pod, container, said)),
        "CrashLoopBackOff" => {
            let ended = terminated(container.last_state.as_ref());
            Some(crashing(pod, container, ended))
        }
        _ => None,
    }
}

/// A container that ends takes the hook with it that runs in it, so that a hook is the cause only of what was told to end.
fn hook_failed(pod: &Pod, container: &ContainerStatus, said: &str) -> (Cause, String) {
    match last_termination(container).filter(|it| !as_told(it)) {
        Some(ended) => crashing(pod, container, Some(ended)),
        None => not_after_its_hook(&container.name, said),
    }
}

/// A container that its postStart hook keeps from starting: the same words whoever tells of it.
pub(super) fn not_after_its_hook(container: &str, said: &str) -> (Cause, String) {
    let why = hooks::failed("postStart", said);
    let message = format!("container {container} cannot start: {why}");
    (Cause::Config, message)
}

/// Whether a container of a pod ended last by something of its own.
pub(super) fn ended_by_itself(pod: &Pod, container: &str) -> bool {
    let mut all = pod.status.iter().flat_map(containers);
    let found = all.find(|it| it.name == container);
    found
        .and_then(last_termination)
        .is_some_and(|it| !as_told(it))
}

/// The kubelet says the cause of a failed pull at once, and a while later again behind what it does about it.
fn cannot_pull(image: &str, said: &str) -> String {
    let said = said
        .split_once("ErrImagePull: ")
        .map_or(said, |(_, cause)| cause);
    let said = said.rsplit_once(" desc = ").map_or(said, |(_, it)| it);
    match said.trim() {
        "" => format!("cannot pull {image}"),
        said if said.starts_with("Back-off pulling image") => format!("cannot pull {image}"),
        said => format!("cannot pull {image}: {said}"),
    }
}

/// Whether the kubelet refuses a container because it would run as root: by its image, which it calls `runAsNonRoot`, or by the user
/// of the spec.
fn is_of_root(said: &str) -> bool {
    said.contains("runAsNonRoot") || said.contains("breaks non-root policy")
}

fn cannot_start(container: &str, said: &str) -> String {
    match runtime_cause(said) {
        "" => format!("container {container} cannot start"),
        cause => format!("container {container} cannot start: {cause}"),
    }
}

/// What a container runtime says last is the cause; before it stand the names of those that passed it on.
pub(super) fn runtime_cause(said: &str) -> &str {
    let cause = ["container init: ", "container process: ", " desc = "]
        .iter()
        .find_map(|it| Some(said.rsplit_once(it)?.1));
    let cause = cause.unwrap_or(said);
    // The kubelet adds the name of the pod, which is told already, and its UID.
    let cause = cause
        .split_once(" (pod: ")
        .map_or(cause, |(it, _)| it)
        .trim();
    cause.strip_suffix(": unknown").unwrap_or(cause)
}

fn crashing(
    pod: &Pod,
    container: &ContainerStatus,
    ended: Option<&ContainerStateTerminated>,
) -> (Cause, String) {
    let times = container.restart_count + i32::from(!is_running(container));
    let Some(ended) = ended else {
        let message = format!("container {} ended, {times} time(s) so far", container.name);
        return (Cause::Crashing, message);
    };
    let (cause, message) = end(pod, &container.name, ended);
    (cause, format!("{message}, {times} time(s) so far"))
}

/// How a container ended, in words.
pub(super) fn end(pod: &Pod, container: &str, ended: &ContainerStateTerminated) -> (Cause, String) {
    let said = ended.message.as_deref().unwrap_or_default().trim();
    match ended.reason.as_deref() {
        Some("OOMKilled") => {
            let limit =
                memory_limit(pod, container).map_or_else(String::new, |it| format!(" of {it}"));
            let message = format!(
                "container {container} was killed because it used more memory than its limit{limit} (OOMKilled)"
            );
            (Cause::OutOfMemory, message)
        }
        Some("StartError" | "ContainerCannotRun") => (Cause::Config, cannot_start(container, said)),
        _ => {
            let code = ended.exit_code;
            let why = why(code);
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(": {said}")
            };
            (
                Cause::Crashing,
                format!("container {container} ended with exit code {code}{why}{said}"),
            )
        }
    }
}

/// What shells and kernels mean by an exit code.
const fn why(exit_code: i32) -> &'static str {
    match exit_code {
        126 => " (its command cannot be run)",
        127 => " (its command was not found)",
        132 => " (SIGILL: the image may be for another CPU)",
        134 => " (SIGABRT: it gave up)",
        137 => " (SIGKILL)",
        139 => " (SIGSEGV: it crashed)",
        143 => " (SIGTERM: it was told to end)",
        _ => "",
    }
}

fn memory_limit(pod: &Pod, container: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let first = spec.init_containers.iter().flatten();
    let mut all = first.chain(&spec.containers);
    let limits = all.find(|it| it.name == container)?.resources.as_ref()?;
    let limit = limits.limits.as_ref()?.get("memory")?;
    Some(limit.0.clone())
}

#[cfg(test)]
mod tests;
