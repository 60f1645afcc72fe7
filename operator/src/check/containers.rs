//! The containers that a pod template of the user's names.

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::check::Faults;

/// Containers are merged by name, so of two with one name it could not be told which is meant; no pod may have them.
pub(super) fn refuse_twice(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let Some(pod) = &template.spec else { return };
    let first = pod.init_containers.iter().flatten().enumerate();
    let then = pod.containers.iter().enumerate();
    let all: Vec<_> = first
        .map(|(index, it)| (format!("initContainers[{index}]"), &it.name))
        .chain(then.map(|(index, it)| (format!("containers[{index}]"), &it.name)))
        .collect();
    for (index, (place, name)) in all.iter().enumerate() {
        if all[..index].iter().any(|(_, earlier)| earlier == name) {
            faults.add(
                &format!("{field}.spec.{place}.name"),
                format!("container {name} is there twice; give it another name, or remove one"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_containers_of_one_name_are_named_with_their_place() {
        let template = json!({"spec": {
            "initContainers": [{"name": "a"}, {"name": "b"}],
            "containers": [{"name": "backend"}, {"name": "b"}, {"name": "backend"}],
        }});
        let template: PodTemplateSpec = serde_json::from_value(template).unwrap();
        let mut faults = Faults::default();
        refuse_twice("backend.podTemplate", &template, &mut faults);
        assert_eq!(
            faults.0,
            [
                "spec.backend.podTemplate.spec.containers[1].name: container b is there twice; give it another name, or remove one",
                "spec.backend.podTemplate.spec.containers[2].name: container backend is there twice; give it another name, or remove one",
            ]
        );
    }
}
