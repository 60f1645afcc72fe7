//! `cargo xtask load`: loads image archives into a local cluster.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use local_cluster::Progress;

use crate::Named;

/// Load OCI or Docker archives.
#[derive(Args, Debug)]
pub(crate) struct Load {
    #[command(flatten)]
    cluster: Named,
    /// The archives
    #[arg(required = true)]
    archives: Vec<PathBuf>,
}

impl Load {
    pub(crate) async fn run(self) -> Result<()> {
        let (cluster, progress) = (self.cluster.open()?, Progress::new());
        for archive in &self.archives {
            let part = progress.part(format!("load {}", archive.display()));
            cluster.load_archive(archive).await?;
            part.done("");
        }
        Ok(())
    }
}
