//! What an image is named, what its content is, and where a built one lies. Builds none.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::images::{bases, dockerfile};
use crate::{content, folders};

/// An image to build.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its full name with a tag.
    pub tag: String,
    /// Its Dockerfile.
    pub dockerfile: PathBuf,
    /// The folder that the Dockerfile copies from.
    pub context: PathBuf,
    /// Values for the `ARG` lines of the Dockerfile.
    pub build_args: Vec<(String, String)>,
    /// What the context holds, where that is known without reading all of it.
    pub context_key: Option<String>,
}

/// An image that was built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Built {
    /// Its full name with a tag.
    pub tag: String,
    /// The hash of its content.
    pub key: String,
    /// The file that holds it; without one the Docker engine has it.
    pub archive: Option<PathBuf>,
}

impl Image {
    /// An image without build arguments.
    #[must_use]
    pub fn new(
        tag: impl Into<String>,
        dockerfile: impl Into<PathBuf>,
        context: impl Into<PathBuf>,
    ) -> Self {
        Self {
            tag: tag.into(),
            dockerfile: dockerfile.into(),
            context: context.into(),
            build_args: Vec::new(),
            context_key: None,
        }
    }

    /// The same image, with a key that stands for its context.
    #[must_use]
    pub fn of_content(mut self, key: String) -> Self {
        self.context_key = Some(key);
        self
    }

    /// The hash of everything that goes into the image. What the Dockerfile does not copy does not count, so that a
    /// context may hold more than the image.
    ///
    /// # Errors
    /// When the Dockerfile or a file that it copies cannot be read.
    pub fn key(&self) -> Result<String> {
        let text = self.text()?;
        let mut hash = Sha256::new();
        hash.update(&text);
        hash.update(std::env::consts::ARCH);
        for (name, value) in &self.build_args {
            hash.update(format!("{name}={value}\n"));
        }
        match &self.context_key {
            Some(key) => hash.update(key),
            None => self.add_copied(&mut hash, &text)?,
        }
        for base in self.bases()? {
            hash.update(bases::key_of(&base)?.unwrap_or_default());
        }
        Ok(content::short(hash))
    }

    fn add_copied(&self, hash: &mut Sha256, dockerfile: &str) -> Result<()> {
        for source in dockerfile::copied(dockerfile) {
            content::add_folder(hash, &self.context.join(source))?;
        }
        Ok(())
    }

    /// The images that it begins with.
    pub(crate) fn bases(&self) -> Result<Vec<String>> {
        Ok(dockerfile::bases(&self.text()?, &self.build_args))
    }

    fn text(&self) -> Result<String> {
        std::fs::read_to_string(&self.dockerfile)
            .with_context(|| format!("cannot read {}", self.dockerfile.display()))
    }
}

/// Where the archive of an image lies once it is built.
pub(crate) fn archive(tag: &str, key: &str) -> Result<PathBuf> {
    Ok(folders::cache()?
        .join("images")
        .join(format!("{}-{key}.tar", file_name(tag))))
}

/// Removes archives of the same image but the newest few: branches that people go back and forth between stay quick.
pub(crate) fn forget_old_archives(tag: &str) -> Result<()> {
    const KEPT: usize = 3;
    let prefix = format!("{}-", file_name(tag));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folders::cache()?.join("images"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            found.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    found.sort();
    for (_, path) in found.iter().rev().skip(KEPT) {
        remove(path);
    }
    Ok(())
}

/// A file name that stands for an image's name.
pub(crate) fn file_name(tag: &str) -> String {
    tag.replace(['/', ':'], "_")
}

/// Another run may have removed it first; either way it is gone.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_copied_counts() {
        let folder = std::env::temp_dir().join(format!("image-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY app /app\n").unwrap();
        std::fs::write(folder.join("app"), "1").unwrap();
        let image = Image::new("example.org/app:1", folder.join("Dockerfile"), &folder);
        let first = image.key().unwrap();
        std::fs::write(folder.join("notes"), "not part of it").unwrap();
        assert_eq!(first, image.key().unwrap());
        std::fs::write(folder.join("app"), "2").unwrap();
        assert_ne!(first, image.key().unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
