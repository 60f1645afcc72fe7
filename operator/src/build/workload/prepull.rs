//! What pulls the images of a release that has not begun: for each part that brings images of its own, the database too, a
//! Deployment with as many pods as the part will have, so that its nodes have them by then.
//!
//! Nothing of a release may run before somebody has approved it. So every container has a command that no image has: the
//! kubelet pulls the image, and only then finds that there is nothing to start. This holds for every image, those without a
//! shell included, on every runtime and every version of Kubernetes that we know; volumes made of images would need no such
//! command, and are there only from Kubernetes 1.33 and containerd 2.1 on. It is a Deployment and not a Job, since its pods
//! come back whoever took them away, and because a Job that always fails would alarm people.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Container, PodSpec, PodTemplateSpec, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::api::label;
use crate::build::meta::{self, Component};
use crate::build::workload::pod;
use crate::build::{Direction, awake, manifests};
use crate::model::hash::canonical;
use crate::model::identity::PullHash;
use crate::model::object::Object;
use crate::model::stack::Stack;

/// A command that no image has.
const NOTHING: &str = "/appstack-pulls-this-image-and-runs-nothing";

/// What pulls the images of a part.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The hash of all that the pull depends on: images, pull secrets, node choice.
    pub hash: PullHash,
    /// The Deployment.
    pub object: Object,
}

/// What is to be pulled for a release, beside what the pods of another one have.
#[must_use]
pub fn pulls(have: &Stack, wanted: &Stack) -> Vec<Pull> {
    let known: BTreeSet<PullHash> = all(have).into_keys().collect();
    let wanted = all(wanted).into_iter();
    wanted
        .filter(|(hash, _)| !known.contains(hash))
        .map(|(hash, object)| Pull { hash, object })
        .collect()
}

/// One for each set of images, by its hash.
fn all(stack: &Stack) -> BTreeMap<PullHash, Object> {
    let manifests = manifests(stack).of(&stack.namespace, &stack.owner);
    let stages = awake(stack, manifests, Direction::Forward);
    let objects = stages.iter().flat_map(|it| &it.objects);
    let parts = objects.filter_map(|it| match it {
        Object::Deployment(it) => it.spec.as_ref().map(|it| (&it.template, it.replicas)),
        Object::StatefulSet(it) => it.spec.as_ref().map(|it| (&it.template, it.replicas)),
        _ => None,
    });
    parts
        .filter_map(|(template, replicas)| pull(stack, template, replicas))
        .collect()
}

fn pull(
    stack: &Stack,
    part: &PodTemplateSpec,
    replicas: Option<i32>,
) -> Option<(PullHash, Object)> {
    let mut spec = puller(part.spec.as_ref()?);
    let hash = PullHash::of(&[&canonical(&spec)]);
    let mut selector = meta::selector(stack.names.stack(), Component::Images.as_str());
    selector.insert(label::REVISION.into(), (&hash).into());
    pod::spread(stack, Component::Images, &mut spec);
    let mut labels = meta::labels(stack, Component::Images);
    labels.extend(selector.clone());
    let deployment = Deployment {
        metadata: meta::object(stack, &stack.names.pull(&hash), Component::Images),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas.unwrap_or(1).max(1)),
            selector: LabelSelector {
                match_labels: Some(selector),
                match_expressions: None,
            },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(spec),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    };
    Some((hash, Object::Deployment(Box::new(deployment))))
}

/// Of a part's pod all that decides which images come to which nodes, and nothing that a program could use.
fn puller(pod: &PodSpec) -> PodSpec {
    let mut seen = BTreeSet::new();
    let containers = pod.init_containers.iter().flatten().chain(&pod.containers);
    PodSpec {
        containers: containers
            .filter(|it| seen.insert((it.image.clone(), it.image_pull_policy.clone())))
            .map(idle)
            .collect(),
        image_pull_secrets: pod.image_pull_secrets.clone(),
        service_account_name: pod.service_account_name.clone(),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: pod.security_context.clone(),
        node_selector: pod.node_selector.clone(),
        tolerations: pod.tolerations.clone(),
        affinity: pod.affinity.as_ref().map(|it| Affinity {
            node_affinity: it.node_affinity.clone(),
            ..Affinity::default()
        }),
        priority_class_name: pod.priority_class_name.clone(),
        runtime_class_name: pod.runtime_class_name.clone(),
        scheduler_name: pod.scheduler_name.clone(),
        termination_grace_period_seconds: Some(0),
        ..PodSpec::default()
    }
}

