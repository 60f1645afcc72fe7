//! The escape hatch `podTemplate`: a pod template of the user's, to be merged over ours.

mod labels;
mod schema;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

use crate::check::{Faults, containers, resources};

/// The pod template that `value` says, or every fault in it.
pub(super) fn check(
    field: &str,
    value: Option<&Value>,
    faults: &mut Faults,
) -> Option<PodTemplateSpec> {
    let mut value = value?.clone();
    let found = schema::faults(&value);
    if !found.is_empty() {
        for fault in found {
            faults.add(&format!("{field}{}", fault.path), fault.problem);
        }
        return None;
    }
    // A patch need not name every container, but the type insists on the list.
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
        spec.entry("containers").or_insert_with(|| json!([]));
    }
    match serde_json::from_value::<PodTemplateSpec>(value) {
        Ok(template) => {
            labels::refuse(field, &template, faults);
            containers::refuse_twice(field, &template, faults);
            containers::refuse_lost_mounts(field, &template, faults);
            containers::refuse_without_image(field, &template, faults);
            resources::refuse_in(field, &template, faults);
            Some(template)
        }
        Err(error) => {
            faults.add(field, format!("not a pod template: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(value: &Value) -> Result<Option<PodTemplateSpec>, Vec<String>> {
        let mut faults = Faults::default();
        let template = check("backend.podTemplate", Some(value), &mut faults);
        if faults.0.is_empty() {
            Ok(template)
        } else {
            Err(faults.0)
        }
    }

    #[test]
    fn a_patch_need_not_name_a_container() {
        let found = check_one(&json!({"spec": {"terminationGracePeriodSeconds": 5}})).unwrap();
        let spec = found.unwrap().spec.unwrap();
        assert_eq!(spec.termination_grace_period_seconds, Some(5));
    }

    #[test]
    fn a_wrong_type_is_named() {
        let faults = check_one(&json!({"spec": {"hostNetwork": "yes"}})).unwrap_err();
        assert!(
            faults[0].starts_with("spec.backend.podTemplate.spec.hostNetwork: "),
            "{faults:?}"
        );
    }

    #[test]
    fn a_field_that_no_template_has_is_named() {
        let faults = check_one(&json!({"containers": []})).unwrap_err();
        assert!(faults[0].contains("podTemplate.containers"), "{faults:?}");
    }
}
