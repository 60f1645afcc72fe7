//! `cargo xtask env`: the environment in which kubectl and helm mean the local cluster, as lines for a shell.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use local_cluster::{Cluster, Progress, tools};

use crate::Named;

/// Print the environment of a local cluster.
#[derive(Args, Debug)]
pub(crate) struct Env {
    #[command(flatten)]
    cluster: Named,
}

impl Env {
    pub(crate) async fn run(self) -> Result<()> {
        let cluster = self.cluster.open()?;
        let lines = lines(&cluster, &Progress::new()).await?;
        Ok(std::io::stdout().write_all(lines.as_bytes())?)
    }
}

async fn lines(cluster: &Cluster, progress: &Progress) -> Result<String> {
    let ports = cluster.ports()?;
    let programs = [
        tools::KUBECTL.build(progress).await?,
        tools::HELM.build(progress).await?,
    ];
    let path = programs
        .map(|folder| quoted(&folder.display().to_string()))
        .join(":");
    Ok(format!(
        "export KUBECONFIG={}\nexport PATH={path}:\"$PATH\"\nexport APPSTACK_HTTPS_PORT={}\n\
         export APPSTACK_HTTP_PORT={}\n",
        quoted(&cluster.kubeconfig().display().to_string()),
        ports.https,
        ports.http,
    ))
}

/// A word that a shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_stays_one_word() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
