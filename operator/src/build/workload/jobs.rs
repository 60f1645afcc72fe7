//! The jobs of a stack, which belong to the backend stage: workers run beside those of the release before until this one is
//! verified, and schedules turn to it with the requests.

use k8s_openapi::api::batch::v1::{
    CronJob, CronJobSpec, JobSpec, JobTemplateSpec, PodFailurePolicy,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::label;
use crate::build::meta::{self, Component};
use crate::build::workload::deployment::Workload;
use crate::build::workload::job::ignore_disruptions;
use crate::build::workload::merge;
use crate::build::workload::process::{self, Process};
use crate::model::manifests::Part;
use crate::model::object::Object;
use crate::model::stack::{Job, Rhythm, Stack, Times};

/// How late a run may still be started, in seconds, such as when the cluster was away.
const LATEST: i64 = 300;
/// How many runs that ended well are kept, and how many that did not.
const KEPT: i32 = 3;
/// A process without a probe counts as ready when it starts. So long, in seconds, it must have run to be counted on.
const STEADY: i32 = 3;

/// Adds the jobs to the backend. If the API server refuses a schedule, requests must not have turned.
pub(in crate::build) fn add(stack: &Stack, part: &mut Part) {
    for job in &stack.jobs {
        match &job.rhythm {
            Rhythm::Always(_) => part.objects.push(worker(stack, job)),
            Rhythm::At(times) => {
                let schedule = Object::CronJob(Box::new(schedule(stack, job, times)));
                part.opens.insert(0, schedule);
            }
        }
    }
}

fn worker(stack: &Stack, job: &Job) -> Object {
    let workload = Workload {
        component: Component::Job,
        job: Some(&job.name),
        name: &stack.names.worker(&job.name),
        steady_seconds: Some(STEADY),
        template: template(stack, job, false),
    };
    workload.build(stack).deployment
}

fn schedule(stack: &Stack, job: &Job, times: &Times) -> CronJob {
    let name = stack.names.schedule(&job.name);
    let mut metadata = meta::object(stack, &name, Component::Job);
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(meta::job(&job.name));
    let mut of_runs = ObjectMeta {
        labels: Some(labels.clone()),
        ..ObjectMeta::default()
    };
    // Another controller makes them and takes them away: they are neither watched nor pruned.
    of_runs
        .labels
        .get_or_insert_default()
        .remove(label::MANAGED_BY);
    CronJob {
        metadata,
        spec: Some(CronJobSpec {
            schedule: times.schedule.clone(),
            time_zone: Some(times.time_zone.clone()),
            // For `scale` to say.
            suspend: None,
            concurrency_policy: Some("Forbid".into()),
            starting_deadline_seconds: Some(LATEST),
            successful_jobs_history_limit: Some(KEPT),
            failed_jobs_history_limit: Some(KEPT),
            job_template: JobTemplateSpec {
                metadata: Some(of_runs),
                spec: Some(JobSpec {
                    backoff_limit: Some(times.retries),
                    active_deadline_seconds: Some(
                        i64::try_from(times.timeout.as_secs()).unwrap_or(i64::MAX),
                    ),
                    pod_failure_policy: Some(PodFailurePolicy {
                        rules: vec![ignore_disruptions()],
                    }),
                    template: template(stack, job, true),
                    ..JobSpec::default()
                }),
            },
        }),
        status: None,
    }
}

fn template(stack: &Stack, job: &Job, ends: bool) -> PodTemplateSpec {
    let process = Process {
        component: Component::Job,
        container: &job.name,
        run: &job.run,
        head: &[],
        resources: &job.resources,
        ends,
    };
    let mut template = process::template(stack, &process);
    merge::template(&mut template, job.pod_template.clone().unwrap_or_default());
    let labels = &mut template.metadata.get_or_insert_default().labels;
    labels.get_or_insert_default().extend(meta::job(&job.name));
    template
}
