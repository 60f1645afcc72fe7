//! What a cluster leaves on the machine, found by its name.

use std::path::{Path, PathBuf};

use local_cluster::Cluster;

/// Everything that is on the machine for a cluster, by the cluster's name.
#[derive(Debug)]
pub(crate) struct Traces {
    pub(crate) processes: Vec<String>,
    mounts: Vec<String>,
    interfaces: Vec<String>,
    groups: Vec<PathBuf>,
    folder: Option<PathBuf>,
}

impl Traces {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let folder = cluster.home().folder().to_owned();
        Self {
            processes: processes(&folder, cluster.name()),
            mounts: mounts(&folder),
            interfaces: interfaces(cluster.name()),
            groups: groups(cluster.name()),
            folder: folder.exists().then_some(folder),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty()
            && self.mounts.is_empty()
            && self.interfaces.is_empty()
            && self.groups.is_empty()
            && self.folder.is_none()
    }
}

/// Processes whose command line holds the cluster's folder, or its name as the argument of the node.
fn processes(folder: &Path, name: &str) -> Vec<String> {
    let commands = entries("/proc").into_iter().filter_map(|path| {
        let words = std::fs::read(path.join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    });
    let (folder, node) = (folder.display().to_string(), format!("node --name {name} "));
    commands
        .filter(|command| command.contains(&folder) || command.contains(&node))
        .collect()
}

/// Mounts of any process: a namespace lives as long as a process in it does.
fn mounts(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let tables = entries("/proc")
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(path.join("mountinfo")).ok());
    let lines = tables.flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .filter(|line| line.contains(&folder))
        .take(5)
        .collect()
}

/// Interfaces of the host: a node's own are in its namespace, so that none of them may be here.
fn interfaces(name: &str) -> Vec<String> {
    let ours = |interface: &String| {
        interface.contains(name) || interface.starts_with("cni") || interface.starts_with("veth")
    };
    let names = entries("/sys/class/net").into_iter().filter_map(|path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    });
    names.filter(ours).collect()
}

fn groups(name: &str) -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let group = format!("appstack-{name}");
    let hierarchies = entries(&root).into_iter().chain([root]);
    hierarchies
        .map(|hierarchy| hierarchy.join(&group))
        .filter(|group| group.exists())
        .collect()
}

fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten();
    listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}
