//! `cargo xtask trust`: has this machine's browsers and programs trust the authority of a local stack's self-signed certificate, or
//! not any more.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use local_cluster::{Progress, api, folders, trust};

use crate::{Named, tell};

/// Have browsers and programs of this machine trust a local stack
#[derive(Args, Debug)]
pub(crate) struct Trust {
    #[command(flatten)]
    cluster: Named,
    /// The stack
    #[arg(long, default_value = "shop")]
    stack: String,
    /// Its namespace
    #[arg(long, default_value = "shop")]
    namespace: String,
    /// Take its authority out again, whether it is still there or not
    #[arg(long)]
    remove: bool,
}

impl Trust {
    pub(crate) async fn run(self) -> Result<()> {
        let home = PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?);
        trust::prepare(&Progress::new()).await?;
        let cluster = self.cluster.open()?;
        let name = format!(
            "appstack-{}-{}-{}",
            self.cluster.name, self.namespace, self.stack
        );
        if self.remove {
            for store in trust::stores(&home) {
                if store.take_out(&name).await? {
                    tell(&format!("taken out   {store}"));
                }
            }
            return Ok(());
        }
        let client = cluster.client().await?;
        let of_authority = format!("{}-edge-ca", self.stack);
        let authority = api::secret(&client, &self.namespace, &of_authority, "tls.crt").await?;
        let folder = folders::cache()?.join("trust");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{name}.crt"));
        std::fs::write(&file, authority)?;
        for store in trust::stores(&home) {
            store.put(&name, &file).await?;
            tell(&format!("put in      {store}"));
        }
        tell(
            "\nStart a browser that runs already anew. Who reads the stack's Secrets can make certificates that this machine trusts: take it out by `cargo xtask trust --remove` when the cluster goes.",
        );
        Ok(())
    }
}
