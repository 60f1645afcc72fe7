//! Writes facts down, and removes what nobody needs to know any more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::Writer;
use crate::api::{AppStack, DATA_FINALIZER, MANAGER, UNPRUNED, annotation, label};
use crate::cluster::call::send;
use crate::error::{Error, Result};
use crate::model::child_name::ChildName;
use crate::model::fact::{Hold, Keeper, Record};
use crate::model::identity::ManifestsHash;
use crate::model::names::Names;
use crate::release::{data, record};
use crate::runtime::kind::{Kind, kind};

/// The field manager of the finalizer of an AppStack, which we apply apart from all else.
const DATA_MANAGER: &str = "appstack-operator/data";

impl Writer<'_> {
    /// Writes a fact down, and gives the time at which it was first written down. Writing it again changes nothing but
    /// its place in the order.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn record(&self, record: &Record, revision: i64) -> Result<Option<Timestamp>> {
        let names = Names::of(&self.app.name_any());
        let owner = self.keeper(&data::keeper(record, self.app.spec.deletion_policy()));
        let object = record::object(&names, &self.namespace, owner, record, revision);
        let (kind, name) = (record_kind(), object.name_any());
        let put: Result<ControllerRevision> = if is_content(record) {
            self.put_content(kind, &name, &object).await
        } else {
            self.put(kind, &name, &object).await
        };
        let kept = match put {
            // It was written before, by a version that says the same otherwise: what it says never changes.
            Err(error) if error.is_of_lasting_content() && !is_content(record) => {
                self.mark(&object).await?
            }
            answer => answer?,
        };
        Ok(kept.metadata.creation_timestamp.map(|time| time.0))
    }

    /// Writes down who has the data. An AppStack that is deleted meanwhile waits for a Job that changes them.
    ///
    /// # Errors
    /// If somebody has them already, or the API server refuses it.
    pub async fn hold(&self, hold: &Hold) -> Result<()> {
        if hold.fact.is_some() {
            self.keep_from_deletion(true).await?;
        }
        let names = Names::of(&self.app.name_any());
        let owner = self.app.controller_owner_ref(&());
        let record = Record::Hold(hold.clone());
        let object = record::object(&names, &self.namespace, owner, &record, 1);
        let put: Result<ControllerRevision> =
            self.put(record_kind(), &object.name_any(), &object).await;
        put.map(drop)
    }

    /// Writes down that nobody has the data any more.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn release(&self, hold: &Hold) -> Result<()> {
        let names = Names::of(&self.app.name_any());
        self.forget(&names.data_hold()).await?;
        if hold.fact.is_some() {
            self.keep_from_deletion(false).await?;
        }
        Ok(())
    }

    /// Says whether an AppStack that is deleted stays for now.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn keep_from_deletion(&self, stays: bool) -> Result<()> {
        let wanted: Vec<&str> = stays.then_some(DATA_FINALIZER).into_iter().collect();
        let patch = json!({
            "apiVersion": AppStack::api_version(&()),
            "kind": AppStack::kind(&()),
            "metadata": {"uid": self.app.metadata.uid, "finalizers": wanted},
        });
        let params = PatchParams::apply(DATA_MANAGER).force();
        let name = self.app.name_any();
        match send(
            self.api::<AppStack>()
                .patch(&name, &params, &Patch::Apply(&patch)),
        )
        .await
        {
            Err(source) if !source.is_not_found() => Err(Error::Apply {
                kind: kind::<AppStack>(),
                name,
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Lets a record go with what it should go with.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn keep_with(&self, name: &str, keeper: &Keeper) -> Result<()> {
        let owners: Vec<_> = self.keeper(keeper).into_iter().collect();
        let outlives = !matches!(keeper, Keeper::Stack);
        let marks = UNPRUNED.map(|(key, value)| (key, outlives.then_some(value)));
        let marks = BTreeMap::from(marks);
        let patch = json!({"metadata": {"ownerReferences": owners, "annotations": marks}});
        self.merge(name, &patch).await.map(drop)
    }

    fn keeper(&self, keeper: &Keeper) -> Option<OwnerReference> {
        match keeper {
            Keeper::Stack => self.app.controller_owner_ref(&()),
            Keeper::Volume(uid) => Some(OwnerReference {
                api_version: PersistentVolumeClaim::api_version(&()).into(),
                kind: PersistentVolumeClaim::kind(&()).into(),
                name: Names::of(&self.app.name_any()).database_volume().into(),
                uid: uid.into(),
                ..OwnerReference::default()
            }),
            Keeper::Nobody => None,
        }
    }

    /// Changes what of a record may change: its place in the order and its annotations.
    async fn mark(&self, object: &ControllerRevision) -> Result<ControllerRevision> {
        let name = object.name_any();
        let mut annotations = json!({annotation::ASSETS: null, annotation::MANIFESTS: null});
        for (key, value) in object.annotations() {
            annotations[key] = value.as_str().into();
        }
        let patch = json!({
            "metadata": {"annotations": annotations},
            "revision": object.revision,
        });
        self.merge(&name, &patch).await
    }

    async fn merge(&self, name: &str, patch: &Value) -> Result<ControllerRevision> {
        self.cache.invalidate(kind::<ControllerRevision>(), name);
        let params = PatchParams {
            field_manager: Some(MANAGER.into()),
            ..PatchParams::default()
        };
        let api = self.api::<ControllerRevision>();
        let answer = send(api.patch(name, &params, &Patch::Merge(patch))).await;
        answer.map_err(|source| Error::Apply {
            kind: kind::<ControllerRevision>(),
            name: name.into(),
            source,
        })
    }

    /// Removes the manifests of releases that are not kept any more. `needed` are the hashes of those that are.
    ///
    /// # Errors
    /// If the API server refuses the list or a deletion.
    pub async fn forget_manifests(&self, needed: &BTreeSet<ManifestsHash>) -> Result<()> {
        let names = Names::of(&self.app.name_any());
        let needed: BTreeSet<String> = needed.iter().map(|it| names.manifests(it).into()).collect();
        let ours = format!("{}={},{}", label::STACK, names.stack(), label::MANIFESTS);
        let api = self.api::<ControllerRevision>();
        let list = send(api.list_metadata(&ListParams::default().labels(&ours))).await;
        let list = list.map_err(|source| Error::Read {
            what: "the list of the objects of releases".into(),
            source,
        })?;
        for found in list {
            let name = found.name_any();
            if !needed.contains(&name) && self.is_ours(&found.metadata) {
                self.delete(record_kind(), &name, found.metadata.uid)
                    .await?;
            }
        }
        Ok(())
    }

    /// Removes a record.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn forget(&self, record: &ChildName) -> Result<()> {
        self.delete(record_kind(), record.as_str(), None).await
    }
}

/// The kind of the objects that hold records.
fn record_kind() -> Kind {
    Kind::of::<ControllerRevision>()
}

/// Whether a record is named by all that it says.
const fn is_content(record: &Record) -> bool {
    matches!(record, Record::Manifests { .. })
}
