//! Starts the operator: telemetry, client, election, controllers, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_controller::events::EventRecorder;
use kube::runtime::events::Reporter;
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cluster::cache::Cache;
use crate::cluster::dns::Dns;
use crate::cluster::gateways::Gateways;
use crate::cluster::kinds;
use crate::cluster::seen_values::SeenValues;
use crate::cluster::stacks::Stacks;
use crate::context::Context;
use crate::controller::{self, Controllers};
use crate::plan::debounce::Debounce;
use crate::plan::turns::Turns;
use crate::rollout::public_check::PublicChecks;
use crate::rollout::reach::Reach;
use crate::rollout::rehearsal::Rehearsals;
use crate::runtime::admin::{self, Progress};
use crate::runtime::backoff::Backoff;
use crate::runtime::deadline::{self, Limits};
use crate::runtime::leader::{self, Election, Outcome, Term, Timings};
use crate::runtime::metrics::Metrics;
use crate::runtime::telemetry;
use crate::runtime::versions::WatchedVersions;
use crate::settings::RunSettings;

/// The name of the Lease, and of the controller in metrics and Events.
const NAME: &str = "appstack-operator";
/// Work of which nothing ends for so long counts as stuck: several times the deadline of a request.
const STUCK: Duration = Duration::from_mins(2);
/// The first and the longest wait after an error that may pass.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(2));
/// How long changed values must have rested before their release begins, and how long it waits for that at most.
const BATCH: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// Runs the operator until it is told to stop.
///
/// # Errors
/// If it cannot start, or loses the Lease: another replica leads then, and this process must not go on.
pub fn operator(settings: RunSettings) -> Result<()> {
    // Two TLS providers may be compiled in; the first use would panic if none was chosen.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        bail!("a TLS provider was chosen before ours");
    }
    let telemetry = telemetry::init(
        settings.log_format,
        &settings.log_filter,
        settings.otlp_endpoint.as_deref(),
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(work(settings));
    if let Err(error) = telemetry.shutdown() {
        tracing::warn!(%error, "the last traces may be lost");
    }
    result
}

async fn work(settings: RunSettings) -> Result<()> {
    let stop = stop_on_signal()?;
    let metrics = Arc::new(Metrics::new(NAME));
    let progress = Arc::new(Progress::new(STUCK));
    let listener = TcpListener::bind(settings.admin_address)
        .await
        .with_context(|| format!("cannot listen on {}", settings.admin_address))?;
    let admin = tokio::spawn(admin::serve(
        listener,
        progress.clone(),
        metrics.clone(),
        stop.clone(),
    ));
    let config = Config::infer()
        .await
        .context("there is no Kubernetes API to be found")?;
    let client = deadline::client(config.clone(), Limits::default())
        .context("cannot make a client of the Kubernetes API")?;
    let context = Arc::new(context(
        &settings,
        client,
        metrics.clone(),
        progress.clone(),
    ));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    let term = Term::default();
    let how = Controllers {
        namespaces: settings.watch_namespaces.clone(),
        concurrency: settings.concurrency,
        term: term.clone(),
    };
    let controllers = controller::run(context, how, stop.clone());
    if settings.leader_election {
        progress.standby();
        let election = election(&settings, config)?;
        let outcome = election.run(&metrics, &term, controllers).await;
        if matches!(outcome, Outcome::Lost) {
            bail!("the Lease was lost; another replica leads");
        }
    } else {
        term.begin();
        controllers.await;
    }
    tracing::info!("stopped");
    stop.cancel();
    admin
        .await
        .context("the admin server ended badly")?
        .context("the admin server failed")
}

fn context(
    settings: &RunSettings,
    client: Client,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
) -> Context {
    let reporter = Reporter {
        controller: NAME.into(),
        instance: Some(settings.identity.clone()),
    };
    Context {
        recorder: EventRecorder::new(client.clone(), reporter),
        optional: kinds::optional(),
        backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
        jitter: rand::random,
        versions: WatchedVersions::default(),
        cache: Cache::default(),
        stacks: Stacks::default(),
        public_checks: PublicChecks::default(),
        reach: Reach::default(),
        rehearsals: Rehearsals::default(),
        seen_values: SeenValues::default(),
        dns: Dns::default(),
        gateways: Gateways::default(),
        turns: Turns::default(),
        debounce: Debounce::new(BATCH.0, BATCH.1),
        settings: settings.cluster.clone(),
        client,
        metrics,
        progress,
    }
}

fn election(settings: &RunSettings, config: Config) -> Result<Election> {
    let client = leader::client(config).context("cannot make a client for the Lease")?;
    Election::new(
        client,
        &settings.lease_namespace,
        NAME,
        &settings.identity,
        Timings::default(),
    )
    .context("the leader election is set wrongly")
}

fn stop_on_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        token.cancel();
    });
    Ok(stop)
}
