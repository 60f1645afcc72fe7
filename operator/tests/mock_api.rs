//! The order of requests, and what is done when one fails: `reconcile` against an API server in memory.
//!
//! Only order and failure are tested here. What is built is in `golden`, and what Kubernetes makes of it in the
//! stories of the local cluster.

#[path = "mock_api/assets.rs"]
mod assets;
#[path = "mock_api/cache.rs"]
mod cache;
#[path = "mock_api/connection.rs"]
mod connection;
#[path = "mock_api/data.rs"]
mod data;
#[path = "mock_api/defaults.rs"]
mod defaults;
#[path = "mock_api/gateway.rs"]
mod gateway;
#[path = "mock_api/given.rs"]
mod given;
#[path = "mock_api/hosts.rs"]
mod hosts;
#[path = "mock_api/issued.rs"]
mod issued;
#[path = "mock_api/jobs.rs"]
mod jobs;
#[path = "mock_api/limits.rs"]
mod limits;
#[path = "mock_api/logs.rs"]
mod logs;
#[path = "mock_api/maintenance.rs"]
mod maintenance;
#[path = "mock_api/model.rs"]
mod model;
#[path = "mock_api/no_release.rs"]
mod no_release;
#[path = "mock_api/optional.rs"]
mod optional;
#[path = "mock_api/outage.rs"]
mod outage;
#[path = "mock_api/prepull.rs"]
mod prepull;
#[path = "mock_api/refused.rs"]
mod refused;
#[path = "mock_api/remembered.rs"]
mod remembered;
#[path = "mock_api/repairs.rs"]
mod repairs;
#[path = "mock_api/roles.rs"]
mod roles;
#[path = "mock_api/route.rs"]
mod route;
#[path = "mock_api/scaling.rs"]
mod scaling;
#[path = "mock_api/schedules.rs"]
mod schedules;
#[path = "mock_api/server.rs"]
mod server;
#[path = "mock_api/starts.rs"]
mod starts;
#[path = "mock_api/tools.rs"]
mod tools;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use appstack_operator::api::{AppStack, Reason};
use appstack_operator::cluster::cache::Cache;
use appstack_operator::cluster::dns::Dns;
use appstack_operator::cluster::gateways::Gateways;
use appstack_operator::cluster::kinds;
use appstack_operator::cluster::seen_values::SeenValues;
use appstack_operator::cluster::stacks::Stacks;
use appstack_operator::context::Context;
use appstack_operator::error::Error;
use appstack_operator::model::kinds::{Certificate, Middleware};
use appstack_operator::plan::debounce::Debounce;
use appstack_operator::plan::turns::Turns;
use appstack_operator::reconcile::appstack::{after_error, reconcile};
use appstack_operator::reconcile::report::key;
use appstack_operator::rollout::public_check::PublicChecks;
use appstack_operator::rollout::reach::Reach;
use appstack_operator::rollout::rehearsal::Rehearsals;
use appstack_operator::runtime::admin::Progress;
use appstack_operator::runtime::backoff::Backoff;
use appstack_operator::runtime::kind::Kind;
use appstack_operator::runtime::metrics::Metrics;
use appstack_operator::runtime::optional_apis::Definition;
use appstack_operator::runtime::versions::WatchedVersions;
use appstack_operator::settings::ClusterSettings;
use futures::future::BoxFuture;
use k8s_controller::events::EventRecorder;
use k8s_openapi::ByteString;
use kube::runtime::controller::Action;
use kube::runtime::events::Reporter;
use serde_json::{Value, json};

use server::{NAMESPACE, Server};

const STACK: &str = "appstacks/shop";
const STATUS: &str = "appstacks/shop/status";
const DATABASE: &str = "statefulsets/shop-db";
/// How the addresses of the backend's Deployments begin; a revision follows.
const BACKEND: &str = "deployments/shop-backend-";
const BACKEND_SERVICE: &str = "services/shop-backend";
const FRONTEND: &str = "deployments/shop-frontend-";
const EDGE: &str = "ingresses/shop-edge";
/// The first wait after an error that may pass.
const BACKOFF: Duration = Duration::from_secs(1);

/// A cluster with one `AppStack`, and the operator.
struct World {
    server: Server,
    context: Arc<Context>,
}

/// DNS that knows every host.
fn known(_: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
    Box::pin(async { Ok(vec![IpAddr::from([192, 0, 2, 1])]) })
}

