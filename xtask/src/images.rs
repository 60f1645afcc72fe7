//! `cargo xtask images`: builds the programs and pages of this repository, puts them into images and loads those into a
//! local cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use futures::future::try_join_all;
use local_cluster::images::standin;
use local_cluster::{Built, Cluster, Image, Progress, content, folders};
use tokio::process::Command;

use crate::Named;
use crate::cargo::cargo;

/// The folder in the registry that the images are published in.
const REGISTRY: &str = "ghcr.io/appstack-dev";

/// Build the images of this repository and load them.
#[derive(Args, Debug)]
pub(crate) struct Images {
    #[command(flatten)]
    cluster: Named,
    /// Compile as for publishing: small and fast programs, which take a quarter of an hour on two cores
    #[arg(long)]
    release: bool,
}

/// How the programs are compiled: a profile in `Cargo.toml`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// Soon there, for a local cluster.
    Local,
    /// As they are published and measured.
    Release,
}

/// What the demo runs, built.
#[derive(Debug)]
pub(crate) struct Made {
    /// The operator's image, whose key changes with its content.
    pub operator: Built,
    /// Those of a stack.
    pub others: Vec<Built>,
}

impl Images {
    pub(crate) async fn run(self) -> Result<()> {
        let profile = if self.release {
            Profile::Release
        } else {
            Profile::Local
        };
        let (cluster, progress) = (self.cluster.open()?, Progress::new());
        let made = make(&cluster, profile, &progress).await?;
        cluster.load(&made.operator).await?;
        load(&cluster, &made.others, &progress).await
    }
}

/// Builds everything that the demo runs, side by side. The cluster need not be up yet.
pub(crate) async fn make(cluster: &Cluster, profile: Profile, progress: &Progress) -> Result<Made> {
    let ready = async {
        // Compilers need nothing but themselves, packers may have to be installed.
        cluster.prepare(progress).await?;
        tokio::try_join!(
            cluster.stand_in(standin::POSTGRES_TAG, progress),
            cluster.stand_in(standin::MAILPIT_TAG, progress),
            cluster.stand_in(standin::ADMINER_TAG, progress)
        )
    };
    let (programs, (), stand_ins) =
        tokio::try_join!(programs(profile, progress), pages(progress), ready)?;
    let [operator, backend, frontend] = images(&programs)?;
    let operator = cluster.build(&operator, progress).await?;
    let mut others = vec![
        cluster.build(&backend, progress).await?,
        cluster.build(&frontend, progress).await?,
    ];
    let (postgres, mailpit, adminer) = stand_ins;
    others.extend([postgres, mailpit, adminer].into_iter().flatten());
    Ok(Made { operator, others })
}

/// Builds the image of the demo's backend under a tag of its own.
pub(crate) async fn backend(cluster: &Cluster, tag: &str, progress: &Progress) -> Result<Built> {
    let programs = programs(Profile::Local, progress).await?;
    cluster.build(&of_backend(&programs, tag)?, progress).await
}

fn of_backend(programs: &Path, tag: &str) -> Result<Image> {
    Ok(Image::new(
        format!("{REGISTRY}/demo-backend:{tag}"),
        folders::in_repository("app/backend/Dockerfile"),
        context(programs, "backend")?,
    ))
}

/// Loads what was built, at the same time: each load waits more than it works.
pub(crate) async fn load(cluster: &Cluster, images: &[Built], progress: &Progress) -> Result<()> {
    let part = progress.part("load the images");
    try_join_all(images.iter().map(|image| cluster.load(image))).await?;
    part.done("");
    Ok(())
}

fn images(programs: &Path) -> Result<[Image; 3]> {
    let operator = context(programs, "appstack-operator")?;
    let in_repository = folders::in_repository;
    Ok([
        Image::new(
            format!("{REGISTRY}/appstack-operator:{}", env!("CARGO_PKG_VERSION")),
            in_repository("operator/Dockerfile"),
            operator,
        ),
        of_backend(programs, "dev")?,
        Image::new(
            format!("{REGISTRY}/demo-frontend:dev"),
            in_repository("app/frontend/Dockerfile"),
            in_repository("app/frontend"),
        ),
    ])
}

/// Builds the programs as static ones, which need nothing of an image, and gives their folder.
async fn programs(profile: Profile, progress: &Progress) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let (profile, minutes) = match profile {
        Profile::Local => ("local", 5),
        Profile::Release => ("release", 16),
    };
    let folder = target_folder().await?.join(&target).join(profile);
    // What was built before is only looked over.
    let minutes = if folder.exists() { 0 } else { minutes };
    let part = progress.long_part("compile for the images", minutes);
    let mut cargo = cargo(&["build", "--profile", profile, "--target", &target]);
    cargo
        .args(["--package", "appstack-operator", "--package", "backend"])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .kill_on_drop(true);
    ensure!(cargo.status().await?.success(), "the programs do not build");
    part.done("");
    Ok(folder)
}

/// Where cargo puts what it builds, however that was chosen.
async fn target_folder() -> Result<PathBuf> {
    let words = [
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ];
    let output = cargo(&words).output().await?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    answer["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo does not say where it builds")
}

/// A folder with one program in it, to copy from.
fn context(programs: &Path, program: &str) -> Result<PathBuf> {
    let folder = programs.join("images").join(program);
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(programs.join(program), folder.join(program))
        .with_context(|| format!("cannot copy {program}"))?;
    Ok(folder)
}

/// Builds the pages of the demo, unless their sources are those of the last time.
async fn pages(progress: &Progress) -> Result<()> {
    let folder = folders::in_repository("app/frontend");
    // Beside the pages and not among them, since all of those are published.
    let record = folder.join("node_modules/.pages");
    let no_part = ["node_modules", "dist", "e2e", "playwright.config.ts"];
    let sources = content::key_of(&folder, &no_part)?;
    let known = std::fs::read_to_string(&record).unwrap_or_default();
    if known == sources && folder.join("dist/index.html").exists() {
        return Ok(());
    }
    dependencies(progress).await?;
    let part = progress.part("build the pages");
    npm(&["run", "build"]).await?;
    std::fs::write(record, sources)?;
    part.done("");
    Ok(())
}

/// Installs what the pages are made with, unless it is there as the lock file says.
pub(crate) async fn dependencies(progress: &Progress) -> Result<()> {
    let folder = folders::in_repository("app/frontend");
    let record = folder.join("node_modules/.lock-file");
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))?;
    if std::fs::read_to_string(&record).is_ok_and(|it| it == lock) {
        return Ok(());
    }
    let part = progress.part("install what the pages are made with");
    npm(&["ci", "--no-audit", "--no-fund"]).await?;
    std::fs::write(record, lock)?;
    part.done("");
    Ok(())
}

async fn npm(words: &[&str]) -> Result<()> {
    let status = Command::new("npm")
        .current_dir(folders::in_repository("app/frontend"))
        .args(words)
        .kill_on_drop(true)
        .status()
        .await
        .context("npm is missing: install Node.js 20 or later")?;
    ensure!(
        status.success(),
        "`npm {}` failed in app/frontend",
        words.join(" ")
    );
    Ok(())
}
