//! What serves is remembered: nothing of it is rendered anew, deleted or left before something else has passed its gates.
//!
//! That no Service turns early and nothing that serves is deleted is watched by the server in **every** test of this program; see
//! `Server::breaches`. Here everything is changed that can be.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use appstack_operator::api::{AppStack, annotation};
use appstack_operator::cluster::cache::Cache;
use appstack_operator::model::hash::{canonical, short_hash};
use jiff::Timestamp;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::{BACKEND, BACKEND_SERVICE, DATABASE, FRONTEND, STACK, World};

/// The label that a template of another version of the operator has, and ours has not.
const OTHERS: &str = "example.com/made-by-another-version";

impl World {
    /// Merges a patch into the AppStack, as `kubectl patch --type merge` does.
    pub(super) fn patch(&self, patch: &Value) -> Result<()> {
        let mut app = self.server.get(STACK).context("no AppStack")?;
        json_patch::merge(&mut app, patch);
        self.server.put(STACK, app);
        Ok(())
    }

    /// Reconciles until nothing changes any more, while Kubernetes does what it is told to.
    pub(super) async fn settle(&self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..40 {
            self.server.forget();
            // A spec that is refused is one way to come to rest.
            drop(self.reconcile().await?);
            self.server.complete_all()?;
            let changed = self.server.changed();
            quiet = if changed.iter().all(|it| it.starts_with("events")) {
                quiet + 1
            } else {
                0
            };
            // What Kubernetes did after the first of them is seen by the second.
            if quiet == 2 {
                return Ok(());
            }
        }
        anyhow::bail!("it does not come to rest: {:?}", self.server.changed())
    }

    /// The templates of all Deployments, and what the Services select.
    pub(super) fn running(&self) -> Vec<(Value, Value)> {
        let deployments = self.server.all("Deployment").into_iter();
        let services = self.server.all("Service").into_iter();
        let templates = deployments.map(|it| {
            (
                it["metadata"]["name"].clone(),
                it["spec"]["template"].clone(),
            )
        });
        let selectors = services.map(|it| {
            (
                it["metadata"]["name"].clone(),
                it["spec"]["selector"].clone(),
            )
        });
        templates.chain(selectors).collect()
    }

    /// The address of the record of what the release that serves is made of.
    pub(super) fn manifests(&self) -> Result<String> {
        let records = self.server.all("ControllerRevision");
        let releases = records
            .iter()
            .filter(|it| it["data"]["record"] == "release");
        let serving = releases
            .max_by_key(|it| it["revision"].as_i64())
            .context("nothing serves")?;
        let hash = serving["metadata"]["annotations"][annotation::MANIFESTS].as_str();
        Ok(format!(
            "controllerrevisions/shop-manifests-{}",
            hash.context("not written down")?
        ))
    }

    /// Makes the stack one that another version of the operator rolled out, whose templates have a label more.
    async fn of_another_version() -> Result<Self> {
        let mut world = Self::serving().await?;
        let at = world.manifests()?;
        let text = world.server.get(&at).context("no record")?.to_string();
        let mut text = text;
        for start in [BACKEND, FRONTEND] {
            let name = world.newest_name(start)?;
            let revision = name.rsplit('-').next().unwrap_or_default().to_owned();
            let old = format!("deployments/{name}");
            let new = old.replace(&revision, "0123456789");
            let other = |it: &Value| -> Result<Value> {
                let mut it: Value =
                    serde_json::from_str(&it.to_string().replace(&revision, "0123456789"))?;
                if it["kind"] == "Deployment" {
                    it["spec"]["template"]["metadata"]["labels"][OTHERS] = json!("yes");
                }
                Ok(it)
            };
            let deployment = world.server.get(&old).context("no Deployment")?;
            world.server.put(&new, other(&deployment)?);
            world.server.complete(&new)?;
            let service = format!(
                "services/{}",
                name.trim_end_matches(&format!("-{revision}"))
            );
            let live = world.server.get(&service).context("no Service")?;
            world.server.put(&service, other(&live)?);
            world.server.remove(&old);
            text = text.replace(&revision, "0123456789");
        }
        let mut record: Value = serde_json::from_str(&text)?;
        for part in ["backend", "frontend"] {
            for it in record["data"]["manifests"][part]["objects"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                if it["kind"] == "Deployment" {
                    it["spec"]["template"]["metadata"]["labels"][OTHERS] = json!("yes");
                }
            }
        }
        world.keep(&at, record)?;
        world.restart()?;
        world.server.forget();
        Ok(world)
    }

