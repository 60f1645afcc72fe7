//! Who may come in and how often holds at once, is no release, and is never taken away by what is faulty or by another version
//! of the operator.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use appstack_operator::api::{MANAGER, annotation};
use appstack_operator::error::Error;
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::no_release::rolled_back;
use super::starts::{LONG_AGO, now};
use super::{EDGE, STACK, World, users_secret};

const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const LIMIT: &str = "middlewares/shop-rate-limit";
const LIST: &str = "middlewares/shop-allow-list";
const PASSWORD: &str = "middlewares/shop-password";
const API: &str = "ingresses/shop-edge-api";
/// `password`, hashed, as the data of a Secret holds it: `ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=`.
const USERS: &str = "YW5uOntTSEF9VzZwaDVNbTVQejhHZ2lVTGJQZ3pHMzdtajlnPQ==";
/// The same of `bob`.
const OTHERS: &str = "Ym9iOntTSEF9VzZwaDVNbTVQejhHZ2lVTGJQZ3pHMzdtajlnPQ==";

/// How soon what is at rest is looked at again, and what is faulty.
const AT_REST: Duration = Duration::from_hours(1);
const FAULTY: Duration = Duration::from_mins(5);

impl World {
    /// The middlewares that requests of an Ingress pass.
    fn passed(&self, ingress: &str) -> Option<String> {
        let ingress = self.server.get(ingress)?;
        let named = ingress["metadata"]["annotations"][MIDDLEWARES].as_str();
        Some(named.unwrap_or_default().to_owned())
    }

    /// Whether requests are limited: by an Ingress that names what is there.
    fn is_limited(&self) -> bool {
        let is_named = self
            .passed(EDGE)
            .is_some_and(|it| it.contains("rate-limit"));
        assert_eq!(is_named, self.server.get(LIMIT).is_some());
        is_named
    }

    fn set_limit(&self, limit: &Value) -> Result<()> {
        self.patch(&json!({"spec": {"edge": {"rateLimit": limit}}}))
    }

    /// Asks for a limit, and says whether it is there in the same look, without a release and without another pod.
    async fn limits_at_once(&self) -> Result<()> {
        assert!(!self.is_limited());
        let (releases, running) = (self.releases(), self.running());
        self.set_limit(&json!({"average": 5}))?;
        self.reconcile().await??;
        assert!(self.is_limited());
        assert_eq!(self.releases(), releases);
        assert_eq!(self.running(), running);
        Ok(())
    }

    /// A stack of production that serves.
    async fn of_production() -> Result<Self> {
        let world = Self::new();
        world.patch(&json!({"spec": {
            "environment": "production", "domain": "example.com", "edge": {"tls": {"selfSigned": {}}},
        }}))?;
        world.settle().await?;
        assert_eq!(world.condition("Ready"), "True RolledOut");
        Ok(world)
    }

    fn place(&self, request: &str) -> Result<usize> {
        let requests = self.server.requests();
        let found = requests.iter().position(|it| it == request);
        found.with_context(|| format!("no {request} in {requests:?}"))
    }
}

#[tokio::test]
async fn a_limit_of_what_serves_is_no_release_and_comes_and_goes_in_an_order() -> Result<()> {
    let world = World::serving().await?;
    let target = |world: &World| {
        let app = world.server.get(STACK);
        app.map(|it| it["status"]["target"].clone())
    };
    let before = target(&world);
    world.server.forget();
    world.limits_at_once().await?;
    let named = format!("PATCH {EDGE}");
    ensure!(world.place(&format!("PATCH {LIMIT}"))? < world.place(&named)?);
    assert_eq!(target(&world), before);
    assert_eq!(world.condition("Ready"), "True RolledOut");
    world.settle().await?;
    let spec = world.server.get(LIMIT).context("no limit")?["spec"].clone();
    assert_eq!(spec, json!({"rateLimit": {"average": 5, "burst": 10}}));

    world.set_limit(&Value::Null)?;
    world.server.forget();
    world.reconcile().await??;
    ensure!(world.place(&named)? < world.place(&format!("DELETE {LIMIT}"))?);
    assert!(!world.is_limited());
    assert_eq!(world.condition("TemplatesCurrent"), "True Available");
    Ok(())
}

