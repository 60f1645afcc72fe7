//! What the API server refuses for good waits for the user: nothing that is applied before it is written again, so that our own
//! writes never wake us into the same failure.

use std::time::Duration;

use anyhow::{Context as _, Result};
use appstack_operator::error::Class;
use kube::runtime::controller::Action;
use serde_json::json;

use super::{BACKEND, BACKEND_SERVICE, DATABASE, EDGE, FRONTEND, STACK, World};

const CERTIFICATE: &str = "secrets/shop-edge-tls";
/// How soon what only the user can mend is tried again.
const SLOWLY: Duration = Duration::from_mins(5);

impl World {
    /// Looks at a stack again and again with watches that have caught up, as if woken each time. Each time `refused` alone is
    /// sent, for what is requested and for what serves, nothing is changed, and nothing but the user's time is waited for.
    async fn waits_for_the_user(&self, refused: &str) -> Result<()> {
        // The first failure writes what stands before what is refused, and the status.
        let first = self.fail().await?;
        assert_eq!(first.class(), Class::User, "{}", first.chain());
        for _ in 0..5 {
            self.catch_up()?;
            self.server.forget();
            let error = self.fail().await?;
            assert_eq!(self.policy(&error)?, Action::requeue(SLOWLY));
            let mut applied = self.server.applied();
            applied.dedup();
            assert_eq!(applied, [refused]);
            assert_eq!(self.server.changed(), [""; 0]);
        }
        assert_eq!(self.condition("Ready"), "False ApiError");
        assert_eq!(self.condition("Stalled"), "True ApiError");
        Ok(())
    }
}

#[tokio::test]
async fn an_ingress_that_is_refused_is_all_that_is_sent_again() -> Result<()> {
    for code in [400, 403, 422] {
        let world = World::new();
        world.server.refuse(EDGE, code);
        world.reconcile().await??;
        world.server.complete(DATABASE)?;
        world.reconcile().await??;
        for _ in ["the role", "the migration"] {
            world.server.complete(&world.newest_job()?)?;
            world.reconcile().await??;
        }
        world.server.complete(&world.newest(BACKEND)?)?;
        world.reconcile().await??;
        world.server.complete(&world.newest(FRONTEND)?)?;
        world.waits_for_the_user(EDGE).await?;
    }
    Ok(())
}

/// The certificate is drawn by chance. What is requested and what serves both write it, before the Ingress and behind it, so one
/// that is not good for both, or never good enough, would be written twice with every look.
#[tokio::test]
async fn hosts_that_are_refused_make_one_certificate() -> Result<()> {
    for code in [422, 500] {
        let world = World::serving().await?;
        let hosts = json!({"hosts": {"api": "10.0.0.1", "dashboard": "fd00::1"}});
        world.server.set(STACK, "edge", hosts)?;
        world.server.refuse(EDGE, code);
        // The configuration of the site holds the address of the API, so there is a release.
        for part in [BACKEND, FRONTEND] {
            world.reconcile().await??;
            world.server.complete(&world.newest(part)?)?;
        }
        let mut changes = Vec::new();
        for _ in 0..5 {
            world.fail().await?;
            world.catch_up()?;
            changes.push(world.server.changed());
            world.server.forget();
        }
        let certificate = |it: &Vec<String>| it.iter().any(|it| it == CERTIFICATE);
        assert_eq!(changes.iter().filter(|it| certificate(it)).count(), 1);
        assert_eq!(changes[2..], [[""; 0]; 3], "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_refused_is_waited_for() -> Result<()> {
    let world = World::serving().await?;
    let hosts = json!({"hosts": {"api": "10.0.0.1", "dashboard": "fd00::1"}});
    world.server.set(STACK, "edge", hosts)?;
    world.server.refuse(EDGE, 422);
    // The configuration of the site holds the address of the API, so there is a release.
    for part in [BACKEND, FRONTEND] {
        world.reconcile().await??;
        world.server.complete(&world.newest(part)?)?;
    }
    world.waits_for_the_user(EDGE).await
}

#[tokio::test]
async fn an_object_of_the_first_stages_that_is_refused_is_all_that_is_sent_again() -> Result<()> {
    for (at, code) in [(DATABASE, 422), ("secrets/shop-db-app", 403)] {
        let world = World::new();
        world.server.refuse(at, code);
        world.waits_for_the_user(at).await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_asked_to_approve_what_would_be_refused() -> Result<()> {
    let world = World::serving().await?;
    world.server.refuse(FRONTEND, 422);
    let rollout = json!({"approval": "Required"});
    world.server.set(STACK, "rollout", rollout)?;
    world.server.set(STACK, "version", json!("v2"))?;
    let error = world.fail().await?;
    assert_eq!(error.class(), Class::User);
    assert_eq!(world.condition("Accepted"), "False Invalid");
    let said = world.message("Accepted");
    let wanted = "spec.frontend: the API server would refuse Deployment shop-frontend-";
    assert!(said.contains(wanted), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_workload_that_would_be_refused_is_told_before_the_migration_runs() -> Result<()> {
    let world = World::serving().await?;
    let before = world.serving_backend()?;
    let jobs = || world.server.all("Job").len();
    let there = jobs();
    world.server.refuse(FRONTEND, 422);
    world.server.set(STACK, "version", json!("v2"))?;
    let scaled = json!({"image": "acme/backend", "migrate": {"args": ["other"]}, "replicas": 2});
    world.server.set(STACK, "backend", scaled)?;
    let error = world.fail().await?;
    assert_eq!(error.class(), Class::User);
    assert_eq!(world.condition("Accepted"), "False Invalid");
    let said = world.message("Accepted");
    assert!(
        said.starts_with("the AppStack is not acceptable: spec.frontend: the API server would refuse Deployment shop-frontend-"),
        "{said}"
    );
    assert!(world.message("Ready").contains("goes on serving"));
    assert_eq!(jobs(), there);
    assert_eq!(world.serving_backend()?, before);
    Ok(())
}

/// A policy that came later bars no release that would satisfy it.
#[tokio::test]
async fn what_serves_and_would_be_refused_by_now_keeps_no_release_back() -> Result<()> {
    let world = World::serving().await?;
    let all = world.server.all("Deployment");
    let names = all.iter().filter_map(|it| it["metadata"]["name"].as_str());
    let serving = names.map(|it| format!("deployments/{it}"));
    let serving = serving.into_iter().find(|it| it.starts_with(BACKEND));
    world.server.refuse(&serving.context("no backend")?, 403);
    let scaled = json!({"image": "acme/backend", "migrate": {"args": ["migrate"]}, "replicas": 2});
    world.server.set(STACK, "backend", scaled)?;
    world.server.set(STACK, "version", json!("v2"))?;
    world.reconcile().await??;
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    let said = world.message("Ready");
    assert!(
        said.contains("the release that serves stays as it was: "),
        "{said}"
    );
    world.server.complete(&world.newest(BACKEND)?)?;
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v2");
    Ok(())
}

#[tokio::test]
async fn a_refusal_takes_nothing_from_what_serves() -> Result<()> {
    let world = World::serving().await?;
    let before = world.serving_backend()?;
    world.server.refuse(BACKEND_SERVICE, 422);
    world.server.set(STACK, "version", json!("v2"))?;
    world.reconcile().await??;
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    world.server.complete(&world.newest(BACKEND)?)?;
    world.waits_for_the_user(BACKEND_SERVICE).await?;
    assert_eq!(world.serving_backend()?, before);
    Ok(())
}
