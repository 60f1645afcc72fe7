//! Numbers of pods that are an autoscaler's.
//!
//! Invariant: pure. Of such a number ours is only the one to begin with: once somebody else has said one, it is theirs.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt as _;

use crate::api::{MANAGER, annotation};

/// How many pods there are to be at least, where an autoscaler chooses their number.
#[must_use]
pub fn least(deployment: &Deployment) -> Option<i32> {
    let said = deployment.annotations().get(annotation::MIN_REPLICAS)?;
    said.parse().ok()
}

/// How many pods there are to be.
#[must_use]
pub fn count(deployment: &Deployment) -> i32 {
    let spec = deployment.spec.as_ref();
    spec.and_then(|it| it.replicas).unwrap_or(1)
}

/// The number that is to be said for good before the apply that says none: else the API server would fall back to one
/// pod, because nobody says a number any more. `None` if somebody else says one already. No autoscaler counts on from zero,
/// where a stack that hibernated has left it.
#[must_use]
pub fn handed_over(live: &Deployment, start: i32) -> Option<i32> {
    let mut managers = live.managed_fields().iter();
    let is_theirs = managers.any(|it| it.manager.as_deref() != Some(MANAGER) && says_number(it));
    let count = count(live);
    (count == 0 || !is_theirs).then(|| count.max(start))
}

fn says_number(manager: &ManagedFieldsEntry) -> bool {
    let fields = manager.fields_v1.as_ref();
    fields.is_some_and(|it| it.0["f:spec"].get("f:replicas").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::SCALE_MANAGER;

    fn live(replicas: i32, managers: &[&str]) -> Deployment {
        let entry = |manager: &&str| json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let mut fields: Vec<_> = managers.iter().map(entry).collect();
        fields.push(json!({"manager": "kubectl", "fieldsV1": {"f:spec": {"f:template": {}}}}));
        serde_json::from_value(json!({
            "metadata": {"managedFields": fields},
            "spec": {"replicas": replicas, "selector": {}, "template": {}},
        }))
        .unwrap()
    }

    #[test]
    fn a_number_that_only_we_said_is_handed_over_as_it_is() {
        assert_eq!(handed_over(&live(5, &[MANAGER]), 2), Some(5));
        assert_eq!(handed_over(&live(1, &[MANAGER]), 2), Some(2));
    }

    #[test]
    fn a_number_that_nobody_said_is_the_one_to_begin_with() {
        assert_eq!(handed_over(&live(1, &[]), 3), Some(3));
    }

    #[test]
    fn a_number_of_somebody_else_is_left_alone() {
        for manager in [SCALE_MANAGER, "kube-controller-manager"] {
            assert_eq!(handed_over(&live(1, &[manager]), 3), None);
            assert_eq!(handed_over(&live(7, &[MANAGER, manager]), 3), None);
        }
    }

    #[test]
    fn nobody_counts_on_from_zero() {
        let asleep = live(0, &[MANAGER]);
        assert_eq!(handed_over(&asleep, 3), Some(3));
        assert_eq!(handed_over(&live(0, &["kubectl"]), 3), Some(3));
    }

    #[test]
    fn only_an_autoscaled_deployment_says_the_least() {
        let mut deployment = live(5, &[]);
        assert_eq!(least(&deployment), None);
        let least_pods = (annotation::MIN_REPLICAS.to_owned(), "2".to_owned());
        deployment.metadata.annotations = Some([least_pods].into());
        assert_eq!(least(&deployment), Some(2));
    }
}
