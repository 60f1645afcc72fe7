//! What containerd is told, and how images get into it. Starts nothing.

use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use crate::command;
use crate::images::standin;
use crate::native::component::Component;
use crate::native::network;
use crate::state::Home;

/// Where Debian keeps the container network plugins.
pub(super) const PLUGINS: &str = "/usr/lib/cni";
/// The namespace in which containerd keeps the images and containers of Kubernetes.
const NAMESPACE: &str = "k8s.io";

/// Writes the files that containerd reads.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write_files(home: &Home) -> Result<()> {
    home.write("cni/10-appstack.conflist", &network::plugins())?;
    home.write("containerd.toml", &config(home))
}

/// The container runtime.
pub(super) fn component(home: &Home) -> Component {
    Component {
        name: "containerd",
        program: "containerd".into(),
        args: vec![format!(
            "--config={}",
            home.path("containerd.toml").display()
        )],
    }
}

/// Where containerd keeps its images and what runs of them.
pub(super) fn root(home: &Home) -> std::path::PathBuf {
    home.path("containerd")
}

/// The socket that containerd listens on. It lies in the cluster's folder, so that the host reaches it too.
pub(super) fn socket(home: &Home) -> std::path::PathBuf {
    home.path("containerd.sock")
}

/// Loads an archive of images, of the OCI or Docker kind.
///
/// # Errors
/// When containerd does not answer or does not take it.
pub(super) async fn import(socket: &Path, archive: &Path) -> Result<()> {
    let mut ctr = ctr(socket);
    ctr.args(["images", "import"]).arg(archive);
    command::output(&mut ctr).await.map(drop)
}

/// The client of the containerd that listens there, for what belongs to Kubernetes.
pub(super) fn ctr(socket: &Path) -> Command {
    let mut ctr = Command::new("ctr");
    ctr.arg("--address")
        .arg(socket)
        .args(["--namespace", NAMESPACE]);
    ctr
}

/// Whether a containerd listens there and answers.
pub(super) async fn answers(socket: &Path) -> bool {
    let mut ctr = Command::new("ctr");
    ctr.arg("--address")
        .arg(socket)
        .args(["--timeout", "1s", "namespaces", "list"]);
    command::succeeds(&mut ctr).await
}

fn config(home: &Home) -> String {
    format!(
        r#"version = 2
root = "{root}"
state = "/run/containerd"

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # A root without CAP_SYS_RESOURCE may not lower the score.
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{plugins}"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"#,
        root = root(home).display(),
        socket = socket(home).display(),
        pause = standin::PAUSE_TAG,
        plugins = home.path("cni").display(),
    )
}
