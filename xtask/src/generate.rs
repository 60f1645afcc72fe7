//! `cargo xtask generate`: writes the files that come from the code, or checks that they are as the code says.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use local_cluster::folders;

/// Write the generated files
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// Change nothing; fail if a file is not as the code says
    #[arg(long)]
    check: bool,
}

impl Generate {
    /// Fails if a generated file is not as the code says.
    pub(crate) fn check() -> Result<()> {
        Self { check: true }.run()
    }

    pub(crate) fn run(&self) -> Result<()> {
        let mut stale = Vec::new();
        for (path, content) in files()? {
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
fn files() -> Result<Vec<(&'static str, String)>> {
    let crd = appstack_operator::render::crd()?;
    let openapi = openapi()?;
    Ok(vec![
        ("crds/appstacks.yaml", crd.clone()),
        // The chart carries its own copy, because a chart is one folder.
        ("charts/appstack-operator/files/appstacks.yaml", crd),
        ("app/frontend/openapi.json", openapi),
    ])
}

/// The document of the demo's API, from which its page gets its types by `npm run generate`.
fn openapi() -> Result<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(folders::in_repository(""))
        .args(["run", "--quiet", "--package", "backend", "--", "openapi"])
        .output()
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
