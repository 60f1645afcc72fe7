//! The only module that writes: objects, records, the status, Events, and the deletion of what is no longer wanted.
//!
//! Everything is applied server side by one field manager, so that fields of others on our objects survive, and an
//! apply that changes nothing leaves the object as it is. What is known to be as it was applied is not applied again.
//! What is deleted is deleted by UID.

mod certificate;
mod confirm;
mod prune;
mod records;
mod refusal;
mod scale;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::{AppStack, AppStackStatus, MANAGER, STATUS_MANAGER, annotation, label};
use crate::cluster::cache::StackCache;
use crate::cluster::call::send;
use crate::error::{CallError, Class, Error, Result};
use crate::model::object::{Object, OwnedKind};
use crate::model::observed::{JobRun, OldPod, PodVersion};
use crate::model::{job, place};
use crate::runtime::kind::Kind;
use crate::runtime::optional_apis::OptionalApis;

/// An object as the API server answered it, now or when it was last applied and has not moved since. Only this module
/// makes one, so that nobody judges what was merely built.
#[derive(Clone, Debug)]
pub struct Applied(Object);

impl Applied {
    /// The object.
    #[must_use]
    pub const fn object(&self) -> &Object {
        &self.0
    }
}

/// How every object is applied: whole, by one field manager, and with no field that the API server does not know.
fn as_applied() -> PatchParams {
    PatchParams::apply(MANAGER).force().validation_strict()
}

/// Writes for one stack.
pub struct Writer<'a> {
    client: &'a Client,
    cache: &'a StackCache<'a>,
    app: &'a AppStack,
    namespace: String,
    optional: &'a OptionalApis,
    now: Timestamp,
    /// Those that were read in this reconciliation: several steps look at a Job that changes data.
    jobs: Mutex<BTreeMap<String, Job>>,
}

impl<'a> Writer<'a> {
    /// A writer for `app`. `optional` tells which kinds of other projects are there.
    #[must_use]
    pub fn new(
        client: &'a Client,
        cache: &'a StackCache<'a>,
        app: &'a AppStack,
        optional: &'a OptionalApis,
        now: Timestamp,
    ) -> Self {
        Self {
            namespace: app.namespace().unwrap_or_default(),
            client,
            cache,
            app,
            optional,
            now,
            jobs: Mutex::default(),
        }
    }

    /// Applies objects, in their order.
    ///
    /// # Errors
    /// At the first object that the API server refuses; the later ones are not applied then.
    pub async fn apply(&self, objects: impl IntoIterator<Item = &Object>) -> Result<Vec<Applied>> {
        let mut applied = Vec::new();
        for object in objects {
            applied.push(Applied(self.object(object).await?));
        }
        Ok(applied)
    }

    /// The live object; nothing is sent where it is known already.
    async fn object(&self, object: &Object) -> Result<Object> {
        if let Some(known) = self.cache.unchanged(object) {
            return Ok(known);
        }
        if !self.is_served(object.owned()) {
            // A kept release may hold it. All else of the release goes on, and it comes back with its kind.
            return Ok(object.clone());
        }
        if let Some(known) = self.confirmed(object).await? {
            return Ok(known);
        }
        if self.is_too_early_for(object).await? {
            return Ok(object.clone());
        }
        let answer = self.send(object).await?;
        self.cache.applied(object, &answer);
        self.cache.propagation(|it| it.note(&answer));
        Ok(answer)
    }

    /// Whether an object is a certificate that is asked for while another one of the stack is, or an Ingress or a route that is
    /// there as it was before, and names what its controller may not know of. A new one has no visitors to lose.
    async fn is_too_early_for(&self, object: &Object) -> Result<bool> {
        if let Object::Certificate(it) = object {
            return self.has_another_order(it).await;
        }
        let is_too_early = match object {
            Object::Ingress(_) | Object::HTTPRoute(_) => {
                self.cache.propagation(|it| it.awaits_middlewares(self.now))
            }
            Object::Service(_) => self.is_too_early_to_open(std::slice::from_ref(object)),
            _ => false,
        };
        if !is_too_early {
            return Ok(false);
        }
        let found = self.own(object.owned().kind, &object.name()).await?;
        Ok(found.is_some())
    }