/// The operator as it is after a start.
fn operator(server: &Server, debounce: Debounce) -> Context {
    let client = server.client();
    let reporter = Reporter {
        controller: "test".into(),
        instance: None,
    };
    let optional = kinds::optional();
    for kind in [Kind::of::<Certificate>(), Kind::of::<Middleware>()] {
        optional.note(&Definition::of(kind), true);
    }
    Context {
        recorder: EventRecorder::new(client.clone(), reporter),
        client,
        metrics: Arc::new(Metrics::new("test")),
        progress: Arc::new(Progress::new(Duration::from_secs(1))),
        backoff: Backoff::new(BACKOFF, Duration::from_mins(1)),
        jitter: || 1.0,
        versions: WatchedVersions::default(),
        cache: Cache::default(),
        stacks: Stacks::default(),
        public_checks: PublicChecks::default(),
        reach: Reach::default(),
        rehearsals: Rehearsals::default(),
        seen_values: SeenValues::default(),
        gateways: Gateways::default(),
        dns: Dns::new(known),
        turns: Turns::default(),
        debounce,
        settings: ClusterSettings::default(),
        optional,
    }
}

/// Changed values are not waited for.
fn at_once() -> Debounce {
    Debounce::new(Duration::ZERO, Duration::ZERO)
}

impl Drop for World {
    /// Whatever a test is about, nothing that serves may come to harm in it.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.server.breaches(), [""; 0]);
        }
    }
}

impl World {
    /// The `AppStack` has a migration and a frontend. Changed values are not waited for.
    fn new() -> Self {
        Self::with(at_once())
    }

    /// The same where changed values are waited for.
    fn with(debounce: Debounce) -> Self {
        let server = Server::default();
        server.put("ingressclasses/traefik", json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": "traefik"}, "spec": {"controller": "traefik.io/ingress-controller"},
        }));
        server.put(
            STACK,
            json!({
                "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
                "metadata": {"name": "shop", "namespace": NAMESPACE},
                "spec": {
                    "environment": "local", "domain": "localhost", "version": "v1",
                    "backend": {"image": "acme/backend", "migrate": {"args": ["migrate"]}},
                    "frontend": {"image": "acme/frontend"},
                    // What most tests are not about.
                    "tools": {"adminer": false, "mail": false},
                },
            }),
        );
        Self {
            context: Arc::new(operator(&server, debounce)),
            server,
        }
    }

    /// Another IngressClass, which is not Traefik's.
    fn has_nginx(&self) {
        self.server.put(
            "ingressclasses/nginx",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
                "metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"},
            }),
        );
    }

    /// The same after a roll-out of the first release that went through.
    async fn serving() -> Result<Self> {
        let world = Self::new();
        world.roll_out().await?;
        // What was written in the last step is read in the next one.
        world.reconcile().await??;
        world.server.forget();
        Ok(world)
    }

    /// Reconciles and completes stage after stage, until all gates are open.
    async fn roll_out(&self) -> Result<()> {
        self.reconcile().await??;
        self.server.complete(DATABASE)?;
        self.reconcile().await??;
        for _ in ["the role", "the migration"] {
            self.server.complete(&self.newest_job()?)?;
            self.reconcile().await??;
        }
        for part in [BACKEND, FRONTEND] {
            self.server.complete(&self.newest(part)?)?;
            self.reconcile().await??;
        }
        Ok(())
    }

    /// Reconciles the `AppStack` as it is now. The outer error is one of the test.
    async fn reconcile(&self) -> Result<Result<Action, Error>> {
        Ok(Box::pin(reconcile(self.app()?, self.context.clone())).await)
    }

    /// Reconciles the `AppStack` as it is now, which is to fail.
    async fn fail(&self) -> Result<Error> {
        self.reconcile().await?.err().context("it succeeded")
    }

    fn policy(&self, error: &Error) -> Result<Action> {
        Ok(after_error(&*self.app()?, error, &self.context))
    }

    fn app(&self) -> Result<Arc<AppStack>> {
        let app = self.server.get(STACK).context("no AppStack")?;
        Ok(Arc::new(serde_json::from_value(app)?))
    }

    /// Moves the times in the status into the past, so that a new time shows.
    fn age(&self) -> Result<()> {
        let mut app = self.server.get(STACK).context("no AppStack")?;
        for condition in app["status"]["conditions"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            condition["lastTransitionTime"] = json!("2026-01-02T00:00:00Z");
        }
        self.server.put(STACK, app);
        Ok(())
    }

    /// The address of the Job that was made last.
    fn newest_job(&self) -> Result<String> {
        self.newest("jobs/")
    }

    /// The address that was made or changed last of those that begin so.
    fn newest(&self, start: &str) -> Result<String> {
        let changed = self.server.changed();
        let found = changed.into_iter().rfind(|it| it.starts_with(start));
        found.with_context(|| format!("no {start} was changed"))
    }

    /// The address of the Deployment that the backend's Service turns requests to.
    fn serving_backend(&self) -> Result<String> {
        let service = self.server.get(BACKEND_SERVICE).context("no Service")?;
        let revision = service["spec"]["selector"]["appstack.dev/revision"].as_str();
        Ok(format!("{BACKEND}{}", revision.context("no revision")?))
    }

    /// Status and reason of a condition, such as `True Available`.
    fn condition(&self, type_: &str) -> String {
        let status = self
            .server
            .get(STACK)
            .map(|mut it| it["status"].take())
            .unwrap_or_default();
        let all = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = all.iter().find(|it| it["type"] == type_);
        let text = |key: &str| {
            found
                .and_then(|it| it[key].as_str())
                .unwrap_or("-")
                .to_owned()
        };
        format!("{} {}", text("status"), text("reason"))
    }

    /// What Events with this reason say.
    fn notes(&self, reason: &str) -> Vec<String> {
        let mut events = self.server.events();
        events.retain(|it| it["reason"] == reason);
        let note = |it: &Value| it["note"].as_str().unwrap_or_default().to_owned();
        events.iter().map(note).collect()
    }

    fn stage(&self) -> Value {
        self.server
            .get(STACK)
            .map(|mut it| it["status"]["stage"].take())
            .unwrap_or_default()
    }

    /// Whether an object of that kind, or at that address, was applied.
    fn applied(&self, start: &str) -> bool {
        self.server.applied().iter().any(|it| it.starts_with(start))
    }

    /// The image of the backend's pods that get requests.
    fn backend_image(&self) -> Result<Value> {
        let backend = self.server.get(&self.serving_backend()?);
        let image = "/spec/template/spec/containers/0/image";
        let image = backend.and_then(|it| it.pointer(image).cloned());
        Ok(image.unwrap_or_default())
    }
}

