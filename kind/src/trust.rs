//! Puts the authority of a self-signed certificate where this machine's browsers and programs look for those that they trust, and
//! takes it out again. Linux alone; touches nothing that it did not put there.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;
use tokio::process::Command;

use crate::{Progress, command, machine};

/// Whoever trusts an authority for certificates of servers, and for nothing else.
const OF_SERVERS: &str = "C,,";
/// The folders of what programs trust, each with what is to be run after a change: of Debian, Fedora and Arch.
const SYSTEMS: [(&str, &[&str]); 3] = [
    (
        "/usr/local/share/ca-certificates",
        &["update-ca-certificates"],
    ),
    (
        "/etc/pki/ca-trust/source/anchors",
        &["update-ca-trust", "extract"],
    ),
    (
        "/etc/ca-certificates/trust-source/anchors",
        &["trust", "extract-compat"],
    ),
];
/// Where Firefox has its profiles, below the home folder.
const FIREFOX: [&str; 3] = [
    ".mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
];

/// A place where somebody looks for the authorities that he trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Programs such as curl.
    System {
        /// Where a file for each is.
        folder: PathBuf,
        /// What makes programs see a change.
        refresh: &'static [&'static str],
    },
    /// Browsers: Chromium and what is made of it, or a profile of Firefox.
    Browser(PathBuf),
}

/// The stores of this machine and of the user with this home folder.
#[must_use]
pub fn stores(home: &Path) -> Vec<Store> {
    let mut systems = SYSTEMS.into_iter();
    let system = systems.find(|(folder, _)| Path::new(folder).is_dir());
    let system = system.map(|(folder, refresh)| Store::System {
        folder: folder.into(),
        refresh,
    });
    system.into_iter().chain(browsers(home)).collect()
}

/// Those of browsers alone.
#[must_use]
pub fn browsers(home: &Path) -> Vec<Store> {
    // Chromium takes it up whenever it is made.
    let chromium = home.join(".pki/nssdb");
    let profiles = FIREFOX
        .iter()
        .filter_map(|it| home.join(it).read_dir().ok());
    let profiles = profiles.flatten().flatten().map(|it| it.path());
    let profiles = profiles.filter(|it| it.join("cert9.db").is_file());
    [chromium]
        .into_iter()
        .chain(profiles)
        .map(Store::Browser)
        .collect()
}

/// Makes sure that the stores of browsers can be changed.
///
/// # Errors
/// When certutil is missing and cannot be installed.
pub async fn prepare(progress: &Progress) -> Result<()> {
    machine::install(
        || {
            let missing = machine::on_path("certutil").is_none();
            Vec::from_iter(missing.then_some("libnss3-tools"))
        },
        progress,
    )
    .await
}

impl Store {
    /// Puts an authority in under a name; one that was there under it goes.
    ///
    /// # Errors
    /// When the store cannot be changed.
    pub async fn put(&self, name: &str, certificate: &Path) -> Result<()> {
        match self {
            Self::System { folder, refresh } => {
                let file = file(folder, name);
                let words = ["install", "-m", "644"].map(Path::new);
                as_root(words.into_iter().chain([certificate, &file])).await?;
                as_root(refresh.iter().map(Path::new)).await
            }
            Self::Browser(folder) => {
                // It would keep both.
                self.take_out(name).await?;
                if !folder.join("cert9.db").exists() {
                    std::fs::create_dir_all(folder)?;
                    certutil(folder, &["-N", "--empty-password"]).await?;
                }
                let certificate = certificate.display().to_string();
                let words = ["-A", "-n", name, "-t", OF_SERVERS, "-i", &certificate];
                certutil(folder, &words).await
            }
        }
    }

    /// Takes the authority of a name out; says whether it was there.
    ///
    /// # Errors
    /// When the store cannot be changed.
    pub async fn take_out(&self, name: &str) -> Result<bool> {
        match self {
            Self::System { folder, refresh } => {
                let file = file(folder, name);
                if !file.exists() {
                    return Ok(false);
                }
                as_root([Path::new("rm"), &file]).await?;
                as_root(refresh.iter().map(Path::new)).await?;
                Ok(true)
            }
            Self::Browser(folder) => {
                if !folder.join("cert9.db").exists() || !holds(folder, name).await {
                    return Ok(false);
                }
                certutil(folder, &["-D", "-n", name]).await?;
                Ok(true)
            }
        }
    }
}

impl std::fmt::Display for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System { folder, .. } => write!(out, "programs   {}", folder.display()),
            Self::Browser(folder) => write!(out, "browsers   {}", folder.display()),
        }
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.crt"))
}

async fn holds(folder: &Path, name: &str) -> bool {
    command::succeeds(&mut of_database(folder, &["-L", "-n", name])).await
}

async fn certutil(folder: &Path, words: &[&str]) -> Result<()> {
    command::output(&mut of_database(folder, words))
        .await
        .map(drop)
}

fn of_database(folder: &Path, words: &[&str]) -> Command {
    let mut certutil = Command::new("certutil");
    certutil
        .args(["-d", &format!("sql:{}", folder.display())])
        .args(words);
    certutil
}

/// Runs a program as root, who is asked for a password where somebody else runs this.
async fn as_root(words: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<()> {
    let sudo = (!geteuid().is_root()).then(|| PathBuf::from("sudo"));
    let words = words.into_iter().map(|it| it.as_ref().to_owned());
    let mut words = sudo.into_iter().chain(words);
    let program = words.next().context("no program")?;
    let mut command = Command::new(&program);
    command.args(words).stdout(Stdio::null()).kill_on_drop(true);
    let status = command.status().await;
    let status = status.with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(
        status.success(),
        "{} ended with {status}",
        program.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_chromium_and_each_profile_of_firefox() {
        let home = std::env::temp_dir().join(format!("appstack-trust-{}", std::process::id()));
        let profile = home.join(".mozilla/firefox/x.default");
        std::fs::create_dir_all(&profile).unwrap();
        let none = home.join(".mozilla/firefox/Crash Reports");
        std::fs::create_dir_all(none).unwrap();
        std::fs::write(profile.join("cert9.db"), "").unwrap();
        let chromium = Store::Browser(home.join(".pki/nssdb"));
        let found = browsers(&home);
        std::fs::remove_dir_all(&home).unwrap();
        assert_eq!(found, [chromium, Store::Browser(profile)]);
    }
}
