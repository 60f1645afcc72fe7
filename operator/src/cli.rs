//! The command line: `run`, `crd`, `render`. The only reader of flags and of the environment.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::reconcile::check::ClusterSettings;
use crate::runtime::telemetry::LogFormat;
use crate::{render, run};

/// One AppStack is one web application: database, migration, backend, frontend and HTTPS edge.
#[derive(Debug, Parser)]
#[command(name = "appstack-operator", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator until it is told to stop.
    Run(Box<RunSettings>),
    /// Prints the CustomResourceDefinition.
    Crd,
    /// Prints every object that the AppStacks of a file would become, without a cluster.
    Render {
        /// The file; `-` is standard input.
        #[arg(short, long)]
        file: PathBuf,
        #[command(flatten)]
        cluster: ClusterFlags,
    },
}

/// What the operator is told when it starts. Every flag can be an environment variable.
#[derive(Clone, Debug, Args)]
pub struct RunSettings {
    /// How log lines are written.
    #[arg(long, env = "APPSTACK_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// Which log lines are written, such as `info,kube=warn`.
    #[arg(long, env = "APPSTACK_LOG_FILTER", default_value = "info")]
    pub log_filter: String,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "APPSTACK_ADMIN_ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin_address: SocketAddr,
    /// The namespaces whose AppStacks are looked after, separated by commas. Default: all.
    #[arg(long, env = "APPSTACK_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// Whether one of several replicas is elected to work. Off only for a single process outside a cluster.
    #[arg(long, env = "APPSTACK_LEADER_ELECTION", default_value_t = true, action = clap::ArgAction::Set)]
    pub leader_election: bool,
    /// The namespace of the Lease.
    #[arg(long, env = "APPSTACK_LEASE_NAMESPACE", default_value = "default")]
    pub lease_namespace: String,
    /// This replica's name in the Lease and in Events: the name of the pod.
    #[arg(long, env = "APPSTACK_IDENTITY", default_value = "appstack-operator")]
    pub identity: String,
    /// How many stacks are reconciled at the same time.
    #[arg(long, env = "APPSTACK_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Where traces are sent, by OTLP over HTTP. Default: nowhere.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// What it is told about the cluster.
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// What the operator is told about the cluster.
#[derive(Clone, Debug, Args)]
pub struct ClusterFlags {
    /// The port at which clients reach the ingress controller's HTTPS.
    #[arg(long, env = "APPSTACK_PUBLIC_HTTPS_PORT", default_value_t = 443)]
    pub public_https_port: u16,
    /// The port at which clients reach the ingress controller's HTTP.
    #[arg(long, env = "APPSTACK_PUBLIC_HTTP_PORT", default_value_t = 80)]
    pub public_http_port: u16,
    /// The host at which the operator reaches the ingress controller, at the ports 443 and 80, for the public check of
    /// releases. Default: the host names of the stacks, as for everybody.
    #[arg(long, env = "APPSTACK_EDGE_HOST")]
    pub edge_host: Option<String>,
    /// The image of PostgreSQL, without a tag.
    #[arg(
        long,
        env = "APPSTACK_POSTGRES_IMAGE",
        default_value = "docker.io/library/postgres"
    )]
    pub postgres_image: String,
}

impl From<ClusterFlags> for ClusterSettings {
    fn from(flags: ClusterFlags) -> Self {
        Self {
            public_https_port: flags.public_https_port,
            public_http_port: flags.public_http_port,
            edge_host: flags.edge_host,
            postgres_image: flags.postgres_image,
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// What kept it from being done, for people.
pub fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(settings) => run::operator(*settings),
        Command::Crd => print(&render::crd()?),
        Command::Render { file, cluster } => {
            let text = read(&file)?;
            print(&render::manifests(&text, &cluster.into())?)
        }
    }
}

fn read(file: &PathBuf) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever read us has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}
