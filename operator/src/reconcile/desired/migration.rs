//! The migration stage: a Job that brings the schema up to date, then one that seeds a new database.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec, ResourceRequirements};

use super::super::names::ChildName;
use super::super::record::Record;
use super::super::stack::{Command, Stack};
use super::job::Run;
use super::meta::Component;
use super::pod::{self, Pod};
use super::{Object, Stage};
use crate::api::StageName;

/// How long the seed may take.
const SEED_TIMEOUT: Duration = Duration::from_mins(10);

/// How often a failed attempt of the seed is repeated.
const SEED_RETRIES: i32 = 2;
/// The container that prints which schema the database has.
pub const HEAD: &str = "head";

/// A Job of the backend image.
struct Task<'a> {
    component: Component,
    run: &'a Command,
    /// Runs after it, in the same pod; empty if nothing does.
    head: &'a [String],
    timeout: Duration,
    retries: i32,
    resources: &'a ResourceRequirements,
}

/// The migration and the seed follow each other, so each has a stage of its own.
pub(super) fn stages(stack: &Stack) -> Vec<Stage> {
    let migration = stack.migration.as_ref().map(|it| {
        let name = stack.names.migration(&it.hash);
        let task = Task {
            component: Component::Migration,
            run: &it.run,
            head: &it.head,
            timeout: it.timeout,
            retries: it.retries,
            resources: &it.resources,
        };
        let record = Record::Migration {
            hash: it.hash.clone(),
            volume: stack.volume.clone(),
            head: None,
        };
        stage(it.done, &name, || job(stack, &name, &task), record)
    });
    let seed = stack.seed.as_ref().map(|it| {
        let name = stack.names.seed();
        let task = Task {
            component: Component::Seed,
            run: &it.run,
            head: &[],
            timeout: SEED_TIMEOUT,
            retries: SEED_RETRIES,
            resources: &stack.backend.resources,
        };
        let record = Record::Seed {
            volume: stack.volume.clone(),
        };
        stage(it.done, &name, || job(stack, &name, &task), record)
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

fn job(stack: &Stack, name: &ChildName, task: &Task<'_>) -> Job {
    let run = Run {
        component: task.component,
        template: template(stack, task),
        timeout: task.timeout,
        retries: task.retries,
        reads: &[],
    };
    run.job(stack, name)
}

fn template(stack: &Stack, task: &Task<'_>) -> PodTemplateSpec {
    let list = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let container = |name: &str, command: &[String], args: &[String]| Container {
        name: name.into(),
        image: Some(stack.backend.image.clone()),
        command: list(command),
        args: list(args),
        env: Some(pod::backend_env(stack)),
        resources: Some(task.resources.clone()),
        ..Container::default()
    };
    let component = task.component;
    let work = container(component.as_str(), &task.run.command, &task.run.args);
    // What is to run first is an init container, and the pod's result is that of the other one.
    let (before, main) = if task.head.is_empty() {
        (None, work)
    } else {
        (Some(work), container(HEAD, task.head, &[]))
    };
    let mut template = pod::template(
        stack,
        Pod {
            component,
            before: before.into_iter().collect(),
            container: main,
            volumes: Vec::new(),
            serving: false,
            overlay: None,
        },
    );
    if let Some(spec) = &mut template.spec {
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
    let ours = spec.init_containers.iter_mut().flatten();
    for ours in ours.chain(&mut spec.containers) {
        pod::inherit(ours, overlay, Component::Backend);
    }
}
