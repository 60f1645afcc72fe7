//! Images that lie unpacked in every new node from its first moment: they are unpacked once on a machine, and a node's folder
//! gets links to their files. To import the database alone takes containerd longer than the API server needs to start.
//! Runs a containerd of its own for that, and ends it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use tokio::process::{Child, Command};

use crate::cluster::Cluster;
use crate::images::Built;
use crate::native::containerd;
use crate::progress::Progress;
use crate::{command, content, folders, lock};

/// How often it is looked whether containerd answers.
const LOOK: Duration = Duration::from_millis(100);
/// How long containerd may take to start, and to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// Lays the images into the folder of a node that has not run yet. One that has keeps what it has.
///
/// # Errors
/// When they cannot be unpacked or linked.
pub(super) async fn lay(cluster: &Cluster, images: &[Built], progress: &Progress) -> Result<()> {
    let root = containerd::root(cluster.home());
    if root.exists() {
        return Ok(());
    }
    // Nobody may take it for old and remove it meanwhile.
    let _held = lock::take("unpacked").await?;
    let unpacked = unpacked(images, progress).await?;
    // Half of it would be taken for what a node that ran has left.
    let unfinished = root.with_extension("unfinished");
    remove(&unfinished)?;
    std::fs::create_dir_all(cluster.home().folder())?;
    link(&unpacked, &unfinished).await?;
    std::fs::rename(&unfinished, &root)?;
    images
        .iter()
        .try_for_each(|image| cluster.note_given(image))
}

/// The root of a containerd that holds these images and nothing else.
async fn unpacked(images: &[Built], progress: &Progress) -> Result<PathBuf> {
    let all = folders::cache()?.join("unpacked");
    let folder = all.join(key(images));
    let root = "root";
    if !folder.is_dir() {
        let part = progress.part("unpack the images of a node");
        // Nodes that run have their own links to what goes.
        remove(&all)?;
        let unfinished = all.join("unfinished");
        std::fs::create_dir_all(&unfinished)?;
        import(images, &unfinished, root).await?;
        std::fs::rename(&unfinished, &folder)?;
        part.done("");
    }
    Ok(folder.join(root))
}

/// What decides the content.
fn key(images: &[Built]) -> String {
    let mut hash = Sha256::new();
    for image in images {
        hash.update(&image.tag);
        hash.update(&image.key);
    }
    content::short(hash)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

async fn import(images: &[Built], folder: &Path, root: &str) -> Result<()> {
    let socket = folder.join("containerd.sock");
    let mut containerd = start(folder, &folder.join(root), &socket)?;
    let imports = async {
        while !containerd::answers(&socket).await {
            tokio::time::sleep(LOOK).await;
        }
        for image in images {
            let archive = image.archive.as_ref();
            let archive = archive.context("the image was built by Docker")?;
            containerd::import(&socket, archive).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = imports => done?,
        ended = containerd.wait() => {
            let log = std::fs::read(folder.join("containerd.log"))?;
            let said = command::tail(&String::from_utf8_lossy(&log));
            anyhow::bail!("containerd ended ({}):\n{said}", ended?);
        }
    }
    end(containerd).await
}

/// Starts a containerd that only unpacks: it knows nothing of pods.
fn start(folder: &Path, root: &Path, socket: &Path) -> Result<Child> {
    let config = folder.join("containerd.toml");
    let text = format!(
        r#"version = 2
root = "{}"
state = "{}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
  address = "{}"
"#,
        root.display(),
        folder.join("state").display(),
        socket.display()
    );
    std::fs::write(&config, text)?;
    let log = File::create(folder.join("containerd.log"))?;
    Command::new("containerd")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start containerd")
}

/// Ends it in order, so that all it knows is on the disk.
async fn end(mut containerd: Child) -> Result<()> {
    let pid = containerd.id().context("containerd has ended by itself")?;
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
    let ended = tokio::time::timeout(PATIENCE, containerd.wait())
        .await
        .context("containerd does not end")??;
    ensure!(ended.success(), "containerd ended badly: {ended}");
    Ok(())
}

/// Gives a node's containerd the same content. Neither layers nor snapshots are ever written again, so links will do; what
/// containerd itself remembers lies directly in the folders of its plugins, and each has its own.
async fn link(from: &Path, to: &Path) -> Result<()> {
    let mut cp = Command::new("cp");
    command::output(cp.args(["--archive", "--link"]).arg(from).arg(to)).await?;
    for plugin in std::fs::read_dir(to)? {
        let plugin = plugin?.path();
        if !plugin.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&plugin)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                let own = entry.path();
                std::fs::remove_file(&own)?;
                std::fs::copy(from.join(own.strip_prefix(to)?), &own)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn nodes_share_content_and_no_database() {
        let folder = std::env::temp_dir().join(format!("unpacked-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        std::fs::create_dir_all(from.join("plugin/snapshots/1")).unwrap();
        let files = ["plugin/meta.db", "plugin/snapshots/1/libc.so"];
        for file in files {
            std::fs::write(from.join(file), file).unwrap();
        }
        link(&from, &to).await.unwrap();
        let is_shared = files.map(|file| {
            assert_eq!(std::fs::read_to_string(to.join(file)).unwrap(), file);
            let inode = |root: &Path| root.join(file).metadata().unwrap().ino();
            inode(&from) == inode(&to)
        });
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(is_shared, [false, true]);
    }
}
