//! Names content by its hash, so that what has not changed is neither built nor loaded again. Reads files, writes none.

use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The key of a folder without some of what lies in it.
///
/// # Errors
/// When something in it cannot be read.
pub fn key_of(folder: &Path, without: &[&str]) -> Result<String> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut hash = Sha256::new();
    for entry in entries
        .iter()
        .filter(|entry| !without.iter().any(|name| entry.file_name() == *name))
    {
        hash.update(entry.file_name().to_string_lossy().as_bytes());
        add_folder(&mut hash, &entry.path())?;
    }
    Ok(short(hash))
}

/// Adds a file or folder: relative paths, whether a file may run, and bytes. Times and owners do not count.
///
/// # Errors
/// When something in it cannot be read.
pub fn add_folder(hash: &mut Sha256, path: &Path) -> Result<()> {
    add(hash, path, Path::new("")).with_context(|| format!("cannot read {}", path.display()))
}

/// The first digits of a hash: enough to tell apart what one user builds.
#[must_use]
pub fn short(hash: Sha256) -> String {
    use std::fmt::Write;
    hash.finalize()
        .iter()
        .take(8)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn add(hash: &mut Sha256, path: &Path, name: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::symlink_metadata(path)?;
    hash.update(name.to_string_lossy().as_bytes());
    hash.update([0]);
    if metadata.is_symlink() {
        hash.update(std::fs::read_link(path)?.to_string_lossy().as_bytes());
    } else if metadata.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<std::io::Result<_>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            add(hash, &entry.path(), &name.join(entry.file_name()))?;
        }
    } else {
        hash.update([u8::from(metadata.permissions().mode() & 0o100 != 0)]);
        hash.update(metadata.len().to_le_bytes());
        std::io::copy(&mut std::fs::File::open(path)?, hash)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &Path) -> String {
        let mut hash = Sha256::new();
        add_folder(&mut hash, path).unwrap();
        short(hash)
    }

    #[test]
    fn the_key_follows_names_and_bytes() {
        let folder = std::env::temp_dir().join(format!("content-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a"), "1").unwrap();
        let first = key(&folder);
        assert_eq!(first, key(&folder));
        std::fs::write(folder.join("a"), "2").unwrap();
        assert_ne!(first, key(&folder));
        std::fs::write(folder.join("a"), "1").unwrap();
        std::fs::rename(folder.join("a"), folder.join("b")).unwrap();
        assert_ne!(first, key(&folder));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
