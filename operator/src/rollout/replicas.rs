//! How many pods there are while requests turn from those of one release to those of another.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;

use crate::build::{Desired, Stage};
use crate::cluster::apply::{Applied, Writer};
use crate::cluster::observe::Observer;
use crate::error::Result;
use crate::model::object::Object;
use crate::model::scaling;

/// Takes the autoscaler from pods whose number a stage says, before it is said: else both would say one.
pub(super) async fn detach_autoscaler(writer: &Writer<'_>, stage: &Stage) -> Result<()> {
    let Some(part) = service(stage).filter(|_| autoscaler(stage).is_none()) else {
        return Ok(());
    };
    let names: Vec<&str> = deployments(&stage.objects)
        .filter_map(|it| it.metadata.name.as_deref())
        .collect();
    let name = part.metadata.name.as_deref().unwrap_or_default();
    writer.detach_autoscaler(name, &names).await
}

/// Autoscaled pods that are to take requests over are as many as those that have them now, however many an autoscaler
/// has made of these: so none are missing under load. Once requests have turned, the number is the autoscaler's.
pub(super) async fn match_replicas(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    stage: &Stage,
    mut applied: Vec<Applied>,
) -> Result<Vec<Applied>> {
    let (Some(autoscaler), Some(service)) = (autoscaler(stage), service(stage)) else {
        return Ok(applied);
    };
    if writer.knows(&Object::Service(Box::new(service.clone()))) {
        return Ok(applied);
    }
    let Some(serving) = observer.pods_behind(service).await? else {
        return Ok(applied);
    };
    for it in &mut applied {
        if let Object::Deployment(deployment) = it.object()
            && deployment.metadata.name.as_deref() == Some(target(autoscaler))
            && scaling::count(deployment) < serving
        {
            *it = writer.raise(deployment, serving).await?;
        }
    }
    Ok(applied)
}

/// Whether an object is an autoscaler of pods whose number a release says.
pub(super) fn is_detached(object: &Object, by: &Desired) -> bool {
    let Object::HorizontalPodAutoscaler(autoscaler) = object else {
        return false;
    };
    deployments(by.objects())
        .filter(|it| it.metadata.name.as_deref() == Some(target(autoscaler)))
        .any(|it| scaling::least(it).is_none())
}

fn deployments<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
) -> impl Iterator<Item = &'a Deployment> {
    objects.into_iter().filter_map(|it| match it {
        Object::Deployment(it) => Some(it.as_ref()),
        _ => None,
    })
}

/// The Service that turns requests to the pods of a stage. The part, and so its autoscaler, has the same name.
fn service(stage: &Stage) -> Option<&Service> {
    stage.opens.iter().find_map(|it| match it {
        Object::Service(it) => Some(it.as_ref()),
        _ => None,
    })
}

fn autoscaler(stage: &Stage) -> Option<&HorizontalPodAutoscaler> {
    stage.opens.iter().find_map(|it| match it {
        Object::HorizontalPodAutoscaler(it) => Some(it.as_ref()),
        _ => None,
    })
}

fn target(autoscaler: &HorizontalPodAutoscaler) -> &str {
    let spec = autoscaler.spec.as_ref();
    spec.map_or("", |it| &it.scale_target_ref.name)
}
