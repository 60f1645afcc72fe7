//! Wakes `reconcile` when an AppStack, a child of one, or something that one refers to changes.
//!
//! Invariant: no domain words beyond labels and references.

mod gate;
mod unreadable;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt as _, Stream, StreamExt as _};
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
use crate::controller::gate::Gate;
use crate::controller::watches::Scope;
use crate::error::{Class, Error};
use crate::model::inputs::{referenced_config_maps, referenced_secrets};
use crate::model::kinds::Middleware;
use crate::reconcile::{error_policy, reconcile};
use crate::runtime::leader::Term;

/// How long reconciliations that are under way may go on once we are told to stop: longer than a request may take, and
/// short enough that the Lease is given back before the 30 s are over after which Kubernetes kills a pod.
const GRACE: Duration = Duration::from_secs(15);

/// How the controllers are run.
#[derive(Clone, Debug)]
pub struct Controllers {
    /// The namespaces that are watched, each by a controller of its own; all of them if there are none.
    pub namespaces: Vec<String>,
    /// How many AppStacks of a controller are worked on at the same time.
    pub concurrency: u16,
    /// Since when work may be done.
    pub term: Term,
}

/// Watches from now on, and reconciles the AppStacks once the term has begun, until `stop` is cancelled. A standby so has
/// all that it needs when its turn comes, and sends nothing but reads before.
pub async fn run(ctx: Arc<Context>, how: Controllers, stop: CancellationToken) {
    let places = match how.namespaces.as_slice() {
        [] => vec![None],
        namespaces => namespaces.iter().cloned().map(Some).collect(),
    };
    let each = places
        .into_iter()
        .map(|namespace| control(&ctx, namespace, &how, &stop));
    let beside = async {
        let leads = async {
            how.term.begun().await;
            ctx.progress.leads();
        };
        tokio::join!(leads, ctx.optional.follow(&ctx.client, ctx.jitter));
        // There may be nothing to follow.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = join_all(each) => {}
        () = beside => {}
    }
}

/// Reconciles the AppStacks of one namespace, or of all. At most `concurrency` of them at the same time: the others wait
/// in kube's queue, so that each is worked on as it is when its turn comes, and those that wait when we are told to stop
/// never begin. What is under way then may end, for [`GRACE`].
async fn control(
    ctx: &Arc<Context>,
    namespace: Option<String>,
    how: &Controllers,
    stop: &CancellationToken,
) {
    let gate = Gate::default();
    let scope = Scope {
        ctx: ctx.clone(),
        namespace,
        gate: gate.clone(),
    };
    let (store, writer) = reflector::store();
    let listed = CancellationToken::new();
    let controller = Controller::for_stream(scope.stacks(writer), store.clone());
    let controller = watch_children(controller, &scope);
    let controller = watch_references(controller, &scope, &store)
        .reconcile_all_on(beginnings(&scope, listed.clone(), how.term.clone()))
        .with_config(controller::Config::default().concurrency(how.concurrency))
        .graceful_shutdown_on(stop.clone().cancelled_owned());
    let synced = async {
        // Here alone: kube wakes only the last of those who wait for a store, and its own wait is part of the same task.
        if store.wait_until_ready().await.is_ok() {
            listed.cancel();
            ctx.optional.known().await;
            ctx.progress.synced();
        }
    };
    let work = controller
        .run(watched, error_policy, ctx.clone())
        .for_each(|result| {
            tell(ctx, result);
            std::future::ready(())
        });
    tokio::select! {
        ((), ()) = futures::future::join(synced, work) => {}
        () = overdue(stop, &gate) => tracing::debug!("whatever was still under way is given up"),
    }
}

/// Tells when all stacks are to be looked at: when the work begins, which opens the gate, and then whenever another kind is
/// served or one is no more. Work begins once this replica leads, and knows the stacks (`listed`) and the kinds that are served:
/// otherwise it would take what it has not seen for what is not there.
fn beginnings(
    scope: &Scope,
    listed: CancellationToken,
    term: Term,
) -> impl Stream<Item = ()> + Send + use<> {
    let gate = scope.gate.clone();
    let changes = scope.ctx.optional.changes();
    let ready = async move {
        term.begun().await;
        listed.cancelled().await;
        changes
    };
    ready.flatten_stream().inspect(move |()| gate.open())
}

/// Ends when the time is over that work has to end after `stop`; at once if none has begun. kube alone would wait for ever
/// for work that hangs, and for the first list if that is not in.
async fn overdue(stop: &CancellationToken, gate: &Gate) {
    stop.cancelled().await;
    if gate.is_open() {
        // Pending until its limit, as a sleep would be.
        let rest = std::future::pending::<()>();
        let _ = tokio::time::timeout(GRACE, rest).await;
        tracing::warn!("work that was under way did not end in time");
    }
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
    controller
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
        .watches_stream(scope.children::<Pod>(), |it| stack_of(&it))
        .watches_stream(scope.optional_children::<Middleware>(), |it| stack_of(&it))
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
            ctx.cache.forget(&key);
            ctx.public_checks.forget(&key);
            ctx.turns.give_back(&key);
            ctx.debounce.forget(&key);
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
