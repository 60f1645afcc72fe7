//! The API that users see: group, kinds and the keys of our labels and annotations.
//!
//! Invariant: data only. Nothing here decides, reads or writes.

pub mod reason;
pub mod status;
pub mod v1alpha1;

pub use reason::Reason;
pub use status::{
    AppStackStatus, CertificateStatus, ConditionType, HostStep, ReleaseStatus, StageName,
    UnreachedHost, Urls,
};
pub use v1alpha1::*;

/// The API group of every kind of ours.
pub const GROUP: &str = "appstack.dev";
/// The field manager of everything we apply, and the value of `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "appstack-operator";
/// The field manager of the status, apart from the one of the children.
pub const STATUS_MANAGER: &str = "appstack-operator/status";
/// The field manager of numbers of pods that are an autoscaler's: they stay when [`MANAGER`] no longer says them.
pub const SCALE_MANAGER: &str = "appstack-operator/scale";

/// What outlives its AppStack says to Argo CD and to Flux that it is not theirs to take away.
pub const UNPRUNED: [(&str, &str); 2] = [
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
];

/// Label keys on every child.
pub mod label {
    /// The name of the `AppStack` that a child belongs to. Part of every selector.
    pub const STACK: &str = "appstack.dev/stack";
    /// The part of the stack: `database`, `migration`, `backend`, `job`, `frontend`, `edge`; `images` for what pulls them
    /// before a release begins. Part of every selector.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// On pods that run all the time: the hash of their template. Part of the selectors, so that requests go to one revision alone.
    pub const REVISION: &str = "appstack.dev/revision";
    /// On the objects and pods of a job: which one of `spec.jobs` it is.
    pub const JOB: &str = "appstack.dev/job";
    /// On what keeps a record: its kind. A revision of a StatefulSet has none.
    pub const RECORD: &str = "appstack.dev/record";
    /// On what keeps the objects of a release as they were rendered, in place of [`RECORD`]: these are read by name alone.
    pub const MANIFESTS: &str = "appstack.dev/manifests";
    /// Which installation of an application an object is of. By it Argo CD takes what nobody owns for its own, and takes it away.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Who made the object; always [`super::MANAGER`].
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
}

/// Keeps an AppStack that is deleted until what changes its data is over. It is there only while something does.
pub const DATA_FINALIZER: &str = "appstack.dev/data";

/// Annotation keys on children.
pub mod annotation {
    /// On a Service: how Traefik asks its pods, by the name of a ServersTransport. It is Traefik's own word.
    pub const TRANSPORT: &str = "traefik.ingress.kubernetes.io/service.serverstransport";
    /// On an AppStack: the name of the release that may be rolled out where `rollout.approval` is `Required`.
    pub const APPROVE: &str = "appstack.dev/approve";
    /// On an AppStack: any value. A release that failed is tried once more when it changes.
    pub const RETRY: &str = "appstack.dev/retry";
    /// On an AppStack: any value. When it changes, a new SECRET_KEY is generated; the old one is believed for one release more.
    pub const ROTATE_SECRET_KEY: &str = "appstack.dev/rotate-secret-key";
    /// On an AppStack: any value. When it changes, a release is made by the templates of the operator of now.
    pub const RENEW: &str = "appstack.dev/renew";
    /// On an AppStack: any value. When it changes, the embedded database takes the templates of the operator of now, for which its pod
    /// is started again.
    pub const RENEW_DATABASE: &str = "appstack.dev/renew-database";
    /// On the record of a release: the hash of its objects as they were rendered; it names what keeps them.
    pub const MANIFESTS: &str = "appstack.dev/manifests";
    /// On the record of a release: the images whose assets its frontend serves beside its own, oldest first, with commas.
    pub const ASSETS: &str = "appstack.dev/assets";
    /// On an AppStack: any value. When it changes, the application gets a new role of the embedded database with a new password;
    /// the old one works until nothing uses it any more.
    pub const ROTATE_DATABASE_PASSWORD: &str = "appstack.dev/rotate-database-password";
    /// On a pod template: the hash of the Secret values that the pods read, so that a changed value rolls them.
    pub const SECRETS_HASH: &str = "appstack.dev/secrets-hash";
    /// On a Deployment whose number of pods is an autoscaler's: how many there are to be at least.
    pub const MIN_REPLICAS: &str = "appstack.dev/min-replicas";
    /// On a Job: the hash of all that its pod reads. A failed Job runs again when it changes.
    pub const INPUTS_HASH: &str = "appstack.dev/inputs-hash";
    /// On a Job: how many seconds it may take from the start of its container on.
    pub const TIMEOUT: &str = "appstack.dev/timeout-seconds";
    /// On a Job that was late: why, for people.
    pub const LATE: &str = "appstack.dev/late";
}
