//! The migration stage: a Job that brings the schema up to date, then one that seeds a new database.

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};

use super::super::names::{ChildName, short_hash};
use super::super::record::Record;
use super::super::stack::{Command, Stack};
use super::meta::{self, Component};
use super::pod::{self, Pod};
use super::{Object, Stage};
use crate::api::{StageName, annotation};

/// How often a failed attempt is repeated: enough for a database that is just coming up, too few to hide an error.
const RETRIES: i32 = 2;
/// How long the seed may take.
const SEED_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);

/// The migration and the seed follow each other, so each has a stage of its own.
pub(super) fn stages(stack: &Stack) -> Vec<Stage> {
    let migration = stack.migration.as_ref().map(|it| {
        let name = stack.names.migration(&it.hash);
        let job = || job(stack, &name, Component::Migration, &it.run, it.timeout);
        stage(
            it.done,
            &name,
            job,
            Record::Migration {
                hash: it.hash.clone(),
                volume: stack.volume.clone(),
            },
        )
    });
    let seed = stack.seed.as_ref().map(|it| {
        let name = stack.names.seed();
        let job = || job(stack, &name, Component::Seed, &it.run, SEED_TIMEOUT);
        stage(
            it.done,
            &name,
            job,
            Record::Seed {
                volume: stack.volume.clone(),
            },
        )
    });
    migration.into_iter().chain(seed).collect()
}

fn stage(done: bool, name: &ChildName, job: impl FnOnce() -> Job, record: Record) -> Stage {
    let (object, record) = if done {
        (Object::Finished(name.clone()), None)
    } else {
        (Object::Job(Box::new(job())), Some(record))
    };
    Stage {
        record,
        ..Stage::new(StageName::Migration, vec![object])
    }
}

fn job(
    stack: &Stack,
    name: &ChildName,
    component: Component,
    run: &Command,
    timeout: std::time::Duration,
) -> Job {
    let template = template(stack, component, run);
    let mut metadata = meta::object(stack, name, component);
    let inputs = short_hash(&[
        &serde_json::json!(template).to_string(),
        stack.volume.as_deref().unwrap_or_default(),
    ]);
    metadata.annotations = Some([(annotation::INPUTS_HASH.to_owned(), inputs)].into());
    Job {
        metadata,
        spec: Some(JobSpec {
            backoff_limit: Some(RETRIES),
            active_deadline_seconds: Some(i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX)),
            pod_failure_policy: Some(PodFailurePolicy {
                rules: vec![ignore_disruptions()],
            }),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// A node that goes away is no failure of the migration.
fn ignore_disruptions() -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: "Ignore".into(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: Some("True".into()),
        }]),
        on_exit_codes: None,
    }
}

fn template(stack: &Stack, component: Component, run: &Command) -> PodTemplateSpec {
    let list = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let container = Container {
        name: component.as_str().into(),
        image: Some(stack.backend.image.clone()),
        command: list(&run.command),
        args: list(&run.args),
        env: Some(pod::backend_env(stack)),
        resources: Some(stack.backend.resources.clone()),
        ..Container::default()
    };
    let mut template = pod::template(
        stack,
        Pod {
            component,
            container,
            volumes: Vec::new(),
            serving: false,
            overlay: None,
        },
    );
    if let Some(spec) = &mut template.spec {
        spec.restart_policy = Some("Never".into());
        // Pull secrets, node choice and security settings of the backend hold for its image here too.
        if let Some(overlay) = stack
            .backend
            .overlay
            .as_ref()
            .and_then(|it| it.spec.as_ref())
        {
            inherit(spec, overlay);
        }
    }
    template
}

/// Takes over what of the user's pod settings is about the image and the node, not about serving.
fn inherit(
    spec: &mut k8s_openapi::api::core::v1::PodSpec,
    overlay: &k8s_openapi::api::core::v1::PodSpec,
) {
    use k8s_openapi::DeepMerge as _;
    let about_image = k8s_openapi::api::core::v1::PodSpec {
        image_pull_secrets: overlay.image_pull_secrets.clone(),
        node_selector: overlay.node_selector.clone(),
        tolerations: overlay.tolerations.clone(),
        affinity: overlay.affinity.clone(),
        security_context: overlay.security_context.clone(),
        priority_class_name: overlay.priority_class_name.clone(),
        ..Default::default()
    };
    spec.merge_from(about_image);
    let theirs = overlay
        .containers
        .iter()
        .find(|it| it.name == Component::Backend.as_str());
    if let (Some(theirs), Some(ours)) = (theirs, spec.containers.first_mut()) {
        ours.security_context
            .merge_from(theirs.security_context.clone());
    }
}
