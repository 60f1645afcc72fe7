//! The children of a stack, whatever kind they are.

use kube::api::{
    DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt as _};

use super::World;
use super::stacks::parse;

/// Group, version, kind and plural of what the operator makes and keeps. Jobs are not among them: one that is done is
/// never made again.
pub(crate) const KINDS: [(&str, &str, &str, &str); 12] = [
    ("", "v1", "ServiceAccount", "serviceaccounts"),
    ("", "v1", "Secret", "secrets"),
    ("", "v1", "ConfigMap", "configmaps"),
    ("", "v1", "Service", "services"),
    (
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
    ),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("apps", "v1", "Deployment", "deployments"),
    ("batch", "v1", "CronJob", "cronjobs"),
    (
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
    (
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
    ),
    ("traefik.io", "v1alpha1", "Middleware", "middlewares"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses"),
];

/// A child of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) object: DynamicObject,
    resource: ApiResource,
}

impl Child {
    /// Kind and name.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// Which object this is and in which state: equal only if nobody wrote to it.
    pub(crate) fn fingerprint(&self) -> (String, Option<String>, Option<String>, Option<i64>) {
        let metadata = &self.object.metadata;
        (
            self.title(),
            metadata.uid.clone(),
            metadata.resource_version.clone(),
            metadata.generation,
        )
    }
}

impl World {
    /// The children of a stack, of every kind in `KINDS`.
    pub(crate) async fn children(&self, stack: &str) -> Vec<Child> {
        let ours =
            format!("appstack.dev/stack={stack},app.kubernetes.io/managed-by=appstack-operator");
        let params = ListParams::default().labels(&ours);
        let mut children = Vec::new();
        for (group, version, kind, plural) in KINDS {
            let gvk = GroupVersionKind::gvk(group, version, kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
            let list = self.of(&resource).list(&params).await.unwrap();
            children.extend(list.into_iter().map(|object| Child {
                kind,
                name: object.name_any(),
                object,
                resource: resource.clone(),
            }));
        }
        children
    }

    /// The child as it is now; `None` while there is none of its name.
    pub(crate) async fn now(&self, child: &Child) -> Option<DynamicObject> {
        let api = self.of(&child.resource);
        api.get_opt(&child.name).await.unwrap()
    }

    /// Deletes a child behind the operator's back.
    pub(crate) async fn take_away(&self, child: &Child) {
        let api = self.of(&child.resource);
        let deleted = api.delete(&child.name, &DeleteParams::background()).await;
        deleted.unwrap();
    }

    /// Changes a child behind the operator's back.
    pub(crate) async fn edit(&self, child: &Child, yaml: &str) -> DynamicObject {
        let params = PatchParams {
            field_manager: Some("somebody-else".into()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(parse(yaml));
        let api = self.of(&child.resource);
        let edited = api.patch(&child.name, &params, &patch).await;
        edited.unwrap_or_else(|error| panic!("cannot edit {}: {error}", child.title()))
    }

    /// Puts another object with the labels of a child in its place behind the operator's back.
    pub(crate) async fn supplant(&self, child: &Child, yaml: &str) -> DynamicObject {
        let mut other = child.object.clone();
        other.metadata = ObjectMeta {
            name: Some(child.name.clone()),
            labels: child.object.metadata.labels.clone(),
            ..ObjectMeta::default()
        };
        json_patch::merge(&mut other.data, &parse(yaml));
        self.take_away(child).await;
        let api = self.of(&child.resource);
        let made = api.create(&PostParams::default(), &other).await;
        made.unwrap_or_else(|error| panic!("cannot supplant {}: {error}", child.title()))
    }

    fn of(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, resource)
    }
}
