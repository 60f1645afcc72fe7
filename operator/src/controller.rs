//! Wakes the reconcilers when something changes that they work on.
//!
//! Here is what is the same for every kind. What is its own stands in two files: `controller/<kind>.rs` implements
//! `Controlled`, and `reconcile/<kind>.rs` does the work. [`run`] names the kinds.

mod appstack;
mod gate;
mod unreadable;
mod watches;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt as _, Stream, StreamExt as _};
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::api::AppStack;
use crate::context::Context;
use crate::controller::gate::Gate;
use crate::controller::watches::Scope;
use crate::error::{Class, Error, Result};
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
    let namespaces = match how.namespaces.as_slice() {
        [] => vec![None],
        namespaces => namespaces.iter().cloned().map(Some).collect(),
    };
    let places = namespaces.into_iter().map(|namespace| Place {
        namespace,
        listed: CancellationToken::new(),
    });
    let stacks: Vec<Place> = places.collect();
    let each = stacks
        .iter()
        .map(|place| control::<AppStack>(&ctx, place, &how, &stop));
    let leads = async {
        how.term.begun().await;
        ctx.progress.leads();
    };
    let synced = async {
        for place in &stacks {
            place.listed.cancelled().await;
        }
        ctx.optional.known().await;
        ctx.progress.synced();
    };
    let beside = async {
        tokio::join!(leads, synced, ctx.optional.follow(&ctx.client, ctx.jitter));
        // There may be nothing to follow.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = join_all(each) => {}
        () = beside => {}
    }
}

/// Where a controller works.
struct Place {
    /// One namespace, or all of them.
    namespace: Option<String>,
    /// Cancelled once its objects are known.
    listed: CancellationToken,
}

/// A kind that we reconcile.
trait Controlled:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Takes away what nobody reads: every object of the kind is kept in memory.
    fn strip(&mut self);

    /// The controller with the watches that wake it, beside the one of the kind itself; `store` holds all objects of the kind.
    fn watches(
        controller: Controller<Self>,
        scope: &Scope,
        store: &Store<Self>,
    ) -> Controller<Self>;

    /// Tells others of an object that has changed or is gone.
    fn changed(ctx: &Context, object: &Self);

    /// One reconciliation.
    fn reconcile(
        self: Arc<Self>,
        ctx: Arc<Context>,
    ) -> impl Future<Output = Result<Action>> + Send + 'static;

    /// When to try again.
    fn after_error(self: Arc<Self>, error: &Error, ctx: Arc<Context>) -> Action;

    /// Forgets an object that is gone. `key` is `<namespace>/<name>`.
    fn forget(ctx: &Context, key: &str);
}

/// Reconciles the objects of a kind in one namespace, or in all. At most `concurrency` of them at the same time: the others wait
/// in kube's queue, so that each is worked on as it is when its turn comes, and those that wait when we are told to stop
/// never begin. What is under way then may end, for [`GRACE`].
async fn control<K: Controlled>(
    ctx: &Arc<Context>,
    place: &Place,
    how: &Controllers,
    stop: &CancellationToken,
) {
    let gate = Gate::default();
    let scope = Scope {
        ctx: ctx.clone(),
        namespace: place.namespace.clone(),
        gate: gate.clone(),
    };
    let (store, writer) = reflector::store();
    let controller = Controller::for_stream(scope.controlled::<K>(writer), store.clone());
    let controller = K::watches(controller, &scope, &store)
        .reconcile_all_on(beginnings(&scope, place.listed.clone(), how.term.clone()))
        .with_config(controller::Config::default().concurrency(how.concurrency))
        .graceful_shutdown_on(stop.clone().cancelled_owned());
    let listed = async {
        // Here alone: kube wakes only the last of those who wait for a store, and its own wait is part of the same task.
        if store.wait_until_ready().await.is_ok() {
            place.listed.cancel();
        }
    };
    let work = controller
        .run(watched, K::after_error, ctx.clone())
        .for_each(|result| {
            tell(ctx, result);
            std::future::ready(())
        });
    tokio::select! {
        ((), ()) = futures::future::join(listed, work) => {}
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

/// A reconciliation, counted.
async fn watched<K: Controlled>(object: Arc<K>, ctx: Arc<Context>) -> Result<Action> {
    let _under_way = ctx.progress.begin();
    let timer = ctx.metrics.reconcile_started();
    let result = object.reconcile(ctx.clone()).await;
    match &result {
        Ok(_) => timer.succeeded(),
        Err(error) => ctx.metrics.reconcile_failed(error.reason().as_str()),
    }
    result
}

fn tell<K: Controlled>(
    ctx: &Context,
    result: std::result::Result<(ObjectRef<K>, Action), controller::Error<Error, watcher::Error>>,
) {
    match result {
        Ok((object, _)) => tracing::debug!(%object, "reconciled"),
        Err(controller::Error::ObjectNotFound(object)) => {
            let key = format!("{}/{}", object.namespace.unwrap_or_default(), object.name);
            K::forget(ctx, &key);
        }
        Err(controller::Error::ReconcilerFailed(error, object))
            if error.class() == Class::Ending =>
        {
            tracing::debug!(%object, error = error.chain(), "the namespace is being deleted");
        }
        Err(controller::Error::ReconcilerFailed(error, object)) => {
            tracing::warn!(%object, error = error.chain(), "cannot reconcile");
        }
        Err(error) => tracing::warn!(%error, "the controller was interrupted"),
    }
}
