//! Stacks whose visitors come in by a Gateway: what it is to take, and what it says of that.

use anyhow::{Context as _, Result};
use appstack_operator::cluster::gateways::Sight;
use appstack_operator::model::kinds::{Gateway, GatewayClass, HTTPRoute};
use appstack_operator::runtime::kind::Kind;
use appstack_operator::runtime::optional_apis::Definition;
use kube::Resource;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{EDGE, NAMESPACE, STACK, World};

const GATEWAY: &str = "gateways/web";
const ROUTE: &str = "httproutes/shop-edge";
const ROUTES: [&str; 2] = [ROUTE, "httproutes/shop-edge-api"];

impl World {
    /// A stack whose visitors are to come in by a Gateway, which is there.
    async fn with_gateway() -> Result<Self> {
        let world = Self::new();
        world.served_gateways(true);
        world.server.put("gatewayclasses/traefik", json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "traefik"},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        }));
        world.listens(&json!([{"name": "https", "protocol": "HTTPS", "port": 8443}]));
        let gateway = json!({"name": "web"});
        world
            .server
            .set(STACK, "edge", json!({"gateway": gateway}))?;
        world.settle().await?;
        Ok(world)
    }

    fn served_gateways(&self, are: bool) {
        for kind in [
            Kind::of::<Gateway>(),
            Kind::of::<GatewayClass>(),
            Kind::of::<HTTPRoute>(),
        ] {
            self.context.optional.note(&Definition::of(kind), are);
        }
    }

    fn listens(&self, listeners: &Value) {
        self.server.put(
            GATEWAY,
            json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
                "metadata": {"name": "web", "namespace": NAMESPACE},
                "spec": {"gatewayClassName": "traefik", "listeners": listeners},
            }),
        );
    }

    /// Says of a route at all its listeners what a Gateway says.
    fn says_of_route(&self, at: &str, accepted: &str, reason: &str) -> Result<()> {
        let mut route = self.server.get(at).context("no such route")?;
        let generation = &route["metadata"]["generation"];
        let condition = |type_: &str, status: &str, reason: &str| json!({"type": type_, "status": status, "reason": reason, "message": "", "observedGeneration": generation});
        let conditions = [
            condition("Accepted", accepted, reason),
            condition("ResolvedRefs", "True", "ResolvedRefs"),
        ];
        let parents = route["spec"]["parentRefs"].as_array().cloned();
        let said = parents.unwrap_or_default().into_iter();
        let said = said.map(|it| json!({"parentRef": it, "conditions": conditions}));
        route["status"] = json!({"parents": said.collect::<Vec<_>>()});
        self.server.put(at, route);
        Ok(())
    }
}

#[tokio::test]
async fn visitors_come_in_once_the_gateway_takes_the_routes() -> Result<()> {
    let world = World::with_gateway().await?;
    // Here every object is old.
    assert_eq!(world.condition("EdgeReady"), "False RouteRefused");
    let why = world.message("EdgeReady");
    assert!(why.contains("nobody looks at HTTPRoute"), "{why}");
    assert!(world.server.get(EDGE).is_none(), "an Ingress beside");
    let route = world.server.get(ROUTE).context("no route")?;
    let https = json!([{"namespace": NAMESPACE, "name": "web", "sectionName": "https"}]);
    assert_eq!(route["spec"]["parentRefs"], https);
    for at in ROUTES {
        world.says_of_route(at, "False", "NotAllowedByListeners")?;
    }
    world.settle().await?;
    assert_eq!(world.condition("EdgeReady"), "False RouteRefused");
    let why = world.message("EdgeReady");
    assert!(why.contains("does not let in routes of namespace"), "{why}");
    for at in ROUTES {
        world.says_of_route(at, "True", "Accepted")?;
    }
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    // From now on it is no release's fault.
    world.says_of_route(ROUTE, "False", "NoMatchingParent")?;
    world.settle().await?;
    assert_eq!(world.condition("EdgeReady"), "True Available");
    let why = world.message("EdgeReady");
    assert!(why.contains("has no listener https any more"), "{why}");
    world.server.set(STACK, "version", json!("v2"))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_cannot_lead_here_is_told_before_anything_is_made() -> Result<()> {
    let world = World::with_gateway().await?;
    let told = async |world: &World| -> Result<String> {
        world.settle().await?;
        assert!(world.condition("Accepted").starts_with("False"));
        Ok(world.message("Accepted"))
    };
    world.listens(&json!([{"name": "http", "protocol": "HTTP", "port": 8000}]));
    world.server.set(STACK, "domain", json!("shop.test"))?;
    let why = told(&world).await?;
    let wanted = "spec.edge.gateway: Gateway demo/web has no listener of HTTPS for dashboard.shop.test, api.shop.test; it has: http (HTTP, port 8000, every host). Ask whoever looks after it for one, or say `tls: {disabled: {}}` for plain HTTP";
    assert!(why.contains(wanted), "{why}");
    let gateway = |more: Value| {
        let mut gateway = json!({"name": "web"});
        for (key, value) in more.as_object().into_iter().flatten() {
            gateway[key] = value.clone();
        }
        json!({"gateway": gateway})
    };
    let section = gateway(json!({"sectionName": "https"}));
    world.server.set(STACK, "edge", section)?;
    let why = told(&world).await?;
    let wanted = "spec.edge.gateway.sectionName: Gateway demo/web has no such listener";
    assert!(why.contains(wanted), "{why}");
    let other = gateway(json!({"namespace": "infra"}));
    world.server.set(STACK, "edge", other)?;
    let why = told(&world).await?;
    let wanted = "there is no Gateway infra/web; this cluster has: demo/web";
    assert!(why.contains(wanted), "{why}");
    world.served_gateways(false);
    let why = told(&world).await?;
    assert!(
        why.contains("the Gateway API is not installed here"),
        "{why}"
    );
    Ok(())
}

#[tokio::test]
async fn what_the_watches_see_of_gateways_is_not_asked_for() -> Result<()> {
    let world = World::with_gateway().await?;
    let asked = |world: &World| -> Vec<String> {
        let all = world.server.requests();
        all.into_iter()
            .filter(|it| it.contains(" gateway"))
            .collect()
    };
    assert!(!asked(&world).is_empty(), "no watch has told of them");
    let gateways = world.server.all("Gateway");
    let classes = world.server.all("GatewayClass");
    let known = &world.context.gateways;
    let _watches = (
        seen(Sight::<Gateway>::new(known.gateways().clone()), gateways)?,
        seen(Sight::<GatewayClass>::new(known.classes().clone()), classes)?,
    );
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(asked(&world), [""; 0]);
    assert_eq!(world.condition("Accepted"), "True Valid");
    Ok(())
}

/// A watch that has seen these.
fn seen<K>(mut watch: Sight<K>, all: Vec<Value>) -> Result<Sight<K>>
where
    K: Resource<DynamicType = ()> + Clone + PartialEq + DeserializeOwned,
{
    watch.note(Event::Init);
    for it in all {
        watch.note(Event::InitApply(serde_json::from_value(it)?));
    }
    watch.note(Event::InitDone);
    Ok(watch)
}
