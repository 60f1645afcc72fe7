//! Who may talk to whom: only what runs from the backend image, and what looks after its roles, reaches the database, and
//! the database calls nobody.
//!
//! The backend and the frontend take connections from everywhere, since an ingress controller may live in any
//! namespace or on the host; pods of the backend also from each other, at any port, since many an application makes a cluster of
//! its pods. Policies count only where the cluster's network enforces them.

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::build::meta::{self, Component};
use crate::build::workload::pod;
use crate::model::object::Object;
use crate::model::stack::Stack;

/// What calls others and serves nobody.
const JOBS: [Component; 4] = [
    Component::Role,
    Component::Migration,
    Component::Seed,
    Component::Job,
];

/// The policies of a stack.
pub(super) fn policies(stack: &Stack) -> Vec<Object> {
    let names = &stack.names;
    let one = |component| meta::label_selector(stack, component);
    let mut policies = vec![policy(
        meta::object(stack, &names.backend(), Component::Backend),
        one(Component::Backend),
        vec![from_everywhere(), from_each_other(stack)],
        Egress::Any,
    )];
    if stack.database.embedded.is_some() {
        policies.push(policy(
            meta::object(stack, &names.database(), Component::Database),
            one(Component::Database),
            vec![from_backend(stack)],
            Egress::None,
        ));
    }
    if stack.frontend.is_some() {
        policies.push(policy(
            meta::object(stack, &names.frontend(), Component::Frontend),
            one(Component::Frontend),
            vec![from_everywhere()],
            Egress::Any,
        ));
    }
    let embedded = stack.database.embedded.is_some();
    let calls = stack.migration.is_some() || stack.seed.is_some() || !stack.jobs.is_empty();
    if embedded || calls {
        let metadata = meta::object(stack, &names.jobs(), Component::Migration);
        policies.push(policy(
            metadata,
            meta::any_selector(stack, &JOBS),
            Vec::new(),
            Egress::Any,
        ));
    }
    policies
}

/// The policy of what answers visitors in place of the application.
pub(super) fn maintenance(stack: &Stack) -> Object {
    policy(
        meta::object(stack, &stack.names.maintenance(), Component::Maintenance),
        meta::label_selector(stack, Component::Maintenance),
        vec![from_everywhere()],
        Egress::None,
    )
}

/// Whether pods may call others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Egress {
    Any,
    None,
}

fn policy(
    metadata: ObjectMeta,
    pods: LabelSelector,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Egress,
) -> Object {
    let types = match egress {
        Egress::Any => vec!["Ingress".into()],
        Egress::None => vec!["Ingress".into(), "Egress".into()],
    };
    Object::NetworkPolicy(Box::new(NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods),
            policy_types: Some(types),
            ingress: (!ingress.is_empty()).then_some(ingress),
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

fn from_each_other(stack: &Stack) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: Some(vec![pods(meta::label_selector(stack, Component::Backend))]),
        ports: None,
    }
}

fn from_backend(stack: &Stack) -> NetworkPolicyIngressRule {
    let callers = [&[Component::Backend], JOBS.as_slice()].concat();
    NetworkPolicyIngressRule {
        from: Some(vec![pods(meta::any_selector(stack, &callers))]),
        ports: Some(vec![port("postgres")]),
    }
}

/// Pods of the same namespace.
fn pods(selector: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(selector),
        ..NetworkPolicyPeer::default()
    }
}

fn port(name: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::String(name.into())),
        protocol: Some("TCP".into()),
        end_port: None,
    }
}