    /// Starts the operator anew, which knows nothing then but what it reads.
    pub(super) fn restart(&mut self) -> Result<()> {
        let context = Arc::get_mut(&mut self.context).context("it is at work")?;
        context.cache = Cache::default();
        Ok(())
    }

    /// Puts other manifests in the place of those at an address, under the name that their content has.
    pub(super) fn keep(&self, at: &str, mut record: Value) -> Result<()> {
        let old = at.rsplit('-').next().context("no hash")?.to_owned();
        let new = short_hash(&[&canonical(&record["data"]["manifests"])]);
        record["metadata"]["name"] = json!(format!("shop-manifests-{new}"));
        self.server.remove(at);
        self.server.put(&at.replace(&old, &new), record);
        for it in self.server.all("ControllerRevision") {
            if it["metadata"]["annotations"][annotation::MANIFESTS] == old {
                let name = it["metadata"]["name"]
                    .as_str()
                    .context("no name")?
                    .to_owned();
                let it = serde_json::from_str(&it.to_string().replace(&old, &new))?;
                self.server.put(&format!("controllerrevisions/{name}"), it);
            }
        }
        Ok(())
    }

    fn newest_name(&self, start: &str) -> Result<String> {
        let prefix = start.trim_start_matches("deployments/");
        let all = self.server.all("Deployment").into_iter();
        let mut names = all.filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned));
        names
            .find(|it| it.starts_with(prefix))
            .context("no Deployment")
    }

    fn is_of_another_version(&self) -> bool {
        let deployments = self.server.all("Deployment");
        let mut labels = deployments
            .iter()
            .map(|it| &it["spec"]["template"]["metadata"]["labels"]);
        labels.any(|it| it[OTHERS] == "yes")
    }
}

/// A change of each field of the spec, by the path of the field. The schema says which fields there are.
fn changes() -> Vec<(&'static str, Value)> {
    [of_parts(), of_the_rest()].concat()
}

fn of_parts() -> Vec<(&'static str, Value)> {
    vec![
        ("domain", json!("shop.localhost")),
        ("version", json!("v2")),
        ("projectName", json!("Another")),
        ("superuser", json!("me@example.com")),
        ("backend.image", json!("acme/other")),
        ("backend.command", json!(["/bin/other"])),
        ("backend.args", json!(["serve"])),
        ("backend.runAsUser", json!(1000)),
        ("backend.writablePaths", json!(["/config"])),
        ("backend.port", json!(9000)),
        ("backend.healthPath", json!("/health")),
        ("backend.healthPort", json!(9000)),
        ("backend.workers", json!(3)),
        ("backend.replicas", json!(3)),
        (
            "backend.autoscaling",
            json!({"minReplicas": 2, "maxReplicas": 4}),
        ),
        ("backend.migrate", json!({"args": ["other"]})),
        ("backend.seed", json!({"args": ["seed"]})),
        ("backend.env", json!([{"name": "A", "value": "b"}])),
        ("backend.resources", json!({"requests": {"cpu": "200m"}})),
        (
            "backend.podTemplate",
            json!({"metadata": {"labels": {"a": "b"}}}),
        ),
        (
            "jobs",
            json!([{"name": "worker", "args": ["worker"]}, {"name": "nightly", "args": ["tidy"], "schedule": "@daily"}]),
        ),
        ("frontend.command", json!(["/bin/other"])),
        ("frontend.args", json!(["serve"])),
        ("frontend.image", json!("acme/site")),
        ("frontend.runAsUser", json!(101)),
        ("frontend.writablePaths", json!(["/var/cache/nginx"])),
        ("frontend.port", json!(9001)),
        ("frontend.replicas", json!(2)),
        (
            "frontend.autoscaling",
            json!({"minReplicas": 2, "maxReplicas": 4}),
        ),
        ("frontend.config", json!({"a": "b"})),
        ("frontend.assets", json!({"path": "/assets"})),
        ("frontend.resources", json!({"requests": {"cpu": "30m"}})),
        (
            "frontend.podTemplate",
            json!({"metadata": {"labels": {"a": "b"}}}),
        ),
        ("frontend", Value::Null),
    ]
}

