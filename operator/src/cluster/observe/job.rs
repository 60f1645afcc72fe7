//! What is known of a Job.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use kube::ResourceExt as _;

use super::trouble;
use crate::api::annotation;
use crate::build::{ASK, HEAD, REVOKE};
use crate::model::job;
use crate::model::observed::JobRun;

/// How many characters of a last line are kept.
const LONGEST_LINE: usize = 200;

/// The container of the Job whose last line is something to know.
pub(super) fn telling(job: &Job) -> Option<&str> {
    containers(job).find(|it| [HEAD, REVOKE].contains(it))
}

fn containers(job: &Job) -> impl Iterator<Item = &str> {
    let spec = job.spec.as_ref().and_then(|it| it.template.spec.as_ref());
    let containers = spec.into_iter().flat_map(|it| &it.containers);
    containers.map(|it| it.name.as_str())
}

/// The last line of what was printed.
pub(super) fn end_of(printed: &str) -> Option<&str> {
    printed.lines().map(str::trim).rfind(|it| !it.is_empty())
}

/// The same as far as a record has room for it.
pub(super) fn last_line(printed: &str) -> Option<String> {
    let line = end_of(printed)?;
    Some(line.chars().take(LONGEST_LINE).collect())
}

/// What is known of a Job from itself.
pub(super) fn run(job: &Job) -> JobRun {
    let status = job.status.clone().unwrap_or_default();
    let limit = job
        .spec
        .as_ref()
        .and_then(|it| it.backoff_limit)
        .unwrap_or(6);
    let timeout = job.annotations().get(annotation::TIMEOUT);
    JobRun {
        name: job.name_any(),
        state: job::state(job),
        failed: failed(&status),
        attempts: limit + 1,
        uid: job.metadata.uid.clone(),
        timeout: timeout.and_then(|it| Some(Duration::from_secs(it.parse().ok()?))),
        late: job.annotations().get(annotation::LATE).cloned(),
        asks: containers(job).any(|it| it == ASK),
        ..JobRun::default()
    }
}

/// How many attempts failed: those that are counted, and those whose pods have yet to go first.
fn failed(status: &JobStatus) -> i32 {
    let uncounted = status.uncounted_terminated_pods.as_ref();
    let uncounted = uncounted
        .and_then(|it| it.failed.as_ref())
        .map_or(0, Vec::len);
    let uncounted = i32::try_from(uncounted).unwrap_or(i32::MAX);
    status.failed.unwrap_or(0).saturating_add(uncounted)
}

/// How a container that failed ended, in words.
pub(super) fn end(pod: &Pod, container: &ContainerStatus) -> Option<String> {
    let ended = container.state.as_ref()?.terminated.as_ref()?;
    Some(trouble::end(pod, &container.name, ended).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_counts_from_its_failure_on() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "j"}, "status": {"failed": 1, "uncountedTerminatedPods": {"failed": ["a", "b"]}},
        }))
        .unwrap();
        assert_eq!(run(&job).failed, 3);
    }

    #[test]
    fn what_is_told_is_the_last_line_that_is_printed() {
        assert_eq!(
            last_line("connecting\n 0042_prices \n\n").as_deref(),
            Some("0042_prices")
        );
        assert_eq!(last_line(" \n"), None);
    }
}
