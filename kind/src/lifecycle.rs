//! What is done with a cluster: up, down, images built and loaded, a container killed. Chooses the way to run it, and lets runs that meet wait
//! for each other.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, Options};
use crate::docker::{self, Docker};
use crate::images::standin;
use crate::images::{Built, Image};
use crate::native::Native;
use crate::ports::Ports;
use crate::progress::{Progress, seconds};
use crate::provider::Provider;
use crate::state::{Kind, State};
use crate::{api, command, lock, machine, manifests};

impl Cluster {
    /// Makes the machine ready to build and to hold it. Does nothing when it is.
    ///
    /// # Errors
    /// When the machine cannot hold it: what is missing.
    pub async fn prepare(&self, progress: &Progress) -> Result<()> {
        for_new(self).await.prepare(progress).await
    }

    /// Whether most of what it is made of has to be compiled yet, which takes many minutes.
    ///
    /// # Errors
    /// When the user's cache folder is not known.
    pub async fn is_first_of_machine(&self) -> Result<bool> {
        let is_native = kind_for_new(self).await == Kind::Native;
        Ok(is_native && !machine::tools_are_built()?)
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
                self.name()
            ));
            lock::take(&self.lock_name()).await?
        };
        if self.is_up().await {
            self.has_ports(options)?;
            ensure!(
                manifests::are_applied(self, self.state()?.kind)?,
                "cluster {0} was made with other objects than those in kind/manifests: `cargo xtask down --name {0}` first",
                self.name()
            );
            progress.say(&format!("cluster {} is up already", self.name()));
            return Ok(());
        }
        let provider = for_new(self).await;
        provider.prepare(progress).await?;
        provider.start(self, options, progress).await?;
        Box::pin(manifests::wait(self, progress)).await?;
        self.home().write_state(&State {
            ready: true,
            ..self.state()?
        })?;
        progress.say(&format!(
            "cluster {} is up after {}",
            self.name(),
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
        let Some(state) = self.home().state() else {
            // A run that was cut off may have left a folder without a record.
            return self.home().remove();
        };
        let part = progress.part(format!("remove {}", self.name()));
        of(state.kind).stop(self).await?;
        self.home().remove()?;
        part.done("");
        Ok(())
    }

    /// Whether it came up and its API server answers now.
    pub async fn is_up(&self) -> bool {
        let ready = self
            .home()
            .state()
            .is_some_and(|state| state.ready && of(state.kind).runs(self));
        ready && matches!(self.client().await, Ok(client) if api::is_ready(&client).await)
    }

    /// Builds an image for this cluster, unless its content was built before. The cluster need not be up yet.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn build(&self, image: &Image, progress: &Progress) -> Result<Built> {
        for_new(self).await.build(image, progress).await
    }

    /// Loads a built image into the nodes, unless they have its content already.
    ///
    /// # Errors
    /// When the nodes do not take it.
    pub async fn load(&self, built: &Built) -> Result<()> {
        self.provider()?.load_once(self, built).await
    }

    /// Makes what stands in for a public image on nodes that can pull nothing. With Docker they pull it themselves, and
    /// there is nothing to load. The cluster need not be up yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn stand_in(&self, tag: &str, progress: &Progress) -> Result<Option<Built>> {
        if kind_for_new(self).await == Kind::Docker {
            return Ok(None);
        }
        let made = standin::of_name(tag, progress).await?;
        let made = made.with_context(|| format!("there is nothing that stands in for {tag}"))?;
        Ok(Some(made))
    }

    /// Makes sure that nodes which can pull nothing have this public image.
    ///
    /// # Errors
    /// When it cannot be made or loaded.
    pub async fn provide(&self, tag: &str, progress: &Progress) -> Result<()> {
        match self.stand_in(tag, progress).await? {
            Some(built) => self.load(&built).await,
            None => Ok(()),
        }
    }

    /// Loads an OCI or Docker archive as it is.
    ///
    /// # Errors
    /// When the nodes do not take it.
    pub async fn load_archive(&self, archive: &Path) -> Result<()> {
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

    /// Ends the first process of a container at once, as a machine that fails does: it hears nothing of it before. The
    /// container is named as in the status of its pod.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self, container: &str) -> Result<()> {
        let (_, id) = container
            .split_once("://")
            .with_context(|| format!("{container} names no container"))?;
        let mut ctr = self.provider()?.ctr(self);
        ctr.args(["tasks", "kill", "--signal", "SIGKILL", id]);
        command::output(&mut ctr).await.map(drop)
    }

    /// The ports of a running cluster cannot be changed, and to be silent about that would help nobody.
    fn has_ports(&self, options: Options) -> Result<()> {
        let wanted = options.port_base.map(Ports::block);
        let fits = wanted.is_none_or(|wanted| self.ports().is_ok_and(|ports| ports == wanted));
        ensure!(
            fits,
            "cluster {0} is up with other ports: `cargo xtask down --name {0}` first",
            self.name()
        );
        Ok(())
    }

    fn provider(&self) -> Result<&'static dyn Provider> {
        Ok(of(self.state()?.kind))
    }

    fn lock_name(&self) -> String {
        format!("cluster-{}", self.name())
    }
}

/// The provider of a cluster that is written down.
fn of(kind: Kind) -> &'static dyn Provider {
    match kind {
        Kind::Docker => &Docker,
        Kind::Native => &Native,
    }
}

/// The provider of a cluster that may have to start yet.
async fn for_new(cluster: &Cluster) -> &'static dyn Provider {
    of(kind_for_new(cluster).await)
}

/// How a cluster runs, or will: as it did before, in Docker where an engine answers, or in our own way.
async fn kind_for_new(cluster: &Cluster) -> Kind {
    match cluster.home().state() {
        Some(state) => state.kind,
        None if docker::answers().await => Kind::Docker,
        None => Kind::Native,
    }
}
