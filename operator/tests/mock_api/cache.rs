//! What is not asked or sent again: `reconcile` with watches that have caught up with the API server, or lag behind it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use appstack_operator::api::label;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::{BACKEND, BACKEND_SERVICE, DATABASE, FRONTEND, STACK, STATUS, World, users_secret};

const GENERATED: &str = "secrets/shop-generated";
const VOLUME: &str = "persistentvolumeclaims/shop-db-data";
pub(super) const MONITORED: [&str; 16] = [
    "ConfigMap",
    "ControllerRevision",
    "CronJob",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressClass",
    "Job",
    "Middleware",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
];

impl World {
    /// Lets the watches catch up with the API server.
    pub(super) fn catch_up(&self) -> Result<()> {
        for kind in MONITORED {
            let versions = &self.context.versions;
            let watched = versions.watch(kind, None, &[label::STACK, label::MANAGED_BY]);
            // Only the metadata counts, so any type does.
            watched.note::<ConfigMap>(Event::Init);
            let objects = self.server.all(kind).into_iter().filter(|it| {
                kind != "ControllerRevision" || it["metadata"]["labels"][label::RECORD].is_string()
            });
            for object in objects {
                let object: PartialObjectMeta<ConfigMap> = serde_json::from_value(object)?;
                watched.note(Event::InitApply(object));
            }
            watched.note::<ConfigMap>(Event::InitDone);
        }
        Ok(())
    }

    /// A stack at rest, and watches that have seen all of it.
    pub(super) async fn at_rest() -> Result<Self> {
        let world = Self::serving().await?;
        world.catch_up()?;
        Ok(world)
    }

    /// What a reconciliation asks and sends once the watches have caught up.
    pub(crate) async fn requests_of_a_look(&self) -> Result<Vec<String>> {
        self.catch_up()?;
        self.server.forget();
        self.reconcile().await??;
        Ok(self.server.requests())
    }