    /// Whether one of these is a Service that says what its proxy may not know yet.
    #[must_use]
    pub fn is_too_early_to_open(&self, opens: &[Object]) -> bool {
        let names = |it: &ObjectMeta| {
            let annotations = it.annotations.as_ref();
            annotations.is_some_and(|it| it.contains_key(annotation::TRANSPORT))
        };
        let mut services = opens.iter().filter_map(|it| match it {
            Object::Service(it) => Some(&it.metadata),
            _ => None,
        });
        services.any(names) && self.cache.propagation(|it| it.awaits_transports(self.now))
    }

    /// When that is to be done for which it was too early.
    #[must_use]
    pub fn postponed(&self) -> Option<Timestamp> {
        self.cache.propagation(|it| it.postponed(self.now))
    }

    /// Whether the API server has a kind.
    fn is_served(&self, owned: &OwnedKind) -> bool {
        !owned.traits.optional || self.optional.serves(owned.kind)
    }

    async fn send(&self, object: &Object) -> Result<Object> {
        Ok(match object {
            Object::Finished(name) => Object::Finished(name.clone()),
            Object::Job(it) => Object::Job(self.job(it).await?),
            Object::Deployment(it) => Object::Deployment(self.deployment(it).await?),
            other => self.put_object(other).await?,
        })
    }

    async fn put_object(&self, object: &Object) -> Result<Object> {
        let (kind, name) = (object.owned().kind, object.name());
        let answer = if object.is_immutable() {
            self.put_content(kind, &name, object).await?
        } else {
            self.put(kind, &name, object).await?
        };
        Object::parse(kind.name(), answer).map_err(|error| not_json(kind, &name, error))
    }

