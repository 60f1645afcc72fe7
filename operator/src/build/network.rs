//! Who may talk to whom: nobody, but for what is said here. The page `docs/network.md` has it as a table.
//!
//! The backend and the frontend take connections from everywhere, since an ingress controller may live in any
//! namespace or on the host; pods of the backend also from each other, at any port, since many an application makes a cluster of
//! its pods. Only what runs from the backend image, and what looks after its roles, reaches the database, which calls nobody. What
//! the application may call the spec says, and if it does not, that is everything but link-local addresses, where clouds hand out
//! credentials. Policies count only where the cluster's network enforces them.
//!
//! Invariant: several policies of a pod add up, so the one that denies is applied after those that allow, and none is replaced
//! by one of another name that allows less.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::{Egress, Protocol};
use crate::build::meta::{self, Component};
use crate::build::workload::pod;
use crate::model::child_name::ChildName;
use crate::model::manifests::Manifests;
use crate::model::network::{EVERYWHERE, link_local_in};
use crate::model::object::Object;
use crate::model::stack::Stack;

/// What runs from the backend image, and what looks after its roles.
const BACKEND: [Component; 5] = [
    Component::Backend,
    Component::Role,
    Component::Migration,
    Component::Seed,
    Component::Job,
];
/// The same, and the site, which may be rendered by a server that calls the API.
const APPLICATION: [Component; 6] = [
    Component::Backend,
    Component::Role,
    Component::Migration,
    Component::Seed,
    Component::Job,
    Component::Frontend,
];
/// The label that every namespace has.
const NAMESPACE: &str = "kubernetes.io/metadata.name";
const DNS: i32 = 53;
/// The name of the port of the embedded database.
const POSTGRES: &str = "postgres";
/// The name of the port at which mail is caught.
pub(super) const SMTP: &str = "smtp";

/// The policies of a stack as they are kept with a release: what the spec of now lists is none of it.
pub(super) fn policies(stack: &Stack) -> Vec<Object> {
    all(stack, None)
}

/// Puts policies by what the spec of now lists in the place of those that are kept with a release. It reaches no pod, and whoever
/// shuts something means now. Where nothing is listed they stay as they were rendered, so that no other version of the
/// operator shuts what serves off from something.
pub(super) fn list(manifests: &mut Manifests, stack: &Stack) {
    let Some(listed) = &stack.egress else {
        return;
    };
    let is_policy = |it: &Object| matches!(it, Object::NetworkPolicy(_));
    manifests.shared.retain(|it| !is_policy(it));
    manifests.shared.extend(all(stack, Some(listed)));
}

fn all(stack: &Stack, listed: Option<&[Egress]>) -> Vec<Object> {
    let mut policies = vec![backend(stack)];
    if stack.frontend.is_some() {
        policies.push(policy(
            stack,
            (&stack.names.frontend(), Component::Frontend),
            meta::label_selector(stack, Component::Frontend),
            Rules::Ingress(vec![from_everywhere()]),
        ));
    }
    if stack.database.embedded.is_some() {
        policies.push(policy(
            stack,
            (&stack.names.database(), Component::Database),
            meta::label_selector(stack, Component::Database),
            Rules::IngressAlone(vec![from_backend(stack)]),
        ));
    }
    if listed.is_some() {
        policies.extend(ports(stack).into_iter().map(|it| to_port(stack, it)));
    }
    policies.push(policy(
        stack,
        (&stack.names.egress(), Component::Shared),
        meta::any_selector(stack, &APPLICATION),
        Rules::Egress(calls(stack, listed)),
    ));
    policies.push(policy(
        stack,
        (&stack.names.default_deny(), Component::Shared),
        meta::every_selector(stack),
        Rules::IngressAlone(Vec::new()),
    ));
    policies
}

/// The policy of what answers visitors in place of the application.
pub(super) fn maintenance(stack: &Stack) -> Object {
    policy(
        stack,
        (&stack.names.maintenance(), Component::Maintenance),
        meta::label_selector(stack, Component::Maintenance),
        Rules::IngressAlone(vec![from_everywhere()]),
    )
}

