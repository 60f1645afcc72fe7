//! Packages from PyPI for the tests, in folders of their own below the user's cache. Touches no other installation.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What is said when there is no Python.
pub(crate) const MISSING: &str = "python3 with pip is needed (Debian: apt install python3-pip)";

/// The folder with this name below that of `kind`, filled with packages when it is missing: `what` is what pip is
/// to install.
pub(crate) fn packages(kind: &str, name: &str, what: &[&str]) -> PathBuf {
    let folder = cache().join(kind).join(name);
    if !folder.exists() {
        install(&folder, what);
    }
    folder
}

/// Unpacks into a folder beside it and renames: two test runs at once don't see each other's half.
fn install(folder: &Path, what: &[&str]) {
    let part = folder.with_extension(format!("part-{}", std::process::id()));
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps"];
    let into = ["--only-binary=:all:", "--target", part.to_str().unwrap()];
    run(&[&pip[..], &into, what].concat());
    if let Err(error) = fs::rename(&part, folder) {
        assert!(folder.exists(), "cannot keep {}: {error}", folder.display());
        fs::remove_dir_all(&part).unwrap(); // another run was faster
    }
}

/// What Python writes.
pub(crate) fn run(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("python3").args(arguments).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect(MISSING);
    assert!(
        status.success(),
        "{MISSING}:\n{}",
        String::from_utf8_lossy(&stderr)
    );
    stdout
}

fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    cache
        .expect("neither XDG_CACHE_HOME nor HOME is set")
        .join("appstack")
}
