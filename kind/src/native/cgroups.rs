//! The control groups of a cluster's pods: one root of its own in every hierarchy. Touches no other group.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const MOUNT: &str = "/sys/fs/cgroup";
/// How long the kernel may take to let go of groups whose processes have ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the root group of this cluster, as the kubelet is told it.
pub(super) fn root(cluster: &str) -> String {
    format!("/appstack-{cluster}")
}

/// Makes the root group everywhere.
///
/// # Errors
/// When a hierarchy refuses it.
pub(super) fn make(cluster: &str) -> Result<()> {
    let unified = Path::new(MOUNT).join("cgroup.controllers");
    if unified.exists() {
        return make_unified(cluster, &std::fs::read_to_string(unified)?);
    }
    for hierarchy in hierarchies()? {
        let group = hierarchy.join(root(cluster).trim_start_matches('/'));
        std::fs::create_dir_all(&group)
            .with_context(|| format!("cannot make {}", group.display()))?;
        // A new cpuset group is empty, and an empty one takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = std::fs::read_to_string(hierarchy.join(file)) {
                std::fs::write(group.join(file), value.trim())?;
            }
        }
    }
    Ok(())
}

/// The groups of this cluster that are there.
pub(super) fn left(cluster: &str) -> Vec<PathBuf> {
    let name = root(cluster);
    let mut found: Vec<PathBuf> = hierarchies()
        .unwrap_or_default()
        .into_iter()
        .chain([PathBuf::from(MOUNT)])
        .map(|hierarchy| hierarchy.join(name.trim_start_matches('/')))
        .filter(|group| group.is_dir())
        .collect();
    found.sort();
    found
}

/// Removes the root group with all that hangs below it, once its processes have ended.
///
/// # Errors
/// When the kernel does not let go of one in time.
pub(super) async fn remove(cluster: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for group in left(cluster) {
        while let Err(error) = remove_tree(&group) {
            if Instant::now() > deadline {
                return Err(error).with_context(|| format!("cannot remove {}", group.display()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

fn make_unified(cluster: &str, controllers: &str) -> Result<()> {
    let group = Path::new(MOUNT).join(root(cluster).trim_start_matches('/'));
    std::fs::create_dir_all(&group)?;
    let wanted: Vec<String> = controllers
        .split_whitespace()
        .map(|name| format!("+{name}"))
        .collect();
    for parent in [Path::new(MOUNT), &group] {
        let file = parent.join("cgroup.subtree_control");
        std::fs::write(&file, wanted.join(" "))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The mounted hierarchies of control groups version 1, links aside.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(MOUNT)? {
        let path = entry?.path();
        if !path.is_symlink() && path.join("cgroup.procs").exists() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Groups go from the leaves up; the files in them are the kernel's and go with them.
fn remove_tree(group: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(group)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_tree(&path)?;
        }
    }
    std::fs::remove_dir(group)
}
