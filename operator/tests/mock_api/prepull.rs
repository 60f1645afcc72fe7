//! What is done for a release that has not begun: `reconcile` while an approval or more changes of values are waited for.

use std::time::Duration;

use anyhow::{Context as _, Result};
use appstack_operator::plan::debounce::Debounce;
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::{BACKEND, BACKEND_SERVICE, STACK, World, users_secret};

const PULL: &str = "deployments/shop-pull-";
/// How long changed values are waited for: longer than any test takes.
const REST: Duration = Duration::from_hours(1);

impl World {
    /// A stack that needs approvals, with a release that waits for one.
    async fn awaiting() -> Result<Self> {
        let world = Self::serving().await?;
        let required = json!({"approval": "Required"});
        world.server.set(STACK, "rollout", required)?;
        world.server.set(STACK, "version", json!("v2"))?;
        world.reconcile().await??;
        Ok(world)
    }

    /// Every Deployment that pulls images, by its address.
    fn pulls(&self) -> Vec<String> {
        let all = self.server.all("Deployment");
        let names = all.iter().filter_map(|it| it["metadata"]["name"].as_str());
        let at = names.map(|it| format!("deployments/{it}"));
        at.filter(|it| it.starts_with(PULL)).collect()
    }

    /// Gives a Deployment that pulls images its pod, whose container is in this state.
    fn pod_of_pull(&self, at: &str, state: &Value) -> Result<()> {
        let pull = self.server.get(at).with_context(|| at.to_owned())?;
        let name = at.trim_start_matches("deployments/");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": pull["spec"]["template"]["metadata"]["labels"]},
            "status": {"containerStatuses": [{
                "name": "c", "image": "acme/c:v2", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            }]},
        });
        self.server.put(&format!("pods/{name}"), pod);
        Ok(())
    }

    pub(super) fn message(&self, type_: &str) -> String {
        let stack = self.server.get(STACK).unwrap_or_default();
        let all = stack["status"]["conditions"].as_array().cloned();
        let all = all.unwrap_or_default();
        let found = all.iter().find(|it| it["type"] == type_);
        let message = found.and_then(|it| it["message"].as_str());
        message.unwrap_or_default().to_owned()
    }

    fn approve(&self) -> Result<()> {
        let mut stack = self.server.get(STACK).context("no AppStack")?;
        let name = stack["status"]["target"]["name"].clone();
        stack["metadata"]["annotations"] = json!({"appstack.dev/approve": name});
        self.server.put(STACK, stack);
        Ok(())
    }

    /// Everything that the pulls need has come.
    async fn pulled(&self) -> Result<()> {
        for at in self.pulls() {
            self.pod_of_pull(&at, &json!({"terminated": {"exitCode": 128}}))?;
        }
        self.reconcile().await??;
        Ok(())
    }
}

#[tokio::test]
async fn a_release_that_awaits_its_approval_has_its_images_pulled_once() -> Result<()> {
    let world = World::awaiting().await?;
    assert_eq!(world.pulls().len(), 2, "{:?}", world.server.applied());
    assert!(!world.applied("jobs/"), "it has begun");
    assert_eq!(world.condition("AwaitingApproval"), "True AwaitingApproval");
    let message = world.message("AwaitingApproval");
    assert!(message.contains("its images are being pulled"), "{message}");

    world.pulled().await?;
    let message = world.message("AwaitingApproval");
    assert!(message.contains("its images are pulled"), "{message}");
    world.server.forget();
    let action = world.reconcile().await??;
    assert_eq!(action, Action::requeue(Duration::from_hours(1)));
    assert_eq!(world.pulls(), [""; 0], "what has pulled stays");
    assert!(!world.applied(PULL), "they are pulled once more");
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);

    world.approve()?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    assert!(!world.applied(PULL), "they are pulled once more");
    Ok(())
}

