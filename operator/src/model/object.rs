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
use serde::de::{self, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::model::child_name::ChildName;
use crate::model::kinds::{Certificate, HTTPRoute, Middleware, ServersTransport};
use crate::runtime::kind::Kind;

/// What is true of a kind that we own.
#[derive(Clone, Copy, Debug)]
pub struct OwnedKind {
    /// The kind.
    pub kind: Kind,
    /// What follows from it.
    pub traits: Traits,
}

/// What is true of the objects of a kind. Where nothing is said, it is not so.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else, and any of them may be true"
)]
pub struct Traits {
    /// A release is kept with them: they are read again when it is restored.
    pub kept: bool,
    /// They are deleted when no release needs them.
    pub pruned: bool,
    /// Specs refer to others of the kind, so that all of them are watched and not ours alone.
    pub referenced: bool,
    /// The kind is another project's, and not every API server has it.
    pub optional: bool,
}

/// A type whose kind is in the table.
trait Owned {
    const OWNED: OwnedKind;
}

/// Makes [`Object`] and what is the same for all kinds from one table.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $($is:ident)*;)*) => {
        /// The kinds that we own. There is no "other".
        #[derive(Clone, Debug, Serialize)]
        #[serde(untagged)]
        pub enum Object {
            $($(#[$doc])* $kind(Box<$kind>),)*
            /// A Job that was to run once and is recorded as done: kept while it is there, never made again.
            #[serde(skip)]
            Finished(ChildName),
        }

        $(impl Owned for $kind {
            const OWNED: OwnedKind = OwnedKind {
                kind: Kind::named::<$kind>(stringify!($kind)),
                traits: Traits { $($is: true,)* ..Traits::NONE },
            };
        })*

        impl Object {
            /// All of them, in the order in which they are pruned.
            pub const KINDS: &[OwnedKind] = &[$($kind::OWNED,)*];

            /// Its kind, and what is true of that.
            #[must_use]
            pub const fn owned(&self) -> &'static OwnedKind {
                match self {
                    $(Self::$kind(_) => &$kind::OWNED,)*
                    Self::Finished(_) => &Job::OWNED,
                }
            }

            /// The metadata; `None` of what is only known to be done.
            #[must_use]
            pub const fn metadata(&self) -> Option<&ObjectMeta> {
                Some(match self {
                    $(Self::$kind(it) => &it.metadata,)*
                    Self::Finished(_) => return None,
                })
            }

            /// The same, to be changed.
            pub const fn metadata_mut(&mut self) -> Option<&mut ObjectMeta> {
                Some(match self {
                    $(Self::$kind(it) => &mut it.metadata,)*
                    Self::Finished(_) => return None,
                })
            }

            /// An object of a kind, as the API server answers it.
            ///
            /// # Errors
            /// If it is not of that kind, or that is not ours.
            pub fn parse(kind: &str, object: Value) -> serde_json::Result<Self> {
                match kind {
                    $(stringify!($kind) => serde_json::from_value(object).map(Self::$kind),)*
                    _ => Err(serde_json::Error::custom(format!("kind {kind:?} is not ours"))),
                }
            }
        }
    };
}

// The table. A new kind is a line here, its objects in `build`, and its rights in the chart; what a gate sees of it, if
// anything, is `cluster::observe`'s to say.
kinds! {
    /// The identity of pods; it may nothing.
    ServiceAccount: kept pruned;
    /// A Secret of ours.
    Secret: pruned referenced;
    /// The runtime configuration of the frontend.
    ConfigMap: kept pruned referenced;
    /// Who may talk to whom.
    NetworkPolicy: kept pruned;
    /// A stable address of pods.
    Service: kept pruned;
    /// The database's data. Never deleted by the operator.
    PersistentVolumeClaim:;
    /// The database.
    StatefulSet: kept pruned;
    /// Something that is to run once, such as a migration.
    Job: pruned;
    /// What runs a job at certain times.
    CronJob: kept pruned;
    /// What chooses the number of pods. It goes before what it scales.
    HorizontalPodAutoscaler: kept pruned;
    /// Backend, frontend or a worker.
    Deployment: kept pruned;
    /// How many pods an eviction must leave.
    PodDisruptionBudget: kept pruned;
    /// What cert-manager is to issue. Its Secret is none of ours, and stays.
    Certificate: kept pruned optional;
    /// A way in.
    Ingress: kept pruned;
    /// A way in by a Gateway.
    HTTPRoute: kept pruned optional;
    /// What Traefik does with a request on its way.
    Middleware: kept pruned optional;
    /// How Traefik asks pods.
    ServersTransport: kept pruned optional;
}

impl Traits {
    const NONE: Self = Self {
        kept: false,
        pruned: false,
        referenced: false,
        optional: false,
    };
}

impl<'de> Deserialize<'de> for Object {
    /// By its kind. Errors name a kind that no release is kept with.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        if !Self::is_kept(&kind) {
            return Err(de::Error::custom(format!(
                "objects of kind {kind:?} are not kept"
            )));
        }
        Self::parse(&kind, value).map_err(de::Error::custom)
    }
}

impl Object {
    /// The kind, as manifests spell it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.owned().kind.name()
    }

    fn is_kept(kind: &str) -> bool {
        let mut kept = Self::KINDS.iter().filter(|it| it.traits.kept);
        kept.any(|it| it.kind.name() == kind)
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

    /// Whether two are of one kind and name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.name() == other.name()
    }

    /// Whether its content can never be changed.
    #[must_use]
    pub fn is_immutable(&self) -> bool {
        match self {
            Self::Secret(it) => it.immutable == Some(true),
            Self::ConfigMap(it) => it.immutable == Some(true),
            _ => false,
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
}