    /// Applies what is named by its content and made to last. What somebody else has put under its name with another
    /// content could never be corrected, so it makes room.
    async fn put_content<T: Serialize, A: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        object: &T,
    ) -> Result<A> {
        match self.put(kind, name, object).await {
            Err(error) if error.is_of_lasting_content() => {
                let Some(uid) = self.own(kind, name).await? else {
                    return Err(error);
                };
                tracing::info!(
                    ?kind,
                    name,
                    "somebody gave it another content; it is made again"
                );
                self.delete(kind, name, Some(uid)).await?;
                self.put(kind, name, object).await
            }
            answer => answer,
        }
    }

    /// Applies an object under the UID that is known of it: one that took its name meanwhile is not written to. Then, or
    /// if ours was deleted, the name is looked at again. Gives the answer as whatever type it is wanted.
    async fn put<T: Serialize, A: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        object: &T,
    ) -> Result<A> {
        if let Some(uid) = self.cache.claimed(kind.name(), name) {
            match self.patch(kind, name, object, Some(uid)).await {
                Err(error) if error.class() == Class::Conflict => {
                    self.cache.unclaim(kind.name(), name);
                }
                answer => return answer,
            }
        }
        let uid = self.own(kind, name).await?;
        self.patch(kind, name, object, uid).await
    }

    /// The UID of what is there under a name, which must be ours.
    async fn own(&self, kind: Kind, name: &str) -> Result<Option<String>> {
        let found = send(self.objects(kind).get_metadata_opt(name)).await;
        let Some(found) = found.map_err(|source| unread(kind, name, source))? else {
            return Ok(None);
        };
        self.claim(kind, name, &found.metadata)?;
        Ok(found.metadata.uid)
    }

    async fn patch<T: Serialize, A: DeserializeOwned>(
        &self,
        kind: Kind,
        name: &str,
        object: &T,
        uid: Option<String>,
    ) -> Result<A> {
        let mut object = serde_json::to_value(object).map_err(|it| not_json(kind, name, it))?;
        if let Some(uid) = uid {
            object["metadata"]["uid"] = uid.into();
        }
        let params = as_applied();
        self.cache.invalidate(kind.name(), name);
        let api = self.objects(kind);
        let answer = send(api.patch(name, &params, &Patch::Apply(&object))).await;
        let answer = answer.map_err(|source| {
            let source = source.in_words(|text| place::named(text, &object));
            refused(kind, name, source)
        })?;
        if let Some(uid) = &answer.metadata.uid {
            self.cache.claim(kind.name(), name, uid);
        }
        typed(answer).map_err(|it| not_json(kind, name, it))
    }

    /// A Job's template cannot be changed, so one that is there is left to run. One that ended is deleted when anything
    /// that it reads has changed; its deletion wakes us, and the next one is made.
    async fn job(&self, wanted: &Job) -> Result<Box<Job>> {
        let name = wanted.name_any();
        let Some(found) = self.existing_job(&name).await? else {
            return self.patch(Kind::of::<Job>(), &name, wanted, None).await;
        };
        let inputs = |job: &Job| job.annotations().get(annotation::INPUTS_HASH).cloned();
        if job::has_ended(&found) && inputs(&found) != inputs(wanted) {
            self.delete(Kind::of::<Job>(), &name, found.metadata.uid.clone())
                .await?;
            return Ok(Box::new(wanted.clone()));
        }
        Ok(Box::new(found))
    }

    /// The Job of this name.
    ///
    /// # Errors
    /// If the API server refuses the read, or it is not ours.
    pub async fn existing_job(&self, name: &str) -> Result<Option<Job>> {
        if let Some(job) = self.jobs().get(name) {
            return Ok(Some(job.clone()));
        }
        let found = send(self.api::<Job>().get_opt(name)).await;
        let Some(found) = found.map_err(|source| unread(Kind::of::<Job>(), name, source))? else {
            return Ok(None);
        };
        self.claim(Kind::of::<Job>(), name, &found.metadata)?;
        self.jobs().insert(name.to_owned(), found.clone());
        Ok(Some(found))
    }

    /// The Jobs that were read in this reconciliation.
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        // A panic elsewhere leaves it whole: each change is one insertion or removal.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a Job that is late: it fails as one whose deadline has passed, and says why.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn end_late_job(&self, run: &JobRun, why: &str) -> Result<()> {
        let (kind, name) = (Kind::of::<Job>(), run.name.as_str());
        let patch = json!({
            "metadata": {"uid": run.uid, "annotations": {annotation::LATE: why}},
            "spec": {"activeDeadlineSeconds": 1},
        });
        let params = PatchParams {
            field_manager: Some(MANAGER.into()),
            ..PatchParams::default()
        };
        self.cache.invalidate(kind.name(), name);
        self.jobs().remove(name);
        let answer = send(
            self.api::<Job>()
                .patch(name, &params, &Patch::Merge(&patch)),
        )
        .await;
        tracing::info!(job = name, why, "a Job that is late is ended");
        answer
            .map(drop)
            .map_err(|source| refused(kind, name, source))
    }

    /// Ends a Job whose pods, as they were seen, have never started a container. If one has moved since, the next reconcile
    /// looks again.
    ///
    /// # Errors
    /// If the API server refuses a deletion.
    pub async fn end_unstarted_job(&self, job: &Job, pods: &[PodVersion]) -> Result<()> {
        let as_seen = pods.iter().map(|it| {
            let only = Preconditions {
                uid: Some(it.uid.clone()),
                resource_version: Some(it.version.clone()),
            };
            (Kind::of::<Pod>(), it.name.clone(), only)
        });
        // Its status counts its pods: where there were none, it must not have got one since.
        let of_job = Preconditions {
            uid: job.uid(),
            resource_version: job.resource_version().filter(|_| pods.is_empty()),
        };
        for (kind, name, only) in as_seen.chain([(Kind::of::<Job>(), job.name_any(), of_job)]) {
            match self.delete_if(kind, &name, only).await {
                Err(error) if error.class() == Class::Conflict => return Ok(()),
                answer => answer?,
            }
        }
        tracing::info!(
            job = job.name_any(),
            "a Job that could not start is replaced"
        );
        Ok(())
    }

    /// Ends a Job that can be begun again at any time.
    ///
    /// # Errors
    /// If the API server refuses the deletion.
    pub async fn end_job(&self, name: &str) -> Result<()> {
        self.delete(Kind::of::<Job>(), name, None).await
    }

    /// Makes sure that what was found under a name is ours: nobody else's object is ever taken over.
    fn claim(&self, kind: Kind, name: &str, found: &ObjectMeta) -> Result<()> {
        if self.is_ours(found) {
            return Ok(());
        }
        Err(Error::NameTaken {
            kind: kind.name(),
            name: name.into(),
        })
    }

    /// Ours is what we labelled for this stack and what no other object controls. An object that outlived an
    /// earlier AppStack of the same name has no owner and is taken over again.
    fn is_ours(&self, found: &ObjectMeta) -> bool {
        let label = |key| Some(found.labels.as_ref()?.get(key)?.as_str());
        let labelled = label(label::STACK) == Some(&self.app.name_any())
            && label(label::MANAGED_BY) == Some(MANAGER);
        let mut owners = found.owner_references.iter().flatten();
        let controller = owners.find(|it| it.controller == Some(true));
        labelled && controller.is_none_or(|it| Some(&it.uid) == self.app.metadata.uid.as_ref())
    }

    /// Deletes pods, so that their controller makes them anew. One that is another by now needs it no more.
    ///
    /// # Errors
    /// If the API server refuses a deletion.
    pub async fn replace_pods(&self, pods: impl Iterator<Item = &OldPod>) -> Result<()> {
        for pod in pods {
            match self
                .delete(Kind::of::<Pod>(), &pod.name, Some(pod.uid.clone()))
                .await
            {
                Ok(()) => tracing::info!(pod = pod.name, "a pod that was stuck is replaced"),
                Err(error) if error.class() == Class::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn delete(&self, kind: Kind, name: &str, uid: Option<String>) -> Result<()> {
        let of_this = Preconditions {
            uid,
            resource_version: None,
        };
        self.delete_if(kind, name, of_this).await
    }

    async fn delete_if(&self, kind: Kind, name: &str, only: Preconditions) -> Result<()> {
        let params = DeleteParams::background().preconditions(only);
        self.cache.invalidate(kind.name(), name);
        if kind.name() == Kind::of::<Job>().name() {
            self.jobs().remove(name);
        }
        match send(self.objects(kind).delete(name, &params)).await {
            Err(source) if !source.is_not_found() => Err(Error::Delete {
                kind: kind.name(),
                name: name.into(),
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Writes the status, unless it is what the API server has already: a write would wake us again.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn status(&self, status: &AppStackStatus) -> Result<()> {
        if self.app.status.as_ref() == Some(status) {
            return Ok(());
        }
        let api: Api<AppStack> = self.api();
        let patch = json!({
            "apiVersion": AppStack::api_version(&()),
            "kind": AppStack::kind(&()),
            "metadata": {"uid": self.app.metadata.uid},
            "status": status,
        });
        let params = PatchParams::apply(STATUS_MANAGER).force();
        let name = self.app.name_any();
        match send(api.patch_status(&name, &params, &Patch::Apply(&patch))).await {
            // The AppStack was deleted while we worked; there is nobody left to tell.
            Err(source) if source.is_not_found() => Ok(()),
            answer => answer.map(drop).map_err(Error::Status),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The objects of a kind.
    fn objects(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }
}

/// An answer as another type.
fn typed<A: DeserializeOwned>(answer: DynamicObject) -> serde_json::Result<A> {
    serde_json::from_value(serde_json::to_value(answer)?)
}

fn unread(kind: Kind, name: &str, source: CallError) -> Error {
    Error::Read {
        what: format!("{} {name}", kind.name()),
        source,
    }
}

fn refused(kind: Kind, name: &str, source: CallError) -> Error {
    Error::Apply {
        kind: kind.name(),
        name: name.into(),
        source,
    }
}

fn not_json(kind: Kind, name: &str, error: serde_json::Error) -> Error {
    let error = kube::Error::SerdeError(error);
    refused(kind, name, CallError::Kube(Box::new(error)))
}
