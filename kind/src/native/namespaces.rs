//! Enters namespaces of the node's own: network, mounts and processes. The host is left as it is: what Kubernetes writes
//! outside the cluster's folder, and the kernel settings it insists on, it finds in its own mounts.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::unistd::setsid;

use crate::state::Home;

/// Folders with fixed names that the parts of a node write into; inside the node they lie in the cluster's folder.
const OWN_FOLDERS: [&str; 2] = ["/var/lib", "/var/log"];

/// Kernel settings that the kubelet changes. They are the whole machine's, so it gets files that look the same.
const SETTINGS: [&str; 6] = [
    "/proc/sys/kernel/keys/root_maxbytes",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
];

/// Becomes the program that holds the node's namespaces and runs this program again as their first process. When the
/// holder is killed, the kernel ends the first process, and with it every other one in them.
///
/// # Errors
/// Always when it comes back.
pub(super) fn enter(name: &str) -> Result<()> {
    // A terminal that closes does not take the node with it. Refused where the caller has done so already.
    let _ = setsid();
    let host_network = File::open("/proc/self/ns/net")?;
    fcntl(&host_network, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let error = Command::new("unshare")
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation=private",
            "--",
        ])
        .arg(std::env::current_exe()?)
        .args([
            "node",
            "--name",
            name,
            "--host-network",
            &host_network.as_raw_fd().to_string(),
        ])
        .exec();
    Err(error).context("cannot start unshare")
}

/// The host's network namespace, which the first process was handed as an open file.
///
/// # Errors
/// When there is no such file.
pub(super) fn host_network(descriptor: i32) -> Result<File> {
    let path = format!("/proc/self/fd/{descriptor}");
    File::open(&path).with_context(|| format!("cannot open {path}"))
}

/// Lays the node's own mounts.
///
/// # Errors
/// When the kernel refuses one.
pub(super) fn lay_mounts(home: &Home) -> Result<()> {
    let none: Option<&str> = None;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )
    .context("cannot mount /run")?;
    std::fs::create_dir_all("/run/lock")?;
    for folder in OWN_FOLDERS {
        let own = home.path("node").join(folder.trim_start_matches('/'));
        std::fs::create_dir_all(&own)?;
        mount(Some(&own), folder, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("cannot mount {folder}"))?;
    }
    for setting in SETTINGS {
        shield(Path::new(setting)).with_context(|| format!("cannot shield {setting}"))?;
    }
    Ok(())
}

/// Puts a file of the same content over a kernel setting. The files lie in the node's own /run.
fn shield(setting: &Path) -> Result<()> {
    let none: Option<&str> = None;
    let Ok(value) = std::fs::read(setting) else {
        return Ok(());
    };
    let copy =
        Path::new("/run/settings").join(setting.file_name().context("a setting has a name")?);
    std::fs::create_dir_all("/run/settings")?;
    std::fs::write(&copy, value)?;
    mount(Some(&copy), setting, none, MsFlags::MS_BIND, none)?;
    Ok(())
}
