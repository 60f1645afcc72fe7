//! Writes numbers of pods where an autoscaler chooses them. Such a number is said by a field manager of its own, which
//! never says it again by itself: so it stays when our apply says none, and whoever scales takes it over.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;

use crate::api::SCALE_MANAGER;
use crate::cluster::apply::{Applied, Writer, unread};
use crate::cluster::call::send;
use crate::error::{Error, Result};
use crate::model::object::Object;
use crate::model::scaling;
use crate::runtime::kind::{Kind, kind};

impl Writer<'_> {
    /// Applies a Deployment. Where an autoscaler chooses the number of pods, ours is only the one to begin with.
    pub(super) async fn deployment(&self, wanted: &Deployment) -> Result<Box<Deployment>> {
        let (kind, name) = (Kind::of::<Deployment>(), wanted.name_any());
        if scaling::least(wanted).is_none() {
            return self.put(kind, &name, wanted).await;
        }
        let start = scaling::count(wanted);
        let mut silent = wanted.clone();
        if let Some(spec) = &mut silent.spec {
            spec.replicas = None;
        }
        let found = send(self.api::<Deployment>().get_opt(&name)).await;
        let Some(found) = found.map_err(|source| unread(kind, &name, source))? else {
            let made: Deployment = self.patch(kind, &name, &silent, None).await?;
            return self.count(identity(&made.metadata), start).await;
        };
        self.claim(kind, &name, &found.metadata)?;
        if let Some(count) = scaling::handed_over(&found, start) {
            let as_seen = ObjectMeta {
                resource_version: found.metadata.resource_version.clone(),
                ..identity(&found.metadata)
            };
            self.count(as_seen, count).await?;
        }
        self.patch(kind, &name, &silent, found.metadata.uid).await
    }

    /// Lets a Deployment that takes no requests yet have more pods.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn raise(&self, deployment: &Deployment, count: i32) -> Result<Applied> {
        let raised = self.count(identity(&deployment.metadata), count).await?;
        Ok(Applied(Object::Deployment(raised)))
    }

    /// Deletes an autoscaler that chooses the number of pods of one of these Deployments: it would go on to do so.
    ///
    /// # Errors
    /// If the API server refuses a read or the deletion.
    pub async fn detach_autoscaler(&self, autoscaler: &str, deployments: &[&str]) -> Result<()> {
        let kind = Kind::of::<HorizontalPodAutoscaler>();
        if self.cache.is_absent(kind.name(), autoscaler) {
            return Ok(());
        }
        let found = send(self.api::<HorizontalPodAutoscaler>().get_opt(autoscaler)).await;
        let found = found.map_err(|source| unread(kind, autoscaler, source))?;
        let scales = |it: &HorizontalPodAutoscaler| {
            let target = it.spec.as_ref().map(|it| it.scale_target_ref.name.as_str());
            target.is_some_and(|it| deployments.contains(&it))
        };
        match found {
            Some(found) if self.is_ours(&found.metadata) && scales(&found) => {
                self.delete(kind, autoscaler, found.metadata.uid).await
            }
            _ => Ok(()),
        }
    }

    /// Whether an object is known to be as it is wanted.
    #[must_use]
    pub fn knows(&self, object: &Object) -> bool {
        self.cache.unchanged(object).is_some()
    }

    async fn count(&self, metadata: ObjectMeta, count: i32) -> Result<Box<Deployment>> {
        let name = metadata.name.clone().unwrap_or_default();
        let patch = json!({
            "apiVersion": Deployment::api_version(&()),
            "kind": Deployment::kind(&()),
            "metadata": metadata,
            "spec": {"replicas": count},
        });
        let params = PatchParams::apply(SCALE_MANAGER)
            .force()
            .validation_strict();
        self.cache.invalidate(kind::<Deployment>(), &name);
        let api = self.api::<Deployment>();
        let answer = send(api.patch(&name, &params, &Patch::Apply(&patch))).await;
        answer.map(Box::new).map_err(|source| Error::Apply {
            kind: kind::<Deployment>(),
            name,
            source,
        })
    }
}

/// What tells an object from every other one.
fn identity(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        ..ObjectMeta::default()
    }
}