/// The policy of what takes the application's mail.
pub(super) fn mail(stack: &Stack) -> Object {
    let from_application = NetworkPolicyIngressRule {
        from: Some(vec![pods(meta::any_selector(stack, &APPLICATION))]),
        ports: Some(vec![named(SMTP)]),
    };
    policy(
        stack,
        (&stack.names.mail(), Component::Mail),
        meta::label_selector(stack, Component::Mail),
        Rules::IngressAlone(vec![from_everywhere(), from_application]),
    )
}

/// The policies of what shows the data. It calls the database alone, of an external one the port alone is known.
pub(super) fn adminer(stack: &Stack) -> Vec<Object> {
    let is_embedded = stack.database.embedded.is_some();
    let selector = meta::label_selector(stack, Component::Adminer);
    let (to, ports) = if is_embedded {
        let database = meta::label_selector(stack, Component::Database);
        (vec![pods(database)], vec![named(POSTGRES)])
    } else {
        let ports = database_ports(stack).map(|it| numbered(it.into(), Protocol::Tcp));
        (anywhere(), ports.collect())
    };
    let at_database = NetworkPolicyEgressRule {
        to: Some(to),
        ports: Some(ports),
    };
    let mut policies = vec![policy(
        stack,
        (&stack.names.adminer(), Component::Adminer),
        selector.clone(),
        Rules::Both(vec![from_everywhere()], vec![to_dns(), at_database]),
    )];
    if is_embedded {
        let from_adminer = NetworkPolicyIngressRule {
            from: Some(vec![pods(selector)]),
            ports: Some(vec![named(POSTGRES)]),
        };
        policies.push(policy(
            stack,
            (&stack.names.adminer_to_database(), Component::Adminer),
            meta::label_selector(stack, Component::Database),
            Rules::Ingress(vec![from_adminer]),
        ));
    }
    policies
}

fn backend(stack: &Stack) -> Object {
    policy(
        stack,
        (&stack.names.backend(), Component::Backend),
        meta::label_selector(stack, Component::Backend),
        Rules::Ingress(vec![from_everywhere(), from_each_other(stack)]),
    )
}

/// What a policy allows.
enum Rules {
    /// These may come in; of what goes out it says nothing.
    Ingress(Vec<NetworkPolicyIngressRule>),
    /// These may come in, and nothing may go out.
    IngressAlone(Vec<NetworkPolicyIngressRule>),
    /// This may go out; of what comes in it says nothing.
    Egress(Vec<NetworkPolicyEgressRule>),
    /// These may come in, and this may go out.
    Both(Vec<NetworkPolicyIngressRule>, Vec<NetworkPolicyEgressRule>),
}

fn policy(
    stack: &Stack,
    (name, component): (&ChildName, Component),
    pods: LabelSelector,
    rules: Rules,
) -> Object {
    let (types, ingress, egress) = match rules {
        Rules::Ingress(rules) => (vec!["Ingress"], rules, Vec::new()),
        Rules::IngressAlone(rules) => (vec!["Ingress", "Egress"], rules, Vec::new()),
        Rules::Egress(rules) => (vec!["Egress"], Vec::new(), rules),
        Rules::Both(come, go) => (vec!["Ingress", "Egress"], come, go),
    };
    Object::NetworkPolicy(Box::new(NetworkPolicy {
        metadata: meta::object(stack, name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods),
            policy_types: Some(types.into_iter().map(str::to_owned).collect()),
            ingress: (!ingress.is_empty()).then_some(ingress),
            egress: (!egress.is_empty()).then_some(egress),
        }),
    }))
}

fn from_everywhere() -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: None,
        ports: Some(vec![named(pod::PORT)]),
    }
}

fn from_each_other(stack: &Stack) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: Some(vec![pods(meta::label_selector(stack, Component::Backend))]),
        ports: None,
    }
}

fn from_backend(stack: &Stack) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: Some(vec![pods(meta::any_selector(stack, &BACKEND))]),
        ports: Some(vec![named(POSTGRES)]),
    }
}

