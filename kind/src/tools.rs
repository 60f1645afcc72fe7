//! Programs built from Go modules, once per user: `kind/native/<folder>/go.mod` pins a version, and what it builds is
//! kept under a hash of everything that decides its content. Runs none of them.

mod pages;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::progress::Progress;
use crate::{command, content, folders, lock};

/// A program, or several that are built from one module.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What people call it, and the name of its folder in the cache.
    pub name: &'static str,
    /// The folder with its `go.mod`, under `kind/native/`.
    pub folder: &'static str,
    /// The packages to build; each gives a program named after its last part.
    pub packages: &'static [&'static str],
    /// Values that the linker puts into variables, such as the version a program prints.
    pub variables: &'static [(&'static str, &'static str)],
    /// The module whose web pages have to be made before it is built.
    pub pages_of: Option<&'static str>,
}

/// What a Kubernetes program says of itself.
const KUBERNETES_VERSION: &[(&str, &str)] = &[
    ("k8s.io/component-base/version.gitVersion", "v1.35.4"),
    ("k8s.io/component-base/version.gitMajor", "1"),
    ("k8s.io/component-base/version.gitMinor", "35"),
    ("k8s.io/component-base/version.gitTreeState", "clean"),
];

/// The programs of a node.
pub const KUBERNETES: Tool = Tool {
    name: "kubernetes",
    folder: "kubernetes",
    packages: &[
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-proxy",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "k8s.io/kubernetes/cmd/kubelet",
    ],
    variables: KUBERNETES_VERSION,
    pages_of: None,
};

/// The command line of Kubernetes; apart from the node's programs since it is wanted with Docker too.
pub const KUBECTL: Tool = Tool {
    name: "kubectl",
    folder: "kubernetes",
    packages: &["k8s.io/kubernetes/cmd/kubectl"],
    variables: KUBERNETES_VERSION,
    pages_of: None,
};

/// The API server's store. Its package ends in a major version, so the program is named `server`.
pub const ETCD: Tool = plain("etcd", &["go.etcd.io/etcd/server/v3"]);
/// DNS in the cluster.
pub const COREDNS: Tool = plain("coredns", &["github.com/coredns/coredns"]);
/// The ingress controller.
pub const TRAEFIK: Tool = Tool {
    name: "traefik",
    folder: "traefik",
    packages: &["github.com/traefik/traefik/v3/cmd/traefik"],
    variables: &[(
        "github.com/traefik/traefik/v3/pkg/version.Version",
        "v3.6.0",
    )],
    pages_of: None,
};
/// Catches the mail of local stacks and shows it.
pub const MAILPIT: Tool = Tool {
    name: "mailpit",
    folder: "mailpit",
    packages: &["github.com/axllent/mailpit"],
    variables: &[("github.com/axllent/mailpit/config.Version", "v1.27.11")],
    pages_of: Some("github.com/axllent/mailpit"),
};
/// Installs charts.
pub const HELM: Tool = plain("helm", &["helm.sh/helm/v3/cmd/helm"]);
/// Clusters in Docker.
pub const KIND: Tool = plain("kind", &["sigs.k8s.io/kind"]);
/// The process that holds a pod's namespaces.
pub const PAUSE: Tool = plain("pause", &["appstack.dev/tools/pause"]);

/// A tool whose folder has its name and that needs no variables.
#[must_use]
pub const fn plain(name: &'static str, packages: &'static [&'static str]) -> Tool {
    Tool {
        name,
        folder: name,
        packages,
        variables: &[],
        pages_of: None,
    }
}

impl Tool {
    /// The folder that holds the built programs, whether they are there yet or not.
    ///
    /// # Errors
    /// When the tool's `go.mod` cannot be read.
    pub fn folder(&self) -> Result<PathBuf> {
        Ok(folders::cache()?
            .join("tools")
            .join(format!("{}-{}", self.name, self.key()?)))
    }

    /// Whether it is built.
    ///
    /// # Errors
    /// As [`Tool::folder`].
    pub fn is_built(&self) -> Result<bool> {
        Ok(self.folder()?.is_dir())
    }

    /// Builds the programs unless that was done before, and gives their folder.
    ///
    /// # Errors
    /// When Go is missing, or does not build them.
    pub async fn build(&self, progress: &Progress) -> Result<PathBuf> {
        let folder = self.folder()?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let part = progress.part(format!("build {}", self.name));
        let _held = lock::take(&format!("tool-{}", self.name)).await?;
        if !folder.is_dir() {
            self.compile(&folder)
                .await
                .with_context(|| format!("cannot build {}", self.name))?;
        }
        part.done("");
        Ok(folder)
    }

    /// Builds into a folder beside the final one and renames it, so that a half-built tool is never found.
    async fn compile(&self, folder: &Path) -> Result<()> {
        let unfinished = folder.with_extension("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        std::fs::create_dir_all(&unfinished)?;
        let copy = folder.with_extension("source");
        let source = match self.pages_of {
            Some(module) => {
                pages::make(self, module, &copy).await?;
                copy.clone()
            }
            None => self.source(),
        };
        let mut go = Command::new("go");
        go.current_dir(source)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off");
        go.args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
            &self.linker_flags(),
            "-o",
        ]);
        go.arg(&unfinished).args(self.packages);
        // A failed build leaves its folder behind for the next one to sweep.
        command::output(&mut go).await?;
        if copy.exists() {
            std::fs::remove_dir_all(copy)?;
        }
        std::fs::rename(&unfinished, folder)?;
        Ok(())
    }

    /// The source of a module that the tool is built from, in Go's own module cache.
    ///
    /// # Errors
    /// When Go does not know the module.
    pub async fn module_source(&self, module: &str) -> Result<PathBuf> {
        let mut go = Command::new("go");
        go.current_dir(self.source())
            .env("GOWORK", "off")
            .args(["mod", "download", "-json", module]);
        let answer: serde_json::Value = serde_json::from_str(&command::output(&mut go).await?)?;
        answer["Dir"]
            .as_str()
            .map(PathBuf::from)
            .with_context(|| format!("Go has no source of {module}"))
    }

    fn source(&self) -> PathBuf {
        folders::in_kind("native").join(self.folder)
    }

    fn linker_flags(&self) -> String {
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| format!(" -X {name}={value}"));
        std::iter::once("-s -w".to_owned())
            .chain(variables)
            .collect()
    }

    /// A hash of all that decides what is built, but for the Go release: a newer Go is no reason for twenty minutes.
    pub(crate) fn key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        content::add_folder(&mut hash, &self.source())?;
        hash.update(self.linker_flags());
        hash.update(self.packages.join(" "));
        hash.update(self.pages_of.unwrap_or_default());
        hash.update(std::env::consts::ARCH);
        Ok(content::short(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_its_own_key() {
        let tools = [
            KUBERNETES, KUBECTL, ETCD, COREDNS, TRAEFIK, HELM, KIND, PAUSE, MAILPIT,
        ];
        let mut keys: Vec<String> = tools.iter().map(|tool| tool.key().unwrap()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), tools.len());
    }

    #[test]
    fn versions_are_linked_in() {
        assert!(
            KUBECTL
                .linker_flags()
                .starts_with("-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4")
        );
    }
}
