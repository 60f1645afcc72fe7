//! A cluster by its name: brings it up and down, and says where it answers. How that is done is its provider's.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use kube::Client;
use tokio::process::Command;

use crate::images::{Built, Image, standin};
use crate::ports::Ports;
use crate::progress::{Progress, seconds};
use crate::provider::{self, Provider};
use crate::state::{Home, State};
use crate::tools;
use crate::{api, images, lock, manifests};

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

    /// Brings it up with DNS, storage and Traefik. Does nothing when it is up.
    ///
    /// # Errors
    /// When the machine cannot hold it, or a part does not come up: which one and why.
    pub async fn up(&self, options: Options, progress: &Progress) -> Result<()> {
        let _held = if let Some(lock) = lock::try_take(&self.lock_name())? {
            lock
        } else {
            progress.say(&format!(
                "another run works on {}: waiting for it",
                self.name
            ));
            lock::take(&self.lock_name()).await?
        };
        if self.is_up().await {
            self.has_ports(options)?;
            progress.say(&format!("cluster {} is up already", self.name));
            return Ok(());
        }
        let provider = provider::for_new(self).await?;
        provider.start(self, options, progress).await?;
        Box::pin(manifests::wait(self, progress)).await?;
        self.home.write_state(&State {
            ready: true,
            ..self.state()?
        })?;
        progress.say(&format!(
            "cluster {} is up after {}",
            self.name,
            seconds(progress.elapsed())
        ));
        Ok(())
    }

    /// Removes it with everything that it holds. Does nothing when there is none.
    ///
    /// # Errors
    /// When something of it cannot be removed.
    pub async fn down(&self, progress: &Progress) -> Result<()> {
        let _held = lock::take(&self.lock_name()).await?;
        let Some(state) = self.home.state() else {
            // A run that was cut off may have left a folder without a record.
            return self.home.remove();
        };
        let part = progress.part(format!("remove {}", self.name));
        provider::of(state.kind).stop(self).await?;
        self.home.remove()?;
        part.done("");
        Ok(())
    }

    /// Whether it came up and its API server answers now.
    pub async fn is_up(&self) -> bool {
        let ready = self
            .home
            .state()
            .is_some_and(|state| state.ready && provider::of(state.kind).runs(self));
        ready && matches!(self.client().await, Ok(client) if api::is_ready(&client).await)
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

    /// Builds an image for this cluster, unless its content was built before.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn build(&self, image: &Image, progress: &Progress) -> Result<Built> {
        self.provider()?.build(image, progress).await
    }

    /// Loads a built image into the nodes, unless they have its content already.
    ///
    /// # Errors
    /// When the nodes do not take it.
    pub async fn load(&self, built: &Built) -> Result<()> {
        let record = format!("loaded/{}", images::file_name(&built.tag));
        if std::fs::read_to_string(self.home.path(&record)).is_ok_and(|key| key == built.key) {
            return Ok(());
        }
        self.provider()?
            .load(self, built)
            .await
            .with_context(|| format!("cannot load {}", built.tag))?;
        self.home.write(&record, &built.key)
    }

    /// Makes sure that nodes which can pull nothing have this public image. With Docker they pull it themselves.
    ///
    /// # Errors
    /// When it cannot be made or loaded.
    pub async fn provide(&self, tag: &str, progress: &Progress) -> Result<()> {
        if self.state()?.kind == crate::state::Kind::Docker {
            return Ok(());
        }
        match standin::of_name(tag, progress).await? {
            Some(built) => self.load(&built).await,
            None => bail!("there is nothing that stands in for {tag}"),
        }
    }

    /// Loads an OCI or Docker archive as it is.
    ///
    /// # Errors
    /// When the nodes do not take it.
    pub async fn load_archive(&self, archive: &std::path::Path) -> Result<()> {
        ensure!(archive.is_file(), "{} is no file", archive.display());
        let built = Built {
            tag: String::new(),
            key: String::new(),
            archive: Some(archive.to_owned()),
        };
        self.provider()?
            .load(self, &built)
            .await
            .with_context(|| format!("cannot load {}", archive.display()))
    }

    pub(crate) fn state(&self) -> Result<State> {
        self.home.state().with_context(|| {
            format!(
                "there is no cluster {0}: `cargo xtask up --name {0}`",
                self.name
            )
        })
    }

    /// The ports of a running cluster cannot be changed, and to be silent about that would help nobody.
    fn has_ports(&self, options: Options) -> Result<()> {
        let wanted = options.port_base.map(Ports::block);
        let fits = wanted.is_none_or(|wanted| self.ports().is_ok_and(|ports| ports == wanted));
        ensure!(
            fits,
            "cluster {0} is up with other ports: `cargo xtask down --name {0}` first",
            self.name
        );
        ensure!(
            self.ports()?.mail != 0,
            "cluster {0} was made before the mail catcher was published: `cargo xtask down --name {0}` first",
            self.name
        );
        Ok(())
    }

    fn provider(&self) -> Result<&'static dyn Provider> {
        Ok(provider::of(self.state()?.kind))
    }

    fn program(&self, path: PathBuf) -> Command {
        let mut command = Command::new(path);
        command
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null());
        command
    }

    fn lock_name(&self) -> String {
        format!("cluster-{}", self.name)
    }
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
