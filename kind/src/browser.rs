//! A browser for the stories of the pages: one that is on the path, or Debian's. Starts none.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::machine;
use crate::progress::Progress;

/// Programs that are the same browser under other names, the best first.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// What Debian calls it.
const PACKAGE: &str = "chromium";
const INSTALL: &str = "there is no browser: install Chromium or Google Chrome, so that `chromium`, `chromium-browser` or \
     `google-chrome` is on the path";

/// The browser of this machine, where it has one.
#[must_use]
pub fn find() -> Option<PathBuf> {
    NAMES.into_iter().find_map(machine::on_path)
}

/// The browser of this machine; where it has none, Debian's is installed.
///
/// # Errors
/// One sentence that says what to do where it cannot be installed.
pub async fn provide(progress: &Progress) -> Result<PathBuf> {
    if let Some(browser) = find() {
        return Ok(browser);
    }
    ensure!(machine::can_install(), "{INSTALL}");
    let missing = || match find() {
        Some(_) => Vec::new(),
        None => vec![PACKAGE],
    };
    machine::install(missing, progress).await?;
    // On some relatives of Debian it only names the way to another shop.
    find().context(INSTALL)
}
