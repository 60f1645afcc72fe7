//! `spec.rollout`: how releases are rolled out.

use kube::KubeSchema;
use kube::core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How releases are rolled out.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How long the pods of a new release may take to become ready before the roll-out counts as failed, and the Job of the
    /// database role, the migration or the seed to start its container, such as `10m`. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')")
        .message("progressDeadline: a duration between 10s and 24h, such as 10m"))]
    pub progress_deadline: Option<Duration>,

    /// How long the pods of a new release must have been ready before requests go to them, such as `30s`. Until
    /// then the old ones serve alone. A container that ends meanwhile starts the time anew, and its third end fails
    /// the release. The first release of a stack does not wait. Default: 2s in local, 30s elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) <= duration('24h')")
        .message("soak: a duration of at most 24h, such as 30s; 0s for none"))]
    pub soak: Option<Duration>,

    /// What happens when a new release fails its gates; see [`OnFailure`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,

    /// Asks a new release through its public address, as a visitor does: by host name, certificate and route. It must
    /// answer well for 5 seconds. It needs an operator that reaches the ingress controller by that name. Without this field
    /// no answer fails a release; a first deploy is Ready when the ingress controller leads to it, as far as the operator is
    /// told where that is (`edge.host` of its chart).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_check: Option<PublicCheck>,

    /// Whether a new release waits for somebody's approval; see [`Approval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,

    /// How many releases are kept, the serving one included, so that one can go back to them. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 50))]
    pub history: Option<i32>,

    /// Whether the operator may go back to a release of another schema; see [`SchemaRollback`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_rollback: Option<SchemaRollback>,

    /// The name of a kept release, as `status.release.name` showed it: it is to serve, whatever the rest of the spec
    /// says, with the images, configuration and secret values that it had. Take the field away to go on with the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub pin: Option<String>,
}

/// The check of a new release through its public address.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PublicCheck {
    /// The path that the API is asked for. Default: `backend.healthPath`, or `/` where `backend.healthPort` is a port of its
    /// own, to which visitors do not come. The site is asked for `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new("self.startsWith('/')").message("publicCheck.path: starts with /"))]
    pub path: Option<String>,

    /// How long the way there may be in trouble: names, certificates and routes take a while to spread. Three bad
    /// answers of the application itself in a row fail the release at once. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')")
        .message("publicCheck.timeout: a duration between 1s and 1h, such as 60s"))]
    pub timeout: Option<Duration>,
}

/// Whether a new release waits for somebody's approval. Default: `None`. The first release of a stack and a pinned one
/// do not wait. While a release waits, its images are pulled, and the condition AwaitingApproval says what it would
/// change; it begins when it is approved and its images are there.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// It does not.
    #[default]
    None,
    /// It waits for the annotation `appstack.dev/approve` with its name, as `status.target.name` and the condition
    /// AwaitingApproval show it. Another release needs another approval.
    Required,
}

/// Whether the operator may go back to a release whose schema is another one than the database has: as a rollback, or by
/// `pin`. It never undoes a migration. `Allow` goes back, `Warn` goes back and says so in the status, `Refuse` does not.
/// Default: `Warn`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaRollback {
    /// It is: every release works with the schemas of its neighbours.
    Allow,
    /// It is, and the status and an Event say that the schema stayed.
    #[default]
    Warn,
    /// It is not: a pin is refused, and a failed release is held instead of rolled back.
    Refuse,
}

/// What happens when a new release fails its gates. Default: `Rollback`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The release that served before is restored as a whole, and the failed one is not tried again until the spec
    /// changes.
    #[default]
    Rollback,
    /// The roll-out stops where it is, for somebody to look at it.
    Hold,
}
