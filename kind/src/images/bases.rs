//! The images that others begin with and that cannot be pulled on a machine without a registry: what each is made of, by
//! which hash it is known, and the folder that it is built from.

use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::progress::Progress;
use crate::{command, content, folders, lock};

/// The database, as the operator's local environment runs it.
pub const POSTGRES_TAG: &str = "docker.io/library/postgres:18";
/// What shows the data of a local stack, as the operator runs it.
pub const ADMINER_TAG: &str = "docker.io/library/adminer:4.8.1";
/// What the frontend is built on.
pub const NGINX_TAG: &str = "docker.io/nginxinc/nginx-unprivileged:1.29";

/// What base images leave out.
const LEFT_OUT: [&str; 3] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
];

/// What no server of ours reads, removed once the packages are configured, which took some of it: the service manager, the
/// package manager with what it knows, sources and tables of character sets. It is a third of the bytes. Perl stays: the
/// official image of PostgreSQL has it too.
const REMOVED: [&str; 11] = [
    "etc/systemd",
    "usr/lib/*/gconv",
    "usr/lib/*/libapt-*",
    "usr/lib/*/systemd",
    "usr/lib/apt",
    "usr/lib/systemd",
    "usr/share/i18n",
    "usr/share/info",
    "var/cache/debconf",
    "var/lib/dpkg",
    "var/lib/systemd",
];

/// A base image made from Debian packages.
#[derive(Debug)]
pub(super) struct Base {
    pub tag: &'static str,
    pub folder: &'static str,
    /// The Debian release.
    suite: &'static str,
    packages: &'static str,
    /// What is done in the root file system, `$1`, and when, as an option of mmdebstrap.
    hook: &'static str,
}

const BASES: [Base; 3] = [
    Base {
        tag: ADMINER_TAG,
        folder: "adminer",
        suite: "bookworm",
        packages: "php-cli,php-pgsql",
        // The package of Adminer itself asks for a web server.
        hook: r#"--customize-hook=cd "$(mktemp -d)" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -qq download adminer && dpkg -x adminer_*.deb "$1""#,
    },
    Base {
        tag: NGINX_TAG,
        folder: "nginx",
        suite: "bookworm",
        packages: "ca-certificates,nginx-light",
        hook: r#"--customize-hook=ln -sf /dev/stdout "$1/var/log/nginx/access.log"; ln -sf /dev/stderr "$1/var/log/nginx/error.log""#,
    },
    Base {
        tag: POSTGRES_TAG,
        folder: "postgres",
        // The first one with this version; like the official image it has the modules of contrib and speaks TLS.
        suite: "forky",
        packages: "ca-certificates,passwd,postgresql-18",
        // The user as the official image has it, and no database: the entrypoint makes that.
        hook: r#"--essential-hook=mkdir -p "$1/etc/postgresql-common"
            echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"
            echo postgres:x:999: >> "$1/etc/group"
            echo postgres:x:999:999::/var/lib/postgresql:/bin/bash >> "$1/etc/passwd""#,
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
        for part in [self.suite, self.packages, self.hook] {
            hash.update(part);
        }
        for path in REMOVED {
            hash.update(path);
        }
        content::short(hash)
    }

    /// Lays everything that the Dockerfile copies into one folder: packages once, our own files each time.
    pub(super) async fn lay_context(&self, progress: &Progress) -> Result<PathBuf> {
        let name = format!("{}-{}", self.folder, self.materials_key());
        let context = folders::cache()?.join("contexts").join(name);
        let _held = lock::take(&format!("context-{}", self.folder)).await?;
        if !context.is_dir() {
            let part = progress.long_part(format!("packages of {}", self.folder), 3);
            let unfinished = context.with_extension("unfinished");
            if unfinished.exists() {
                std::fs::remove_dir_all(&unfinished)?;
            }
            std::fs::create_dir_all(&unfinished)?;
            self.root_file_system(&unfinished.join("rootfs.tar"))
                .await?;
            std::fs::rename(&unfinished, &context)?;
            part.done("");
        }
        for entry in std::fs::read_dir(folder(self.folder))? {
            let entry = entry?;
            std::fs::copy(entry.path(), context.join(entry.file_name()))?;
        }
        Ok(context)
    }

    async fn root_file_system(&self, archive: &Path) -> Result<()> {
        // What it mounts in its folder is gone with it, even if it is killed.
        let mut mmdebstrap = Command::new("unshare");
        mmdebstrap.args(["--mount", "mmdebstrap"]);
        mmdebstrap.args(["--variant=minbase", &format!("--include={}", self.packages)]);
        mmdebstrap.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
        // A mirror may stand still while a release that is not stable says how long it is good.
        mmdebstrap.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        mmdebstrap.arg(self.hook);
        mmdebstrap.arg(format!(
            r#"--customize-hook=cd "$1" && rm -rf {}"#,
            REMOVED.join(" ")
        ));
        mmdebstrap.arg(self.suite).arg(archive);
        command::output(&mut mmdebstrap).await.map(drop)
    }
}
