//! What the operator is asked to do with a release that is kept as it was rendered: how long its pods may take, and whether
//! it sleeps. None of it is in a pod template, so none of it restarts a pod.

use k8s_openapi::api::apps::v1::Deployment;

use crate::api::annotation;
use crate::model::manifests::{Manifests, Part};
use crate::model::object::Object;
use crate::model::stack::Stack;

/// Gives the objects of a release what the spec says beside the release.
pub(super) fn adapt(manifests: &mut Manifests, stack: &Stack) {
    let parts = [Some(&mut manifests.backend), manifests.frontend.as_mut()];
    for part in parts.into_iter().flatten() {
        for it in &mut part.objects {
            if let Object::Deployment(it) = it {
                set_deadline(it, stack);
            }
        }
        if stack.hibernates {
            fall_asleep(part);
        }
    }
}

fn set_deadline(deployment: &mut Deployment, stack: &Stack) {
    if let Some(spec) = &mut deployment.spec {
        let seconds = stack.rollout.progress_deadline.as_secs();
        spec.progress_deadline_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
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
