//! Pods of the backend image that serve nobody: those of the migration, the seed and the jobs.

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, ResourceRequirements};

use crate::build::meta::Component;
use crate::build::workload::pod::{self, Pod};
use crate::build::workload::{merge, writable};
use crate::model::stack::{Command, Stack};

/// The container that prints which schema the database has.
pub const HEAD: &str = "head";

/// What a pod of the backend image runs.
pub(in crate::build) struct Process<'a> {
    pub(in crate::build) component: Component,
    /// The name of its container.
    pub(in crate::build) container: &'a str,
    pub(in crate::build) run: &'a Command,
    /// Runs after it, in the same pod; empty if nothing does.
    pub(in crate::build) head: &'a [String],
    pub(in crate::build) resources: &'a ResourceRequirements,
    /// Whether it comes to an end, and is not to be started again by itself.
    pub(in crate::build) ends: bool,
}

/// The pod template, with the environment and the values of the backend, and with what its image needs to run.
pub(in crate::build) fn template(stack: &Stack, process: &Process<'_>) -> PodTemplateSpec {
    let backend = &stack.backend;
    let container = |name: &str, command: &[String], args: &[String]| Container {
        name: name.into(),
        image: Some(backend.image.clone()),
        command: pod::words(command),
        args: pod::words(args),
        env: Some(pod::backend_env(stack)),
        resources: Some(process.resources.clone()),
        volume_mounts: Some(writable::mounts(&backend.writable_paths).collect()),
        ..Container::default()
    };
    let work = container(process.container, &process.run.command, &process.run.args);
    // What is to run first is an init container, and the pod's result is that of the other one.
    let (before, main) = if process.head.is_empty() {
        (None, work)
    } else {
        (Some(work), container(HEAD, process.head, &[]))
    };
    let mut template = pod::template(
        stack,
        Pod {
            component: process.component,
            run_as_user: backend.run_as_user,
            before: before.into_iter().collect(),
            container: main,
            volumes: writable::volumes(&backend.writable_paths).collect(),
            serving: false,
            template: None,
        },
    );
    if let Some(spec) = &mut template.spec {
        spec.restart_policy = process.ends.then(|| "Never".into());
        let pod_template = backend.pod_template.as_ref();
        if let Some(from) = pod_template.and_then(|it| it.spec.as_ref()) {
            inherit(spec, from);
        }
    }
    template
}

/// Takes over what of the user's pod is not about serving, so that a process starts wherever the backend does and finds there
/// what the backend finds: files, names, rights. What is about serving would harm one that ends, such as a sidecar or a grace
/// period, or was measured for the backend, such as resources.
fn inherit(spec: &mut PodSpec, from: &PodSpec) {
    let settings = PodSpec {
        containers: Vec::new(),
        init_containers: None,
        ephemeral_containers: None,
        active_deadline_seconds: None,
        hostname: None,
        hostname_override: None,
        readiness_gates: None,
        resource_claims: None,
        resources: None,
        restart_policy: None,
        set_hostname_as_fqdn: None,
        subdomain: None,
        termination_grace_period_seconds: None,
        workload_ref: None,
        ..from.clone()
    };
    merge::pod(spec, settings);
    let ours = spec.init_containers.iter_mut().flatten();
    for ours in ours.chain(&mut spec.containers) {
        let mut theirs = from.containers.iter();
        if let Some(theirs) = theirs.find(|it| it.name == Component::Backend.as_str()) {
            inherit_container(ours, theirs);
        }
    }
}

/// What a container of the backend image gets of what the user gave the backend's own one.
fn inherit_container(ours: &mut Container, theirs: &Container) {
    let settings = Container {
        name: ours.name.clone(),
        env: theirs.env.clone(),
        env_from: theirs.env_from.clone(),
        image_pull_policy: theirs.image_pull_policy.clone(),
        security_context: theirs.security_context.clone(),
        volume_devices: theirs.volume_devices.clone(),
        volume_mounts: theirs.volume_mounts.clone(),
        working_dir: theirs.working_dir.clone(),
        ..Container::default()
    };
    merge::container(ours, settings);
}
