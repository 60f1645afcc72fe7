//! `cargo xtask up`: a local cluster with DNS, storage and Traefik.

use anyhow::Result;
use clap::Args;
use local_cluster::{Options, Progress};

use crate::Named;

/// Bring a local cluster up.
#[derive(Args, Debug)]
pub(crate) struct Up {
    #[command(flatten)]
    cluster: Named,
    /// The first of six ports on 127.0.0.1 to publish, instead of the usual ones
    #[arg(long)]
    port_base: Option<u16>,
}

impl Up {
    pub(crate) async fn run(self) -> Result<()> {
        let cluster = self.cluster.open()?;
        cluster
            .up(
                Options {
                    port_base: self.port_base,
                },
                &Progress::new(),
            )
            .await
    }
}
