//! Asks whether an object is still as it was applied, while no watch can tell.
//!
//! After an outage the watches come back one by one, and each of them may wake the stack. Were everything applied again that is
//! not seen yet, each of those reconciles would write what changes nothing, for all stacks at once and to an API server that has just
//! come back. To read the metadata costs it far less. A watch that is refused for days holds nothing up so, and what is
//! changed meanwhile is put right by the next reconcile as ever.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::core::{ApiResource, DynamicObject};

use super::Writer;
use crate::cluster::call::send;
use crate::error::{Error, Result};
use crate::model::kinds::Middleware;
use crate::model::object::Object;

impl Writer<'_> {
    /// The live object, if this very object was applied, the watch of its kind is down, and the API server says that it has
    /// not moved since.
    pub(super) async fn confirmed(&self, object: &Object) -> Result<Option<Object>> {
        let Some(resource) = resource(object).filter(|_| self.cache.is_unwatched(object)) else {
            return Ok(None);
        };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let name = object.name();
        let found = send(api.get_metadata_opt(&name)).await;
        let found = found.map_err(|source| Error::Read {
            what: format!("{} {name}", object.kind()),
            source,
        })?;
        Ok(found.and_then(|it| self.cache.unchanged_from(object, &it.metadata)))
    }
}

/// Where objects of a kind are read; `None` of what is not there to be read.
fn resource(object: &Object) -> Option<ApiResource> {
    Some(match object {
        Object::ServiceAccount(_) => ApiResource::erase::<ServiceAccount>(&()),
        Object::Secret(_) => ApiResource::erase::<Secret>(&()),
        Object::ConfigMap(_) => ApiResource::erase::<ConfigMap>(&()),
        Object::NetworkPolicy(_) => ApiResource::erase::<NetworkPolicy>(&()),
        Object::Service(_) => ApiResource::erase::<Service>(&()),
        Object::PersistentVolumeClaim(_) => ApiResource::erase::<PersistentVolumeClaim>(&()),
        Object::StatefulSet(_) => ApiResource::erase::<StatefulSet>(&()),
        Object::Job(_) => ApiResource::erase::<Job>(&()),
        Object::Finished(_) => return None,
        Object::CronJob(_) => ApiResource::erase::<CronJob>(&()),
        Object::Deployment(_) => ApiResource::erase::<Deployment>(&()),
        Object::PodDisruptionBudget(_) => ApiResource::erase::<PodDisruptionBudget>(&()),
        Object::HorizontalPodAutoscaler(_) => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
        Object::Middleware(_) => ApiResource::erase::<Middleware>(&()),
        Object::Ingress(_) => ApiResource::erase::<Ingress>(&()),
    })
}
