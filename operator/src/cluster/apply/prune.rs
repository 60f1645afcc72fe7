//! Deletes what is no longer wanted. Whatever is asked for, nobody takes away what serves.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt as _;

use super::Writer;
use crate::build::Desired;
use crate::cluster::cache::Key;
use crate::cluster::call::send;
use crate::cluster::ours;
use crate::error::{Error, Result};
use crate::model::identity::TemplateHash;
use crate::model::kinds::{HTTPRoute, Middleware, ServersTransport};
use crate::model::names::Names;
use crate::model::object::Object;
use crate::runtime::kind::{Kind, kind};

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
        for owned in Object::KINDS.iter().filter(|it| it.traits.pruned) {
            if self.is_served(owned) {
                self.prune_kind(owned.kind, &keep).await?;
            }
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
            let Some(revision) = selector.and_then(TemplateHash::of_selector) else {
                continue;
            };
            let name: String = Names::revision_of(&service.name_any(), &revision).into();
            if !deployments.contains(&name)
                && self.own(Kind::of::<Deployment>(), &name).await?.is_some()
            {
                tracing::warn!(deployment = name, "it serves and is kept, with all else");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the ingress controller may still need what is there of a kind: a middleware for an Ingress as it is or was, how pods are asked for a Service as it is or was, an
    /// Ingress because another one has yet to take its hosts, or pods and their Service because an Ingress led to them.
    fn is_too_early_to_delete(&self, of: Kind) -> bool {
        let is = |kinds: &[&str]| kinds.contains(&of.name());
        let middleware = kind::<Middleware>();
        let (ingress, route) = (kind::<Ingress>(), kind::<HTTPRoute>());
        let is_led_to = is(&[middleware, kind::<Service>(), kind::<Deployment>()]);
        let transport = kind::<ServersTransport>();
        self.cache.propagation(|it| {
            (is(&[transport]) && (it.awaits_transports(self.now) || it.awaits_services(self.now)))
                || (is(&[middleware, ingress, route]) && it.awaits_middlewares(self.now))
                || (is_led_to && it.awaits_ingresses(self.now))
        })
    }

    async fn prune_kind(&self, kind: Kind, keep: &Kept) -> Result<()> {
        let keep = keep.get(kind.name()).cloned().unwrap_or_default();
        if self.cache.is_pruned(kind.name(), &keep) {
            return Ok(());
        }
        let list = send(
            self.objects(kind)
                .list_metadata(&ours(&self.app.name_any())),
        )
        .await;
        let list = list.map_err(|source| Error::Read {
            what: format!("the list of kind {}", kind.name()),
            source,
        })?;
        let mut others = BTreeSet::new();
        for found in list {
            let name = found.name_any();
            if keep.contains(&name) {
                continue;
            }
            if self.is_ours(&found.metadata) {
                if self.is_too_early_to_delete(kind) {
                    // With the next look, which comes for it.
                    return Ok(());
                }
                self.delete(kind, &name, found.metadata.uid.clone()).await?;
            }
            others.extend(found.metadata.uid);
        }
        self.cache.pruned(kind.name(), keep, others);
        Ok(())
    }
}
