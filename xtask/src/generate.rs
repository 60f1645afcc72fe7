//! `cargo xtask generate`: writes the files that come from the code, or checks that they are as the code says.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use local_cluster::folders;

use crate::cargo::cargo;

/// The page whose table of reasons is made from the code.
const CONDITIONS: &str = "docs/conditions.md";

/// Write the generated files
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// Change nothing; fail if a file is not as the code says
    #[arg(long)]
    check: bool,
}

impl Generate {
    /// Fails if a generated file is not as the code says.
    pub(crate) async fn check() -> Result<()> {
        Self { check: true }.run().await
    }

    pub(crate) async fn run(&self) -> Result<()> {
        let mut stale = Vec::new();
        for (path, content) in files().await? {
            let file = folders::in_repository(path);
            if std::fs::read_to_string(&file).is_ok_and(|it| it == content) {
                continue;
            }
            if self.check {
                stale.push(path);
            } else {
                write(&file, &content)?;
                crate::tell(&format!("wrote {path}"));
            }
        }
        ensure!(
            stale.is_empty(),
            "{} differ from the code; run `cargo xtask generate` and commit the result",
            stale.join(", ")
        );
        Ok(())
    }
}

/// Every generated file with its content.
async fn files() -> Result<Vec<(&'static str, String)>> {
    let crd = appstack_operator::render::crd()?;
    let openapi = openapi().await?;
    let page = std::fs::read_to_string(folders::in_repository(CONDITIONS))?;
    let conditions = appstack_operator::render::conditions(&page)?;
    Ok(vec![
        ("crds/appstacks.yaml", crd.clone()),
        // The chart carries its own copy, because a chart is one folder.
        ("charts/appstack-operator/files/appstacks.yaml", crd),
        ("app/frontend/openapi.json", openapi),
        (CONDITIONS, conditions),
    ])
}

/// The document of the demo's API, from which its page gets its types by `npm run generate`.
async fn openapi() -> Result<String> {
    let output = cargo(&["run", "--quiet", "--package", "backend", "--", "openapi"])
        .output()
        .await
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "`backend openapi` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn write(file: &PathBuf, content: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}
