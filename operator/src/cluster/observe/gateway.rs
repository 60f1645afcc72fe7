//! What Gateways say of the routes of a stack, in words: most of them say little more than no.
//!
//! Invariant: pure, and judges nothing.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use crate::model::kinds::gateway::ParentRef;
use crate::model::kinds::{HTTPRoute, Said};
use crate::model::observed::{Admission, RouteSeen};

/// How long a route is given before it is taken for trouble that nobody has looked at it.
const FIRST: SignedDuration = SignedDuration::from_secs(10);

/// What Gateways say of a route, as it was applied.
pub(super) fn seen(it: &HTTPRoute, is_new: bool, now: Timestamp) -> RouteSeen {
    let mut said = it.spec.parent_refs.iter().map(|parent| of(it, parent, now));
    let refused = said.clone().find(|it| matches!(it, Admission::Refused(_)));
    let pending = said.find(|it| *it != Admission::Taken);
    RouteSeen {
        is_new,
        admission: refused.or(pending).unwrap_or(Admission::Taken),
    }
}

fn of(route: &HTTPRoute, parent: &ParentRef, now: Timestamp) -> Admission {
    let generation = route.metadata.generation;
    let parents = route.status.iter().flat_map(|it| &it.parents);
    let mut said = parents.filter(|it| is_same(&it.parent_ref, parent));
    let Some(said) = said.next() else {
        return unanswered(route, parent, now);
    };
    for type_ in ["Accepted", "ResolvedRefs"] {
        let Some(condition) = Said::of(&said.conditions, type_) else {
            return unanswered(route, parent, now);
        };
        if condition.holds(generation) {
            continue;
        }
        if condition.observed_generation.is_some() && condition.observed_generation != generation {
            return Admission::Pending;
        }
        let why = words(route, parent, &condition.reason, &condition.message);
        return Admission::Refused(why);
    }
    Admission::Taken
}

/// Gateways repeat what was asked, some with less and some with more.
fn is_same(said: &ParentRef, asked: &ParentRef) -> bool {
    let namespace = said.namespace.is_empty() || said.namespace == asked.namespace;
    namespace && said.name == asked.name && said.section_name == asked.section_name
}

fn unanswered(route: &HTTPRoute, parent: &ParentRef, now: Timestamp) -> Admission {
    let made = route.creation_timestamp();
    if made.is_none_or(|it| now.duration_since(it.0) < FIRST) {
        return Admission::Pending;
    }
    Admission::Refused(format!(
        "nobody looks at HTTPRoute {} of {}: does the program run that implements its GatewayClass?",
        route.name_any(),
        gateway(parent)
    ))
}

/// Why a Gateway does not take a route, and who can change that. The reasons are those of the Gateway API; its messages may be empty.
fn words(route: &HTTPRoute, parent: &ParentRef, reason: &str, message: &str) -> String {
    let gateway = gateway(parent);
    let listener = parent.section_name.as_deref().unwrap_or_default();
    let hosts = route.spec.hostnames.join(", ");
    let namespace = route.namespace().unwrap_or_default();
    let why = match reason {
        "NotAllowedByListeners" => format!(
            "listener {listener} of {gateway} does not let in routes of namespace {namespace}; ask whoever looks after it (allowedRoutes of the listener)"
        ),
        "NoMatchingListenerHostname" => {
            format!(
                "listener {listener} of {gateway} is not for {hosts}; ask whoever looks after it"
            )
        }
        "NoMatchingParent" => format!(
            "{gateway} has no listener {listener} any more; release again, or name another one in edge.gateway.sectionName"
        ),
        _ => format!(
            "{gateway} does not take HTTPRoute {} ({reason})",
            route.name_any()
        ),
    };
    match message.trim() {
        "" => why,
        message => format!("{why}: {message}"),
    }
}

fn gateway(parent: &ParentRef) -> String {
    format!("Gateway {}/{}", parent.namespace, parent.name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn route(parents: &Value) -> HTTPRoute {
        let parent = json!({"namespace": "infra", "name": "web", "sectionName": "https"});
        let metadata = json!({"name": "shop-edge", "namespace": "ns", "generation": 2, "creationTimestamp": "1970-01-01T00:00:00Z"});
        let spec = json!({"parentRefs": [parent], "hostnames": ["shop.test"], "rules": []});
        let route = json!({"metadata": metadata, "spec": spec, "status": {"parents": parents}});
        serde_json::from_value(route).unwrap()
    }

    fn said(conditions: &Value) -> Value {
        let parent = json!({"namespace": "infra", "name": "web", "sectionName": "https"});
        json!([{"parentRef": parent, "conditions": conditions}])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn condition(type_: &str, status: &str, reason: &str, generation: i64) -> Value {
        json!({"type": type_, "status": status, "reason": reason, "message": "", "observedGeneration": generation})
    }

    fn admission(conditions: &Value) -> Admission {
        seen(&route(&said(conditions)), true, at(60)).admission
    }

    #[test]
    fn a_route_is_taken_once_both_are_true_of_it_as_it_is() {
        let both = |generation| {
            json!([
                condition("Accepted", "True", "Accepted", generation),
                condition("ResolvedRefs", "True", "ResolvedRefs", generation)
            ])
        };
        assert_eq!(admission(&both(2)), Admission::Taken);
        assert_eq!(admission(&both(1)), Admission::Pending);
        let refused = json!([condition("Accepted", "False", "NotAllowedByListeners", 2)]);
        let Admission::Refused(why) = admission(&refused) else {
            panic!("it is refused")
        };
        assert!(
            why.contains(
                "listener https of Gateway infra/web does not let in routes of namespace ns"
            ),
            "{why}"
        );
    }

    #[test]
    fn a_gateway_that_says_nothing_has_ten_seconds() {
        let route = route(&json!([]));
        let of = |second| seen(&route, true, at(second)).admission;
        assert_eq!(of(9), Admission::Pending);
        let Admission::Refused(why) = of(10) else {
            panic!("nobody has looked at it")
        };
        assert!(
            why.contains("nobody looks at HTTPRoute shop-edge of Gateway infra/web"),
            "{why}"
        );
    }

    #[test]
    fn a_backend_that_is_not_found_is_told_in_the_words_of_the_gateway() {
        let mut refs = condition("ResolvedRefs", "False", "BackendNotFound", 2);
        refs["message"] = json!("service \"shop-backend\" not found");
        let both = json!([condition("Accepted", "True", "Accepted", 2), refs]);
        assert_eq!(
            admission(&both),
            Admission::Refused(
                "Gateway infra/web does not take HTTPRoute shop-edge (BackendNotFound): service \"shop-backend\" not found".into()
            )
        );
    }
}
