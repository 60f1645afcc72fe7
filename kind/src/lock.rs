//! A lock on a name, between processes: two runs that want the same thing make it once. Holds nothing but the lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

use crate::folders;

/// Held as long as the value lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of this name, and waits for it when another run has it.
///
/// # Errors
/// When the lock file cannot be made.
pub async fn take(name: &str) -> Result<Lock> {
    let path = folders::cache()?.join("locks").join(name);
    tokio::task::spawn_blocking(move || take_blocking(&path)).await?
}

/// Takes the lock if nobody has it.
///
/// # Errors
/// When the lock file cannot be made.
pub fn try_take(name: &str) -> Result<Option<Lock>> {
    let file = open(&folders::cache()?.join("locks").join(name))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn take_blocking(path: &Path) -> Result<Lock> {
    let file = open(path)?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(Lock { _file: file })
}

fn open(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}
