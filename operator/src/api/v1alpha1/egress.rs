//! What the application may call, as users write it.
//!
//! Invariant: data only, as everything of `v1alpha1`.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What the application may call: a network, or pods of this cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.cidr) ? !has(self.__namespace__) && !has(self.pods) : has(self.__namespace__) || has(self.pods)")
        .message("egress: either cidr, or namespace, pods or both of these; write two entries for a network and for pods"),
    validation = Rule::new("!has(self.protocol) || has(self.ports)")
        .message("egress: protocol needs ports")
)]
pub struct Egress {
    /// A network outside of the cluster, IPv4 or IPv6, such as `192.0.2.0/24`; a single address is `192.0.2.1/32`. Host names cannot be
    /// listed: network policies know none. A larger network does not open the link-local addresses in it, where clouds hand out
    /// credentials: list these themselves, such as `169.254.169.254/32`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 43))]
    #[x_kube(validation = Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()")
        .message("egress.cidr: a network by its first address, such as 192.0.2.0/24 or 2001:db8::/32; a single address is 192.0.2.1/32, and host names cannot be listed"))]
    pub cidr: Option<String>,

    /// The namespace of the pods. Default: that of the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("egress.namespace: the name of a namespace: lower-case letters, digits and '-'"))]
    pub namespace: Option<String>,

    /// The labels of the pods, such as `{app: redis}`. Default: every pod of the namespace, which `{}` says too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    #[x_kube(validation = Rule::new("self.all(x, x.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && self[x].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$'))")
        .message("egress.pods: labels of pods, such as app: redis"))]
    pub pods: Option<BTreeMap<String, String>>,

    /// The ports. Default: every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), inner(range(min = 1, max = 65535)))]
    pub ports: Option<Vec<i32>>,

    /// The protocol of these ports; see [`Protocol`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

/// The protocol of the ports. Default: `TCP`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
}

impl Protocol {
    /// As manifests spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 10, "additionalProperties": {"type": "string", "maxLength": 63}})
}
