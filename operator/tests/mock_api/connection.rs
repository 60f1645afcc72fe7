//! An external database is asked once for each release, before anything of it runs; what serves goes on whatever it answers.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{BACKEND, STACK, World, users_secret};

/// How the addresses of the Jobs that ask begin.
const ASKS: &str = "jobs/shop-connect-";
const MIGRATES: &str = "jobs/shop-migrate-";

impl World {
    /// A stack on a database elsewhere, of which nothing is rolled out.
    fn elsewhere(host: &str) -> Result<Self> {
        let world = Self::new();
        world.database_is(host);
        let external = json!({"external": {"secretName": "theirs"}});
        world.server.set(STACK, "database", external)?;
        Ok(world)
    }

    fn database_is(&self, host: &str) {
        let data = json!({"host": host, "dbname": "goods", "user": "me", "password": "p"});
        let data = data.as_object().into_iter().flatten();
        let data: Value = data
            .filter_map(|(key, it)| {
                Some((key.clone(), json!(BASE64_STANDARD.encode(it.as_str()?))))
            })
            .collect();
        users_secret(self, "theirs", data);
    }

    /// Lets a pod of the Job that asks print something; `status` is the pod's.
    fn answers(&self, log: &str, status: Value) -> Result<String> {
        let at = self.newest(ASKS)?;
        let mut job = self.server.get(&at).context("no Job")?;
        let labels = json!({"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]});
        job["spec"]["selector"] = json!({"matchLabels": labels});
        self.server.put(&at, job);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks", "labels": labels}, "status": status});
        self.server.put("pods/asks", pod);
        self.server.print("asks", log.as_bytes());
        Ok(at)
    }
}

#[tokio::test]
async fn an_external_database_is_asked_before_the_migration_and_not_again_once_it_serves()
-> Result<()> {
    let mut world = World::elsewhere("db.example.com")?;
    world.reconcile().await??;
    assert!(world.applied(ASKS) && !world.applied(MIGRATES));
    assert_eq!(world.condition("DatabaseReady"), "False JobRunning");
    world.server.complete(&world.newest(ASKS)?)?;
    world.reconcile().await??;
    assert!(world.applied(MIGRATES));
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");

    // Neither by a new version of the same values, nor after a start of the operator.
    world.server.forget();
    world.restart()?;
    world.settle().await?;
    world.server.set(STACK, "version", json!("v2"))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert!(!world.applied(ASKS), "{:?}", world.server.applied());
    let left = world.server.everything().into_keys();
    assert_eq!(left.filter(|it| it.starts_with(ASKS)).count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_and_what_serves_goes_on() -> Result<()> {
    let world = World::elsewhere("db.example.com")?;
    world.settle().await?;
    let serving = world.serving_backend()?;
    world.database_is("other.example.com");
    world.server.forget();
    world.reconcile().await??;
    assert!(world.applied(ASKS) && !world.applied(MIGRATES));

    let silent = "Secret theirs, host and port: nobody answers at other.example.com:5432";
    let at = world.answers(silent, json!({"phase": "Running"}))?;
    world.reconcile().await??;
    assert_eq!(
        world.condition("DatabaseReady"),
        "False DatabaseUnreachable"
    );
    let message = world.message("DatabaseReady");
    assert!(message.contains(silent), "{message}");

    let ended = json!({"phase": "Failed", "containerStatuses": [{
        "name": "ask", "image": "a/b:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 1}},
    }]});
    world.answers(silent, ended)?;
    world.server.fail(&at)?;
    world.reconcile().await??;
    // Nothing of the release has begun, so there is nothing to go back from.
    assert_eq!(world.condition("Stalled"), "True StageFailed");
    let message = world.message("Stalled");
    assert!(message.contains(silent), "{message}");
    assert_eq!(world.serving_backend()?, serving);
    assert!(!world.applied(MIGRATES) && !world.applied(BACKEND));
    Ok(())
}

#[tokio::test]
async fn a_database_that_only_the_pods_of_the_application_reach_is_not_asked() -> Result<()> {
    let world = World::elsewhere("localhost")?;
    world.reconcile().await??;
    assert!(!world.applied(ASKS) && world.applied(MIGRATES));
    Ok(())
}

#[tokio::test]
async fn without_work_on_it_before_the_application_starts_a_database_is_not_asked() -> Result<()> {
    let world = World::elsewhere("db.example.com")?;
    world
        .server
        .set(STACK, "backend", json!({"image": "a/b:1"}))?;
    world.reconcile().await??;
    assert!(world.applied(BACKEND) && !world.applied(ASKS));
    Ok(())
}
