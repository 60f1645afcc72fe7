//! `cargo xtask down`: removes a local cluster with everything in it.

use anyhow::Result;
use clap::Args;
use local_cluster::Progress;

use crate::Named;

/// Remove a local cluster.
#[derive(Args, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    cluster: Named,
}

impl Down {
    pub(crate) async fn run(self) -> Result<()> {
        self.cluster.open()?.down(&Progress::new()).await
    }
}
