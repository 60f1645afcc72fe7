//! Builds images without a Docker engine. Layers and built images are kept in the user's cache folder; nothing is pulled.

use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::images::image::{Built, Image, archive, file_name, forget_old_archives};
use crate::progress::Progress;
use crate::{command, folders, lock};

/// Builds an image unless its content was built before, and gives the archive that holds it. The images that it begins
/// with are in the storage.
///
/// # Errors
/// When the Dockerfile cannot be built.
pub async fn build(image: &Image, progress: &Progress) -> Result<Built> {
    let key = image.key()?;
    let archive = archive(&image.tag, &key)?;
    if !archive.exists() {
        let part = progress.part(format!("build {}", short_name(&image.tag)));
        // Two runs that meet build once; buildah's own storage copes with several at a time.
        let _held = lock::take(&format!("image-{}", file_name(&image.tag))).await?;
        if !archive.exists() {
            bud(image).await?;
            export(&image.tag, &archive).await?;
            forget_old(&image.tag).await?;
        }
        part.done(&key);
    }
    Ok(Built {
        tag: image.tag.clone(),
        key,
        archive: Some(archive),
    })
}

/// Removes what newer builds have taken the place of.
async fn forget_old(tag: &str) -> Result<()> {
    forget_old_archives(tag)?;
    // Another run may be using one of them, which buildah then keeps and says so.
    command::succeeds(buildah()?.args(["rmi", "--prune"])).await;
    Ok(())
}

/// Whether the storage holds an image of this name.
pub(super) async fn holds(tag: &str) -> Result<bool> {
    let mut inspect = buildah()?;
    inspect.args([
        "inspect",
        "--type",
        "image",
        "--format",
        "{{.FromImageID}}",
        tag,
    ]);
    Ok(command::succeeds(&mut inspect).await)
}

/// Gives an image of the storage another name.
pub(super) async fn name(tag: &str, other: &str) -> Result<()> {
    command::output(buildah()?.args(["tag", tag, other]))
        .await
        .map(drop)
}

/// Builds into the storage.
pub(super) async fn bud(image: &Image) -> Result<()> {
    let mut bud = buildah()?;
    // Without a fixed time the same content would be another image each time.
    bud.args([
        "bud",
        "--isolation",
        "chroot",
        "--pull-never",
        "--timestamp",
        "0",
        "--tag",
        &image.tag,
        "--file",
    ]);
    bud.arg(&image.dockerfile);
    for (name, value) in &image.build_args {
        bud.arg("--build-arg").arg(format!("{name}={value}"));
    }
    bud.arg(&image.context);
    command::output(&mut bud)
        .await
        .with_context(|| format!("cannot build {}", image.tag))?;
    Ok(())
}

/// Writes an archive beside its final place and renames it. Compressed layers load faster than plain ones: containerd
/// keeps a copy of what it is given.
async fn export(tag: &str, archive: &Path) -> Result<()> {
    let unfinished = archive.with_extension("unfinished");
    if let Some(parent) = archive.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if unfinished.exists() {
        std::fs::remove_file(&unfinished)?;
    }
    let target = format!("oci-archive:{}:{tag}", unfinished.display());
    command::output(buildah()?.args(["push", tag, &target])).await?;
    std::fs::rename(&unfinished, archive)?;
    Ok(())
}

fn buildah() -> Result<Command> {
    let storage = folders::cache()?.join("buildah");
    let mut command = Command::new("buildah");
    command
        .arg("--root")
        .arg(storage.join("storage"))
        .arg("--runroot")
        .arg(storage.join("run"));
    command.args(["--storage-driver", "overlay"]);
    Ok(command)
}

/// An image's name as people say it.
fn short_name(tag: &str) -> &str {
    tag.rsplit('/').next().unwrap_or(tag)
}