/// Both are taken up by the ingress controller in its own time, and a route that names what it does not know is not served.
#[tokio::test]
async fn an_ingress_names_a_middleware_once_its_controller_knows_it() -> Result<()> {
    let mut world = World::serving().await?;
    world.limits_at_once().await?;
    let mut limit = world.server.get(LIMIT).context("no limit")?;
    world.set_limit(&Value::Null)?;
    world.settle().await?;
    assert!(!world.is_limited());
    // An operator made it and ended.
    limit["metadata"]["creationTimestamp"] = json!(now());
    world.server.put(LIMIT, limit.clone());
    world.restart()?;
    world.set_limit(&json!({"average": 5}))?;
    for _ in ["what was answered", "what is remembered"] {
        let action = world.reconcile().await??;
        assert_ne!(action, Action::requeue(AT_REST));
        assert_eq!(world.passed(EDGE).as_deref(), Some(""));
        assert_eq!(world.condition("Ready"), "True RolledOut");
    }
    world.patch(&json!({"spec": {"secrets": {"from": [{"name": "missing"}]}}}))?;
    let error = world.fail().await?;
    assert_ne!(world.policy(&error)?, Action::requeue(FAULTY));
    world.patch(&json!({"spec": {"secrets": null}}))?;

    limit["metadata"]["creationTimestamp"] = json!(LONG_AGO);
    world.server.put(LIMIT, limit);
    world.restart()?;
    assert_eq!(world.reconcile().await??, Action::requeue(AT_REST));
    assert!(world.is_limited());
    Ok(())
}

#[tokio::test]
async fn a_middleware_goes_once_no_ingress_is_known_to_name_it() -> Result<()> {
    let mut world = World::serving().await?;
    world.limits_at_once().await?;
    world.set_limit(&Value::Null)?;
    let changed_at = |world: &World, time: Value| -> Result<()> {
        let mut ingress = world.server.get(EDGE).context("no Ingress")?;
        ingress["metadata"]["managedFields"] =
            json!([{"manager": MANAGER, "operation": "Apply", "time": time}]);
        world.server.put(EDGE, ingress);
        Ok(())
    };
    changed_at(&world, json!(now()))?;
    for _ in ["what was answered", "what is remembered"] {
        let action = world.reconcile().await??;
        assert_ne!(action, Action::requeue(AT_REST));
        assert_eq!(world.passed(EDGE).as_deref(), Some(""));
        ensure!(world.server.get(LIMIT).is_some());
    }
    changed_at(&world, json!(LONG_AGO))?;
    world.restart()?;
    world.reconcile().await??;
    assert!(!world.is_limited());
    Ok(())
}

#[tokio::test]
async fn an_ingress_goes_once_another_one_has_its_hosts() -> Result<()> {
    let mut world = World::serving().await?;
    users_secret(&world, "team", json!({"users": USERS}));
    world.patch(&json!({"spec": {"edge": {"access": {"basicAuthSecret": "team"}}}}))?;
    world.settle().await?;
    let made = |world: &World, time: Value| -> Result<()> {
        let mut password = world.server.get(PASSWORD).context("no password")?;
        password["metadata"]["creationTimestamp"] = time;
        world.server.put(PASSWORD, password);
        Ok(())
    };
    made(&world, json!(now()))?;
    world.restart()?;
    world.reconcile().await??;
    world.patch(&json!({"spec": {"edge": null}}))?;
    let action = world.reconcile().await??;
    assert_ne!(action, Action::requeue(AT_REST));
    assert!(world.passed(EDGE).context("no site")?.contains("password"));
    ensure!(world.server.get(API).is_some(), "nobody has its host");

    made(&world, json!(LONG_AGO))?;
    world.restart()?;
    world.reconcile().await??;
    assert_eq!(world.passed(EDGE).as_deref(), Some(""));
    ensure!(world.server.get(API).is_none());
    Ok(())
}

