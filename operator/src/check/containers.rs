//! The containers that a pod template of the user's names.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};

use crate::check::Faults;
use crate::model::names::volume;

/// The volumes that pods of ours may have; beside them one for each of `writablePaths`.
const OUR_VOLUMES: [&str; 3] = [volume::ASSETS, volume::CONFIG, volume::TMP];

/// Containers are merged by name, so of two with one name it could not be told which is meant; no pod may have them.
pub(super) fn refuse_twice(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let Some(pod) = &template.spec else { return };
    let all: Vec<_> = all(pod).collect();
    for (at, (list, index, Container { name, .. })) in all.iter().enumerate() {
        if all[..at]
            .iter()
            .any(|(_, _, earlier)| earlier.name == *name)
        {
            faults.add(
                &format!("{field}.spec.{list}[{index}].name"),
                format!("container {name} is there twice; give it another name, or remove one"),
            );
        }
    }
}

/// A container that is not the part's own brings its image. That of a job is called as its job.
pub(super) fn refuse_without_image(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let (Some((own @ ("backend" | "frontend"), _)), Some(pod)) =
        (field.split_once('.'), &template.spec)
    else {
        return;
    };
    let others = all(pod).filter(|(_, _, it)| it.name != own && it.image.is_none());
    for (list, index, Container { name, .. }) in others {
        faults.add(
            &format!("{field}.spec.{list}[{index}].image"),
            format!("container {name} has no image; the operator's own container, which needs none, is called {own}"),
        );
    }
}

/// No pod may mount a volume that it does not have.
pub(super) fn refuse_lost_mounts(field: &str, template: &PodTemplateSpec, faults: &mut Faults) {
    let Some(pod) = &template.spec else { return };
    let volumes = pod.volumes.iter().flatten();
    let volumes: BTreeSet<&str> = volumes.map(|it| it.name.as_str()).collect();
    let is_there = |it: &str| {
        volumes.contains(it) || OUR_VOLUMES.contains(&it) || it.starts_with(volume::WRITABLE)
    };
    for (list, _, container) in all(pod) {
        let mounts = container.volume_mounts.iter().flatten();
        for mount in mounts.filter(|it| !is_there(&it.name)) {
            faults.add(
                &format!("{field}.spec.{list}[{}].volumeMounts", container.name),
                format!(
                    "there is no volume {}; add it to {field}.spec.volumes, or correct the name",
                    mount.name
                ),
            );
        }
    }
}

/// Every container of a pod, with the list that it is in and its place there.
pub(super) fn all(pod: &PodSpec) -> impl Iterator<Item = (&'static str, usize, &Container)> {
    let first = pod.init_containers.iter().flatten().enumerate();
    let first = first.map(|(index, it)| ("initContainers", index, it));
    let then = pod.containers.iter().enumerate();
    first.chain(then.map(|(index, it)| ("containers", index, it)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_without_an_image_is_told_how_the_own_one_is_called() {
        let template = json!({"spec": {"containers": [
            {"name": "backend"}, {"name": "app", "command": ["serve"]}, {"name": "proxy", "image": "a/p:1"}
        ]}});
        let template = serde_json::from_value(template).unwrap();
        let mut faults = Faults::default();
        refuse_without_image("backend.podTemplate", &template, &mut faults);
        assert_eq!(
            faults.0,
            [
                "spec.backend.podTemplate.spec.containers[1].image: container app has no image; the operator's own container, which needs none, is called backend"
            ]
        );
    }

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
