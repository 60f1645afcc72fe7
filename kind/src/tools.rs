//! Programs built from Go modules, once per user: `kind/native/<folder>/go.mod` pins a version, and what it builds is
//! kept under a hash of everything that decides its content. Runs none of them.

mod changed;
mod go;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::progress::Progress;
use crate::{command, content, folders, lock};

pub use changed::Change;

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
    /// The modules that it is built from changed copies of.
    pub changed: &'static [(&'static str, Change)],
    /// How many minutes two cores work on it, from nothing: for the person who waits.
    pub minutes: u64,
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
    changed: &[],
    minutes: 5,
};

/// The command line of Kubernetes; apart from the node's programs since it is wanted with Docker too.
pub const KUBECTL: Tool = Tool {
    name: "kubectl",
    folder: "kubernetes",
    packages: &["k8s.io/kubernetes/cmd/kubectl"],
    variables: KUBERNETES_VERSION,
    changed: &[],
    minutes: 1,
};

/// The API server's store. Its package ends in a major version, so the program is named `server`.
pub const ETCD: Tool = plain("etcd", &["go.etcd.io/etcd/server/v3"], 1);
/// DNS in the cluster, with the plugins that it uses there.
pub const COREDNS: Tool = plain("coredns", &["appstack.dev/tools/coredns"], 1);
/// The ingress controller.
pub const TRAEFIK: Tool = Tool {
    name: "traefik",
    folder: "traefik",
    packages: &["github.com/traefik/traefik/v3/cmd/traefik"],
    variables: &[(
        "github.com/traefik/traefik/v3/pkg/version.Version",
        "v3.6.12",
    )],
    changed: &[
        (
            "github.com/go-acme/lego/v4",
            Change::File {
                of_module: "providers/dns/zz_gen_dns_providers.go",
                own: "lego/dns_providers.go",
            },
        ),
        ("github.com/traefik/traefik/v3", TRAEFIK_PAGES),
    ],
    minutes: 5,
};
/// The pages of its dashboard. They are made by yarn, which is a package of npm; what tests and checks them is left out.
const TRAEFIK_PAGES: Change = Change::Pages {
    folder: "webui",
    steps: &[
        &[
            "exec",
            "--yes",
            "--package=@yarnpkg/cli-dist@4.9.1",
            "--",
            "yarn",
            "workspaces",
            "focus",
            "--all",
            "--production",
        ],
        &[
            "exec",
            "--yes",
            "--package=@yarnpkg/cli-dist@4.9.1",
            "--",
            "yarn",
            "build",
        ],
    ],
    variables: &[("VITE_APP_BASE_URL", ""), ("VITE_APP_BASE_API_URL", "/api")],
};
/// Enforces network policies. Its package ends in a general word, so the program is named `cmd`.
pub const KUBE_NETWORK_POLICIES: Tool = plain(
    "kube-network-policies",
    &["sigs.k8s.io/kube-network-policies/cmd"],
    1,
);
/// Catches the mail of local stacks and shows it.
pub const MAILPIT: Tool = Tool {
    name: "mailpit",
    folder: "mailpit",
    packages: &["github.com/axllent/mailpit"],
    variables: &[("github.com/axllent/mailpit/config.Version", "v1.27.11")],
    changed: &[(
        "github.com/axllent/mailpit",
        Change::Pages {
            folder: ".",
            steps: &[
                &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                &["run", "package"],
            ],
            variables: &[],
        },
    )],
    minutes: 2,
};
/// Asks authorities for certificates. Its four parts are one program.
pub const CERT_MANAGER: Tool = Tool {
    name: "certmanager",
    folder: "certmanager",
    packages: &["github.com/cert-manager/cert-manager/certmanager"],
    variables: &[(
        "github.com/cert-manager/cert-manager/pkg/util.AppVersion",
        "v1.21.2",
    )],
    changed: &[],
    minutes: 4,
};
/// A certificate authority for tests.
pub const PEBBLE: Tool = plain(
    "pebble",
    &["github.com/letsencrypt/pebble/v2/cmd/pebble"],
    1,
);
/// Installs charts.
pub const HELM: Tool = plain("helm", &["helm.sh/helm/v3/cmd/helm"], 2);
/// Clusters in Docker.
pub const KIND: Tool = plain("kind", &["sigs.k8s.io/kind"], 1);
/// The process that holds a pod's namespaces.
pub const PAUSE: Tool = plain("pause", &["appstack.dev/tools/pause"], 0);