#[tokio::test]
async fn a_limit_waits_for_no_migration_no_approval_and_no_failed_release() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    world.limits_at_once().await?;
    assert_eq!(world.stage(), "migration");

    let world = World::serving().await?;
    world.patch(&json!({"spec": {"rollout": {"approval": "Required"}, "version": "v2"}}))?;
    world.reconcile().await??;
    let asked = world.server.get(STACK).context("no AppStack")?["status"]["target"].clone();
    world.limits_at_once().await?;
    assert_eq!(world.condition("AwaitingApproval"), "True AwaitingApproval");
    let still = world.server.get(STACK).context("no AppStack")?["status"]["target"].clone();
    assert_eq!(still, asked);

    let world = rolled_back().await?;
    world.limits_at_once().await?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "False RolledBack");
    assert!(world.is_limited());
    Ok(())
}

#[tokio::test]
async fn a_faulty_spec_limits_what_serves() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {
        "secrets": {"from": [{"name": "missing"}]}, "edge": {"rateLimit": {"average": 5}},
    }}))?;
    world.fail().await?;
    assert!(world.is_limited());
    Ok(())
}

#[tokio::test]
async fn a_pin_is_limited_as_the_spec_says_and_refused_for_its_faults() -> Result<()> {
    let world = World::serving().await?;
    let first =
        world.server.get(STACK).context("no AppStack")?["status"]["release"]["name"].clone();
    world.patch(&json!({"spec": {"version": "v2"}}))?;
    world.settle().await?;
    world.patch(&json!({"spec": {"rollout": {"pin": first}}}))?;
    world.settle().await?;
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    world.limits_at_once().await?;
    world.patch(&json!({"spec": {"edge": {"access": {"basicAuthSecret": "team"}}}}))?;
    let error = world.fail().await?;
    ensure!(matches!(error, Error::Invalid(_)), "{error:?}");
    assert!(world.is_limited());
    Ok(())
}

#[tokio::test]
async fn a_password_guards_the_site_and_leaves_the_api_a_way_at_any_time() -> Result<()> {
    let world = World::serving().await?;
    users_secret(&world, "team", json!({"users": USERS}));
    world.patch(&json!({"spec": {"edge": {"access": {"basicAuthSecret": "team"}}}}))?;
    let running = world.running();
    world.server.forget();
    world.reconcile().await??;
    let (api, site) = (format!("PATCH {API}"), format!("PATCH {EDGE}"));
    ensure!(world.place(&format!("PATCH {PASSWORD}"))? < world.place(&api)?);
    ensure!(world.place(&api)? < world.place(&site)?);
    assert!(world.passed(EDGE).context("no site")?.contains("password"));
    assert_eq!(world.passed(API).as_deref(), Some(""));

    // Its change is the ingress controller's to see.
    let releases = world.releases();
    users_secret(&world, "team", json!({"users": OTHERS}));
    world.settle().await?;
    assert_eq!(world.releases(), releases);
    assert_eq!(world.running(), running);

    world.patch(&json!({"spec": {"edge": null}}))?;
    world.server.forget();
    world.reconcile().await??;
    ensure!(world.place(&site)? < world.place(&format!("DELETE {API}"))?);
    ensure!(world.place(&format!("DELETE {API}"))? < world.place(&format!("DELETE {PASSWORD}"))?);
    Ok(())
}

#[tokio::test]
async fn users_that_are_missing_or_faulty_change_nothing_of_who_may_come_in() -> Result<()> {
    let world = World::serving().await?;
    users_secret(&world, "team", json!({"users": USERS}));
    let access = json!({"allow": ["10.0.0.0/8"], "basicAuthSecret": "team"});
    world.patch(&json!({"spec": {"edge": {"access": access}}}))?;
    world.settle().await?;
    let passed = world.passed(EDGE);
    let field = "spec.edge.access.basicAuthSecret";
    world.server.remove("secrets/team");
    let missing = format!("{field}: there is no Secret team in this namespace");
    // `ann:hunter22`
    let plain = "YW5uOmh1bnRlcjIy";
    let no_hash = format!(
        "{field}: line 1 of users in Secret team has no hash of a password behind the name, of bcrypt, apr1 or SHA; make it by `htpasswd -nB NAME`"
    );
    for (data, fault) in [(None, missing), (Some(plain), no_hash)] {
        if let Some(data) = data {
            users_secret(&world, "team", json!({"users": data}));
        }
        let Error::Invalid(invalid) = world.fail().await? else {
            anyhow::bail!("it is no fault of the spec")
        };
        assert_eq!(invalid.faults, [fault]);
        assert_eq!(world.passed(EDGE), passed);
        ensure!(world.server.get(PASSWORD).is_some() && world.server.get(LIST).is_some());
    }
    users_secret(&world, "team", json!({"users": USERS}));
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.passed(EDGE), passed);
    Ok(())
}

