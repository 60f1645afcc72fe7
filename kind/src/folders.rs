//! Where everything is kept: one cache folder per user, shared by all clones of the repository. Makes no decisions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The cache folder of this product: `$XDG_CACHE_HOME/appstack`, or `~/.cache/appstack`.
///
/// # Errors
/// When neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(
            std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?,
        )
        .join(".cache"),
    };
    Ok(base.join("appstack"))
}

/// The folder that holds one folder per cluster.
///
/// # Errors
/// As [`cache`].
pub fn clusters() -> Result<PathBuf> {
    Ok(cache()?.join("clusters"))
}

/// A path in the repository, from its root.
#[must_use]
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("/"))
        .join(path)
}

/// A path in this crate's folder, `kind/`.
#[must_use]
pub fn in_kind(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