/// A tool whose folder has its name and that needs no variables.
#[must_use]
pub const fn plain(name: &'static str, packages: &'static [&'static str], minutes: u64) -> Tool {
    Tool {
        name,
        folder: name,
        packages,
        variables: &[],
        changed: &[],
        minutes,
    }
}

/// How many builds go on at once. Go keeps every core busy by itself, but not while it downloads or links.
const AT_ONCE: usize = 2;
static SEATS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Builds tools that were not built before, one after another; who comes first is built first. Those of one module are best
/// built so: the second finds most of it compiled.
///
/// # Errors
/// When Go is missing, or does not build them.
pub async fn build_in_turn(tools: &[Tool], progress: &Progress) -> Result<()> {
    let mut missing = Vec::new();
    for tool in tools {
        if !tool.is_built()? {
            missing.push(tool);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let _seat = SEATS.acquire().await?;
    for tool in missing {
        tool.build_now(progress).await?;
    }
    Ok(())
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
        build_in_turn(&[*self], progress).await?;
        self.folder()
    }

    async fn build_now(&self, progress: &Progress) -> Result<()> {
        let folder = self.folder()?;
        let part = progress.long_part(format!("build {}", self.name), self.minutes);
        let _held = lock::take(&format!("tool-{}", self.name)).await?;
        if !folder.is_dir() {
            self.compile(&folder)
                .await
                .with_context(|| format!("cannot build {}", self.name))?;
        }
        part.done("");
        Ok(())
    }

    /// Builds into a folder beside the final one and renames it, so that a half-built tool is never found.
    async fn compile(&self, folder: &Path) -> Result<()> {
        let unfinished = folder.with_extension("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        std::fs::create_dir_all(&unfinished)?;
        let copy = folder.with_extension("source");
        let source = if self.changed.is_empty() {
            self.source()
        } else {
            changed::lay(&self.source(), self.changed, &copy).await?;
            copy.clone()
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
        go::module_source(&self.source(), module).await
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
        for (module, change) in self.changed {
            hash.update(module);
            if let Change::Pages { steps, .. } = change {
                hash.update(steps.concat().join(" "));
            }
        }
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
            KUBERNETES,
            KUBECTL,
            ETCD,
            COREDNS,
            TRAEFIK,
            KUBE_NETWORK_POLICIES,
            HELM,
            KIND,
            PAUSE,
            MAILPIT,
            CERT_MANAGER,
            PEBBLE,
        ];
        let mut keys: Vec<String> = tools.iter().map(|tool| tool.key().unwrap()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), tools.len());
    }

    /// Its own program has no other plugins.
    #[test]
    fn dns_has_the_plugins_that_it_uses() {
        let program = std::fs::read_to_string(COREDNS.source().join("main.go")).unwrap();
        let manifest = std::fs::read_to_string(folders::in_kind("manifests/coredns.yaml")).unwrap();
        let (_, blocks) = manifest.split_once("Corefile: |\n").unwrap();
        let (blocks, _) = blocks.split_once("\n---").unwrap();
        // A directive of a server block, and not of a plugin.
        let used = blocks.lines().filter_map(|line| {
            let directive = line.strip_prefix("        ")?;
            directive
                .split(' ')
                .next()
                .filter(|it| !it.is_empty() && *it != "}")
        });
        for plugin in used {
            let name = if plugin == "prometheus" {
                "metrics"
            } else {
                plugin
            };
            assert!(program.contains(&format!("/plugin/{name}\"")), "{plugin}");
        }
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
