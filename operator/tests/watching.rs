//! What the watches tell, and when the work ends: `controller::run` against an API server that speaks the watch protocol.
//!
//! What a reconciliation does is not tested here: the server holds its requests, and fails them when it lets them go.

#[path = "watching/interrupted.rs"]
mod interrupted;
#[path = "watching/mute.rs"]
mod mute;
#[path = "watching/optional.rs"]
mod optional;
#[path = "watching/ready.rs"]
mod ready;
#[path = "watching/server.rs"]
mod server;
#[path = "watching/shutdown.rs"]
mod shutdown;
#[path = "watching/standby.rs"]
mod standby;
#[path = "watching/unreadable.rs"]
mod unreadable;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use appstack_operator::cluster::cache::Cache;
use appstack_operator::cluster::dns::Dns;
use appstack_operator::cluster::gateways::Gateways;
use appstack_operator::cluster::kinds;
use appstack_operator::cluster::seen_values::SeenValues;
use appstack_operator::cluster::stacks::Stacks;
use appstack_operator::context::Context;
use appstack_operator::controller::{self, Controllers};
use appstack_operator::plan::debounce::Debounce;
use appstack_operator::rollout::public_check::PublicChecks;
use appstack_operator::rollout::reach::Reach;
use appstack_operator::rollout::rehearsal::Rehearsals;
use appstack_operator::runtime::admin::Progress;
use appstack_operator::runtime::backoff::Backoff;
use appstack_operator::runtime::leader::Term;
use appstack_operator::runtime::metrics::Metrics;
use appstack_operator::runtime::versions::WatchedVersions;
use appstack_operator::settings::ClusterSettings;
use futures::future::BoxFuture;
use k8s_controller::events::EventRecorder;
use kube::Client;
use kube::runtime::events::Reporter;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use server::{NAMESPACE, Server};

/// How many stacks are worked on at the same time.
const CONCURRENCY: u16 = 8;

/// DNS that knows every host.
fn known(_: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
    Box::pin(async { Ok(vec![IpAddr::from([192, 0, 2, 1])]) })
}

/// What the operator shares, where it reaches the API server by `client`.
fn context(client: Client) -> Arc<Context> {
    let reporter = Reporter {
        controller: "test".into(),
        instance: None,
    };
    Arc::new(Context {
        recorder: EventRecorder::new(client.clone(), reporter),
        client,
        metrics: Arc::new(Metrics::new("test")),
        progress: Arc::new(Progress::new(Duration::from_secs(1))),
        backoff: Backoff::new(Duration::from_mins(1), Duration::from_mins(1)),
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
        turns: appstack_operator::plan::turns::Turns::default(),
        debounce: Debounce::new(Duration::ZERO, Duration::ZERO),
        settings: ClusterSettings::default(),
        optional: kinds::optional(),
    })
}

/// The controller of all namespaces.
async fn run(ctx: &Arc<Context>, stop: &CancellationToken) {
    let term = Term::default();
    term.begin();
    run_in(ctx, &term, stop).await;
}

/// The same, which works once the term has begun.
async fn run_in(ctx: &Arc<Context>, term: &Term, stop: &CancellationToken) {
    let how = Controllers {
        namespaces: Vec::new(),
        concurrency: CONCURRENCY,
        term: term.clone(),
    };
    controller::run(ctx.clone(), how, stop.clone()).await;
}

/// An AppStack that can be read.
fn stack(name: &str) -> Value {
    json!({
        "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "environment": "local", "domain": format!("{name}.localhost"), "version": "v1",
            "backend": {"image": "acme/backend"},
        },
    })
}