#[tokio::test]
async fn at_first_only_the_database_is_applied_and_the_status_says_so() -> Result<()> {
    let world = World::new();
    let action = world.reconcile().await??;
    assert_eq!(action, Action::requeue(Duration::from_secs(20)));
    assert!(world.applied(DATABASE));
    for later in [
        "jobs/",
        "deployments/",
        "ingresses/",
        "controllerrevisions/shop-migrate",
    ] {
        assert!(!world.applied(later), "{:?}", world.server.applied());
    }
    assert_eq!(world.stage(), "database");
    assert_eq!(world.condition("Accepted"), "True Valid");
    assert_eq!(world.condition("DatabaseReady"), "False SpecNotSeenYet");
    assert_eq!(
        world.condition("BackendReady"),
        "False WaitingForEarlierStage"
    );
    assert_eq!(world.condition("Ready"), "False RollingOut");
    Ok(())
}

#[tokio::test]
async fn each_stage_waits_for_the_one_before_it() -> Result<()> {
    let world = World::new();
    world.reconcile().await??;
    world.server.complete(DATABASE)?;
    world.reconcile().await??;
    assert_eq!(world.stage(), "database", "there is no role yet");
    assert!(!world.applied("jobs/shop-migrate-"));
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    assert_eq!(
        (world.stage(), world.applied(BACKEND)),
        ("migration".into(), false)
    );
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    assert_eq!(
        (world.stage(), world.applied(BACKEND)),
        ("backend".into(), true)
    );
    assert!(!world.applied(FRONTEND));
    assert!(!world.applied(BACKEND_SERVICE), "no pod of it is ready");
    world.server.complete(&world.newest(BACKEND)?)?;
    world.reconcile().await??;
    assert!(world.applied(BACKEND_SERVICE));
    assert_eq!(
        (world.stage(), world.applied(FRONTEND)),
        ("frontend".into(), true)
    );
    assert!(!world.applied(EDGE));
    world.server.complete(&world.newest(FRONTEND)?)?;
    world.reconcile().await??;
    assert_eq!((world.stage(), world.applied(EDGE)), ("done".into(), true));
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(())
}

