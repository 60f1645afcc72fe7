//! Wakes `reconcile` when an AppStack, a child of one, or something that one refers to changes.
//!
//! Invariant: no domain words beyond labels and references. Children are watched by their metadata alone, and
//! nothing of them is kept.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::PartialObjectMeta;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{self, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio_util::sync::CancellationToken;

use crate::api::{AppStack, AppStackSpec, MANAGER, label};
use crate::context::Context;
use crate::error::{Class, Error};
use crate::reconcile::desired::Middleware;
use crate::reconcile::inputs::{referenced_config_maps, referenced_secrets};
use crate::reconcile::{error_policy, reconcile};

/// Reconciles the AppStacks of one namespace, or of all, until `stop` is cancelled.
pub async fn run(ctx: Arc<Context>, namespace: Option<String>, stop: CancellationToken) {
    let scope = Scope {
        client: ctx.client.clone(),
        namespace,
    };
    let controller = Controller::new(scope.api::<AppStack>(), watcher::Config::default());
    let store = controller.store();
    let controller = watch_children(controller, &scope, ctx.traefik_kinds);
    let controller =
        watch_references(controller, &scope, &store).graceful_shutdown_on(stop.cancelled_owned());
    let progress = ctx.progress.clone();
    let synced = async move {
        if store.wait_until_ready().await.is_ok() {
            progress.synced();
        }
    };
    let work = controller
        .run(watched, error_policy, ctx.clone())
        .for_each(|result| {
            tell(&ctx, result);
            std::future::ready(())
        });
    futures::join!(synced, work);
}

/// `reconcile` in its turn, counted.
async fn watched(app: Arc<AppStack>, ctx: Arc<Context>) -> Result<controller::Action, Error> {
    ctx.progress.started();
    let _slot = ctx.queue.enter().await;
    let timer = ctx.metrics.reconcile_started();
    let result = reconcile(app, ctx.clone()).await;
    ctx.progress.finished();
    match &result {
        Ok(_) => timer.succeeded(),
        Err(error) => ctx.metrics.reconcile_failed(error.reason().as_str()),
    }
    result
}

fn watch_children(
    controller: Controller<AppStack>,
    scope: &Scope,
    traefik_kinds: bool,
) -> Controller<AppStack> {
    let ours = watcher::Config::default().labels(&format!("{}={MANAGER}", label::MANAGED_BY));
    let controller = controller
        .watches(scope.meta::<Deployment>(), ours.clone(), |it| stack_of(&it))
        .watches(scope.meta::<StatefulSet>(), ours.clone(), |it| {
            stack_of(&it)
        })
        .watches(scope.meta::<PersistentVolumeClaim>(), ours.clone(), |it| {
            stack_of(&it)
        })
        .watches(scope.meta::<Job>(), ours.clone(), |it| stack_of(&it))
        .watches(scope.meta::<Service>(), ours.clone(), |it| stack_of(&it))
        .watches(scope.meta::<ServiceAccount>(), ours.clone(), |it| {
            stack_of(&it)
        })
        .watches(scope.meta::<NetworkPolicy>(), ours.clone(), |it| {
            stack_of(&it)
        })
        .watches(scope.meta::<PodDisruptionBudget>(), ours.clone(), |it| {
            stack_of(&it)
        })
        .watches(scope.meta::<Ingress>(), ours.clone(), |it| stack_of(&it))
        // Why a pod does not start is told by the pod alone; its Deployment's status does not change for it.
        .watches(scope.meta::<Pod>(), ours.clone(), |it| stack_of(&it));
    if traefik_kinds {
        controller.watches(scope.meta::<Middleware>(), ours, |it| stack_of(&it))
    } else {
        controller
    }
}

fn watch_references(
    controller: Controller<AppStack>,
    scope: &Scope,
    store: &Store<AppStack>,
) -> Controller<AppStack> {
    let by_secret = store.clone();
    let by_config_map = store.clone();
    let all = store.clone();
    controller
        .watches(
            scope.meta::<Secret>(),
            watcher::Config::default(),
            move |secret| {
                let refers =
                    |spec: &AppStackSpec, name: &str| referenced_secrets(spec).any(|it| it == name);
                woken_by(&by_secret, &secret, refers)
            },
        )
        .watches(
            scope.meta::<ConfigMap>(),
            watcher::Config::default(),
            move |map| {
                let refers = |spec: &AppStackSpec, name: &str| {
                    referenced_config_maps(spec).any(|(it, _)| it == name)
                };
                woken_by(&by_config_map, &map, refers)
            },
        )
        .watches(
            Api::<PartialObjectMeta<IngressClass>>::all(scope.client.clone()),
            watcher::Config::default(),
            move |_| {
                all.state()
                    .iter()
                    .map(|it| ObjectRef::from_obj(it.as_ref()))
                    .collect::<Vec<_>>()
            },
        )
}

/// The stack that a child belongs to, by its label.
fn stack_of<K: Resource>(child: &PartialObjectMeta<K>) -> Option<ObjectRef<AppStack>> {
    if child
        .labels()
        .get(label::MANAGED_BY)
        .is_none_or(|it| it != MANAGER)
    {
        return None;
    }
    let stack = child.labels().get(label::STACK)?;
    Some(ObjectRef::new(stack).within(&child.namespace()?))
}

/// The stack that an object belongs to, and those whose specs refer to it.
fn woken_by<K: Resource>(
    store: &Store<AppStack>,
    object: &PartialObjectMeta<K>,
    refers: impl Fn(&AppStackSpec, &str) -> bool,
) -> Vec<ObjectRef<AppStack>> {
    let name = object.name_any();
    let referrers = store
        .state()
        .into_iter()
        .filter(|it| it.namespace() == object.namespace())
        .filter(|it| refers(&it.spec, &name))
        .map(|it| ObjectRef::from_obj(it.as_ref()));
    stack_of(object).into_iter().chain(referrers).collect()
}

fn tell(
    ctx: &Context,
    result: Result<
        (ObjectRef<AppStack>, controller::Action),
        controller::Error<Error, watcher::Error>,
    >,
) {
    match result {
        Ok((stack, _)) => tracing::debug!(%stack, "reconciled"),
        Err(controller::Error::ObjectNotFound(stack)) => {
            let key = format!("{}/{}", stack.namespace.unwrap_or_default(), stack.name);
            ctx.metrics.stack_gone(&key);
            ctx.ledger.forget(&key);
            ctx.tries.forget(&key);
            ctx.backoff.reset(&key);
        }
        Err(controller::Error::ReconcilerFailed(error, stack))
            if error.class() == Class::Ending =>
        {
            tracing::debug!(%stack, error = error.chain(), "the namespace is being deleted");
        }
        Err(controller::Error::ReconcilerFailed(error, stack)) => {
            tracing::warn!(%stack, error = error.chain(), "cannot reconcile");
        }
        Err(controller::Error::QueueError(error)) => {
            tracing::warn!(%error, "a watch was interrupted");
        }
        Err(error) => tracing::warn!(%error, "the controller was interrupted"),
    }
}

/// Where we look: one namespace, or all.
struct Scope {
    client: Client,
    namespace: Option<String>,
}

impl Scope {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn meta<K>(&self) -> Api<PartialObjectMeta<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug,
    {
        self.api()
    }
}
