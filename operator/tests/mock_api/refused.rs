//! What the API server refuses for good waits for the user: nothing that is applied before it is written again, so that our own
//! writes never wake us into the same failure.

use std::time::Duration;

use anyhow::Result;
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
