//! A cluster by its name: what is written down about it, and where it answers. A value that brings nothing up or down;
//! the module `lifecycle` does.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use kube::Client;
use tokio::process::Command;

use crate::api;
use crate::demo::{self, Address};
use crate::images::image::{Built, file_name};
use crate::ports::Ports;
use crate::state::{Home, State};
use crate::tools;

/// The name of the cluster that commands mean when they are told none.
pub const DEFAULT_NAME: &str = "appstack";

/// Names end up in folders, control groups and host names.
const LONGEST_NAME: usize = 30;

/// A cluster, whether it runs or not.
#[derive(Clone, Debug)]
pub struct Cluster {
    name: String,
    home: Home,
}

/// What may be asked of `up`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The first of the ports to publish, instead of the usual ones.
    pub port_base: Option<u16>,
}

impl Cluster {
    /// The cluster of this name. Looks at nothing yet.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn open(name: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=LONGEST_NAME).contains(&name.len())
            && name.chars().all(allowed)
            && !name.starts_with('-');
        ensure!(
            fits,
            "`{name}` cannot name a cluster: up to {LONGEST_NAME} of a-z, 0-9 and `-`, not first"
        );
        Ok(Self {
            name: name.to_owned(),
            home: Home::of(name)?,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder, with state, logs and volumes.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The kubeconfig file of its administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.home.path("kubeconfig")
    }

    /// A client of its administrator.
    ///
    /// # Errors
    /// When there is no such cluster.
    pub async fn client(&self) -> Result<Client> {
        api::client(&self.kubeconfig()).await
    }

    /// What it publishes on 127.0.0.1.
    ///
    /// # Errors
    /// When there is no such cluster.
    pub fn ports(&self) -> Result<Ports> {
        Ok(self.state()?.ports)
    }

    /// The addresses at which the demo answers when it runs here.
    ///
    /// # Errors
    /// When there is no such cluster.
    pub fn addresses(&self) -> Result<Vec<Address>> {
        let state = self.state()?;
        Ok(demo::addresses(&state.ports))
    }

    /// The port of 127.0.0.1 that answers HTTPS for every host of an Ingress.
    ///
    /// # Errors
    /// When there is no such cluster.
    pub fn https_port(&self) -> Result<u16> {
        Ok(self.ports()?.https)
    }

    /// The port of 127.0.0.1 that answers HTTP for every host of an Ingress.
    ///
    /// # Errors
    /// When there is no such cluster.
    pub fn http_port(&self) -> Result<u16> {
        Ok(self.ports()?.http)
    }

    /// The file with one line of JSON per write that the API server took.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.home.log("audit")
    }

    /// kubectl for this cluster.
    ///
    /// # Errors
    /// When kubectl's version is not known.
    pub fn kubectl(&self) -> Result<Command> {
        Ok(self.program(tools::KUBECTL.folder()?.join("kubectl")))
    }

    /// Helm for this cluster. Build it first with [`tools::HELM`].
    ///
    /// # Errors
    /// When Helm's version is not known.
    pub fn helm(&self) -> Result<Command> {
        Ok(self.program(tools::HELM.folder()?.join("helm")))
    }

    /// Whether the nodes were given this content under this name before.
    pub(crate) fn was_given(&self, built: &Built) -> bool {
        let record = self.home.path(&record(built));
        std::fs::read_to_string(record).is_ok_and(|key| key == built.key)
    }

    /// Writes down that the nodes were given an image.
    pub(crate) fn note_given(&self, built: &Built) -> Result<()> {
        self.home.write(&record(built), &built.key)
    }

    pub(crate) fn state(&self) -> Result<State> {
        self.home.state().with_context(|| {
            format!(
                "there is no cluster {0}: `cargo xtask up --name {0}`",
                self.name
            )
        })
    }

    fn program(&self, path: PathBuf) -> Command {
        let mut command = Command::new(path);
        command
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null());
        command
    }
}

fn record(built: &Built) -> String {
    format!("loaded/{}", file_name(&built.tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_everywhere_it_ends_up() {
        assert!(Cluster::open("appstack").is_ok());
        assert!(Cluster::open("ci-7").is_ok());
        for name in ["", "Big", "a/b", "../x", "-x", &"x".repeat(31)] {
            assert!(Cluster::open(name).is_err(), "{name}");
        }
    }
}
