//! Who may talk to whom: only the backend and its Jobs reach the database, and the site calls nobody.
//!
//! The backend and the frontend take connections from everywhere, since an ingress controller may live in any
//! namespace or on the host. Policies count only where the cluster's network enforces them.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::names::ChildName;
use super::super::stack::Stack;
use super::Object;
use super::meta::{self, Component};
use super::pod;
use crate::api::label;

/// The policies of a stack.
pub(super) fn policies(stack: &Stack) -> Vec<Object> {
    let names = &stack.names;
    let mut policies = vec![policy(
        stack,
        &names.backend(),
        Component::Backend,
        Some(from_everywhere()),
        Egress::Any,
    )];
    if stack.database.embedded.is_some() {
        policies.push(policy(
            stack,
            &names.database(),
            Component::Database,
            Some(from_backend(stack)),
            Egress::None,
        ));
    }
    if stack.frontend.is_some() {
        policies.push(policy(
            stack,
            &names.frontend(),
            Component::Frontend,
            Some(from_everywhere()),
            Egress::None,
        ));
    }
    if stack.migration.is_some() {
        policies.push(policy(
            stack,
            &names.jobs(),
            Component::Migration,
            None,
            Egress::Any,
        ));
    }
    policies
}

/// Whether pods may call others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Egress {
    Any,
    None,
}

fn policy(
    stack: &Stack,
    name: &ChildName,
    component: Component,
    ingress: Option<NetworkPolicyIngressRule>,
    egress: Egress,
) -> Object {
    let types = match egress {
        Egress::Any => vec!["Ingress".into()],
        Egress::None => vec!["Ingress".into(), "Egress".into()],
    };
    Object::NetworkPolicy(Box::new(NetworkPolicy {
        metadata: meta::object(stack, name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(meta::label_selector(stack, component)),
            policy_types: Some(types),
            ingress: ingress.map(|rule| vec![rule]),
            egress: None,
        }),
    }))
}

fn from_everywhere() -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: None,
        ports: Some(vec![port(pod::PORT)]),
    }
}

fn from_backend(stack: &Stack) -> NetworkPolicyIngressRule {
    let components = [Component::Backend, Component::Migration, Component::Seed];
    NetworkPolicyIngressRule {
        from: Some(vec![NetworkPolicyPeer {
            pod_selector: Some(LabelSelector {
                match_labels: Some(BTreeMap::from([(
                    label::STACK.to_owned(),
                    stack.names.stack().to_owned(),
                )])),
                match_expressions: Some(vec![LabelSelectorRequirement {
                    key: label::COMPONENT.into(),
                    operator: "In".into(),
                    values: Some(components.map(|it| it.as_str().to_owned()).into()),
                }]),
            }),
            ..NetworkPolicyPeer::default()
        }]),
        ports: Some(vec![port("postgres")]),
    }
}

fn port(name: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::String(name.into())),
        protocol: Some("TCP".into()),
        end_port: None,
    }
}
