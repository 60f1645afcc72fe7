//! Whether this machine can hold a native cluster, and what to do when it cannot: one sentence for each thing that is
//! missing. Installs Debian packages where that is possible, and changes nothing else.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;
use tokio::process::Command;

use crate::progress::Progress;
use crate::{command, folders, lock, tools};

/// Programs that a native cluster runs, and the Debian package of each.
const PROGRAMS: [(&str, &str); 11] = [
    ("buildah", "buildah"),
    ("conntrack", "conntrack"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("mmdebstrap", "mmdebstrap"),
    ("runc", "runc"),
    ("unshare", "util-linux"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    (
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
    ),
];

/// How much disk the tools and their build need, and how much a cluster needs once they are there.
const GIB: u64 = 1 << 30;
const DISK_FOR_TOOLS: u64 = 12 * GIB;
const DISK_FOR_A_CLUSTER: u64 = 3 * GIB;

/// The kernel takes no longer path for a socket.
const LONGEST_SOCKET: usize = 107;

/// Makes the machine ready, or says what is missing.
///
/// # Errors
/// One sentence for the first thing that is missing, with the fix.
pub(crate) async fn prepare(progress: &Progress) -> Result<()> {
    holds_clusters()?;
    install(missing_packages, progress).await?;
    has_go().await?;
    has_disk()
}

/// Whether a cluster can run on this machine at all, by whatever provider; for tests that skip where it cannot.
///
/// # Errors
/// What is missing.
pub async fn can_hold_a_cluster() -> Result<()> {
    if crate::docker::answers().await {
        return Ok(());
    }
    holds_clusters()?;
    let missing = missing_packages();
    ensure!(
        missing.is_empty() || can_install(),
        "{}",
        install_by_hand(&missing)
    );
    has_go().await
}

fn holds_clusters() -> Result<()> {
    ensure!(
        cfg!(target_os = "linux"),
        "a cluster without Docker needs Linux: start a Docker engine, and the cluster runs in it"
    );
    ensure!(
        geteuid().is_root(),
        "a cluster without Docker needs root: start a Docker engine that you may use, or run the command as root"
    );
    // The programs of the node find iptables and their like by the path that they inherit.
    let hidden =
        |program: &str| !is_there(program) && Path::new("/usr/sbin").join(program).exists();
    ensure!(
        !hidden("iptables"),
        "PATH lacks /usr/sbin, where root's programs are: export PATH=\"$PATH:/usr/sbin:/sbin\""
    );
    let clusters = folders::clusters()?;
    ensure!(
        !clusters.starts_with("/var/lib")
            && !clusters.starts_with("/var/log")
            && !clusters.starts_with("/run"),
        "a cluster cannot lie in {}, which its node has of its own: set XDG_CACHE_HOME to a folder elsewhere",
        clusters.display()
    );
    let socket = clusters
        .join("a-name-of-the-longest-kind-xxxx")
        .join("containerd.sock");
    ensure!(
        socket.as_os_str().len() <= LONGEST_SOCKET,
        "the path {} is too long for a socket: set XDG_CACHE_HOME to a shorter one",
        socket.display()
    );
    Ok(())
}

async fn has_go() -> Result<()> {
    let go = command::succeeds(Command::new("go").arg("version")).await;
    ensure!(
        go || tools_are_built()?,
        "Go is missing: install Go 1.25 or later, and see that `go version` answers"
    );
    Ok(())
}

fn has_disk() -> Result<()> {
    let folder = folders::cache()?;
    std::fs::create_dir_all(&folder)?;
    let disk = statvfs(&folder)?;
    let free = disk.blocks_available() * disk.fragment_size();
    let needed = if tools_are_built()? {
        DISK_FOR_A_CLUSTER
    } else {
        DISK_FOR_TOOLS
    };
    ensure!(
        free >= needed,
        "too little disk: {} has {} GiB free and {} GiB are needed; free some, or set XDG_CACHE_HOME to another disk",
        folder.display(),
        free / GIB,
        needed / GIB
    );
    Ok(())
}

/// Whether everything is built that a native cluster is made of, which takes many minutes.
pub(crate) fn tools_are_built() -> Result<bool> {
    for tool in [
        tools::ETCD,
        tools::KUBERNETES,
        tools::KUBECTL,
        tools::COREDNS,
        tools::TRAEFIK,
        tools::KUBE_NETWORK_POLICIES,
        tools::PAUSE,
    ] {
        if !tool.is_built()? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The Debian packages whose programs are not there.
fn missing_packages() -> Vec<&'static str> {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    if !is_there("pip") && !is_there("pip3") {
        missing.push("python3-pip");
    }
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// Installs the Debian packages that are missing. They are asked for again when it is our turn, since another run may have
/// installed them meanwhile.
///
/// # Errors
/// When this is not root on Debian, or a package cannot be installed.
pub(crate) async fn install(
    missing: impl Fn() -> Vec<&'static str>,
    progress: &Progress,
) -> Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    ensure!(can_install(), "{}", install_by_hand(&packages));
    let _held = lock::take("packages").await?;
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let part = progress.part(format!("install {}", packages.join(" ")));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        apt
    };
    command::output(apt().arg("update")).await?;
    command::output(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&packages),
    )
    .await?;
    part.done("");
    Ok(())
}

/// Whether packages can be installed: by root on Debian or what is made of it.
pub(crate) fn can_install() -> bool {
    geteuid().is_root() && is_there("apt-get")
}

fn install_by_hand(packages: &[&str]) -> String {
    format!(
        "these programs are missing, by their names in Debian: {}; install them",
        packages.join(", ")
    )
}

/// Whether a program is on the path, or a file is at its place.
fn is_there(name: &str) -> bool {
    if name.starts_with('/') {
        return Path::new(name).exists();
    }
    on_path(name).is_some()
}

/// Where a program is on the path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The program whose hidden command `node` is a native node: `xtask`, which a test finds beside its own folder.
pub(crate) fn node_program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    if own.file_stem().is_some_and(|name| name == "xtask") {
        return Ok(own);
    }
    let beside = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("xtask"))
        .find(|path| path.is_file());
    beside.with_context(|| {
        format!(
            "there is no `xtask` beside {}, and a cluster needs it: `cargo build -p xtask`",
            own.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_and_at_their_place() {
        assert!(is_there("sh"));
        assert!(is_there("/bin/sh"));
        assert!(!is_there("no-such-program"));
    }

    #[test]
    fn what_is_missing_is_said_in_one_sentence() {
        let sentence = install_by_hand(&["runc", "buildah"]);
        assert!(sentence.contains("runc, buildah") && !sentence.contains('\n'));
    }
}
