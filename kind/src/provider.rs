//! The two ways to run a cluster, behind one trait.

use anyhow::Result;
use futures::future::BoxFuture;

use crate::cluster::{Cluster, Options};
use crate::docker::Docker;
use crate::images::{Built, Image};
use crate::native::Native;
use crate::progress::Progress;
use crate::state::Kind;

/// Runs clusters in one way.
pub(crate) trait Provider: Send + Sync {
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
}

/// The provider of a cluster that is written down.
pub(crate) fn of(kind: Kind) -> &'static dyn Provider {
    match kind {
        Kind::Docker => &Docker,
        Kind::Native => &Native,
    }
}

/// The provider of a cluster that is to start: the one it had, Docker where an engine answers, or our own.
pub(crate) async fn for_new(cluster: &Cluster) -> Result<&'static dyn Provider> {
    let kind = match cluster.home().state() {
        Some(state) => state.kind,
        None if crate::docker::answers().await => Kind::Docker,
        None => Kind::Native,
    };
    Ok(of(kind))
}