#[tokio::test]
async fn a_stack_at_rest_changes_nothing() -> Result<()> {
    let world = World::serving().await?;
    world.age()?;
    let action = world.reconcile().await??;
    assert_eq!(action, Action::requeue(Duration::from_hours(1)));
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.server.changed(), [""; 0]);
    assert!(
        !world.applied(STATUS),
        "a status that says the same is written again"
    );
    Ok(())
}

#[tokio::test]
async fn a_refused_write_is_reported_and_tried_again_later_each_time() -> Result<()> {
    let world = World::new();
    world.server.refuse(DATABASE, 500);
    let error = world.fail().await?;
    assert_eq!(world.condition("Reconciling"), "True ApiError");
    assert_eq!(world.condition("Ready"), "False ApiError");
    let key = key(&*world.app()?);
    assert_ne!(world.policy(&error)?, Action::await_change());
    assert_eq!(world.context.backoff.next(&key, 1.0), 2 * BACKOFF);

    world.server.refuse(DATABASE, 409);
    let conflict = world.fail().await?;
    assert_eq!(
        world.policy(&conflict)?,
        Action::requeue(Duration::from_secs(1))
    );
    Ok(())
}

#[tokio::test]
async fn an_object_of_somebody_else_is_never_taken_over() -> Result<()> {
    let world = World::new();
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "shop-db", "namespace": NAMESPACE, "labels": {"app": "theirs"}},
    });
    world.server.put("services/shop-db", theirs);
    let error = world.fail().await?;
    assert_eq!(error.reason(), Reason::NameTaken);
    assert!(!world.applied("services/shop-db"));
    assert_eq!(world.condition("Ready"), "False NameTaken");
    assert_eq!(world.condition("Stalled"), "True NameTaken");
    Ok(())
}

#[tokio::test]
async fn a_faulty_spec_keeps_what_serves_alive() -> Result<()> {
    let world = World::serving().await?;
    world.server.set(STACK, "version", json!("v2"))?;
    world
        .server
        .set(STACK, "secrets", json!({"from": [{"name": "missing"}]}))?;
    world.server.remove(BACKEND_SERVICE);
    let error = world.fail().await?;
    assert_eq!(error.reason(), Reason::Invalid);
    assert_eq!(world.condition("Accepted"), "False Invalid");
    assert!(
        world.server.get(BACKEND_SERVICE).is_some(),
        "the Service did not come back"
    );
    assert_eq!(world.backend_image()?, "acme/backend:v1");
    Ok(())
}

#[tokio::test]
async fn a_migration_that_is_not_done_holds_the_backend_at_the_release_that_serves() -> Result<()> {
    let world = World::serving().await?;
    world.server.set(STACK, "version", json!("v2"))?;
    let old = world.serving_backend()?;
    world.server.remove(&old);
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    assert_eq!(world.condition("Ready"), "False RollingOut");
    assert_eq!(
        world.backend_image()?,
        "acme/backend:v1",
        "the backend did not come back as it was"
    );

    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    let new = world.newest(BACKEND)?;
    assert_ne!(new, old);
    assert_eq!(
        (world.stage(), world.backend_image()?),
        ("backend".into(), "acme/backend:v1".into())
    );
    world.server.complete(&new)?;
    world.reconcile().await??;
    assert_eq!(
        (world.stage(), world.backend_image()?),
        ("frontend".into(), "acme/backend:v2".into())
    );
    assert!(world.server.get(&old).is_some(), "the way back is cut off");

    world.server.complete(&world.newest(FRONTEND)?)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert!(world.server.get(&old).is_none(), "the old pods are kept");
    Ok(())
}

