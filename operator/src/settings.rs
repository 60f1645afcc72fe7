//! What the operator is told when it starts.
//!
//! Invariant: data only; `cli` has clap fill it from flags and variables.

use std::net::SocketAddr;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::runtime::telemetry::LogFormat;

/// Where the image of this version is published.
const IMAGE: &str = concat!(
    "ghcr.io/appstack-dev/appstack-operator:",
    env!("CARGO_PKG_VERSION")
);

const ADMINER_IMAGE: &str = "docker.io/library/adminer:4.8.1";
const MAILPIT_IMAGE: &str = "docker.io/axllent/mailpit:v1.27.11";

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
    /// How many stacks are reconciled at the same time, in each of the watched namespaces; they have a queue each.
    #[arg(long, env = "APPSTACK_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Where traces are sent, by OTLP over HTTP. Default: nowhere.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// What it is told about the cluster.
    #[command(flatten)]
    pub cluster: ClusterSettings,
}

/// What the operator is told about the cluster.
#[derive(Clone, Debug, Args)]
pub struct ClusterSettings {
    /// The port at which clients reach the ingress controller's HTTPS.
    #[arg(long, env = "APPSTACK_PUBLIC_HTTPS_PORT", default_value_t = 443)]
    pub public_https_port: u16,
    /// The port at which clients reach the ingress controller's HTTP.
    #[arg(long, env = "APPSTACK_PUBLIC_HTTP_PORT", default_value_t = 80)]
    pub public_http_port: u16,
    /// The host at which the operator reaches the ingress controller, at the ports 443 and 80, for the public check of
    /// releases. Default: the host names of the stacks, as for everybody. Only where it is given, a stack is asked without a
    /// public check too before it is Ready for the first time, or at new addresses.
    #[arg(long, env = "APPSTACK_EDGE_HOST")]
    pub edge_host: Option<String>,
    /// The image of PostgreSQL, without a tag.
    #[arg(
        long,
        env = "APPSTACK_POSTGRES_IMAGE",
        default_value = "docker.io/library/postgres"
    )]
    pub postgres_image: String,
    /// The image of Adminer, which shows the data of a local stack.
    #[arg(long, env = "APPSTACK_ADMINER_IMAGE", default_value = ADMINER_IMAGE)]
    pub adminer_image: String,
    /// The image of Mailpit, which takes the mail of a local stack.
    #[arg(long, env = "APPSTACK_MAILPIT_IMAGE", default_value = MAILPIT_IMAGE)]
    pub mailpit_image: String,
    /// The image of the operator itself, which answers visitors of a stack in maintenance.
    #[arg(long, env = "APPSTACK_IMAGE", default_value = IMAGE)]
    pub image: String,
}

/// The ports at which clients reach the ingress controller, as addresses in pods and redirects say them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Of HTTPS.
    pub https: u16,
    /// Of HTTP.
    pub http: u16,
}

impl ClusterSettings {
    /// The settings that reach pods or the edge of a stack, and so belong to its releases.
    #[must_use]
    pub const fn ports(&self) -> Ports {
        Ports {
            https: self.public_https_port,
            http: self.public_http_port,
        }
    }

    /// The same for a release that was made under other ones.
    #[must_use]
    pub fn under(&self, ports: Option<Ports>) -> Self {
        let Ports { https, http } = ports.unwrap_or_else(|| self.ports());
        Self {
            public_https_port: https,
            public_http_port: http,
            ..self.clone()
        }
    }
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            public_https_port: 443,
            public_http_port: 80,
            edge_host: None,
            postgres_image: "docker.io/library/postgres".into(),
            adminer_image: ADMINER_IMAGE.into(),
            mailpit_image: MAILPIT_IMAGE.into(),
            image: IMAGE.into(),
        }
    }
}
