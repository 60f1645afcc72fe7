//! Ready means that the ingress controller leads to the stack, as far as the operator knows where that is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use appstack_operator::cluster::dns::Dns;
use kube::runtime::controller::Action;
use serde_json::json;

use crate::{EDGE, STACK, World, at_once, operator};

/// An address at which there is no ingress controller.
const NOBODY: &str = "127.0.0.1";

/// The same world after a start of an operator that is told where the ingress controller is.
fn told(mut world: World) -> World {
    let mut context = operator(&world.server, at_once());
    context.settings.edge_host = Some(NOBODY.into());
    world.context = context.into();
    world
}

/// What is said of the edge.
fn said(world: &World) -> Result<String> {
    let app = world.server.get(STACK).context("no AppStack")?;
    let conditions = app["status"]["conditions"].as_array();
    let mut conditions = conditions.context("no conditions")?.iter();
    let edge = conditions.find(|it| it["type"] == "EdgeReady");
    Ok(edge.context("no EdgeReady")?["message"].to_string())
}

#[tokio::test]
async fn a_first_release_is_not_ready_before_the_ingress_controller_leads_to_it() -> Result<()> {
    let world = told(World::new());
    world.roll_out().await?;
    assert!(world.applied(EDGE));
    assert_eq!(world.condition("EdgeReady"), "False PublicCheckPending");
    assert_eq!(world.condition("Ready"), "False RollingOut");
    assert_eq!(world.stage(), "edge");
    Ok(())
}

#[tokio::test]
async fn a_stack_that_is_reached_already_loses_nothing_by_trouble_on_the_way() -> Result<()> {
    let world = told(World::serving().await?);
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    world.server.set(STACK, "version", json!("v2"))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.backend_image()?, "acme/backend:v2");
    let action = world.reconcile().await??;
    assert!(action != Action::await_change(), "{action:?}");
    let why = "visitors of api.localhost, dashboard.localhost do not get through: cannot connect to 127.0.0.1:443";
    assert!(said(&world)?.contains(why), "{}", said(&world)?);
    let app = world.server.get(STACK).context("no AppStack")?;
    let unreached = &app["status"]["unreachedHosts"];
    assert_eq!(unreached[0]["host"], "api.localhost");
    assert_eq!(unreached[1]["step"], "Connection");

    let hosts = json!({"hosts": {"api": "other.localhost"}});
    world.server.set(STACK, "edge", hosts)?;
    world.settle().await?;
    assert_eq!(world.condition("EdgeReady"), "False PublicCheckPending");
    Ok(())
}

#[tokio::test]
async fn where_the_way_is_not_known_the_stack_is_ready_and_says_that_nobody_asked() -> Result<()> {
    let world = World::serving().await?;
    assert_eq!(world.condition("EdgeReady"), "True Available");
    let why = "was not asked: it is not known where the ingress controller is";
    assert!(said(&world)?.contains(why), "{}", said(&world)?);
    let told = told(world);
    told.reconcile().await??;
    assert!(!said(&told)?.contains(why), "{}", said(&told)?);
    Ok(())
}

#[tokio::test]
async fn which_dns_records_are_missing_is_told_and_looked_for_again() -> Result<()> {
    let mut world = World::serving().await?;
    let context = Arc::get_mut(&mut world.context).context("it is shared")?;
    context.dns = Dns::new(|host| {
        let there = !host.starts_with("api.");
        Box::pin(async move { Ok(Vec::from_iter(there.then(|| IpAddr::from([192, 0, 2, 1])))) })
    });
    let edge = json!({"tls": {"selfSigned": {}}});
    world.patch(
        &json!({"spec": {"environment": "staging", "rollout": {"soak": "0s"}, "edge": edge}}),
    )?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let said = "DNS does not know api.localhost, as seen from the cluster: make a record with the address of the ingress controller";
    ensure!(
        world.message("EdgeReady").contains(said),
        "{}",
        world.message("EdgeReady")
    );

    let mut ingress = world.server.get(EDGE).context("no Ingress")?;
    ingress["status"] = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}});
    world.server.put(EDGE, ingress);
    let action = world.reconcile().await??;
    let said = "make an A record with 203.0.113.7";
    ensure!(
        world.message("EdgeReady").contains(said),
        "{}",
        world.message("EdgeReady")
    );
    assert_eq!(action, Action::requeue(Duration::from_mins(1)));
    let app = world.server.get(STACK).context("no AppStack")?;
    let unreached = &app["status"]["unreachedHosts"];
    assert_eq!(unreached[0]["host"], "api.localhost");
    assert_eq!(unreached[0]["step"], "DNS");
    Ok(())
}

#[tokio::test]
async fn certificate_resolvers_are_refused_where_the_class_is_not_traefiks() -> Result<()> {
    let world = World::serving().await?;
    world.has_nginx();
    let edge = json!({"className": "nginx", "tls": {"resolver": "letsencrypt"}});
    world.patch(&json!({"spec": {"edge": edge}}))?;
    world.fail().await?;
    assert_eq!(world.condition("Accepted"), "False Invalid");
    let why = "spec.edge.tls.resolver: certificate resolvers are Traefik's, and IngressClass nginx is not";
    ensure!(
        world.message("Accepted").contains(why),
        "{}",
        world.message("Accepted")
    );
    Ok(())
}