#[tokio::test]
async fn a_release_that_fails_is_given_up_for_the_one_that_serves() -> Result<()> {
    let world = World::serving().await?;
    let old = world.serving_backend()?;
    world.server.set(STACK, "version", json!("v2"))?;
    world.reconcile().await??;
    world.server.complete(&world.newest_job()?)?;
    world.reconcile().await??;
    let new = world.newest(BACKEND)?;
    world.server.fail(&new)?;
    let action = world.reconcile().await??;
    assert_eq!(action, Action::requeue(Duration::ZERO));
    world.reconcile().await??;
    assert_eq!(
        world.condition("RolledBack"),
        "True ProgressDeadlineExceeded"
    );
    assert_eq!(world.condition("Ready"), "False RolledBack");
    assert_eq!(world.serving_backend()?, old);
    assert!(world.server.get(&new).is_none(), "the failed pods are kept");

    world.server.forget();
    world.reconcile().await??;
    assert_eq!(
        world.server.changed(),
        [""; 0],
        "it is tried again by itself"
    );
    Ok(())
}

#[tokio::test]
async fn a_suspended_stack_is_left_alone() -> Result<()> {
    let world = World::serving().await?;
    world.server.set(STACK, "suspend", json!(true))?;
    world.server.remove(BACKEND_SERVICE);
    assert_eq!(world.reconcile().await??, Action::await_change());
    assert_eq!(world.server.requests(), [format!("PATCH {STATUS}")]);
    assert_eq!(world.condition("Reconciling"), "False Suspended");
    world.reconcile().await??;
    assert_eq!(
        world.server.requests().len(),
        1,
        "the same status is written again"
    );
    Ok(())
}
/// The data of a Secret with a certificate for the hosts of the stack; `mark` tells one from another.
fn certificate(mark: &str) -> Value {
    static MADE: LazyLock<(String, String)> = LazyLock::new(|| {
        let hosts = ["dashboard.localhost", "api.localhost"].map(String::from);
        match rcgen::generate_simple_self_signed(hosts) {
            Ok(it) => (it.cert.pem(), it.signing_key.serialize_pem()),
            Err(error) => (error.to_string(), String::new()),
        }
    });
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let (certificate, key) = &*MADE;
    // What stands between two blocks of PEM is read by nobody.
    json!({"tls.crt": bytes(&format!("{certificate}{mark}\n")), "tls.key": bytes(key)})
}

/// A Secret of the user's, with these values (in base64).
fn users_secret(world: &World, name: &str, data: Value) {
    world.server.put(
        &format!("secrets/{name}"),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}),
    );
}

#[tokio::test]
async fn a_changed_certificate_behind_a_shut_gate_leaves_the_edge_that_serves() -> Result<()> {
    let world = World::serving().await?;
    users_secret(&world, "own", certificate(""));
    world.server.set(STACK, "version", json!("v2"))?;
    world
        .server
        .set(STACK, "edge", json!({"tls": {"secretName": "own"}}))?;
    let spec = |at: &str| world.server.get(at).map(|mut it| it["spec"].take());
    let backend = world.serving_backend()?;
    let before = (spec(EDGE), spec(&backend));
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    assert_eq!(
        spec(EDGE),
        before.0,
        "the edge of the release that serves was changed"
    );
    assert_eq!(
        spec(&backend),
        before.1,
        "the backend of the release that serves was changed"
    );
    Ok(())
}

#[tokio::test]
async fn changed_references_behind_a_shut_gate_leave_what_serves_alive() -> Result<()> {
    let world = World::new();
    users_secret(&world, "a", json!({"SMTP_USER": "YQ=="}));
    users_secret(&world, "b", json!({"SMTP_USER": "YQ=="}));
    world
        .server
        .set(STACK, "secrets", json!({"from": [{"name": "a"}]}))?;
    world.roll_out().await?;
    world.reconcile().await??;
    let config = world
        .server
        .applied()
        .into_iter()
        .find(|it| it.starts_with("configmaps/"))
        .context("no config")?;
    world.server.set(STACK, "version", json!("v2"))?;
    world
        .server
        .set(STACK, "secrets", json!({"from": [{"name": "b"}]}))?;
    world.server.remove(BACKEND_SERVICE);
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.stage(), "migration");
    assert_eq!(
        (
            world.server.get(&config).is_some(),
            world.server.get(BACKEND_SERVICE).is_some()
        ),
        (true, true),
        "(config kept, service back); {:?}",
        world.server.changed()
    );
    Ok(())
}

#[tokio::test]
async fn the_first_look_after_a_roll_out_writes_nothing() -> Result<()> {
    let world = World::new();
    world.roll_out().await?;
    world.server.forget();
    world.reconcile().await??;
    assert_eq!(world.server.changed(), [""; 0]);
    Ok(())
}
