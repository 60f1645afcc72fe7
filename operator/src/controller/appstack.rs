//! The controller of AppStacks: what wakes one, and what is forgotten with it.
//!
//! Invariant: no domain words beyond labels and references.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};

use crate::api::{AppStack, AppStackSpec, MANAGER, label};
use crate::context::Context;
use crate::controller::Controlled;
use crate::controller::watches::Scope;
use crate::error::{Error, Result};
use crate::model::inputs::{GatewayKey, gateway, referenced_config_maps, referenced_secrets};
use crate::model::kinds::{Gateway, GatewayClass};
use crate::model::object::Object;
use crate::reconcile::appstack;
use crate::release::approval;

impl Controlled for AppStack {
    /// Who wrote the approval is read of its managers, and nobody else.
    fn strip(&mut self) {
        let managers = self.metadata.managed_fields.iter_mut();
        managers.for_each(|them| them.retain(approval::wrote_approval));
    }

    fn watches(
        controller: Controller<Self>,
        scope: &Scope,
        store: &Store<Self>,
    ) -> Controller<Self> {
        let woken = scope.gate.passed(scope.ctx.stacks.add(store.clone()));
        watch_references(watch_children(controller, scope), scope, store).reconcile_on(woken)
    }

    fn changed(ctx: &Context, object: &Self) {
        ctx.stacks.changed(object);
    }

    async fn reconcile(self: Arc<Self>, ctx: Arc<Context>) -> Result<Action> {
        appstack::reconcile(self, ctx).await
    }

    fn after_error(self: Arc<Self>, error: &Error, ctx: Arc<Context>) -> Action {
        appstack::after_error(&self, error, &ctx)
    }

    fn forget(ctx: &Context, key: &str) {
        ctx.metrics.stack_gone(key);
        ctx.cache.forget(key);
        ctx.stacks.forget(key);
        ctx.public_checks.forget(key);
        ctx.reach.forget(key);
        ctx.rehearsals.forget(key);
        ctx.seen_values.forget(key);
        ctx.turns.give_back(key);
        ctx.debounce.forget(key);
        ctx.backoff.reset(key);
    }
}

/// What we made wakes its stack.
fn watch_children(controller: Controller<AppStack>, scope: &Scope) -> Controller<AppStack> {
    let controller = controller
        .watches_stream(scope.records(), |it| stack_of(&it))
        // Why a pod does not start is told by the pod alone; its Deployment's status does not change for it.
        .watches_stream(scope.children::<Pod>(), |it| stack_of(&it));
    let kinds = Object::KINDS.iter().filter(|it| !it.traits.referenced);
    kinds.fold(controller, |controller, owned| {
        let children = scope.children_of(owned);
        controller.watches_stream_with(children, |it| stack_of(&it), owned.kind.resource())
    })
}

/// What specs refer to wakes all that do. Of these kinds ours are seen with all others.
fn watch_references(
    controller: Controller<AppStack>,
    scope: &Scope,
    store: &Store<AppStack>,
) -> Controller<AppStack> {
    let by_secret = store.clone();
    let by_config_map = store.clone();
    let all = store.clone();
    let (by_gateway, by_gateway_class) = (store.clone(), store.clone());
    let Context { gateways, .. } = scope.ctx.as_ref();
    controller
        .watches_stream(scope.all::<Secret>(), move |secret| {
            let refers =
                |spec: &AppStackSpec, name: &str| referenced_secrets(spec).any(|it| it == name);
            woken_by(&by_secret, &secret, refers)
        })
        .watches_stream(scope.all::<ConfigMap>(), move |map| {
            let refers =
                |spec: &AppStackSpec, name: &str| referenced_config_maps(spec).any(|it| it == name);
            woken_by(&by_config_map, &map, refers)
        })
        .watches_stream(scope.ingress_classes(), move |_| {
            all.state()
                .iter()
                .map(|it| ObjectRef::from_obj(it.as_ref()))
                .collect::<Vec<_>>()
        })
        .watches_stream(
            scope.kept(gateways.gateways().clone()),
            move |gateway: Gateway| {
                led_in(&by_gateway, |(namespace, name)| {
                    Some(namespace) == gateway.namespace().as_ref() && *name == gateway.name_any()
                })
            },
        )
        .watches_stream(
            scope.kept(gateways.classes().clone()),
            move |_: GatewayClass| led_in(&by_gateway_class, |_| true),
        )
}

/// The stacks whose specs name one of these Gateways.
fn led_in(
    store: &Store<AppStack>,
    is_meant: impl Fn(&GatewayKey) -> bool,
) -> Vec<ObjectRef<AppStack>> {
    let all = store.state().into_iter();
    let led_in = all.filter(|it| gateway(it).is_some_and(|it| is_meant(&it)));
    led_in.map(|it| ObjectRef::from_obj(it.as_ref())).collect()
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
