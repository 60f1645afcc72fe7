//! Wakes `reconcile` when an AppStack, a child of one, or something that one refers to changes.
//!
//! Invariant: no domain words beyond labels and references.

mod unreadable;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{self, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt as _};
use tokio_util::sync::CancellationToken;

use crate::api::{AppStack, AppStackSpec, MANAGER, label};
use crate::context::Context;
use crate::controller::watches::Scope;
use crate::error::{Class, Error};
use crate::model::inputs::{referenced_config_maps, referenced_secrets};
use crate::model::kinds::Middleware;
use crate::reconcile::{error_policy, reconcile};

/// How long reconciliations that are under way may go on once we are told to stop: longer than a request may take, and
/// short enough that the Lease is given back before the 30 s are over after which Kubernetes kills a pod.
const GRACE: Duration = Duration::from_secs(15);

/// Reconciles the AppStacks of one namespace, or of all, until `stop` is cancelled. At most `concurrency` of them at the
/// same time: the others wait in kube's queue, so that each is worked on as it is when its turn comes, and those that wait
/// when we are told to stop never begin. What is under way then may end, for [`GRACE`].
pub async fn run(
    ctx: Arc<Context>,
    namespace: Option<String>,
    concurrency: u16,
    stop: CancellationToken,
) {
    let scope = Scope {
        ctx: ctx.clone(),
        namespace,
    };
    let (store, writer) = reflector::store();
    let controller = Controller::for_stream(scope.stacks(writer), store.clone());
    let controller = watch_children(controller, &scope);
    let controller = watch_references(controller, &scope, &store)
        .with_config(controller::Config::default().concurrency(concurrency))
        .graceful_shutdown_on(stop.clone().cancelled_owned());
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
    tokio::select! {
        ((), ()) = futures::future::join(synced, work) => {}
        () = overdue(stop) => tracing::warn!("gave up what was still under way"),
    }
}

/// Ends when the time is over that work has to end after `stop`. kube alone would wait for ever for work that hangs, and
/// for the first list if that is not in.
async fn overdue(stop: CancellationToken) {
    stop.cancelled().await;
    // Pending until its limit, as a sleep would be.
    let rest = std::future::pending::<()>();
    let _ = tokio::time::timeout(GRACE, rest).await;
}

/// `reconcile`, counted.
async fn watched(app: Arc<AppStack>, ctx: Arc<Context>) -> Result<controller::Action, Error> {
    let _under_way = ctx.progress.begin();
    let timer = ctx.metrics.reconcile_started();
    let result = reconcile(app, ctx.clone()).await;
    match &result {
        Ok(_) => timer.succeeded(),
        Err(error) => ctx.metrics.reconcile_failed(error.reason().as_str()),
    }
    result
}

fn watch_children(controller: Controller<AppStack>, scope: &Scope) -> Controller<AppStack> {
    let controller = controller
        .watches_stream(scope.children::<Deployment>(), |it| stack_of(&it))
        .watches_stream(scope.children::<StatefulSet>(), |it| stack_of(&it))
        .watches_stream(scope.children::<PersistentVolumeClaim>(), |it| {
            stack_of(&it)
        })
        .watches_stream(scope.children::<Job>(), |it| stack_of(&it))
        .watches_stream(scope.children::<CronJob>(), |it| stack_of(&it))
        .watches_stream(scope.children::<HorizontalPodAutoscaler>(), |it| {
            stack_of(&it)
        })
        .watches_stream(scope.children::<Service>(), |it| stack_of(&it))
        .watches_stream(scope.children::<ServiceAccount>(), |it| stack_of(&it))
        .watches_stream(scope.children::<NetworkPolicy>(), |it| stack_of(&it))
        .watches_stream(scope.children::<PodDisruptionBudget>(), |it| stack_of(&it))
        .watches_stream(scope.children::<Ingress>(), |it| stack_of(&it))
        .watches_stream(scope.records(), |it| stack_of(&it))
        // Why a pod does not start is told by the pod alone; its Deployment's status does not change for it.
        .watches_stream(scope.children::<Pod>(), |it| stack_of(&it));
    if scope.ctx.traefik_kinds {
        controller.watches_stream(scope.children::<Middleware>(), |it| stack_of(&it))
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
        .watches_stream(scope.all::<Secret>(), move |secret| {
            let refers =
                |spec: &AppStackSpec, name: &str| referenced_secrets(spec).any(|it| it == name);
            woken_by(&by_secret, &secret, refers)
        })
        .watches_stream(scope.all::<ConfigMap>(), move |map| {
            let refers = |spec: &AppStackSpec, name: &str| {
                referenced_config_maps(spec).any(|(it, _)| it == name)
            };
            woken_by(&by_config_map, &map, refers)
        })
        .watches_stream(scope.ingress_classes(), move |_| {
            all.state()
                .iter()
                .map(|it| ObjectRef::from_obj(it.as_ref()))
                .collect::<Vec<_>>()
        })
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
            ctx.turns.give_back(&key);
            ctx.batch.forget(&key);
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
        Err(error) => tracing::warn!(%error, "the controller was interrupted"),
    }
}
