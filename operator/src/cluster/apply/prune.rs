//! Deletes what is no longer wanted. Whatever is asked for, nobody takes away what serves.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt as _;

use super::{Child, Writer};
use crate::api::label;
use crate::build::Desired;
use crate::cluster::cache::Key;
use crate::cluster::call::send;
use crate::cluster::ours;
use crate::error::{Error, Result};
use crate::model::kinds::Middleware;
use crate::model::names::Names;
use crate::runtime::versions::kind;

/// The names of what is not pruned, by kind.
type Kept = BTreeMap<&'static str, BTreeSet<String>>;

impl Writer<'_> {
    /// Deletes the stack's objects that are neither in one of `wanted` nor, by kind and name, among the `retained`. Asks
    /// nothing of a kind that was pruned to the same before and has gained nothing since.
    ///
    /// # Errors
    /// If the API server refuses a list or a deletion.
    pub async fn prune(&self, wanted: &[&Desired], retained: &BTreeSet<Key>) -> Result<()> {
        let wanted = wanted.iter().flat_map(|it| it.objects());
        let wanted = wanted.map(|object| (object.kind(), object.name()));
        let mut keep = Kept::new();
        for (kind, name) in wanted.chain(retained.iter().cloned()) {
            keep.entry(kind).or_default().insert(name);
        }
        if self.would_take_what_serves(&keep).await? {
            return Ok(());
        }
        // No volume claim, no pod and no record: the first is data, the others look after themselves.
        self.prune_kind::<ServiceAccount>(&keep).await?;
        self.prune_kind::<Secret>(&keep).await?;
        self.prune_kind::<ConfigMap>(&keep).await?;
        self.prune_kind::<NetworkPolicy>(&keep).await?;
        self.prune_kind::<Service>(&keep).await?;
        self.prune_kind::<StatefulSet>(&keep).await?;
        self.prune_kind::<Job>(&keep).await?;
        self.prune_kind::<CronJob>(&keep).await?;
        // Before what they scale.
        self.prune_kind::<HorizontalPodAutoscaler>(&keep).await?;
        self.prune_kind::<Deployment>(&keep).await?;
        self.prune_kind::<PodDisruptionBudget>(&keep).await?;
        self.prune_kind::<Ingress>(&keep).await?;
        if self.traefik_kinds {
            self.prune_kind::<Middleware>(&keep).await?;
        }
        Ok(())
    }

    /// Whether a Deployment that a wanted Service turns requests to is not among what is kept. Then nothing is deleted, whatever
    /// led to it: nobody takes away what serves before something else does.
    async fn would_take_what_serves(&self, keep: &Kept) -> Result<bool> {
        let wanted = |kind: &str| keep.get(kind).cloned().unwrap_or_default();
        let deployments = wanted(kind::<Deployment>());
        if self.cache.is_pruned(kind::<Deployment>(), &deployments) {
            return Ok(false);
        }
        let list = send(self.api::<Service>().list(&ours(&self.app.name_any()))).await;
        let list = list.map_err(|source| Error::Read {
            what: "the Services of the stack".into(),
            source,
        })?;
        let services = wanted(kind::<Service>());
        for service in list
            .into_iter()
            .filter(|it| services.contains(&it.name_any()))
        {
            let selector = service.spec.as_ref().and_then(|it| it.selector.as_ref());
            let Some(revision) = selector.and_then(|it| it.get(label::REVISION)) else {
                continue;
            };
            let name: String = Names::revision_of(&service.name_any(), revision).into();
            if !deployments.contains(&name) && self.own::<Deployment>(&name).await?.is_some() {
                tracing::warn!(deployment = name, "it serves and is kept, with all else");
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn prune_kind<K: Child>(&self, keep: &Kept) -> Result<()> {
        let keep = keep.get(kind::<K>()).cloned().unwrap_or_default();
        if self.cache.is_pruned(kind::<K>(), &keep) {
            return Ok(());
        }
        let list = send(self.api::<K>().list_metadata(&ours(&self.app.name_any()))).await;
        let list = list.map_err(|source| Error::Read {
            what: format!("the list of kind {}", kind::<K>()),
            source,
        })?;
        let mut others = BTreeSet::new();
        for found in list {
            let name = found.name_any();
            if keep.contains(&name) {
                continue;
            }
            if self.is_ours(&found.metadata) {
                self.delete::<K>(&name, found.metadata.uid.clone()).await?;
            }
            others.extend(found.metadata.uid);
        }
        self.cache.pruned(kind::<K>(), keep, others);
        Ok(())
    }
}
