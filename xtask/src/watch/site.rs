//! Serves the site from its sources by Vite, which puts a change into the pages that are open.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use local_cluster::{Cluster, folders};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use crate::tell;

/// Serves it until Vite ends, which it does only for a fault. What is none of the site's sources comes from the cluster.
pub(super) async fn serve(cluster: &Cluster, port: u16) -> Result<()> {
    let from = format!("http://localhost:{}", cluster.ports()?.frontend);
    let folder = folders::in_repository("app/frontend");
    let mut vite = Command::new(folder.join("node_modules/.bin/vite"));
    vite.current_dir(folder)
        .args(["--strictPort", "--clearScreen", "false", "--port"])
        .arg(port.to_string())
        .env("CLUSTER", from)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut vite = vite.spawn().context("Vite does not start")?;
    let (out, error) = (vite.stdout.take(), vite.stderr.take());
    let ((), (), status) = tokio::join!(print(out), print(error), vite.wait());
    bail!("Vite ended with {}", status?)
}

async fn print(output: Option<impl AsyncRead + Unpin>) {
    let Some(output) = output else { return };
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.trim().is_empty() {
            tell(&format!("site       | {line}"));
        }
    }
}