#[tokio::test]
async fn what_a_class_cannot_do_is_refused_where_it_is_asked_for_and_else_told() -> Result<()> {
    let world = World::new();
    world.has_nginx();
    world.patch(&json!({"spec": {
        "environment": "production", "domain": "example.com",
        "edge": {"className": "nginx", "tls": {"selfSigned": {}}},
    }}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let told = "the number of requests is not limited";
    assert!(world.message("EdgeReady").contains(told));

    world.set_limit(&json!({"average": 5}))?;
    let Error::Invalid(invalid) = world.fail().await? else {
        anyhow::bail!("it is no fault of the spec")
    };
    let fault = "spec.edge.rateLimit: IngressClass nginx is not Traefik's";
    assert!(invalid.faults[0].starts_with(fault), "{invalid:?}");
    assert_eq!(invalid.faults.len(), 1);

    world.patch(&json!({"spec": {"edge": {"rateLimit": {"average": null, "disabled": {}}}}}))?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert!(!world.message("EdgeReady").contains(told));
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_come_in_stays_out_when_the_kinds_are_served_no_more() -> Result<()> {
    let world = World::serving().await?;
    world.patch(&json!({"spec": {"edge": {"access": {"allow": ["10.0.0.0/8"]}}}}))?;
    world.settle().await?;
    let passed = world.passed(EDGE);
    assert!(passed.as_ref().is_some_and(|it| it.contains("allow-list")));
    world.serves(false);
    world.fail().await?;
    assert_eq!(world.passed(EDGE), passed);
    assert_eq!(world.condition("Accepted"), "False Invalid");
    Ok(())
}

/// What an operator wrote down that knew of no limits, and what it made.
fn of_before(world: &mut World) -> Result<()> {
    let at = world.manifests()?;
    let mut record = world.server.get(&at).context("no record")?;
    let manifests = record["data"]["manifests"].as_object_mut();
    let default = manifests.context("no manifests")?.remove("rateLimit");
    assert_eq!(default, Some(json!({"average": 100, "burst": 200})));
    world.keep(&at, record)?;
    world.server.remove(LIMIT);
    for at in [EDGE, "ingresses/shop-edge-http"] {
        let mut ingress = world.server.get(at).context("no Ingress")?;
        let named = &mut ingress["metadata"]["annotations"][MIDDLEWARES];
        let all = named.as_str().context("no middlewares")?.split(',');
        let others: Vec<&str> = all.filter(|it| !it.contains("rate-limit")).collect();
        *named = json!(others.join(","));
        world.server.put(at, ingress);
    }
    world.restart()?;
    world.server.forget();
    Ok(())
}

#[tokio::test]
async fn an_upgrade_limits_nothing_that_serves_and_the_next_release_or_an_edit_does() -> Result<()>
{
    let mut world = World::of_production().await?;
    assert!(world.is_limited());
    of_before(&mut world)?;
    let releases = world.releases();
    world.settle().await?;
    assert!(!world.is_limited());
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.condition("TemplatesCurrent"), "False OlderTemplates");
    assert_eq!(world.releases(), releases);

    world.limits_at_once().await?;
    world.set_limit(&Value::Null)?;
    world.settle().await?;
    assert!(!world.is_limited(), "what serves had no limit by default");
    world.patch(&json!({"metadata": {"annotations": {annotation::RENEW: "now"}}}))?;
    world.settle().await?;
    assert!(world.is_limited());
    assert_eq!(world.condition("TemplatesCurrent"), "True Available");
    Ok(())
}

#[tokio::test]
async fn a_limit_that_is_switched_off_stays_off() -> Result<()> {
    let world = World::of_production().await?;
    assert!(world.is_limited());
    let releases = world.releases();
    world.set_limit(&json!({"disabled": {}}))?;
    world.settle().await?;
    assert!(!world.is_limited());
    world.patch(&json!({"spec": {"edge": {"rateLimit": null}}}))?;
    world.settle().await?;
    assert!(world.is_limited());
    assert_eq!(world.releases(), releases);
    Ok(())
}
