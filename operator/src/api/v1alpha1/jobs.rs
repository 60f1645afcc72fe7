//! `spec.jobs`: other processes of the backend image.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use kube::core::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::v1alpha1::free_form;

/// Another process of the backend image, with the backend's environment: a worker that always runs, or, with a
/// `schedule`, a run at certain times. It belongs to the release, and moves and comes back with it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.command) || has(self.args)")
        .message("jobs: command or args: without them it would be one more backend"),
    validation = Rule::new("!has(self.schedule) || !has(self.replicas)")
        .message("jobs: replicas is for a worker that always runs, schedule for what runs at certain times; give one of them"),
    validation = Rule::new("has(self.schedule) || !(has(self.timeZone) || has(self.suspend) || has(self.timeout) || has(self.retries))")
        .message("jobs: timeZone, suspend, timeout and retries need a schedule")
)]
pub struct Job {
    /// What it is called, such as `worker`. Its objects are named `<stack>-<name>`, its pods have the label
    /// `appstack.dev/job`, and its container has this name.
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
            .message("jobs.name: lower-case letters, digits and '-', starting with a letter"),
        validation = Rule::new("!(self in ['app', 'assets', 'backend', 'backup', 'database', 'db', 'edge', 'frontend', 'generated', 'jobs', 'migrate', 'role', 'seed', 'values'])")
            .message("jobs.name: this is the name of another part of the stack; choose another one")
    )]
    pub name: String,

    /// Replaces the entry point of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub command: Vec<String>,

    /// The arguments, such as `["worker"]`. In them and in `command`, `$(NAME)` is the value of a variable, and `$$`
    /// stands for `$`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub args: Vec<String>,

    /// The number of pods of a worker. A change is no release and holds at once. Until a release is verified the pods of
    /// the old one run beside the new ones. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: Option<i32>,

    /// When it runs, as five fields of cron (minute, hour, day of month, month, day of week) such as `0 3 * * *`, or as
    /// `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`. A run that is not done when the next one is due is
    /// left to end, and the next one is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub schedule: Option<String>,

    /// The time zone of the schedule, such as `Europe/Berlin`. Default: `Etc/UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// While true no run is started; one that has begun goes on. A change is no release and holds at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// How long a run may take before it counts as failed and is ended, such as `30m`. Default: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')")
        .message("jobs.timeout: a duration between 1s and 24h, such as 30m"))]
    pub timeout: Option<Duration>,

    /// How often a failed run is repeated. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,

    /// CPU and memory of each pod. Default: those of the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// An escape hatch: metadata and spec of a pod template, merged over the one that the operator builds, which has
    /// what `backend.podTemplate` gives to jobs. The container has the name of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub pod_template: Option<Value>,
}
