//! What the operator reports of an `AppStack`, and the closed sets of words it uses for that.
//!
//! Invariant: data only. The status is computed afresh from what was seen; nothing is decided from it but who has a host.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator last saw of the stack.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AppStackStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Reconciling and Stalled for the whole; Accepted for the spec; one for each stage of the roll-out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// Where the roll-out stands: the stage whose gate is shut, or `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,

    /// The release that serves: the last one whose gates were all open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseStatus>,

    /// The requested release, by the spec or by `rollout.pin`. It is the one that serves, or on its way, or
    /// has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ReleaseStatus>,

    /// The release that served before the one that serves now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ReleaseStatus>,

    /// Where the stack is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Urls>,

    /// The hosts whose requests come to this stack. While they do, no other AppStack gets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,

    /// The hosts whose visitors do not get through, as far as the operator sees, and where their way ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreached_hosts: Vec<UnreachedHost>,

    /// The certificate that cert-manager looks after, where `edge.tls.issuer` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateStatus>,
}

/// A host whose visitors do not get through.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UnreachedHost {
    /// The host.
    pub host: String,
    /// The step of their way that does not work.
    pub step: HostStep,
    /// What was seen there, and what to do.
    pub message: String,
}

/// A step on the way of a visitor to a host, in the order in which they are taken.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostStep {
    /// Its name is looked up.
    #[serde(rename = "DNS")]
    Dns,
    /// The ingress controller is connected to.
    Connection,
    /// A certificate is shown.
    Certificate,
    /// The ingress controller passes the request on.
    Route,
}

/// How it is with a certificate that cert-manager looks after.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// The Certificate, and the Secret that it is kept in.
    pub name: String,
    /// When the one that is there expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When it will be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews_at: Option<Time>,
    /// What was wrong when it was last asked for, where it did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it will be asked for again after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Time>,
    /// How many were issued so far.
    #[serde(default)]
    pub issued: i64,
    /// How many tries have failed since then.
    #[serde(default)]
    pub failed: i64,
}

/// One release: what runs together.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// The name of the release: the stack's name and a hash of what it is made of.
    pub name: String,
    /// The version that the spec asked for, or the tag of the backend image.
    pub version: String,
    /// The image of the backend, with its tag or digest.
    pub backend_image: String,
    /// The image of the frontend, with its tag or digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend_image: Option<String>,
    /// The hash of the migration that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// When every gate was first open for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Time>,
}

/// Where the stack is reached.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Urls {
    /// The site; the API's own address in a stack without a frontend.
    pub dashboard: String,
    /// The API.
    pub api: String,
    /// The documentation of the API.
    pub docs: String,
}

/// The stages of a roll-out, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StageName {
    /// The database answers.
    Database,
    /// The schema is the one of this release.
    Migration,
    /// The backend's pods serve.
    Backend,
    /// The frontend's pods serve.
    Frontend,
    /// Both are reached from outside.
    Edge,
}

impl StageName {
    /// All of them, in roll-out order.
    pub const ALL: [Self; 5] = [
        Self::Database,
        Self::Migration,
        Self::Backend,
        Self::Frontend,
        Self::Edge,
    ];

    /// The word for it in status, labels and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Migration => "migration",
            Self::Backend => "backend",
            Self::Frontend => "frontend",
            Self::Edge => "edge",
        }
    }

    /// The condition that tells whether its gate is open.
    #[must_use]
    pub const fn condition(self) -> ConditionType {
        match self {
            Self::Database => ConditionType::DatabaseReady,
            Self::Migration => ConditionType::MigrationReady,
            Self::Backend => ConditionType::BackendReady,
            Self::Frontend => ConditionType::FrontendReady,
            Self::Edge => ConditionType::EdgeReady,
        }
    }
}

/// The types of the conditions in `status.conditions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The spec is one that can be rolled out.
    Accepted,
    /// The requested release waits for somebody's approval.
    AwaitingApproval,
    /// The backend's gate.
    BackendReady,
    /// The database's gate.
    DatabaseReady,
    /// The edge's gate.
    EdgeReady,
    /// The frontend's gate.
    FrontendReady,
    /// The migration's gate.
    MigrationReady,
    /// Every gate is open for the current spec.
    Ready,
    /// Work is going on (abnormal-true, as kstatus reads it).
    Reconciling,
    /// The requested release failed, and the one before it was restored.
    RolledBack,
    /// The last run of each schedule ended well.
    SchedulesHealthy,
    /// It is known which release serves, and what it is made of.
    ServingKnown,
    /// Nothing more will happen without a change (abnormal-true, as kstatus reads it).
    Stalled,
    /// The release that serves is as the templates of this version of the operator would make it.
    TemplatesCurrent,
    /// What helps developers beside the application runs.
    ToolsReady,
}

impl ConditionType {
    /// The `type` of the condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::AwaitingApproval => "AwaitingApproval",
            Self::BackendReady => "BackendReady",
            Self::DatabaseReady => "DatabaseReady",
            Self::EdgeReady => "EdgeReady",
            Self::FrontendReady => "FrontendReady",
            Self::MigrationReady => "MigrationReady",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::RolledBack => "RolledBack",
            Self::SchedulesHealthy => "SchedulesHealthy",
            Self::ServingKnown => "ServingKnown",
            Self::Stalled => "Stalled",
            Self::TemplatesCurrent => "TemplatesCurrent",
            Self::ToolsReady => "ToolsReady",
        }
    }
}
