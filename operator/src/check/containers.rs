//! The containers that a pod template of the user's names.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};

use crate::check::Faults;

/// The volumes that pods of ours may have, as `build` names them; beside them one for each of `writablePaths`.
const OUR_VOLUMES: [&str; 3] = ["assets", "config", "tmp"];
/// What the names of those begin with.
const WRITABLE: &str = "writable-";

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

/// No pod may mount a volume that it does not have.
pub(super) fn refuse_lost_mounts(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let Some(pod) = &template.spec else { return };
    let volumes: BTreeSet<&str> = pod
        .volumes
        .iter()
        .flatten()
        .map(|it| it.name.as_str())
        .collect();
    let is_there =
        |it: &str| volumes.contains(it) || OUR_VOLUMES.contains(&it) || it.starts_with(WRITABLE);
    let first = pod
        .init_containers
        .iter()
        .flatten()
        .map(|it| ("initContainers", it));
    let all = first.chain(pod.containers.iter().map(|it| ("containers", it)));
    for (
        list,
        Container {
            name,
            volume_mounts,
            ..
        },
    ) in all
    {
        for mount in volume_mounts
            .iter()
            .flatten()
            .filter(|it| !is_there(&it.name))
        {
            faults.add(
                &format!("{field}.spec.{list}[{name}].volumeMounts"),
                format!(
                    "there is no volume {}; add it to {field}.spec.volumes, or correct the name",
                    mount.name
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mount_of_a_volume_that_is_not_there_is_named() {
        let template = json!({"spec": {
            "volumes": [{"name": "cache", "emptyDir": {}}],
            "initContainers": [{"name": "warm", "volumeMounts": [{"name": "cahce", "mountPath": "/c"}]}],
            "containers": [{"name": "backend", "volumeMounts": [
                {"name": "cache", "mountPath": "/c"}, {"name": "tmp", "mountPath": "/var/tmp"},
            ]}],
        }});
        let template: PodTemplateSpec = serde_json::from_value(template).unwrap();
        let mut faults = Faults::default();
        refuse_lost_mounts("backend.podTemplate", &template, &mut faults);
        assert_eq!(
            faults.0,
            [
                "spec.backend.podTemplate.spec.initContainers[warm].volumeMounts: there is no volume cahce; add it to backend.podTemplate.spec.volumes, or correct the name",
            ]
        );
    }

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
