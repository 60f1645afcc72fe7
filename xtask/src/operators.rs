//! Operators of other versions than the one in this folder, for the stories of upgrades.
//!
//! Each is built from sources of its own: of an earlier commit, or of this one with another template. So the product has no
//! switch that is there for tests alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use local_cluster::{Cluster, Image, Progress, folders};
use tokio::process::Command;

use crate::cargo::cargo;

/// The last commit whose operator told anew at each look what serves.
const BEFORE: &str = "0d4256c";

/// A line of the templates of all pods, and what stands there in the operator of other templates.
const TEMPLATE: (&str, &str, &str) = (
    "operator/src/build/meta.rs",
    "        (\"app.kubernetes.io/part-of\", stack.names.stack()),\n",
    "        (\"app.kubernetes.io/part-of\", stack.names.stack()),\n        (\"example.com/templates\", \"other\"),\n",
);

/// An operator that is installed by its own chart.
#[derive(Debug)]
pub(crate) struct Operator {
    /// How stories call it; the tag of its image, too.
    pub name: &'static str,
    /// The folder of its chart.
    pub chart: PathBuf,
}

/// Builds all of them, and loads their images.
pub(crate) async fn make(cluster: &Cluster, progress: &Progress) -> Result<Vec<Operator>> {
    let before = sources("before", BEFORE).await?;
    let other = sources("other", "HEAD").await?;
    change_template(&other)?;
    let mut made = Vec::new();
    for (name, folder) in [("before", before), ("other", other)] {
        made.push(build(cluster, name, &folder, progress).await?);
    }
    Ok(made)
}

/// The sources of a commit, in a folder of the cache.
async fn sources(name: &str, commit: &str) -> Result<PathBuf> {
    let folder = folders::cache()?.join("operators").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut archive = Command::new("git")
        .current_dir(folders::in_repository(""))
        .args(["archive", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("git is missing")?;
    let output = archive.stdout.take().context("there is no archive")?;
    let output: Stdio = output.try_into()?;
    let unpacked = Command::new("tar")
        .args(["-x", "-m", "-C"])
        .arg(&folder)
        .stdin(output)
        .status()
        .await?;
    ensure!(
        archive.wait().await?.success() && unpacked.success(),
        "there are no sources of {commit}: it takes a clone with its history"
    );
    Ok(folder)
}

fn change_template(folder: &Path) -> Result<()> {
    let (file, now, other) = TEMPLATE;
    let file = folder.join(file);
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains(now), "{} has no such line", file.display());
    fs::write(file, text.replace(now, other))?;
    Ok(())
}

/// Compiled to be soon there, whatever its own profiles say.
async fn build(
    cluster: &Cluster,
    name: &'static str,
    folder: &Path,
    progress: &Progress,
) -> Result<Operator> {
    let part = progress.long_part(format!("compile the operator {name:?}"), 5);
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = folders::cache()?.join("operators/target");
    let status = cargo(&["build", "--release", "--package", "appstack-operator"])
        .current_dir(folder)
        .args(["--target", &target])
        .args(["--config", "profile.release.lto=false"])
        .args(["--config", "profile.release.opt-level=1"])
        .args(["--config", "profile.release.codegen-units=16"])
        .env("CARGO_TARGET_DIR", &built)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .kill_on_drop(true)
        .status()
        .await?;
    ensure!(status.success(), "the operator {name:?} does not build");
    part.done("");
    let context = built.join("images").join(name);
    fs::create_dir_all(&context)?;
    let program = built.join(&target).join("release/appstack-operator");
    fs::copy(program, context.join("appstack-operator"))?;
    let image = Image::new(
        format!("ghcr.io/appstack-dev/appstack-operator:{name}"),
        folder.join("operator/Dockerfile"),
        context,
    );
    cluster
        .load(&cluster.build(&image, progress).await?)
        .await?;
    Ok(Operator {
        name,
        chart: folder.join("charts/appstack-operator"),
    })
}
