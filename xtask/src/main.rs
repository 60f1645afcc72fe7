//! The commands of this repository: one module per command, and one line here for each.

mod authority;
mod bench;
mod cargo;
mod demo;
mod down;
mod env;
mod failures;
mod generate;
mod images;
mod install;
mod load;
mod operators;
mod start;
mod test;
mod trust;
mod up;
mod watch;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use local_cluster::{Cluster, DEFAULT_NAME};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The commands of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring a local cluster up with DNS, storage and Traefik
    Up(up::Up),
    /// Remove a local cluster with everything in it
    Down(down::Down),
    /// Print the environment for kubectl and helm: eval "$(cargo xtask env)"
    Env(env::Env),
    /// Load image archives into a local cluster
    Load(load::Load),
    /// Install cert-manager and a certificate authority in a local cluster
    Authority(authority::Authority),
    /// Show one AppStack become a running application on a local cluster
    Demo(demo::Demo),
    /// Have browsers and programs of this machine trust a local stack, or not any more
    Trust(trust::Trust),
    /// Have each change in app/ in the stack of the demo, and show what its parts print
    Watch(watch::Watch),
    /// Run the tests: all of them, or one group
    Test(test::Test),
    /// Measure what the documentation promises, on the cluster of the demo
    Bench(bench::Bench),
    /// Write the page about what the status tells, from stacks that fail on a cluster
    Failures(failures::Failures),
    /// Write the files that come from the code
    Generate(generate::Generate),
    /// Build the images of this repository and load them into a local cluster
    Images(images::Images),
    /// The first process of a cluster without Docker; started by `up`
    #[command(hide = true)]
    Node(Node),
}

/// Which cluster a command means.
#[derive(Args, Clone, Debug)]
struct Named {
    /// The name of the cluster
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
}

impl Named {
    fn open(&self) -> Result<Cluster> {
        Cluster::open(&self.name)
    }
}

#[derive(Args, Debug)]
struct Node {
    #[command(flatten)]
    cluster: Named,
    /// The open file that is the host's network namespace; without it the node enters its own first
    #[arg(long)]
    host_network: Option<i32>,
}

fn main() -> ExitCode {
    // An API server that does not answer yet is what `up` waits for, not an error to print.
    let shown = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,kube_client=off"));
    tracing_subscriber::fmt()
        .with_env_filter(shown)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    // The node becomes another program before it is one with threads.
    if let Command::Node(node) = command {
        return local_cluster::native::run(&node.cluster.name, node.host_network);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    // It has something to put back when it is told to stop.
    if let Command::Watch(watch) = command {
        return runtime.block_on(watch.run(told_to_stop()));
    }
    runtime.block_on(async {
        tokio::select! {
            result = work(command) => result,
            // What it started is dropped, and so it ends with it: a compiler would go on for minutes.
            stopped = told_to_stop() => stopped,
        }
    })
}

async fn work(command: Command) -> Result<()> {
    match command {
        Command::Up(up) => up.run().await,
        Command::Down(down) => down.run().await,
        Command::Env(env) => env.run().await,
        Command::Authority(authority) => authority.run().await,
        Command::Load(load) => load.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Test(test) => test.run().await,
        Command::Trust(trust) => trust.run().await,
        Command::Bench(bench) => Box::pin(bench.run()).await,
        Command::Failures(failures) => failures.run().await,
        Command::Generate(generate) => generate.run().await,
        Command::Images(images) => images.run().await,
        // Neither is worked on here.
        Command::Node(_) | Command::Watch(_) => Ok(()),
    }
}

/// Ends with an error when somebody tells this program to stop.
async fn told_to_stop() -> Result<()> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    bail!("told to stop")
}

/// Says something to the person. A closed standard error is no reason to fail.
fn tell(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
