//! How a Job is made that runs once for its content and tells why it failed.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::api::annotation;
use crate::build::meta::{self, Component};
use crate::model::child_name::ChildName;
use crate::model::hash::{canonical, short_hash};
use crate::model::identity::DataId;
use crate::model::stack::Stack;

/// What a Job is made from.
pub(in crate::build) struct Run<'a> {
    pub(in crate::build) component: Component,
    pub(in crate::build) template: PodTemplateSpec,
    /// How long it may take from the start of its container on.
    pub(in crate::build) timeout: Duration,
    /// How often a failed attempt is repeated.
    pub(in crate::build) retries: i32,
    /// What makes it another run beside its template, the volume and a request to try again.
    pub(in crate::build) reads: &'a [&'a str],
}

impl Run<'_> {
    /// The Job.
    pub(in crate::build) fn job(mut self, stack: &Stack, name: &ChildName) -> Job {
        if let Some(spec) = &mut self.template.spec {
            spec.restart_policy = Some("Never".into());
        }
        let template = canonical(&self.template);
        let mut inputs = vec![
            template.as_str(),
            stack.data.as_ref().map_or("", DataId::as_str),
            stack.request.as_deref().unwrap_or_default(),
        ];
        inputs.extend(self.reads);
        let mut metadata = meta::object(stack, name, self.component);
        let hash = short_hash(&inputs);
        let timeout = self.timeout.as_secs().to_string();
        metadata.annotations = Some(
            [
                (annotation::INPUTS_HASH, hash),
                (annotation::TIMEOUT, timeout),
            ]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
        );
        let longest = stack.rollout.progress_deadline.saturating_add(self.timeout);
        Job {
            metadata,
            spec: Some(JobSpec {
                backoff_limit: Some(self.retries),
                // Only for when the operator is away; see `rollout::deadline`.
                active_deadline_seconds: Some(i64::try_from(longest.as_secs()).unwrap_or(i64::MAX)),
                pod_failure_policy: Some(PodFailurePolicy {
                    rules: vec![ignore_disruptions()],
                }),
                template: self.template,
                ..JobSpec::default()
            }),
            status: None,
        }
    }
}

/// A node that goes away is no failure of the program.
pub(in crate::build) fn ignore_disruptions() -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: "Ignore".into(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: Some("True".into()),
        }]),
        on_exit_codes: None,
    }
}