fn of_the_rest() -> Vec<(&'static str, Value)> {
    vec![
        (
            "database.embedded",
            json!({"resources": {"requests": {"cpu": "200m"}}}),
        ),
        ("database.external", json!({"secretName": "nowhere"})),
        ("edge.className", json!("unknown")),
        ("edge.hosts", json!({"api": "other.localhost"})),
        ("edge.layout", json!("SingleHost")),
        ("edge.paths", json!(["/graphql"])),
        ("edge.tls", json!({"disabled": {}})),
        ("edge.tls", json!({"issuer": {"name": "letsencrypt"}})),
        ("edge.tls", json!({"resolver": "letsencrypt"})),
        ("edge.gateway", json!({"name": "web", "namespace": "infra"})),
        ("edge.rateLimit", json!({"average": 5})),
        ("edge.access", json!({"allow": ["10.0.0.0/8"]})),
        ("edge.trustedProxies", json!(1)),
        ("edge.maxBodySize", json!("1Mi")),
        ("edge.securityHeaders", json!(true)),
        ("edge.timeouts", json!({"response": "2m"})),
        ("edge.maintenance", json!(true)),
        ("edge.maintenancePage", json!("nowhere")),
        ("egress", json!([])),
        ("egress", json!([{"cidr": "192.0.2.0/24", "ports": [443]}])),
        ("imagePullSecrets", json!([{"name": "registry"}])),
        ("secrets.from", json!([{"name": "nowhere"}])),
        ("email", json!({"host": "mail", "from": "me@example.com"})),
        ("tools.adminer", json!(true)),
        ("tools.adminerAccess", json!("ReadWrite")),
        ("tools.mail", json!(true)),
        ("rollout.progressDeadline", json!("20m")),
        ("rollout.soak", json!("0s")),
        ("rollout.onFailure", json!("Hold")),
        ("rollout.publicCheck", Value::Null),
        ("rollout.approval", json!("Required")),
        ("rollout.history", json!(2)),
        ("rollout.schemaRollback", json!("Refuse")),
        ("rollout.pin", json!("shop-nothing")),
        ("suspend", json!(true)),
        ("hibernate", json!(true)),
        ("deletionPolicy", json!("Retain")),
    ]
}

/// Fields that never change, or have fields of their own.
const NOT_CHANGED: [&str; 1] = ["environment"];

/// The paths of the fields of the spec, two deep.
fn fields() -> Result<BTreeSet<String>> {
    let crd = json!(AppStack::crd());
    let spec = crd
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties")
        .and_then(Value::as_object)
        .context("no schema")?;
    let deep = [
        "backend", "frontend", "database", "edge", "secrets", "rollout", "tools",
    ];
    let mut fields = BTreeSet::new();
    for (name, schema) in spec {
        match schema["properties"].as_object() {
            Some(inner) if deep.contains(&name.as_str()) => {
                fields.extend(inner.keys().map(|it| format!("{name}.{it}")));
            }
            _ => {
                fields.insert(name.clone());
            }
        }
    }
    Ok(fields)
}

fn patch_of(path: &str, value: Value) -> Value {
    let at = path
        .rsplit('.')
        .fold(value, |inner, name| json!({name: inner}));
    json!({"spec": at})
}