    /// Rolls out another version, with watches that catch up by `look`.
    pub(super) async fn release(
        &self,
        version: &str,
        look: impl Fn(&Self) -> Result<()>,
    ) -> Result<()> {
        let parts = [None, Some("jobs/"), Some(BACKEND), Some(FRONTEND)];
        self.server.set(STACK, "version", json!(version))?;
        for part in parts {
            if let Some(part) = part {
                self.server.complete(&self.newest(part)?)?;
            }
            look(self)?;
            self.reconcile().await??;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_look_that_finds_nothing_to_do_sends_nothing() -> Result<()> {
    let world = World::at_rest().await?;
    for _ in 0..2 {
        assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    }
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn only_what_somebody_else_changed_is_applied() -> Result<()> {
    let world = World::at_rest().await?;
    let backend = world.serving_backend()?;
    for at in [BACKEND_SERVICE, &backend, DATABASE, VOLUME] {
        let before = world.server.get(at).context("it is not there")?;
        let mut theirs = before.clone();
        theirs["spec"]["theirs"] = json!(true);
        world.server.put(at, theirs);
        let requests = world.requests_of_a_look().await?;
        // Until its controller has seen the new generation, the workload is not as it should be.
        let own = requests.iter().filter(|it| !it.ends_with(STATUS));
        let own: Vec<_> = own.filter(|it| !it.starts_with("POST ")).collect();
        assert_eq!(own, [&format!("PATCH {at}")]);
        let spec = |object: Value| object["spec"].clone();
        assert_eq!(world.server.get(at).map(spec), Some(spec(before)));
        if world
            .server
            .get(at)
            .is_some_and(|it| it["status"].is_object())
        {
            world.server.complete(at)?;
        }
        world.requests_of_a_look().await?;
        assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn what_somebody_else_deleted_comes_back() -> Result<()> {
    let world = World::at_rest().await?;
    world.server.remove(BACKEND_SERVICE);
    assert_eq!(
        world.requests_of_a_look().await?,
        [format!("PATCH {BACKEND_SERVICE}")]
    );
    assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn only_a_secret_that_changed_is_read_again_and_its_values_arrive() -> Result<()> {
    let world = World::new();
    users_secret(&world, "a", json!({"SMTP_USER": "YQ=="}));
    let from = json!({"from": [{"name": "a"}]});
    world.server.set(STACK, "secrets", from)?;
    world.roll_out().await?;
    world.reconcile().await??;
    assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    let before = world.serving_backend()?;

    users_secret(&world, "a", json!({"SMTP_USER": "Yg=="}));
    let requests = world.requests_of_a_look().await?;
    let read: Vec<_> = requests
        .iter()
        .filter(|it| it.starts_with("GET secrets/"))
        .collect();
    // The name of the Secret with the new values must be free.
    let values = |it: &&&String| it.starts_with("GET secrets/shop-values-");
    let others: Vec<_> = read.iter().filter(|it| !values(it)).collect();
    assert_eq!(others, [&"GET secrets/a"], "{requests:?}");
    assert_ne!(world.newest(BACKEND)?, before);
    Ok(())
}

#[tokio::test]
async fn what_comes_back_after_it_was_pruned_is_pruned_again_and_of_others_once_looked_at()
-> Result<()> {
    let world = World::at_rest().await?;
    let labels = json!({
        "appstack.dev/stack": "shop", "app.kubernetes.io/managed-by": "appstack-operator",
    });
    let stray = |owners: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "shop-old", "namespace": "demo", "labels": labels, "ownerReferences": owners,
            },
        })
    };
    for _ in 0..2 {
        world.server.put("services/shop-old", stray(json!([])));
        let requests = world.requests_of_a_look().await?;
        assert_eq!(requests, ["GET services", "DELETE services/shop-old"]);
        assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    }
    let theirs = json!([
        {"apiVersion": "v1", "kind": "k", "name": "n", "uid": "theirs", "controller": true},
    ]);
    world.server.put("services/shop-old", stray(theirs));
    assert_eq!(world.requests_of_a_look().await?, ["GET services"]);
    assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_job_that_runs_is_asked_for_once_in_a_look() -> Result<()> {
    let world = World::at_rest().await?;
    world.server.set(STACK, "version", json!("v2"))?;
    world.reconcile().await??;
    let at = world.newest_job()?;
    let mut job = world.server.get(&at).context("no Job")?;
    job["status"] = json!({"active": 1});
    world.server.put(&at, job);
    let requests = world.requests_of_a_look().await?;
    let jobs: Vec<_> = requests.iter().filter(|it| it.contains(" jobs")).collect();
    assert_eq!(jobs, [&format!("GET {at}")]);
    Ok(())
}

#[tokio::test]
async fn a_roll_out_applies_only_what_changes() -> Result<()> {
    let world = World::at_rest().await?;
    world.server.forget();
    world.release("v2", World::catch_up).await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let applied = world.server.applied();
    for at in [DATABASE, VOLUME, GENERATED] {
        assert!(!applied.iter().any(|it| it == at), "{applied:?}");
    }
    let mut once = BTreeSet::new();
    let twice = |at: &&String| !once.insert((*at).clone());
    // A workload is looked at until it is complete, the status says each step, and the stack is kept from deletion while a
    // Job changes the data.
    let again: Vec<_> = applied
        .iter()
        .filter(|it| !it.starts_with("deployments/") && *it != STATUS && *it != STACK)
        .filter(twice)
        .collect();
    assert!(again.is_empty(), "applied more than once: {again:?}");
    Ok(())
}

#[tokio::test]
async fn watches_that_lag_lose_nothing_that_we_did_ourselves() -> Result<()> {
    let world = World::at_rest().await?;
    let generated = world.server.get(GENERATED);
    // From here on they see nothing more.
    world.release("v2", |_| Ok(())).await?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.backend_image()?, "acme/backend:v2");
    assert_eq!(world.server.get(GENERATED), generated);
    let applied = world.server.applied();
    let jobs = applied.iter().filter(|it| it.starts_with("jobs/"));
    assert_eq!(jobs.count(), 1, "{applied:?}");

    world.server.forget();
    world.reconcile().await??;
    assert!(
        !world.applied("controllerrevisions/"),
        "a record that was written down is not seen"
    );
    Ok(())
}

#[tokio::test]
async fn watches_that_saw_the_cluster_before_the_stack_lose_nothing_of_it() -> Result<()> {
    let world = World::new();
    // They see that there is nothing, and go on to say so.
    world.catch_up()?;
    world.reconcile().await??;
    let generated = world.server.get(GENERATED).context("no passwords")?;
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);
    assert_eq!(world.server.get(GENERATED), Some(generated));
    world.roll_out().await?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn an_operator_that_starts_believes_nothing_it_did_not_read() -> Result<()> {
    let world = World::at_rest().await?;
    world.context.cache.forget("demo/shop");
    let requests = world.requests_of_a_look().await?;
    for needed in [format!("GET {GENERATED}"), format!("PATCH {DATABASE}")] {
        assert!(requests.contains(&needed), "{requests:?}");
    }
    assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_record_that_somebody_deletes_is_missed_at_once() -> Result<()> {
    let world = World::at_rest().await?;
    let records = world.server.all("ControllerRevision");
    let release = records
        .iter()
        .find(|it| it["metadata"]["labels"][label::RECORD] == "release")
        .context("no release")?;
    let name = release["metadata"]["name"].as_str().context("no name")?;
    let at = format!("controllerrevisions/{name}");
    world.server.remove(&at);
    let requests = world.requests_of_a_look().await?;
    assert!(
        requests.contains(&"GET controllerrevisions".to_owned()),
        "{requests:?}"
    );
    assert!(
        world.server.get(&at).is_some(),
        "it was not written down again"
    );
    Ok(())
}

#[tokio::test]
async fn what_no_watch_sees_is_asked_for_and_applied_only_if_it_has_moved() -> Result<()> {
    let world = World::at_rest().await?;
    // A watch that has not come to its first list.
    let blind = |kind| drop(world.context.versions.watch(kind, None, &[]));
    for kind in ["Service", "CronJob", "Deployment", "StatefulSet", "Ingress"] {
        blind(kind);
    }
    world.server.forget();
    world.reconcile().await??;
    let requests = world.server.requests();
    assert!(
        requests.contains(&format!("GET {BACKEND_SERVICE}")),
        "{requests:?}"
    );
    assert!(
        requests.iter().all(|it| it.starts_with("GET ")),
        "{requests:?}"
    );

    world.server.set(BACKEND_SERVICE, "theirs", json!(true))?;
    world.server.remove(super::EDGE);
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.applied(), [BACKEND_SERVICE, super::EDGE]);
    Ok(())
}
