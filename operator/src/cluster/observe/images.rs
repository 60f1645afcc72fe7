//! How far the images of a release are that are pulled before it begins.
//!
//! Invariant: whether a container then runs is of no interest: its image is there as soon as the kubelet has tried to make
//! it.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::cluster::observe::{lifecycle, trouble};
use crate::model::observed::Cause;
use crate::model::observed::Images;

/// How far the images of so many pods are, each with so many containers.
pub(super) fn of(pods: &[Pod], wanted: usize, containers: usize) -> Images {
    let found: Vec<Images> = lifecycle::active(pods)
        .map(|it| of_pod(it, containers))
        .collect();
    let missing = if found.len() < wanted {
        Images::Pulling
    } else {
        Images::Pulled
    };
    found.into_iter().fold(missing, Images::worst)
}

fn of_pod(pod: &Pod, wanted: usize) -> Images {
    if let Some(why) = trouble::unschedulable(pod) {
        let why = format!("no node takes the pod that pulls them: {why}");
        return Images::Stuck { why };
    }
    let statuses = pod.status.iter().flat_map(trouble::containers);
    let found: Vec<Images> = statuses.map(|it| of_container(pod, it)).collect();
    let missing = if found.len() < wanted {
        Images::Pulling
    } else {
        Images::Pulled
    };
    found.into_iter().fold(missing, Images::worst)
}

fn of_container(pod: &Pod, container: &ContainerStatus) -> Images {
    match trouble::of_container(pod, container) {
        Some((Cause::Image, why)) => return Images::Stuck { why },
        Some(_) => return Images::Pulled,
        None => {}
    }
    let state = container.state.as_ref();
    let made = state.is_some_and(|it| it.running.is_some() || it.terminated.is_some());
    if made {
        Images::Pulled
    } else {
        Images::Pulling
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(states: &[Value]) -> Pod {
        let containers: Vec<Value> = states
            .iter()
            .map(|state| {
                json!({"name": "c", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0, "state": state})
            })
            .collect();
        serde_json::from_value(
            json!({"metadata": {"name": "p"}, "status": {"containerStatuses": containers}}),
        )
        .unwrap()
    }

    fn waiting(reason: &str) -> Value {
        json!({"waiting": {"reason": reason, "message": "not found"}})
    }

    #[test]
    fn an_image_is_there_once_its_container_was_tried() {
        let tried = [
            json!({"terminated": {"exitCode": 128, "reason": "StartError"}}),
            waiting("RunContainerError"),
            waiting("CreateContainerError"),
            waiting("CreateContainerConfigError"),
            waiting("CrashLoopBackOff"),
        ];
        for state in tried {
            assert_eq!(of(&[pod(&[state])], 1, 1), Images::Pulled);
        }
        assert_eq!(
            of(&[pod(&[waiting("ContainerCreating")])], 1, 1),
            Images::Pulling
        );
    }

    #[test]
    fn one_image_that_cannot_be_pulled_is_told_whatever_the_others_do() {
        for reason in ["ErrImagePull", "ImagePullBackOff"] {
            let all = [pod(&[waiting("RunContainerError"), waiting(reason)])];
            let why = "cannot pull a/b:1: not found".to_owned();
            assert_eq!(of(&all, 2, 2), Images::Stuck { why });
        }
    }

    #[test]
    fn every_container_of_every_pod_counts() {
        let done = || pod(&[waiting("RunContainerError")]);
        assert_eq!(of(&[], 1, 1), Images::Pulling);
        assert_eq!(of(&[done()], 2, 1), Images::Pulling);
        assert_eq!(of(&[done()], 1, 2), Images::Pulling);
        assert_eq!(of(&[done(), done()], 2, 1), Images::Pulled);
    }

    #[test]
    fn a_pod_that_no_node_takes_says_why() {
        let pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"},
        ]}}))
        .unwrap();
        let Images::Stuck { why } = of(&[pod], 1, 1) else {
            panic!("it is not told");
        };
        assert!(why.ends_with("no room"), "{why}");
    }
}
