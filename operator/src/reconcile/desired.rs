//! Turns a `Stack` into the objects it needs, stage by stage.
//!
//! Invariant: nothing here reads the cluster, the clock or the environment, and nothing can fail: whatever could
//! be wrong was found by `check`.

mod assets;
mod backend;
mod database;
mod edge;
mod frontend;
mod images;
mod job;
mod jobs;
mod meta;
mod migration;
mod network;
mod pod;
mod process;
mod role;
mod workload;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::CustomResource;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::names::ChildName;
use super::record::Record;
use super::stack::Stack;
use super::tries::Patience;
use crate::api::StageName;

pub use images::{Pull, pulls};
pub use meta::{selector, selector_text};
pub use process::HEAD;
pub use role::{REVOKE, revocation};

/// Every object of a stack, in roll-out order.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The hash of the release that these objects are of.
    pub release: String,
    /// The stages. A name may come twice; its stages then follow each other.
    pub stages: Vec<Stage>,
}

/// The objects that are applied together before their gate is judged.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which stage this is.
    pub name: StageName,
    /// The objects, in the order in which they are applied.
    pub objects: Vec<Object>,
    /// How a release that is not known to be good is asked as visitors ask it, once all else is well.
    pub check: Option<Check>,
    /// What is applied once the gate is open: it turns requests to the new pods.
    pub opens: Vec<Object>,
    /// What is written down when the gate opens.
    pub record: Option<Record>,
}

/// What is asked before a gate opens, as visitors ask it.
#[derive(Clone, Debug)]
pub struct Check {
    /// The addresses, all of which must answer well.
    pub urls: Vec<String>,
    /// Who is asked.
    pub asked: Asked,
    /// How long it may take to be well, and how long it must be.
    pub patience: Patience,
}

/// Who is asked for the addresses of a check.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Each of the new pods itself, before any visitor comes to it.
    Pods {
        /// Their labels.
        selector: BTreeMap<String, String>,
        /// The port that they listen on.
        port: i32,
    },
    /// The ingress controller.
    Edge {
        /// The PEM of the certificate that must be served; `None` for plain HTTP.
        certificate: Option<String>,
    },
}

/// Which way a release is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To a new release: the backend goes first, since a new site may ask for what only it has.
    Forward,
    /// To a kept one: the site goes first, since the backend that it leaves can do all that it may ask for.
    Back,
}

impl Stage {
    /// Every object, in the order in which it is applied.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.opens)
    }

    fn new(name: StageName, objects: Vec<Object>) -> Self {
        Self {
            name,
            objects,
            check: None,
            opens: Vec::new(),
            record: None,
        }
    }
}

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

/// Traefik's middleware, as much of it as we use.
///
/// Source: `traefik.io/v1alpha1`, <https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/middleware/>.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "traefik.io",
    version = "v1alpha1",
    kind = "Middleware",
    namespaced,
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct MiddlewareSpec {
    /// Sends the client to another scheme and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_scheme: Option<RedirectScheme>,
    /// Adds headers to the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
}

/// Where to send a client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RedirectScheme {
    /// `https`.
    pub scheme: String,
    /// The port, as text; none means the scheme's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Whether clients may remember it.
    pub permanent: bool,
}

/// Headers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// For how many seconds browsers use HTTPS alone.
    pub sts_seconds: i64,
}

/// The objects of a stack.
#[must_use]
pub fn build(stack: &Stack, direction: Direction) -> Desired {
    let mut stages = if stack.hibernates {
        falling_asleep(stack)
    } else {
        awake(stack, direction)
    };
    stages.push(edge::stage(stack));
    Desired {
        release: stack.release.clone(),
        stages,
    }
}

fn awake(stack: &Stack, direction: Direction) -> Vec<Stage> {
    let mut stages = vec![database_stage(stack)];
    let embedded = stack.database.embedded.as_ref();
    stages.extend(embedded.map(|it| role::stage(stack, it)));
    stages.extend(migration::stages(stack));
    let backend = Some(backend::stage(stack));
    let frontend = stack.frontend.as_ref().map(|it| frontend::stage(stack, it));
    stages.extend(match direction {
        Direction::Forward => backend.into_iter().chain(frontend),
        Direction::Back => frontend.into_iter().chain(backend),
    });
    stages
}

/// Whoever needs another part goes before it, so that each ends in peace.
fn falling_asleep(stack: &Stack) -> Vec<Stage> {
    let frontend = stack.frontend.as_ref().map(|it| frontend::stage(stack, it));
    frontend
        .into_iter()
        .chain([backend::stage(stack), database_stage(stack)])
        .collect()
}

fn database_stage(stack: &Stack) -> Stage {
    let objects = shared(stack).chain(database::objects(stack));
    Stage::new(StageName::Database, objects.collect())
}

impl Desired {
    /// Every object, in the order in which it is applied.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.stages.iter().flat_map(Stage::all)
    }

    /// Whether an object of this kind and name is in it.
    #[must_use]
    pub fn has(&self, object: &Object) -> bool {
        self.objects()
            .any(|it| it.kind() == object.kind() && it.name() == object.name())
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
}

/// What the pods of every stage need; applied with the first one.
fn shared(stack: &Stack) -> impl Iterator<Item = Object> {
    let account = ServiceAccount {
        metadata: meta::object(
            stack,
            &stack.names.service_account(),
            meta::Component::Shared,
        ),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    [
        Object::ServiceAccount(Box::new(account)),
        Object::Secret(Box::new(database::generated_secrets(stack))),
        Object::Secret(Box::new(database::application(stack))),
        Object::Secret(Box::new(values(stack))),
    ]
    .into_iter()
    .chain(network::policies(stack))
}

/// Everything that pods of the backend image read. Its name says its content, so nobody is to change it.
fn values(stack: &Stack) -> Secret {
    let name = stack.names.values(&stack.secrets.hash);
    Secret {
        metadata: meta::object(stack, &name, meta::Component::Backend),
        data: Some(pod::bytes(&stack.secrets.values)),
        immutable: Some(true),
        ..Secret::default()
    }
}
