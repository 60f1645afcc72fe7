//! What a way to run clusters can do. `docker` and `native` are the two.

use anyhow::{Context, Result};
use futures::future::{BoxFuture, FutureExt};
use tokio::process::Command;

use crate::cluster::{Cluster, Options};
use crate::images::{Built, Image};
use crate::progress::Progress;

/// Runs clusters in one way.
pub(crate) trait Provider: Send + Sync {
    /// Makes the machine ready, or says what it lacks.
    fn prepare<'a>(&'a self, progress: &'a Progress) -> BoxFuture<'a, Result<()>>;

    /// Brings the nodes up with the images and objects that every cluster has. They may still be starting afterwards.
    fn start<'a>(
        &'a self,
        cluster: &'a Cluster,
        options: Options,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<()>>;

    /// Ends everything that runs for the cluster. The cluster's folder is not its business.
    fn stop<'a>(&'a self, cluster: &'a Cluster) -> BoxFuture<'a, Result<()>>;

    /// Whether the nodes run, as far as can be told at a glance.
    fn runs(&self, cluster: &Cluster) -> bool;

    /// Builds an image, unless its content was built before.
    fn build<'a>(
        &'a self,
        image: &'a Image,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<Built>>;

    /// Loads an image into the nodes.
    fn load<'a>(&'a self, cluster: &'a Cluster, built: &'a Built) -> BoxFuture<'a, Result<()>>;

    /// The client of the containerd that runs the pods.
    fn ctr(&self, cluster: &Cluster) -> Command;

    /// Loads an image into the nodes, unless they have its content already.
    fn load_once<'a>(
        &'a self,
        cluster: &'a Cluster,
        built: &'a Built,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            if cluster.was_given(built) {
                return Ok(());
            }
            self.load(cluster, built)
                .await
                .with_context(|| format!("cannot load {}", built.tag))?;
            cluster.note_given(built)
        }
        .boxed()
    }
}
