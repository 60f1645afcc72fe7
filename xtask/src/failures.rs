//! `cargo xtask failures`: writes docs/it-does-not-work.md from stacks that fail on a real cluster.

use anyhow::{Result, ensure};
use clap::Args;
use local_cluster::{Cluster, Progress, folders};

use crate::cargo::cargo;
use crate::{start, test};

/// The page.
const PAGE: &str = "docs/it-does-not-work.md";

/// Write the page about what the status tells, from stacks that fail on a cluster
#[derive(Args, Debug)]
pub(crate) struct Failures {
    /// Leave the cluster running
    #[arg(long)]
    keep: bool,
}

impl Failures {
    pub(crate) async fn run(&self) -> Result<()> {
        let progress = Progress::new();
        let cluster = Cluster::open(test::CLUSTER)?;
        start::cluster_with_operator(&cluster, &progress).await?;
        let mut story = cargo(&["test", "--package", test::STORIES, "--features", "long"]);
        story
            .args(["failures", "--", "--nocapture"])
            .env("APPSTACK_CLUSTER", test::CLUSTER)
            .env("APPSTACK_PAGE", folders::in_repository(PAGE));
        let status = story.status().await?;
        if !self.keep {
            cluster.down(&progress).await?;
        }
        ensure!(status.success(), "a stack did not fail as it should");
        crate::tell(&format!("wrote {PAGE}"));
        Ok(())
    }
}
