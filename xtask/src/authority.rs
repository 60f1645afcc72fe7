//! `cargo xtask authority`: cert-manager and a certificate authority in a local cluster, to try `edge.tls.issuer` and
//! `edge.tls.resolver`.

use anyhow::Result;
use clap::Args;
use local_cluster::{Progress, authority};

use crate::{Named, tell};

/// Install cert-manager and a certificate authority (Pebble) in a local cluster
#[derive(Args, Debug)]
pub(crate) struct Authority {
    #[command(flatten)]
    cluster: Named,
}

impl Authority {
    pub(crate) async fn run(self) -> Result<()> {
        authority::install(&self.cluster.open()?, &Progress::new()).await?;
        tell(&format!(
            "\nA stack below .test gets certificates of three minutes by:\n  edge: {{tls: {{issuer: {{name: {}, kind: ClusterIssuer}}}}}}\n  edge: {{tls: {{resolver: {}}}}}",
            authority::ISSUER,
            authority::RESOLVER
        ));
        Ok(())
    }
}
