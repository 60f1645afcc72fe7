//! The objects of a release as they were rendered, which are kept with it.
//!
//! What serves is a fact: it is told from these bytes and never rendered anew, so that no later version of the operator, of its
//! settings or of a library restarts a pod or turns a Service. Secrets are not among them: their names say their content.
//!
//! Invariant: data only. They are kept as they are while the stack is awake, without namespace and owner, which are those
//! of the stack that they are read for.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::{Deserialize, Serialize};

use super::hash::canonical;
use super::identity::ManifestsHash;
use super::object::Object;
use super::stack::RateLimit;

/// The objects of a release.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifests {
    /// What the pods of every part need: their identity, and who may talk to whom where the spec of now does not list
    /// it.
    pub shared: Vec<Object>,
    /// The backend, and its jobs.
    pub backend: Part,
    /// The frontend, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<Part>,
    /// The way in, without the limits that the spec of now says.
    pub edge: Vec<Object>,
    /// How many requests a client may send where the spec does not say: the default of when the release was rendered. There was
    /// none in earlier versions of the operator.
    #[serde(default, rename = "rateLimit", skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
}

/// The objects of a part that serves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// What runs before requests turn to it.
    pub objects: Vec<Object>,
    /// What turns requests to it.
    pub opens: Vec<Object>,
}

impl Manifests {
    /// The hash of all of them.
    #[must_use]
    pub fn hash(&self) -> ManifestsHash {
        ManifestsHash::of(&[&canonical(self)])
    }

    /// All of them.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        let parts = [Some(&self.backend), self.frontend.as_ref()];
        let parts = parts.into_iter().flatten();
        let parts = parts.flat_map(|it| it.objects.iter().chain(&it.opens));
        self.shared.iter().chain(parts).chain(&self.edge)
    }

    fn objects_mut(&mut self) -> impl Iterator<Item = &mut Object> {
        let parts = [Some(&mut self.backend), self.frontend.as_mut()];
        let parts = parts.into_iter().flatten();
        let parts = parts.flat_map(|it| it.objects.iter_mut().chain(&mut it.opens));
        self.shared.iter_mut().chain(parts).chain(&mut self.edge)
    }

    /// The same as they are kept.
    #[must_use]
    pub fn kept(mut self) -> Self {
        for metadata in self.objects_mut().filter_map(Object::metadata_mut) {
            metadata.namespace = None;
            metadata.owner_references = None;
        }
        self
    }

    /// The same as objects of a stack.
    #[must_use]
    pub fn of(mut self, namespace: &str, owner: &OwnerReference) -> Self {
        for metadata in self.objects_mut().filter_map(Object::metadata_mut) {
            metadata.namespace = Some(namespace.to_owned());
            metadata.owner_references = Some(vec![owner.clone()]);
        }
        self
    }
}

impl Part {
    /// The Deployment that makes the pods which its Service turns requests to.
    #[must_use]
    pub fn serving(&self) -> Option<&Deployment> {
        let selector = self.opens.iter().find_map(|it| match it {
            Object::Service(it) => it.spec.as_ref()?.selector.as_ref(),
            _ => None,
        })?;
        self.objects.iter().find_map(|it| match it {
            Object::Deployment(deployment) if it.runs(selector) => Some(deployment.as_ref()),
            _ => None,
        })
    }
}