/// A container of the same image that never starts.
fn idle(container: &Container) -> Container {
    let least: BTreeMap<_, _> = [("cpu", "1m"), ("memory", "32Mi")]
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.into())))
        .into();
    Container {
        name: container.name.clone(),
        image: container.image.clone(),
        image_pull_policy: container.image_pull_policy.clone(),
        command: Some(vec![NOTHING.into()]),
        security_context: container.security_context.clone(),
        // A quota may ask for both.
        resources: Some(ResourceRequirements {
            requests: Some(least.clone()),
            limits: Some(least),
            ..ResourceRequirements::default()
        }),
        ..Container::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn stack(backend: &str) -> Stack {
        let fields = format!("version: v1, backend: {backend}, frontend: {{image: a/site}}");
        fixtures::stack(&fixtures::app(&fields))
    }

    fn deployment(pull: &Pull) -> &Deployment {
        match &pull.object {
            Object::Deployment(it) => it,
            other => panic!("{} pulls images", other.kind()),
        }
    }

    fn images(pulls: &[Pull]) -> Vec<Vec<String>> {
        let of = |pull: &Pull| {
            let spec = deployment(pull)
                .spec
                .clone()
                .unwrap()
                .template
                .spec
                .unwrap();
            let images = spec.containers.into_iter().map(|it| it.image.unwrap());
            images.collect::<Vec<_>>()
        };
        pulls.iter().map(of).collect()
    }

    #[test]
    fn only_what_a_release_brings_is_pulled() {
        let old = stack("{image: a/b}");
        assert_eq!(
            images(&pulls(&old, &stack("{image: 'a/b:2'}"))),
            [["a/b:2"]]
        );
        let mut database = old.clone();
        let embedded = database.database.embedded.as_mut().unwrap();
        embedded.image = "a/postgres:19".into();
        assert_eq!(images(&pulls(&old, &database)), [["a/postgres:19"]]);
        for same in ["{image: a/b, workers: 7}", "{image: a/b, replicas: 3}"] {
            assert!(pulls(&old, &stack(same)).is_empty(), "{same}");
        }
    }

    #[test]
    fn containers_of_the_user_are_pulled_too_with_the_settings_of_the_pod() {
        let pod_template = "{image: 'a/b:2', replicas: 3, podTemplate: {spec: {
            imagePullSecrets: [{name: registry}], nodeSelector: {disk: fast},
            initContainers: [{name: first, image: 'a/b:2'}], containers: [{name: proxy, image: a/proxy}]}}}";
        let pulls = pulls(&stack("{image: a/b}"), &stack(pod_template));
        assert_eq!(images(&pulls), [["a/b:2", "a/proxy"]]);
        let spec = deployment(&pulls[0]).spec.clone().unwrap();
        assert_eq!(spec.replicas, Some(3));
        let pod = spec.template.spec.unwrap();
        assert_eq!(pod.image_pull_secrets.unwrap()[0].name, "registry");
        assert_eq!(pod.node_selector.unwrap()["disk"], "fast");
    }

    #[test]
    fn nothing_runs_and_nothing_is_there_to_be_read() {
        let pulls = pulls(&stack("{image: a/b}"), &stack("{image: 'a/b:2'}"));
        let pod = deployment(&pulls[0]).spec.clone().unwrap().template.spec;
        let pod = pod.unwrap();
        assert_eq!(pod.automount_service_account_token, Some(false));
        assert_eq!(pod.volumes, None);
        assert_eq!(pod.security_context.unwrap().run_as_non_root, Some(true));
        for it in pod.containers {
            assert_eq!(it.command.unwrap(), [NOTHING]);
            assert_eq!((it.env, it.env_from, it.volume_mounts), (None, None, None));
            let context = it.security_context.unwrap();
            assert_eq!(context.allow_privilege_escalation, Some(false));
        }
    }
}
