//! The web site as users write it.
//!
//! Invariant: data only, as everything of `v1alpha1`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::v1alpha1::{Assets, Autoscaling, free_form, writable};

/// The web site.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.replicas) || !has(self.autoscaling)")
        .message("frontend: replicas or autoscaling, not both"),
    validation = Rule::new("!has(self.assets) || !has(self.writablePaths) || !self.writablePaths.exists(it, it == self.assets.path || it.startsWith(self.assets.path + '/'))")
        .message("frontend.writablePaths: not assets.path or below, where the assets of all releases are and nobody writes")
)]
pub struct Frontend {
    /// The container image. Without a tag or digest of its own it gets `version` as its tag.
    #[schemars(length(min = 1, max = 500))]
    #[x_kube(validation = Rule::new("self.matches('^([a-z0-9][a-z0-9.-]*(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@[a-z0-9]+:[0-9a-f]+)?$')")
        .message("image: a container image such as ghcr.io/acme/shop-frontend, without https://, with a tag or a digest that is whole, and in lower case but for the tag"))]
    pub image: String,

    /// Replaces the entry point of the image. Default: that of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub command: Vec<String>,

    /// The arguments, such as `["start"]`. In them and in `command`, `$(NAME)` is the value of a variable, and `$$` stands for
    /// `$`. Default: those of the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 4096)))]
    pub args: Vec<String>,

    /// The number of the user that the containers of this image run as, those that copy its assets too; see
    /// `backend.runAsUser`. A user in `podTemplate` wins over it. Default: that of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,

    /// Folders that the container may write to beside `/tmp`, such as `/var/cache/nginx`; see `backend.writablePaths`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 500)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = writable::absolute(),
        validation = writable::not_tmp(),
        validation = writable::not_of_the_kernel(),
        validation = Rule::new("!self.exists(it, it.matches('^/etc/appstack(/|$)'))")
            .message("writablePaths: not /etc/appstack or below, where config.json is")
    )]
    pub writable_paths: Vec<String>,

    /// The port that the container listens on, also below 1024 as `backend.port` may be. Default: 8080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// The number of pods. A change is no release and holds at once. Default: 1, and 2 in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: Option<i32>,

    /// Lets the number of pods follow the load, in place of `replicas`. A release begins with as many pods as serve
    /// then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// More keys of the runtime configuration, beside `apiUrl`, `environment`, `version` and `projectName`, which are
    /// always the operator's own.
    /// The container finds it as `/etc/appstack/config.json` and is to serve it at `/config.json`, so that one
    /// image fits every environment. It is public: put no secret here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "free_form")]
    pub config: BTreeMap<String, Value>,

    /// Serves files of earlier releases on, so that a page that is open in a browser still finds what it has not loaded
    /// yet. Without this field they go with their release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<Assets>,

    /// CPU and memory of each pod. Default: a small request and no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// An escape hatch as `backend.podTemplate` is. The container is named `frontend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_form")]
    pub pod_template: Option<Value>,
}
