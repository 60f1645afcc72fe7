//! What the operator is asked to do with a release that is kept as it was rendered: how long its pods may take, who may come in,
//! what they may call, and whether it sleeps. None of it is in a pod template, so none of it restarts a pod.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;

use crate::api::annotation;
use crate::build::{edge, network};
use crate::model::hash::canonical;
use crate::model::manifests::{Manifests, Part};
use crate::model::object::Object;
use crate::model::stack::Stack;

/// Gives the objects of a release what the spec says beside the release.
pub(super) fn adapt(manifests: &mut Manifests, stack: &Stack) {
    set_deadlines(manifests, stack.rollout.progress_deadline);
    edge::limit(manifests, stack);
    network::list(manifests, stack);
    if stack.hibernates {
        let parts = [Some(&mut manifests.backend), manifests.frontend.as_mut()];
        parts.into_iter().flatten().for_each(fall_asleep);
    }
}

/// Whether the templates of now would make the same of a release. What is the operator's to say changes nothing of that, nor
/// does how long its pods were given to start.
pub(super) fn is_current(kept: Manifests, stack: &Stack) -> bool {
    let mut same = stack.clone();
    same.rollout.startup = startup(&kept).unwrap_or(stack.rollout.startup);
    let [kept, now] = [kept, super::rendered(&same)].map(|mut it| {
        set_deadlines(&mut it, stack.rollout.progress_deadline);
        canonical(&it)
    });
    kept == now
}

/// How long the pods of a release were given to start.
fn startup(kept: &Manifests) -> Option<Duration> {
    let template = &kept.backend.serving()?.spec.as_ref()?.template;
    let mut containers = template.spec.as_ref()?.containers.iter();
    let probe = containers.find_map(|it| it.startup_probe.as_ref())?;
    let seconds = u64::try_from(probe.failure_threshold?).ok()?;
    Some(Duration::from_secs(seconds))
}

fn set_deadlines(manifests: &mut Manifests, deadline: Duration) {
    let seconds = i32::try_from(deadline.as_secs()).unwrap_or(i32::MAX);
    let parts = [Some(&mut manifests.backend), manifests.frontend.as_mut()];
    for it in parts.into_iter().flatten().flat_map(|it| &mut it.objects) {
        if let Object::Deployment(it) = it
            && let Some(spec) = &mut it.spec
        {
            spec.progress_deadline_seconds = Some(seconds);
        }
    }
}

/// No run of a schedule is to begin while all else ends, and one that has begun still needs the database: so schedules
/// are stopped first.
fn fall_asleep(part: &mut Part) {
    let is_schedule = |it: &Object| matches!(it, Object::CronJob(_));
    let (mut schedules, opens): (Vec<_>, Vec<_>) = part.opens.drain(..).partition(is_schedule);
    for it in &mut schedules {
        if let Object::CronJob(it) = it
            && let Some(spec) = &mut it.spec
        {
            spec.suspend = Some(true);
        }
    }
    let running = part.objects.drain(..).filter_map(|it| match it {
        Object::PodDisruptionBudget(_) => None,
        Object::Deployment(it) => Some(Object::Deployment(without_pods(it))),
        other => Some(other),
    });
    schedules.extend(running);
    part.objects = schedules;
    let awake = opens.into_iter();
    part.opens = awake
        .filter(|it| !matches!(it, Object::HorizontalPodAutoscaler(_)))
        .collect();
}

fn without_pods(mut deployment: Box<Deployment>) -> Box<Deployment> {
    if let Some(annotations) = &mut deployment.metadata.annotations {
        annotations.remove(annotation::MIN_REPLICAS);
        if annotations.is_empty() {
            deployment.metadata.annotations = None;
        }
    }
    if let Some(spec) = &mut deployment.spec {
        spec.replicas = Some(0);
    }
    deployment
}
