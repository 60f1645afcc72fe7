//! What is known of a Job.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use kube::ResourceExt as _;

use super::{JOB_NAME, Observer, lifecycle, log, pods, trouble};
use crate::api::annotation;
use crate::build::{ASK, HEAD, REVOKE};
use crate::error::Result;
use crate::model::job::{self, has_ended};
use crate::model::observed::{JobRun, JobState, PodVersion, Trouble};

/// How many characters of a last line are kept.
const LONGEST_LINE: usize = 200;

impl Observer<'_> {
    /// How far a Job is.
    ///
    /// # Errors
    /// If the API server refuses a read.
    pub async fn job(&self, it: &Job) -> Result<JobRun> {
        let mut run = run(it);
        let telling = telling(it);
        if run.state == JobState::Done && telling.is_none() {
            return Ok(run);
        }
        let Some(pods) = self.pods_of(it).await? else {
            return Ok(run);
        };
        if let Some(pod) = pods::succeeded(&pods) {
            // The Job's controller says so a second or two later.
            run = JobRun::done(run.uid);
            if let Some(container) = telling {
                let printed = self.printed(&pod, container).await;
                run.told = printed.as_deref().and_then(last_line);
            }
            return Ok(run);
        }
        if run.state == JobState::Done {
            return Ok(run);
        }
        if run.asks
            && let Some(pod) = pods.first()
        {
            let printed = self.printed(&pod.name_any(), ASK).await;
            run.told = printed.as_deref().and_then(end_of).map(str::to_owned);
        }
        run.started = pods::started(&pods);
        (run.trouble, run.waits_since) = self.start(it, &pods).await;
        let out_of_time = || pods::running(&pods).filter(|_| run.is_out_of_time(self.now));
        if let Some((pod, container)) = pods::newest_failed(&pods).or_else(out_of_time) {
            let ended = end(pod, container);
            run.ended = ended.map(|it| self.redactor.redact(&it));
            let printed = self.printed(&pod.name_any(), &container.name).await;
            run.printed = printed.as_deref().map(log::shown);
        }
        Ok(run)
    }

    /// What keeps a Job from running, and since when its newest pod waits for a start.
    async fn start(&self, it: &Job, pods: &[Pod]) -> (Option<Trouble>, Option<Timestamp>) {
        let waits = pods::waits_since(pods);
        let trouble = self.trouble(pods).await;
        // Between two attempts there may be no pod that runs, for none can be made; after the last one there is none to come.
        let is_over = has_ended(it) && !pods.is_empty();
        let runs = lifecycle::active(pods).next().is_some();
        if trouble.is_some() || runs || is_over {
            return (trouble, waits);
        }
        match self
            .refused(it.metadata.uid.as_deref(), pods::newest_made(pods))
            .await
        {
            Some((why, since)) => (Some(Trouble::refused(why)), since),
            None => (None, None),
        }
    }

    /// The pods of a Job that has never started a container and, as things are, cannot start one; `None` of any other. They are
    /// read now.
    ///
    /// # Errors
    /// If the API server refuses the list.
    pub async fn unstarted(&self, it: &Job) -> Result<Option<Vec<PodVersion>>> {
        let run = run(it);
        let Some(pods) = self.pods_of(it).await? else {
            return Ok(None);
        };
        let (trouble, _) = self.start(it, &pods).await;
        let cannot_start = trouble.is_some_and(|it| it.cause.keeps_from_starting());
        let may_have_run = run.state != JobState::Running || run.failed > 0;
        Ok(pods::unstarted(&pods).filter(|_| cannot_start && !may_have_run))
    }

    /// The pods of a Job; `None` of one that is about to be made: without a selector every pod would be its own.
    async fn pods_of(&self, it: &Job) -> Result<Option<Vec<Pod>>> {
        let selector = it.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        match selector.and_then(|it| it.match_labels.as_ref()) {
            Some(labels) => Ok(Some(self.pods(labels).await?)),
            None => Ok(None),
        }
    }

    /// Whether pods of a Job of this name have yet to end.
    ///
    /// # Errors
    /// If the API server refuses the list.
    pub async fn runs_pods_of(&self, job: &str) -> Result<bool> {
        let labels = [(JOB_NAME.to_owned(), job.to_owned())].into();
        let pods = self.pods(&labels).await?;
        Ok(pods.iter().any(lifecycle::may_run))
    }
}

/// The container of the Job whose last line is something to know.
fn telling(job: &Job) -> Option<&str> {
    containers(job).find(|it| [HEAD, REVOKE].contains(it))
}

fn containers(job: &Job) -> impl Iterator<Item = &str> {
    let spec = job.spec.as_ref().and_then(|it| it.template.spec.as_ref());
    let containers = spec.into_iter().flat_map(|it| &it.containers);
    containers.map(|it| it.name.as_str())
}

/// The last line of what was printed.
fn end_of(printed: &str) -> Option<&str> {
    printed.lines().map(str::trim).rfind(|it| !it.is_empty())
}

/// The same as far as a record has room for it.
fn last_line(printed: &str) -> Option<String> {
    let line = end_of(printed)?;
    Some(line.chars().take(LONGEST_LINE).collect())
}

/// What is known of a Job from itself.
fn run(job: &Job) -> JobRun {
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
fn end(pod: &Pod, container: &ContainerStatus) -> Option<String> {
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
