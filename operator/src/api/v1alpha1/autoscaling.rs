//! `autoscaling` of backend and frontend.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Lets Kubernetes choose the number of pods by the CPU that they use. The cluster needs a metrics server for it. A change
/// is no release and holds at once.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.minReplicas) || self.minReplicas <= self.maxReplicas")
    .message("autoscaling: minReplicas is at most maxReplicas"))]
pub struct Autoscaling {
    /// The fewest pods. Default: 1, and 2 in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: Option<i32>,

    /// The most pods.
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: i32,

    /// How much of the CPU that it requests the container is to use on average, in percent; above it there will be more
    /// pods. Default: 80.
    #[serde(
        rename = "targetCPUUtilization",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization: Option<i32>,
}