fn to_dns() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        // A resolver on the node has a link-local address.
        to: None,
        ports: Some(
            [Protocol::Udp, Protocol::Tcp]
                .map(|it| numbered(DNS, it))
                .into(),
        ),
    }
}

/// What the application may call. That the site does not reach the database is said at the database.
fn calls(stack: &Stack, listed: Option<&[Egress]>) -> Vec<NetworkPolicyEgressRule> {
    let mut own = vec![Component::Backend];
    own.extend(
        stack
            .database
            .embedded
            .as_ref()
            .map(|_| Component::Database),
    );
    let own = NetworkPolicyEgressRule {
        to: Some(vec![pods(meta::any_selector(stack, &own))]),
        ports: None,
    };
    let others: Vec<_> = match listed {
        Some(listed) => listed.iter().map(to).collect(),
        None => vec![NetworkPolicyEgressRule {
            to: Some(anywhere()),
            ports: None,
        }],
    };
    [to_dns(), own].into_iter().chain(others).collect()
}

/// An entry of the spec.
fn to(listed: &Egress) -> NetworkPolicyEgressRule {
    let peer = match &listed.cidr {
        Some(cidr) => network(cidr),
        None => NetworkPolicyPeer {
            ip_block: None,
            namespace_selector: listed.namespace.as_ref().map(|it| LabelSelector {
                match_labels: Some([(NAMESPACE.to_owned(), it.clone())].into()),
                match_expressions: None,
            }),
            pod_selector: listed.pods.as_ref().map(|it| LabelSelector {
                match_labels: (!it.is_empty()).then(|| it.clone()),
                match_expressions: None,
            }),
        },
    };
    let protocol = listed.protocol.unwrap_or_default();
    let ports = listed.ports.iter().flatten();
    let ports: Vec<_> = ports.map(|it| numbered(*it, protocol)).collect();
    NetworkPolicyEgressRule {
        to: Some(vec![peer]),
        ports: (!ports.is_empty()).then_some(ports),
    }
}

/// Everything but link-local addresses. Some networks take networks for what is outside of the cluster alone, so its pods are
/// said as well.
fn anywhere() -> Vec<NetworkPolicyPeer> {
    let every_pod = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    };
    let networks = EVERYWHERE.into_iter().map(network);
    networks.chain([every_pod]).collect()
}

fn network(cidr: &str) -> NetworkPolicyPeer {
    let except = link_local_in(cidr);
    NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: cidr.to_owned(),
            except: (!except.is_empty()).then_some(except),
        }),
        ..NetworkPolicyPeer::default()
    }
}

/// The ports of what is told by a host name, whose addresses nobody knows here: an external database, and the mail server.
fn ports(stack: &Stack) -> BTreeSet<u16> {
    let external = stack.database.embedded.is_none();
    let database = database_ports(stack).filter(|_| external);
    let mail = stack.email.as_ref().map(|it| it.port);
    let mail = mail.and_then(|it| u16::try_from(it).ok());
    database.chain(mail).collect()
}

/// libpq takes several, one for each host.
fn database_ports(stack: &Stack) -> impl Iterator<Item = u16> {
    let ports = stack.database.connection.port.split(',');
    ports.filter_map(|it| it.trim().parse().ok())
}

/// A policy for each port, named by it: two releases that need other ones have them both until the older one is gone.
fn to_port(stack: &Stack, port: u16) -> Object {
    let rule = NetworkPolicyEgressRule {
        to: Some(anywhere()),
        ports: Some(vec![numbered(port.into(), Protocol::Tcp)]),
    };
    policy(
        stack,
        (&stack.names.egress_to(port), Component::Shared),
        meta::any_selector(stack, &BACKEND),
        Rules::Egress(vec![rule]),
    )
}

/// Pods of the same namespace.
fn pods(selector: LabelSelector) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(selector),
        ..NetworkPolicyPeer::default()
    }
}

fn named(port: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::String(port.into())),
        protocol: Some(Protocol::Tcp.as_str().into()),
        end_port: None,
    }
}

