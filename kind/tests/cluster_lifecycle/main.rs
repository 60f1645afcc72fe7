//! The life of a cluster: one comes up beside another, a second `up` changes nothing, two runs that meet make one
//! cluster, a volume comes and goes, and `down` leaves nothing of it on the machine.

mod traces;
mod volume;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local_cluster::{Cluster, Options, Progress, machine};

use crate::traces::Traces;

/// Removes the cluster however the test ends.
struct Removed(Cluster);

impl Drop for Removed {
    fn drop(&mut self) {
        let cluster = self.0.clone();
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(cluster.down(&Progress::new()))
        });
        if !matches!(ended.join(), Ok(Ok(()))) {
            say(&format!("cluster {} could not be removed", self.0.name()));
        }
    }
}

/// Whether the test runs here; on a machine that can hold no cluster it says so and passes, but not where that would
/// hide that nothing was tested.
async fn runs_here() -> Result<bool> {
    match machine::can_hold_a_cluster().await {
        Ok(()) => Ok(true),
        Err(why) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            Err(why.context("CI has to hold a cluster"))
        }
        Err(why) => {
            say(&format!("skipped: {why:#}"));
            Ok(false)
        }
    }
}

/// Says something to whoever reads the output of the test.
fn say(line: &str) {
    use std::io::Write;
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_up_beside_another_and_leaves_nothing() -> Result<()> {
    if !runs_here().await? {
        return Ok(());
    }
    let (first, second) = (Cluster::open("life-one")?, Cluster::open("life-two")?);
    let _removed = (Removed(first.clone()), Removed(second.clone()));

    first.up(Options::default(), &Progress::new()).await?;
    two_runs_that_meet_make_one_cluster(&second).await?;
    ensure!(
        first.is_up().await,
        "the first cluster did not survive the second"
    );
    ensure!(
        first.ports()? != second.ports()?,
        "two clusters publish the same ports"
    );

    a_second_up_changes_nothing(&first).await?;
    every_published_port_answers(&first).await?;
    volume::a_volume_comes_and_goes(&first).await?;
    the_audit_log_names_writes(&first)?;

    let seen = Traces::of(&first);
    ensure!(
        !seen.processes.is_empty(),
        "a running cluster was not seen: {seen:?}"
    );
    first.down(&Progress::new()).await?;
    let left = Traces::of(&first);
    ensure!(left.is_empty(), "`down` left something: {left:?}");
    ensure!(
        second.is_up().await,
        "the end of the first cluster touched the second"
    );
    first
        .down(&Progress::new())
        .await
        .context("a second `down` has nothing to do")
}

async fn two_runs_that_meet_make_one_cluster(cluster: &Cluster) -> Result<()> {
    let (one, other) = (Progress::new(), Progress::new());
    let (left, right) = tokio::join!(
        cluster.up(Options::default(), &one),
        cluster.up(Options::default(), &other)
    );
    left.and(right)?;
    ensure!(cluster.is_up().await, "two runs that met left no cluster");
    Ok(())
}

async fn a_second_up_changes_nothing(cluster: &Cluster) -> Result<()> {
    let before = std::fs::read(cluster.home().path("state.json"))?;
    let started = Instant::now();
    cluster.up(Options::default(), &Progress::new()).await?;
    let took = started.elapsed();
    ensure!(
        took < Duration::from_secs(2),
        "`up` took {took:?} where nothing was to do"
    );
    ensure!(
        before == std::fs::read(cluster.home().path("state.json"))?,
        "a second `up` wrote its state anew"
    );
    Ok(())
}

async fn every_published_port_answers(cluster: &Cluster) -> Result<()> {
    let ports = cluster.ports()?;
    // The others belong to Services that the demo brings.
    for port in [ports.https, ports.http, ports.traefik] {
        let answer = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        answer.with_context(|| format!("nothing listens on port {port}"))?;
    }
    let api = format!("http://127.0.0.1:{}/api/version", ports.traefik);
    // Chooses the cryptography that the HTTP client was built without.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let version: serde_json::Value = reqwest::get(api).await?.json().await?;
    ensure!(
        version["Version"].is_string(),
        "Traefik's API says {version}"
    );
    Ok(())
}

fn the_audit_log_names_writes(cluster: &Cluster) -> Result<()> {
    let log = std::fs::read_to_string(cluster.audit_log())?;
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let verbs: Vec<String> = events
        .filter_map(|event| event["verb"].as_str().map(str::to_owned))
        .collect();
    ensure!(
        verbs.iter().any(|verb| verb == "create"),
        "no write is in the audit log"
    );
    ensure!(
        !verbs.iter().any(|verb| verb == "list" || verb == "watch"),
        "reads are in the audit log"
    );
    Ok(())
}
