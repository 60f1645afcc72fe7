//! The kinds of objects that we own.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ObjectMeta;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::model::kinds::Middleware;
use crate::model::names::ChildName;

/// The kinds that we own. There is no "other": a new kind must be taught to apply, observe, prune and the chart.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Object {
    /// The identity of pods; it may nothing.
    ServiceAccount(Box<ServiceAccount>),
    /// A Secret of ours.
    Secret(Box<Secret>),
    /// The runtime configuration of the frontend.
    ConfigMap(Box<ConfigMap>),
    /// Who may talk to whom.
    NetworkPolicy(Box<NetworkPolicy>),
    /// A stable address of pods.
    Service(Box<Service>),
    /// The database's data. Never deleted by the operator.
    PersistentVolumeClaim(Box<PersistentVolumeClaim>),
    /// The database.
    StatefulSet(Box<StatefulSet>),
    /// Something that is to run once, such as a migration.
    Job(Box<Job>),
    /// Something that was to run once and is recorded as done: kept while it is there, never made again.
    #[serde(skip)]
    Finished(ChildName),
    /// What runs a job at certain times.
    CronJob(Box<CronJob>),
    /// Backend, frontend or a worker.
    Deployment(Box<Deployment>),
    /// How many pods an eviction must leave.
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    /// What chooses the number of pods.
    HorizontalPodAutoscaler(Box<HorizontalPodAutoscaler>),
    /// What Traefik does with a request on its way.
    Middleware(Box<Middleware>),
    /// A way in.
    Ingress(Box<Ingress>),
}

impl<'de> Deserialize<'de> for Object {
    /// By its kind. Errors name a kind that is not ours.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn of<T: DeserializeOwned, E: de::Error>(value: Value) -> Result<Box<T>, E> {
            serde_json::from_value(value)
                .map(Box::new)
                .map_err(E::custom)
        }
        let value = Value::deserialize(deserializer)?;
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        Ok(match kind.as_str() {
            "ServiceAccount" => Self::ServiceAccount(of(value)?),
            "ConfigMap" => Self::ConfigMap(of(value)?),
            "NetworkPolicy" => Self::NetworkPolicy(of(value)?),
            "Service" => Self::Service(of(value)?),
            "StatefulSet" => Self::StatefulSet(of(value)?),
            "CronJob" => Self::CronJob(of(value)?),
            "Deployment" => Self::Deployment(of(value)?),
            "PodDisruptionBudget" => Self::PodDisruptionBudget(of(value)?),
            "HorizontalPodAutoscaler" => Self::HorizontalPodAutoscaler(of(value)?),
            "Middleware" => Self::Middleware(of(value)?),
            "Ingress" => Self::Ingress(of(value)?),
            _ => {
                return Err(de::Error::custom(format!(
                    "objects of kind {kind:?} are not kept"
                )));
            }
        })
    }
}

impl Object {
    /// The kind, as manifests spell it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount(_) => "ServiceAccount",
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
            Self::NetworkPolicy(_) => "NetworkPolicy",
            Self::Service(_) => "Service",
            Self::PersistentVolumeClaim(_) => "PersistentVolumeClaim",
            Self::StatefulSet(_) => "StatefulSet",
            Self::Job(_) | Self::Finished(_) => "Job",
            Self::CronJob(_) => "CronJob",
            Self::Deployment(_) => "Deployment",
            Self::PodDisruptionBudget(_) => "PodDisruptionBudget",
            Self::HorizontalPodAutoscaler(_) => "HorizontalPodAutoscaler",
            Self::Middleware(_) => "Middleware",
            Self::Ingress(_) => "Ingress",
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Finished(name) => name.to_string(),
            other => {
                let name = other.metadata().and_then(|it| it.name.clone());
                name.unwrap_or_default()
            }
        }
    }

    /// Whether it makes the pods that these labels select.
    #[must_use]
    pub fn runs(&self, selector: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Deployment(it) => {
                let spec = it.spec.as_ref();
                spec.and_then(|it| it.selector.match_labels.as_ref()) == Some(selector)
            }
            _ => false,
        }
    }

    /// The metadata; `None` of what is only known to be done.
    #[must_use]
    pub const fn metadata(&self) -> Option<&ObjectMeta> {
        Some(match self {
            Self::ServiceAccount(it) => &it.metadata,
            Self::Secret(it) => &it.metadata,
            Self::ConfigMap(it) => &it.metadata,
            Self::NetworkPolicy(it) => &it.metadata,
            Self::Service(it) => &it.metadata,
            Self::PersistentVolumeClaim(it) => &it.metadata,
            Self::StatefulSet(it) => &it.metadata,
            Self::Job(it) => &it.metadata,
            Self::Finished(_) => return None,
            Self::CronJob(it) => &it.metadata,
            Self::Deployment(it) => &it.metadata,
            Self::PodDisruptionBudget(it) => &it.metadata,
            Self::HorizontalPodAutoscaler(it) => &it.metadata,
            Self::Middleware(it) => &it.metadata,
            Self::Ingress(it) => &it.metadata,
        })
    }

    /// The same, to be changed.
    pub const fn metadata_mut(&mut self) -> Option<&mut ObjectMeta> {
        Some(match self {
            Self::ServiceAccount(it) => &mut it.metadata,
            Self::Secret(it) => &mut it.metadata,
            Self::ConfigMap(it) => &mut it.metadata,
            Self::NetworkPolicy(it) => &mut it.metadata,
            Self::Service(it) => &mut it.metadata,
            Self::PersistentVolumeClaim(it) => &mut it.metadata,
            Self::StatefulSet(it) => &mut it.metadata,
            Self::Job(it) => &mut it.metadata,
            Self::Finished(_) => return None,
            Self::CronJob(it) => &mut it.metadata,
            Self::Deployment(it) => &mut it.metadata,
            Self::PodDisruptionBudget(it) => &mut it.metadata,
            Self::HorizontalPodAutoscaler(it) => &mut it.metadata,
            Self::Middleware(it) => &mut it.metadata,
            Self::Ingress(it) => &mut it.metadata,
        })
    }
}
