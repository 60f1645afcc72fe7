//! Programs that are built from a changed copy of one of their modules. Changes nothing in Go's module cache.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use super::go;
use crate::command;

/// What is changed in a module before a program is built from it.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The web pages inside are made: a module does not hold what its releases make.
    Pages {
        /// Where the module has their sources.
        folder: &'static str,
        /// What npm is told, one after the other.
        steps: &'static [&'static [&'static str]],
        /// The variables that it is told so with.
        variables: &'static [(&'static str, &'static str)],
    },
    /// A file of the tool's own folder takes the place of one of the module.
    File {
        /// The file of the module.
        of_module: &'static str,
        /// The file in the tool's folder.
        own: &'static str,
    },
}

/// Lays the `go.mod` of a tool and its changed modules into `folder`, which is then built as the tool's own folder is.
pub(super) async fn lay(source: &Path, changes: &[(&str, Change)], folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    for file in ["go.mod", "go.sum"] {
        std::fs::copy(source.join(file), folder.join(file))?;
    }
    for (place, (module, change)) in changes.iter().enumerate() {
        let name = format!("module-{place}");
        let copy = folder.join(&name);
        // Go checks the sum of what it downloads, and keeps it so that nobody may write it.
        let original = go::module_source(source, module).await?;
        command::output(
            Command::new("cp")
                .args(["--recursive", "--no-preserve=mode"])
                .args([&original, &copy]),
        )
        .await?;
        match *change {
            Change::Pages {
                folder,
                steps,
                variables,
            } => pages(&copy.join(folder), steps, variables).await?,
            Change::File { of_module, own } => {
                std::fs::copy(source.join(own), copy.join(of_module))?;
            }
        }
        replace(folder, module, &name).await?;
    }
    Ok(())
}

/// Makes the pages as the releases of the module do.
async fn pages(folder: &Path, steps: &[&[&str]], variables: &[(&str, &str)]) -> Result<()> {
    for step in steps {
        let mut npm = Command::new("npm");
        npm.current_dir(folder).args(*step);
        npm.envs(variables.iter().copied());
        command::output(&mut npm)
            .await
            .context("Node.js 20 or later makes the pages of this program")?;
    }
    // Go would look for packages in it.
    std::fs::remove_dir_all(folder.join("node_modules"))?;
    Ok(())
}

/// Makes Go take the module from the copy.
async fn replace(folder: &Path, module: &str, copy: &str) -> Result<()> {
    let mut go = Command::new("go");
    go.current_dir(folder)
        .args(["mod", "edit", &format!("-replace={module}=./{copy}")]);
    command::output(&mut go).await.map(drop)
}