#[test]
fn every_field_of_the_spec_is_changed_here() -> Result<()> {
    let changed: BTreeSet<String> = changes()
        .into_iter()
        .map(|(path, _)| path.to_owned())
        .collect();
    let missing: Vec<String> = fields()?
        .into_iter()
        .filter(|it| !changed.contains(it) && !NOT_CHANGED.contains(&it.as_str()))
        .collect();
    assert_eq!(missing, [""; 0], "give each a change in `changes`");
    Ok(())
}

#[tokio::test]
async fn no_change_of_a_field_harms_what_serves_nor_does_its_way_back() -> Result<()> {
    for (path, value) in changes() {
        let world = World::serving().await?;
        let before = world.server.get(STACK).context("no AppStack")?["spec"].clone();
        world.patch(&patch_of(path, value)).context(path)?;
        world.settle().await.context(path)?;
        world.patch(&json!({"spec": null}))?;
        world.patch(&json!({"spec": before}))?;
        world.settle().await.context(path)?;
        assert_eq!(world.condition("Ready"), "True RolledOut", "{path}");
        assert_eq!(world.server.breaches(), [""; 0], "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn how_the_operator_works_makes_no_other_pods() -> Result<()> {
    let world = World::serving().await?;
    let running = world.running();
    for (path, value) in [
        ("rollout.progressDeadline", json!("5m")),
        ("rollout.progressDeadline", json!("20m")),
        ("rollout.history", json!(3)),
        ("deletionPolicy", json!("Retain")),
        ("rollout.progressDeadline", Value::Null),
        ("edge.rateLimit", json!({"average": 5})),
        ("edge.access", json!({"allow": ["10.0.0.0/8"]})),
        ("edge.trustedProxies", json!(1)),
        ("edge.timeouts", json!({"response": "2m"})),
        ("edge.maxBodySize", json!("1Mi")),
        ("edge.securityHeaders", json!(true)),
        ("edge", Value::Null),
        ("egress", json!([])),
        ("egress", Value::Null),
    ] {
        world.patch(&patch_of(path, value))?;
        world.settle().await?;
        assert_eq!(world.running(), running, "{path}");
        assert_eq!(
            world.condition("TemplatesCurrent"),
            "True Available",
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_another_version_of_the_operator_made_goes_on_as_it_is() -> Result<()> {
    let world = World::of_another_version().await?;
    let running = world.running();
    world.settle().await?;
    assert_eq!(world.running(), running);
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.condition("TemplatesCurrent"), "False OlderTemplates");

    // What it lost comes back as it was.
    world
        .server
        .remove(&format!("deployments/{}", world.newest_name(BACKEND)?));
    world.settle().await?;
    assert_eq!(world.running(), running);
    Ok(())
}

#[tokio::test]
async fn the_next_release_takes_the_templates_of_now_through_its_gates() -> Result<()> {
    let asked = [
        json!({"spec": {"version": "v2"}}),
        json!({"metadata": {"annotations": {annotation::RENEW: "now"}}}),
    ];
    for patch in asked {
        let world = World::of_another_version().await?;
        world.patch(&patch)?;
        world.reconcile().await??;
        ensure!(
            world.is_of_another_version(),
            "it goes on beside the new one"
        );
        world.settle().await?;
        assert_eq!(world.condition("Ready"), "True RolledOut", "{patch}");
        assert_eq!(
            world.condition("TemplatesCurrent"),
            "True Available",
            "{patch}"
        );
        ensure!(!world.is_of_another_version(), "{patch}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_for_the_templates_of_now_that_is_taken_away_changes_nothing() -> Result<()> {
    let world = World::of_another_version().await?;
    world.patch(&json!({"metadata": {"annotations": {annotation::RENEW: "now"}}}))?;
    world.settle().await?;
    let running = world.running();
    world.patch(&json!({"metadata": {"annotations": {annotation::RENEW: null}}}))?;
    world.settle().await?;
    assert_eq!(world.running(), running);
    Ok(())
}

#[tokio::test]
async fn a_failed_release_leaves_the_bytes_of_another_version() -> Result<()> {
    let world = World::of_another_version().await?;
    let running = world.running();
    world.server.set(STACK, "version", json!("v2"))?;
    for part in [None, Some("jobs/")] {
        if let Some(part) = part {
            world.server.complete(&world.newest(part)?)?;
        }
        world.reconcile().await??;
    }
    world.server.fail(&world.newest(BACKEND)?)?;
    for _ in ["it is given up", "it is taken back"] {
        world.reconcile().await??;
    }
    assert_eq!(
        world.condition("RolledBack"),
        "True ProgressDeadlineExceeded"
    );
    assert_eq!(world.running(), running);
    Ok(())
}

#[tokio::test]
async fn a_setting_that_reaches_pods_is_a_release() -> Result<()> {
    let mut world = World::serving().await?;
    let before = world.serving_backend()?;
    let context = Arc::get_mut(&mut world.context).context("shared")?;
    context.settings.public_https_port = 8443;
    // Another stack follows it first.
    context
        .turns
        .take("demo/other", Timestamp::MAX)
        .map_err(anyhow::Error::msg)?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "False WaitingForTurn");
    assert_eq!(
        world.newest_name(BACKEND)?,
        before.trim_start_matches("deployments/")
    );
    world.context.turns.give_back("demo/other");
    world.reconcile().await??;
    assert_eq!(world.serving_backend()?, before);
    ensure!(
        world.newest(BACKEND)? != before,
        "beside it there is another one"
    );
    world.settle().await?;
    ensure!(world.serving_backend()? != before, "it has taken over");
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let free = world.context.turns.take("demo/other", Timestamp::MAX);
    assert_eq!(free, Ok(()), "the turn is given back");
    Ok(())
}

#[tokio::test]
async fn a_record_of_a_later_version_stops_everything_and_takes_nothing_away() -> Result<()> {
    for kind in ["release", "manifests", "migration"] {
        let mut world = World::serving().await?;
        let all = world.server.all("ControllerRevision").into_iter();
        let mut all = all.filter(|it| it["data"]["record"] == kind);
        let mut record = all.next().context(kind)?;
        let at = format!(
            "controllerrevisions/{}",
            record["metadata"]["name"].as_str().context("no name")?
        );
        record["data"]["version"] = json!(99);
        world.server.remove(&at);
        world.server.put(&at, record);
        world.server.set(STACK, "version", json!("v2"))?;
        world.restart()?;
        let running = world.running();
        for _ in 0..3 {
            let error = world.reconcile().await?.err().context("it went on")?;
            ensure!(error.chain().contains("version 99"), "{}", error.chain());
            world.server.complete_all()?;
        }
        assert_eq!(world.running(), running, "{kind}");
        assert_eq!(world.condition("ServingKnown"), "False RecordUnreadable");
        assert_eq!(world.condition("Ready"), "False RecordUnreadable");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_written_down_is_told_by_what_is_there() -> Result<()> {
    // As a version before there were manifests wrote it.
    let mut world = World::serving().await?;
    world.server.remove(&world.manifests()?);
    world.restart()?;
    let records = world.server.all("ControllerRevision").into_iter();
    let mut release = records
        .clone()
        .find(|it| it["data"]["record"] == "release")
        .context("no release")?;
    release["metadata"]["annotations"] = Value::Null;
    for key in ["version", "ports"] {
        release["data"]
            .as_object_mut()
            .context("no data")?
            .remove(key);
    }
    let at = format!(
        "controllerrevisions/{}",
        release["metadata"]["name"].as_str().context("no name")?
    );
    world.server.remove(&at);
    world.server.put(&at, release);
    let running = world.running();
    world.settle().await?;
    assert_eq!(world.running(), running);
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.condition("ServingKnown"), "True Available");
    ensure!(
        world.server.get(&world.manifests()?).is_some(),
        "it is written down now"
    );
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_told_serves_until_something_else_does() -> Result<()> {
    let mut world = World::of_another_version().await?;
    world.server.remove(&world.manifests()?);
    world.restart()?;
    let before = world.server.get(BACKEND_SERVICE);
    world.reconcile().await??;
    assert_eq!(world.condition("ServingKnown"), "False RecordLost");
    ensure!(world.is_of_another_version(), "nothing is taken away");
    assert_eq!(world.server.get(BACKEND_SERVICE), before);
    world.settle().await?;
    ensure!(
        !world.is_of_another_version(),
        "what is requested has passed its gates"
    );
    assert_eq!(world.condition("ServingKnown"), "True Available");
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn what_serves_is_written_down_before_what_served_goes() -> Result<()> {
    let world = World::serving().await?;
    world.server.set(STACK, "version", json!("v2"))?;
    world.reconcile().await??;
    world.server.complete_all()?;
    let mut requests = Vec::new();
    for _ in 0..6 {
        world.server.forget();
        world.reconcile().await??;
        world.server.complete_all()?;
        requests.extend(world.server.requests());
    }
    let first = |start: &str| requests.iter().position(|it| it.starts_with(start));
    let recorded = first("PATCH controllerrevisions/shop-manifests-").context("not recorded")?;
    let pruned = first("DELETE deployments/").context("not pruned")?;
    assert!(recorded < pruned, "{requests:?}");
    Ok(())
}

#[tokio::test]
async fn the_database_changes_when_the_user_changes_something_of_it_alone() -> Result<()> {
    let mut world = World::serving().await?;
    let all = world.server.all("ControllerRevision").into_iter();
    let mut all = all.filter(|it| it["data"]["record"] == "database");
    let mut record = all.next().context("the database is not written down")?;
    let name = record["metadata"]["name"].as_str().context("no name")?;
    let at = format!("controllerrevisions/{name}");
    // Another version of the operator made it.
    record["data"]["statefulSet"]["spec"]["template"]["metadata"]["labels"][OTHERS] = json!("yes");
    world.server.remove(&at);
    world.server.put(&at, record);
    world.restart()?;
    let context = Arc::get_mut(&mut world.context).context("shared")?;
    context.settings.postgres_image = "elsewhere/postgres".into();
    let template = |world: &World| -> Result<Value> {
        let database = world.server.get(DATABASE).context("no database")?;
        Ok(database["spec"]["template"].clone())
    };
    let is_other = |template: &Value| template["metadata"]["labels"][OTHERS] == "yes";

    world.settle().await?;
    let kept = template(&world)?;
    ensure!(is_other(&kept), "it is what is written down");
    for patch in [
        json!({"spec": {"version": "v2"}}),
        json!({"spec": {"rollout": {"progressDeadline": "20m"}}}),
        json!({"spec": {"database": {"embedded": {"storage": "2Gi"}}}}),
        json!({"metadata": {"annotations": {annotation::RENEW: "now"}}}),
        json!({"spec": {"hibernate": true}}),
        json!({"spec": {"hibernate": false}}),
    ] {
        world.patch(&patch)?;
        world.settle().await?;
        assert_eq!(template(&world)?, kept, "{patch}");
    }

    let resources = json!({"embedded": {"resources": {"requests": {"cpu": "200m"}}}});
    world.patch(&json!({"spec": {"database": resources}}))?;
    world.settle().await?;
    ensure!(
        !is_other(&template(&world)?),
        "it is rendered for another choice"
    );
    Ok(())
}

#[tokio::test]
async fn the_database_takes_the_templates_of_now_on_request() -> Result<()> {
    let mut world = World::serving().await?;
    let context = Arc::get_mut(&mut world.context).context("shared")?;
    context.settings.postgres_image = "elsewhere/postgres".into();
    let image = |world: &World| {
        let database = world.server.get(DATABASE);
        let image = "/spec/template/spec/containers/0/image";
        database.and_then(|it| it.pointer(image).cloned())
    };
    world.settle().await?;
    assert_eq!(image(&world), Some(json!("docker.io/library/postgres:18")));
    let asked = json!({annotation::RENEW_DATABASE: "now"});
    world.patch(&json!({"metadata": {"annotations": asked}}))?;
    world.settle().await?;
    assert_eq!(image(&world), Some(json!("elsewhere/postgres:18")));
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}
