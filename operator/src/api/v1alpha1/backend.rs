//! The backend as users write it, and what runs of its image before it.
//!
//! Invariant: data only, as everything of `v1alpha1`.

use k8s_openapi::api::core::v1::{EnvVar, ResourceRequirements};
use kube::KubeSchema;
use kube::core::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::v1alpha1::{Autoscaling, free_form, writable};

/// The API of the application.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.replicas) || !has(self.autoscaling)")
    .message("backend: replicas or autoscaling, not both"))]
pub struct Backend {
    /// The container image. Without a tag or digest of its own it gets `version` as its tag.
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new("self.matches('^([a-z0-9][a-z0-9.-]*(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@[a-z0-9]+:[0-9a-f]+)?$')")
        .message("image: a container image such as ghcr.io/acme/shop-backend, without https://, with a tag or a digest that is whole, and in lower case but for the tag"))]
    pub image: String,

    /// Replaces the entry point of the image. Default: that of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub command: Vec<String>,

    /// The arguments, such as `["start"]`. In them and in `command`, `$(NAME)` is the value of a variable, and `$$` stands for
    /// `$`. The migration, the seed and the jobs have their own. Default: those of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub args: Vec<String>,

    /// The number of the user that the containers of this image run as: backend, migration, seed and jobs. It is needed where
    /// the image names its user by a name, of which Kubernetes cannot tell that it is not root, or would run as root. `id`
    /// in the image prints the number: `docker run --rm --entrypoint id IMAGE`. A user in `podTemplate` wins over it.
    /// Default: that of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,

    /// Folders that the containers of this image may write to beside `/tmp`: backend, migration, seed and jobs. Each is an
    /// `emptyDir`, empty at the start and gone with the pod; what the image has there is not to be seen. The rest of the
    /// file system stays read-only. For what must stay, mount a claim of yours by `podTemplate`: what that mounts at the same
    /// path takes the place of the folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 500)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = writable::absolute(),
        validation = writable::not_tmp(),
        validation = writable::not_of_the_kernel()
    )]
    pub writable_paths: Vec<String>,

    /// The port that the container listens on. Below 1024 it may do so as whatever user the image runs, unless
    /// `podTemplate` gives the pod sysctls of its own or the node's network. Default: 8000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// The HTTP path that answers 2xx or 3xx when a pod can serve. Each pod is asked for it, every second until it has
    /// started and every five seconds then: it gets requests while it answers so. It says no more than the path itself
    /// looks at: one that asks no database stays well while every login fails, and one that does takes all pods out at
    /// once when the database is away. Default: `/api/v1/utils/health-check/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new("self.startsWith('/') && !self.matches('[[:cntrl:] ]')")
        .message("healthPath: starts with /, and holds no space and no line end"))]
    pub health_path: Option<String>,

    /// The port that pods are asked for `healthPath` at, where health has one of its own, such as 9000 in Keycloak or the
    /// management port of Spring Boot. No visitor reaches it, so what is asked through the public address is asked for `/`
    /// then, unless `rollout.publicCheck.path` says more. Whether the container lives at all is still asked at `port`. Default:
    /// `port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub health_port: Option<i32>,

    /// Worker processes or threads in each pod, given as WEB_CONCURRENCY. It does nothing where the image's own command says
    /// how many there are, or where the server does not read that variable. Default: 1 in local, 2 in staging, 4 in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<i32>,

    /// The number of pods. A change is no release and holds at once. Default: 1, and 2 in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: Option<i32>,

    /// Lets the number of pods follow the load, in place of `replicas`. A release begins with as many pods as serve
    /// then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// A command of the backend image that brings the database schema up to date. It runs as a Job before any
    /// pod of a new release is made, once for its image and command. Leave it out if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Migrate>,

    /// A command of the backend image that fills a new database, such as with the first superuser. It runs
    /// once, as a Job after the first migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Command>,

    /// More environment variables for the backend, its migration, its seed and the jobs. They may refer to what the
    /// operator sets as `$(NAME)`, for example `$(DATABASE_URL)`, and win over it. As everywhere in Kubernetes, `$$` stands
    /// for `$`: write `$$(NAME)` for that text itself. What comes by `valueFrom` arrives character by character.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,

    /// CPU and memory of each pod. Default: a small request and no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// An escape hatch: metadata and spec of a pod template, merged over the one that the operator builds. Where
    /// Kubernetes takes one kind of several, such as one handler of a probe or one source of a volume, yours takes the
    /// place of the operator's. The container is named `backend`. Its variables, volumes, security settings and working
    /// directory reach the migration, the seed and the jobs too, and so does what it says of the pod as a whole, such as
    /// service account, node choice, DNS and pull secrets; probes, sidecars and grace periods are the backend's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub pod_template: Option<Value>,
}

/// The schema migration.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.command) && size(self.command) > 0) || (has(self.args) && size(self.args) > 0)")
    .message("migrate: command or args; without them it would be the server itself"))]
pub struct Migrate {
    /// Replaces the entry point of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub command: Vec<String>,

    /// The arguments, such as `["migrate"]`. In them and in `command`, `$(NAME)` is the value of a variable, and `$$`
    /// stands for `$`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub args: Vec<String>,

    /// How long it may take from the start of its container on before it counts as failed, all attempts together, such as
    /// `10m`. Until it starts, `rollout.progressDeadline` counts. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')")
        .message("timeout: a duration between 1s and 24h, such as 10m"))]
    pub timeout: Option<Duration>,

    /// How often a failed attempt is repeated. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: Option<i32>,

    /// CPU and memory of the migration. Default: those of the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// A command of the backend image that prints which schema the database has, such as the name of the last
    /// migration. It runs after the migration, and what it prints in its last line is what `rollout.schemaRollback`
    /// compares. Without it every image and command counts as a schema of its own. `$` is as in `args`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub head_command: Vec<String>,
}

/// A command of the backend image.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.command) && size(self.command) > 0) || (has(self.args) && size(self.args) > 0)")
    .message("seed: command or args; without them it would be the server itself"))]
pub struct Command {
    /// Replaces the entry point of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub command: Vec<String>,

    /// The arguments, such as `["seed"]`. In them and in `command`, `$(NAME)` is the value of a variable, and `$$`
    /// stands for `$`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub args: Vec<String>,
}