fn numbered(port: i32, protocol: Protocol) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(port)),
        protocol: Some(protocol.as_str().into()),
        end_port: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures;

    /// The policies of now of a stack with these fields, in the order in which they are applied.
    fn made(fields: &str) -> Vec<Value> {
        let stack = fixtures::stack(&fixtures::app(fields));
        let mut manifests = crate::build::rendered(&stack);
        list(&mut manifests, &stack);
        let shared = manifests.shared.iter();
        let policies = shared.filter(|it| matches!(it, Object::NetworkPolicy(_)));
        policies.map(|it| json!(it)).collect()
    }

    fn names(policies: &[Value]) -> Vec<&str> {
        let names = policies.iter().map(|it| it["metadata"]["name"].as_str());
        names.map(Option::unwrap_or_default).collect()
    }

    /// What the application may call beside DNS and its own pods.
    fn calls(fields: &str) -> Value {
        let policies = made(fields);
        let mut egress = policies
            .iter()
            .filter(|it| it["metadata"]["name"] == "shop-egress");
        let rules = egress.next().unwrap()["spec"]["egress"].as_array().unwrap();
        json!(rules[2..])
    }

    #[test]
    fn what_denies_comes_after_all_that_allows() {
        let site = "frontend: {image: 'a/c:1'}";
        assert_eq!(
            names(&made(site)),
            [
                "shop-backend",
                "shop-frontend",
                "shop-db",
                "shop-egress",
                "shop-default-deny"
            ]
        );
    }

    #[test]
    fn everything_but_link_local_addresses_may_be_called_where_nothing_is_said() {
        let wanted = json!([{"to": [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
            {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::254/128"]}},
            {"namespaceSelector": {}},
        ]}]);
        assert_eq!(calls(""), wanted);
    }

    #[test]
    fn what_is_listed_may_be_called_and_nothing_else() {
        assert_eq!(calls("egress: []"), json!([]));
        let listed = "egress: [
            {cidr: 169.0.0.0/8, ports: [443, 8443]}, {cidr: 169.254.169.254/32},
            {namespace: shared, pods: {app: redis}, ports: [53], protocol: UDP}, {namespace: shared}, {pods: {}}]";
        let tcp = |port: i32| json!({"port": port, "protocol": "TCP"});
        let shared = json!({"matchLabels": {"kubernetes.io/metadata.name": "shared"}});
        let wanted = json!([
            {"to": [{"ipBlock": {"cidr": "169.0.0.0/8", "except": ["169.254.0.0/16"]}}], "ports": [tcp(443), tcp(8443)]},
            {"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}]},
            {"to": [{"namespaceSelector": shared, "podSelector": {"matchLabels": {"app": "redis"}}}],
             "ports": [{"port": 53, "protocol": "UDP"}]},
            {"to": [{"namespaceSelector": shared}]},
            {"to": [{"podSelector": {}}]},
        ]);
        assert_eq!(calls(listed), wanted);
    }

    #[test]
    fn ports_of_what_is_told_by_a_host_name_are_opened_before_all_else_is_shut() {
        let mail = "email: {host: smtp.example.com, from: a@example.com}";
        let open = made(mail);
        assert!(!names(&open).contains(&"shop-egress-587"), "all is open");
        let external = "database: {external: {secretName: s}}";
        let shut = made(&format!("{mail}, {external}, egress: []"));
        assert_eq!(
            names(&shut),
            [
                "shop-backend",
                "shop-egress-587",
                "shop-egress-5432",
                "shop-egress",
                "shop-default-deny"
            ]
        );
        let rule = &shut[1]["spec"]["egress"][0];
        assert_eq!(rule["ports"], json!([{"port": 587, "protocol": "TCP"}]));
        assert_eq!(rule["to"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn what_is_kept_with_a_release_is_the_same_whatever_may_be_called() {
        let kept = |fields: &str| {
            let stack = fixtures::stack(&fixtures::app(fields));
            crate::build::manifests(&stack).hash()
        };
        assert_eq!(kept(""), kept("egress: []"));
    }
}