#[tokio::test]
async fn a_release_that_is_prepared_and_waits_costs_no_request() -> Result<()> {
    let world = World::awaiting().await?;
    world.requests_of_a_look().await?;
    world.pulled().await?;
    for _ in 0..2 {
        world.requests_of_a_look().await?;
    }
    assert_eq!(world.requests_of_a_look().await?, [""; 0]);
    assert_eq!(world.condition("AwaitingApproval"), "True AwaitingApproval");
    Ok(())
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_before_and_after_the_approval() -> Result<()> {
    let world = World::awaiting().await?;
    let pulls = world.pulls();
    let missing = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    world.pod_of_pull(&pulls[0], &missing)?;
    let action = world.reconcile().await??;
    assert_eq!(action, Action::requeue(Duration::from_secs(20)));
    let words = "cannot pull acme/c:v2: not found";
    for type_ in ["AwaitingApproval", "Ready"] {
        let message = world.message(type_);
        assert!(message.contains(words), "{type_}: {message}");
    }

    world.approve()?;
    world.reconcile().await??;
    assert_eq!(world.condition("AwaitingApproval"), "False Valid");
    assert_eq!(world.condition("Ready"), "False ImagePullFailed");
    assert!(world.message("Ready").contains(words));
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    assert!(!world.applied("jobs/"), "it has begun");

    // It goes on by itself.
    world.pulled().await?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    Ok(())
}

#[tokio::test]
async fn what_pulls_for_a_release_that_is_no_longer_asked_for_goes() -> Result<()> {
    let world = World::awaiting().await?;
    let two = world.pulls();
    world.server.set(STACK, "version", json!("v3"))?;
    world.reconcile().await??;
    assert_eq!(world.pulls().len(), 2);
    assert!(world.pulls().iter().all(|it| !two.contains(it)));
    world.server.set(STACK, "version", json!("v1"))?;
    world.reconcile().await??;
    assert_eq!(world.pulls(), [""; 0]);
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn that_images_were_pulled_is_forgotten_with_the_release_that_they_were_pulled_for()
-> Result<()> {
    let world = World::awaiting().await?;
    world.pulled().await?;
    world.approve()?;
    world.reconcile().await??;
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    for part in [BACKEND, super::FRONTEND] {
        world.server.complete(&world.newest(part)?)?;
        world.reconcile().await??;
    }
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let records = world.server.all("ControllerRevision");
    let pulled = |it: &&Value| it["metadata"]["labels"]["appstack.dev/record"] == "pulled";
    assert_eq!(records.iter().filter(pulled).count(), 0);
    Ok(())
}

/// A stack that serves with the values of a Secret.
async fn reading_a_secret() -> Result<World> {
    let world = World::with(Debounce::new(REST, REST));
    users_secret(&world, "a", json!({"SMTP_USER": "YQ=="}));
    let from = json!({"from": [{"name": "a"}]});
    world.server.set(STACK, "secrets", from)?;
    world.roll_out().await?;
    world.reconcile().await??;
    world.server.forget();
    Ok(world)
}

#[tokio::test]
async fn changed_values_are_waited_for_while_what_serves_is_kept() -> Result<()> {
    let world = reading_a_secret().await?;
    users_secret(&world, "a", json!({"SMTP_USER": "Yg=="}));
    world.server.remove(BACKEND_SERVICE);
    let action = world.reconcile().await??;
    assert_ne!(action, Action::requeue(Duration::from_hours(1)));
    assert_eq!(world.condition("Ready"), "False ValuesChanging");
    let deployments = world.server.all("Deployment").len();
    assert_eq!(deployments, 2, "it has begun");
    assert!(world.applied(BACKEND_SERVICE), "what serves is not kept");

    // A changed spec takes them along.
    world.server.set(STACK, "projectName", json!("Other"))?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RollingOut");
    Ok(())
}

#[tokio::test]
async fn what_an_operator_finds_when_it_starts_is_not_waited_for() -> Result<()> {
    let world = reading_a_secret().await?;
    users_secret(&world, "a", json!({"SMTP_USER": "Yg=="}));
    world.context.debounce.forget("demo/shop");
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "False RollingOut");
    Ok(())
}
