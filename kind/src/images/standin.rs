//! Images that cannot be pulled on a machine without a registry, made under the same names: from Go modules and Debian
//! packages. With Docker the real ones are pulled and none of this runs.

use std::path::PathBuf;

use anyhow::Result;

use crate::images::image::{Built, Image, archive};
use crate::images::{bases, buildah};
use crate::progress::Progress;
use crate::tools::{self, Tool};

pub use crate::images::bases::{ADMINER_TAG, NGINX_TAG, POSTGRES_TAG};

/// The image that holds a pod's namespaces open.
pub const PAUSE_TAG: &str = "registry.k8s.io/pause:appstack";

/// The mail catcher, as the operator runs it.
pub const MAILPIT_TAG: &str = "docker.io/axllent/mailpit:v1.27.11";

/// An image that holds one program.
#[derive(Debug)]
struct Program {
    tag: &'static str,
    folder: &'static str,
    tool: Tool,
}

/// The images of the cluster itself.
const OF_THE_NODE: [Program; 4] = [
    Program {
        tag: PAUSE_TAG,
        folder: "pause",
        tool: tools::PAUSE,
    },
    Program {
        tag: "registry.k8s.io/coredns/coredns:v1.13.1",
        folder: "coredns",
        tool: tools::COREDNS,
    },
    Program {
        tag: "docker.io/library/traefik:v3.6.12",
        folder: "traefik",
        tool: tools::TRAEFIK,
    },
    Program {
        tag: "registry.k8s.io/networking/kube-network-policies:v0.8.0",
        folder: "kube-network-policies",
        tool: tools::KUBE_NETWORK_POLICIES,
    },
];

const MAILPIT: Program = Program {
    tag: MAILPIT_TAG,
    folder: "mailpit",
    tool: tools::MAILPIT,
};

/// The images of cert-manager and of the certificate authority, as `authority` runs them.
const OF_THE_AUTHORITY: [Program; 5] = [
    cert_manager(
        "quay.io/jetstack/cert-manager-controller:v1.21.2",
        "cert-manager-controller",
    ),
    cert_manager(
        "quay.io/jetstack/cert-manager-webhook:v1.21.2",
        "cert-manager-webhook",
    ),
    cert_manager(
        "quay.io/jetstack/cert-manager-cainjector:v1.21.2",
        "cert-manager-cainjector",
    ),
    cert_manager(
        "quay.io/jetstack/cert-manager-acmesolver:v1.21.2",
        "cert-manager-acmesolver",
    ),
    Program {
        tag: "ghcr.io/letsencrypt/pebble:2.10.3",
        folder: "pebble",
        tool: tools::PEBBLE,
    },
];

/// One of its parts, all of which are one program.
const fn cert_manager(tag: &'static str, folder: &'static str) -> Program {
    Program {
        tag,
        folder,
        tool: tools::CERT_MANAGER,
    }
}

/// The tags of the images of cert-manager and of the certificate authority.
pub fn of_the_authority() -> impl Iterator<Item = &'static str> {
    OF_THE_AUTHORITY.iter().map(|it| it.tag)
}

/// The images that every native node has, built: those of the cluster itself, and those that every local environment runs
/// or begins with.
///
/// # Errors
/// When a program or an image cannot be built.
pub async fn of_every_node(progress: &Progress) -> Result<Vec<Built>> {
    let programs = OF_THE_NODE.iter().chain([&MAILPIT]);
    let programs = programs.map(|program| program.build(progress));
    let bases = [POSTGRES_TAG, NGINX_TAG, ADMINER_TAG].map(|tag| of_name(tag, progress));
    let (mut built, bases) = futures::try_join!(
        futures::future::try_join_all(programs),
        futures::future::try_join_all(bases)
    )?;
    built.extend(bases.into_iter().flatten());
    Ok(built)
}

/// An image under the name of one that would be pulled, built; nothing when we have none of that name.
///
/// # Errors
/// When it cannot be built.
pub async fn of_name(tag: &str, progress: &Progress) -> Result<Option<Built>> {
    let mut programs = OF_THE_AUTHORITY.iter().chain([&MAILPIT]);
    if let Some(program) = programs.find(|it| it.tag == tag) {
        return program.build(progress).await.map(Some);
    }
    let Some(base) = bases::base(tag) else {
        return Ok(None);
    };
    let context = base.lay_context(progress).await?;
    let image = Image::new(base.tag, dockerfile(base.folder), context).of_content(base.key()?);
    buildah::build(&image, progress).await.map(Some)
}

/// Builds an image unless its content was built before; the images that it begins with are made where they are ours.
///
/// # Errors
/// When the Dockerfile cannot be built.
pub async fn build(image: &Image, progress: &Progress) -> Result<Built> {
    // An image that is in its archive already needs its bases no more.
    if !archive(&image.tag, &image.key()?)?.exists() {
        for base in image.bases()? {
            ensure_base(&base, progress).await?;
        }
    }
    buildah::build(image, progress).await
}

/// Makes sure that the storage holds the base image of this name, when it is one of ours.
async fn ensure_base(tag: &str, progress: &Progress) -> Result<()> {
    let Some(base) = bases::base(tag) else {
        return Ok(());
    };
    let known_as = format!("localhost/base:{}", base.key()?);
    if buildah::holds(&known_as).await? && buildah::holds(tag).await? {
        return Ok(());
    }
    let context = base.lay_context(progress).await?;
    buildah::bud(&Image::new(tag, dockerfile(base.folder), context)).await?;
    buildah::name(tag, &known_as).await
}

fn dockerfile(folder: &str) -> PathBuf {
    bases::folder(folder).join("Dockerfile")
}

impl Program {
    async fn build(&self, progress: &Progress) -> Result<Built> {
        let context = self.tool.build(progress).await?;
        let image =
            Image::new(self.tag, dockerfile(self.folder), context).of_content(self.tool.key()?);
        buildah::build(&image, progress).await
    }
}
