//! How many pods there are, and whether a schedule is stopped: what the spec says of it holds at once, and is no part of a
//! release.
//!
//! Invariant: pure.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;

use crate::api::{AppStackSpec, Autoscaling, Job, label};
use crate::model::manifests::{Manifests, Part};
use crate::model::object::Object;

/// A spec without any of it.
#[must_use]
pub fn without(mut spec: AppStackSpec) -> AppStackSpec {
    (spec.backend.replicas, spec.backend.autoscaling) = (None, None);
    if let Some(frontend) = &mut spec.frontend {
        (frontend.replicas, frontend.autoscaling) = (None, None);
    }
    for job in &mut spec.jobs {
        (job.replicas, job.suspend) = (None, None);
    }
    spec
}

/// The spec of a kept release with the numbers of now. Of a part that the spec of now does not have, they are those that the
/// objects of the release had last.
#[must_use]
pub fn of_now(
    mut kept: AppStackSpec,
    now: &AppStackSpec,
    last: Option<&Manifests>,
) -> AppStackSpec {
    let (backend, said) = (&mut kept.backend, &now.backend);
    backend.replicas = said.replicas;
    backend.autoscaling.clone_from(&said.autoscaling);
    if let Some(frontend) = &mut kept.frontend {
        if let Some(said) = &now.frontend {
            frontend.replicas = said.replicas;
            frontend.autoscaling.clone_from(&said.autoscaling);
        } else if let Some(last) = last.and_then(|it| it.frontend.as_ref()) {
            frontend.autoscaling = last.opens.iter().find_map(autoscaling);
            let fixed = frontend.autoscaling.is_none();
            frontend.replicas = last.serving().filter(|_| fixed).and_then(replicas);
        }
    }
    for job in &mut kept.jobs {
        let mut others = now.jobs.iter();
        let said = others.find(|it| it.name == job.name && is_alike(it, job));
        if let Some(said) = said {
            (job.replicas, job.suspend) = (said.replicas, said.suspend);
        } else if let Some(last) = last {
            (job.replicas, job.suspend) = of_job(&last.backend, &job.name);
        }
    }
    kept
}

/// Whether both are workers, or both have a schedule.
fn is_alike(a: &Job, b: &Job) -> bool {
    a.schedule.is_some() == b.schedule.is_some()
}

/// How many pods a job had last, and whether its schedule was stopped.
fn of_job(last: &Part, job: &str) -> (Option<i32>, Option<bool>) {
    let is_its = |labels: Option<&BTreeMap<String, String>>| {
        labels
            .and_then(|it| it.get(label::JOB))
            .is_some_and(|it| it == job)
    };
    let mut objects = last.objects.iter().chain(&last.opens);
    let found = objects.find_map(|it| match it {
        Object::Deployment(it) if is_its(it.metadata.labels.as_ref()) => Some((replicas(it), None)),
        Object::CronJob(it) if is_its(it.metadata.labels.as_ref()) => {
            Some((None, it.spec.as_ref().and_then(|it| it.suspend)))
        }
        _ => None,
    });
    found.unwrap_or_default()
}

fn replicas(deployment: &Deployment) -> Option<i32> {
    deployment.spec.as_ref()?.replicas
}

fn autoscaling(object: &Object) -> Option<Autoscaling> {
    let Object::HorizontalPodAutoscaler(it) = object else {
        return None;
    };
    let spec = it.spec.as_ref()?;
    Some(Autoscaling {
        min_replicas: spec.min_replicas,
        max_replicas: spec.max_replicas,
        target_cpu_utilization: utilization(it),
    })
}

fn utilization(autoscaler: &HorizontalPodAutoscaler) -> Option<i32> {
    let metrics = autoscaler.spec.as_ref()?.metrics.as_ref()?;
    let mut containers = metrics
        .iter()
        .filter_map(|it| it.container_resource.as_ref());
    containers.next()?.target.average_utilization
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build;
    use crate::fixtures::{self, spec};

    #[test]
    fn a_spec_without_numbers_is_the_same_whatever_they_are() {
        let of = |replicas: &str, job: &str, run: &str| {
            without(spec(&format!(
                "backend: {{image: 'a/b:1', {replicas}}}, frontend: {{image: 'a/c:1', {replicas}}}, jobs: [
                 {{name: a, args: [a], {job}}}, {{name: b, args: [b], schedule: '@daily', {run}}}]"
            )))
        };
        let plain = of("", "", "");
        assert_eq!(plain, of("replicas: 3", "replicas: 4", "suspend: true"));
        assert_eq!(
            plain,
            of("autoscaling: {maxReplicas: 3}", "", "suspend: false")
        );
    }

    const KEPT: &str = "frontend: {image: 'a/c:1', NUMBERS}, jobs: [
        {name: a, args: [a], replicas: 4}, {name: b, args: [b], schedule: '@daily', suspend: true}]";

    /// What of now becomes of a kept release whose frontend has these numbers.
    fn restored(numbers: &str, now: &str) -> AppStackSpec {
        let fields = KEPT.replace("NUMBERS", numbers);
        let last = build::rendered(&fixtures::stack(&fixtures::app(&fields)));
        of_now(without(spec(&fields)), &spec(now), Some(&last))
    }

    #[test]
    fn what_the_spec_has_still_is_as_many_as_it_says() {
        let now = "backend: {image: 'a/b:2', replicas: 7}, frontend: {image: 'a/c:2', replicas: 6}, jobs: [
            {name: a, args: [z], replicas: 5}, {name: b, args: [z], schedule: '@hourly'}]";
        let found = restored("replicas: 3", now);
        assert_eq!(found.backend.replicas, Some(7));
        assert_eq!(found.frontend.unwrap().replicas, Some(6));
        assert_eq!(found.jobs[0].replicas, Some(5));
        assert_eq!(found.jobs[1].suspend, None);
        assert_eq!(found.backend.image, "a/b:1");
    }

    #[test]
    fn what_the_spec_has_no_more_is_as_many_as_there_were_last() {
        // A worker that has a schedule by now is no worker any more.
        let now = "jobs: [{name: a, args: [a], schedule: '@daily', suspend: true}]";
        let found = restored("replicas: 3", now);
        assert_eq!(found.frontend.unwrap().replicas, Some(3));
        assert_eq!(
            (found.jobs[0].replicas, found.jobs[0].suspend),
            (Some(4), None)
        );
        assert_eq!(found.jobs[1].suspend, Some(true));
        let numbers =
            "resources: {requests: {cpu: 1}}, autoscaling: {minReplicas: 2, maxReplicas: 9}";
        let scaled = restored(numbers, now).frontend.unwrap();
        let wanted = Autoscaling {
            min_replicas: Some(2),
            max_replicas: 9,
            target_cpu_utilization: Some(80),
        };
        assert_eq!((scaled.replicas, scaled.autoscaling), (None, Some(wanted)));
    }
}
