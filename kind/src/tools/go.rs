//! Where Go keeps the source of a module. Builds nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::command;

/// The source of a module in the version that the `go.mod` of a folder says, in Go's own module cache.
pub(super) async fn module_source(folder: &Path, module: &str) -> Result<PathBuf> {
    let mut go = Command::new("go");
    go.current_dir(folder)
        .env("GOWORK", "off")
        .args(["mod", "download", "-json", module]);
    let answer: serde_json::Value = serde_json::from_str(&command::output(&mut go).await?)?;
    answer["Dir"]
        .as_str()
        .map(PathBuf::from)
        .with_context(|| format!("Go has no source of {module}"))
}
