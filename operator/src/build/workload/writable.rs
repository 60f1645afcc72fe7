//! The folders that an image may write to beside `/tmp`: an empty volume for each, named by its path, so that one more
//! renames no other.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Volume, VolumeMount};

use crate::build::workload::pod;
use crate::model::hash::short_hash;
use crate::model::names;

/// The volumes of these folders.
pub(in crate::build) fn volumes(paths: &BTreeSet<String>) -> impl Iterator<Item = Volume> {
    paths.iter().map(|path| pod::empty(&volume(path)))
}

/// Where a container finds them.
pub(in crate::build) fn mounts(paths: &BTreeSet<String>) -> impl Iterator<Item = VolumeMount> {
    paths.iter().map(|path| pod::mount(&volume(path), path))
}

/// The name of a folder's volume.
fn volume(path: &str) -> String {
    format!("{}{}", names::volume::WRITABLE, short_hash(&[path]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another name would be another pod template, and so a restart of what serves.
    #[test]
    fn a_name_is_what_it_always_was_and_fits_however_long_the_path_is() {
        assert_eq!(volume("/config"), "writable-18891d0cd1");
        assert_eq!(volume(&"/a".repeat(250)).len(), "writable-".len() + 10);
    }
}
