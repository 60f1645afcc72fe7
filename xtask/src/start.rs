//! A local cluster with the operator and the images of the demo: what the demo and the stories begin with.

use anyhow::Result;
use local_cluster::{Cluster, Options, Progress, tools};

use crate::images::{self, Profile};
use crate::install;

/// Brings it all up. Whatever does not wait for something else goes on at the same time: a core that waits for a download,
/// a linker or a node can compile.
pub(crate) async fn cluster_with_operator(cluster: &Cluster, progress: &Progress) -> Result<()> {
    if cluster.is_first_of_machine().await? {
        progress.say(
            "The first run on a machine compiles Kubernetes, Traefik and all the rest: about 25 minutes on two cores. \
             The next one takes less than a minute.",
        );
    }
    let (made, (), _) = tokio::try_join!(
        images::make(cluster, Profile::Local, progress),
        cluster.up(Options::default(), progress),
        tools::HELM.build(progress)
    )?;
    cluster.load(&made.operator).await?;
    tokio::try_join!(
        install::operator(cluster, &made.operator.key, progress),
        images::load(cluster, &made.others, progress)
    )?;
    Ok(())
}
