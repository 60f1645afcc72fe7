//! What is written down about a cluster, and where its files are. Starts and stops nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::folders;
use crate::ports::Ports;

/// How a cluster runs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In Docker, by kind.
    Docker,
    /// In Linux namespaces of its own.
    Native,
}

/// The record of a cluster, `state.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct State {
    /// How it runs.
    pub kind: Kind,
    /// What it publishes on the loopback.
    pub ports: Ports,
    /// Where the API server answers on the loopback (native).
    pub api_port: u16,
    /// The process that holds the node (native).
    pub node: Option<Process>,
    /// Whether all parts of the cluster came up once since the node was started.
    pub ready: bool,
}

/// A process, told apart from a later one with the same number by the moment it started.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Clock ticks since the machine started.
    pub started: u64,
}

impl Process {
    /// The running process of this number.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        started(&stat).map(|started| Self { pid, started })
    }

    /// Whether it still runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// The processes that it started itself.
    #[must_use]
    pub fn children(&self) -> Vec<Self> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid);
        let listed = std::fs::read_to_string(path).unwrap_or_default();
        listed
            .split_whitespace()
            .filter_map(|pid| Self::of(pid.parse().ok()?))
            .collect()
    }
}

/// The 22nd field of `/proc/<pid>/stat`, unless the process is dead already. The second field is the program's name in
/// brackets and may hold blanks and brackets itself.
fn started(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let status = fields.next()?;
    if matches!(status, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The folder of one cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// The folder of the cluster of this name.
    ///
    /// # Errors
    /// When the user's cache folder is not known.
    pub fn of(name: &str) -> Result<Self> {
        Ok(Self {
            folder: folders::clusters()?.join(name),
        })
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The log of a part of the node.
    #[must_use]
    pub fn log(&self, part: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{part}.log"))
    }

    /// The record, when there is one that can be read.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        serde_json::from_slice(&std::fs::read(self.path("state.json")).ok()?).ok()
    }

    /// Writes the record whole: a reader finds the old one or the new one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_state(&self, state: &State) -> Result<()> {
        self.write("state.json", &serde_json::to_string_pretty(state)?)
    }

    /// Writes a file whole, and makes the folders above it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        let unfinished = path.with_extension("unfinished");
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&unfinished, text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        std::fs::rename(&unfinished, &path)?;
        Ok(())
    }

    /// Removes the folder with all that is in it.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub(crate) fn remove(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.folder.display()))
            }
            _ => Ok(()),
        }
    }
}

/// The ports of every cluster that is written down but this one.
///
/// # Errors
/// When the user's cache folder is not known.
pub fn ports_of_others(name: &str) -> Result<Vec<Ports>> {
    let Ok(entries) = std::fs::read_dir(folders::clusters()?) else {
        return Ok(Vec::new());
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let others = names
        .filter(|other| other != name)
        .filter_map(|other| Home::of(&other).ok()?.state());
    Ok(others.map(|state| state.ports).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.runs());
        assert!(
            !Process {
                started: own.started + 1,
                ..own
            }
            .runs()
        );
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 4242 10 10";
        assert_eq!(started(stat), Some(4242));
        assert_eq!(started(&stat.replace(" S ", " Z ")), None);
    }
}
