//! Programs with web pages inside that their Go module does not hold, because its releases make them: npm makes them
//! here, in a copy of the module that the program is then built from. Changes nothing in Go's module cache.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use super::Tool;
use crate::command;

/// Lays the `go.mod` of the tool and the module with its pages into `folder`, which is then built as the tool's own is.
pub(super) async fn make(tool: &Tool, module: &str, folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    for file in ["go.mod", "go.sum"] {
        std::fs::copy(tool.source().join(file), folder.join(file))?;
    }
    let copy = folder.join("module");
    // Go checks the sum of what it downloads, and keeps it so that nobody may write it.
    let source = tool.module_source(module).await?;
    command::output(
        Command::new("cp")
            .args(["--recursive", "--no-preserve=mode"])
            .args([&source, &copy]),
    )
    .await?;
    npm(
        &copy,
        &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    )
    .await?;
    npm(&copy, &["run", "package"]).await?;
    // Go would look for packages in it.
    std::fs::remove_dir_all(copy.join("node_modules"))?;
    replace(folder, module).await
}

/// Makes Go take the module from the copy.
async fn replace(folder: &Path, module: &str) -> Result<()> {
    let mut go = Command::new("go");
    go.current_dir(folder)
        .args(["mod", "edit", &format!("-replace={module}=./module")]);
    command::output(&mut go).await.map(drop)
}

async fn npm(folder: &Path, words: &[&str]) -> Result<()> {
    let mut npm = Command::new("npm");
    command::output(npm.current_dir(folder).args(words))
        .await
        .context("Node.js 20 or later makes the pages of this program")?;
    Ok(())
}
