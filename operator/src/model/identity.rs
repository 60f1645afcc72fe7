//! What releases, their parts and their data are told apart by. Each is a type of its own, so that none passes for another:
//! all of them are text, and a mistaken one would name an object that is not there.
//!
//! Invariant: data only. They are written down as the text that they are. A hash is made of what it stands for, or read from
//! where it was written down; there is no other way to one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::hash::short_hash;
use crate::api::label;

macro_rules! identities {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// It as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(it: $name) -> Self {
                it.0
            }
        }

        impl From<&$name> for String {
            fn from(it: &$name) -> Self {
                it.0.clone()
            }
        }

        #[cfg(test)]
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )*};
}

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        identities! {$($(#[$doc])* $name;)*}

        $(impl $name {
            /// The hash of these parts.
            #[must_use]
            pub fn of(parts: &[&str]) -> Self {
                Self(short_hash(parts))
            }
        })*
    };
}

hashes! {
    /// The hash of all that makes a release; see `release::identity`. It names its record.
    ReleaseHash;
    /// The hash of the values that the pods of a release read. It names the Secret that keeps them.
    ValuesHash;
    /// The hash of a migration's image, command and database. It names its Job.
    MigrationHash;
    /// The hash of a pod template: the revision of the pods that it makes. It names their Deployment.
    TemplateHash;
    /// The hash of the objects of a release as they were rendered. It names the record that keeps them.
    ManifestsHash;
    /// The hash of what the user chose of an embedded database. It names the record of how that was rendered.
    DatabaseHash;
    /// The hash of all that a pull of images depends on. It names the Deployment that pulls them.
    PullHash;
}

identities! {
    /// The UID of the volume claim of an embedded database.
    VolumeUid;
    /// Which data a database holds: those of a volume, told by its UID, or those of an external database, told by its place.
    DataId;
}

/// What the identity of the data of an external database begins with; no UID does.
const EXTERNAL: &str = "external-";

impl TemplateHash {
    /// The revision of the pods that a selector selects, where it asks for one.
    #[must_use]
    pub fn of_selector(labels: &BTreeMap<String, String>) -> Option<Self> {
        labels.get(label::REVISION).cloned().map(Self)
    }
}

impl ManifestsHash {
    /// The hash that an annotation tells.
    #[must_use]
    pub const fn of_annotation(text: String) -> Self {
        Self(text)
    }
}

impl VolumeUid {
    /// The UID of a live volume claim.
    #[must_use]
    pub const fn of_claim(uid: String) -> Self {
        Self(uid)
    }
}

impl DataId {
    /// The data of a volume.
    #[must_use]
    pub fn of_volume(volume: &VolumeUid) -> Self {
        Self(volume.0.clone())
    }

    /// The data of an external database. Its place comes from a Secret, so only the hash of that is written down.
    #[must_use]
    pub fn of_external(host: &str, port: &str, dbname: &str) -> Self {
        Self(format!("{EXTERNAL}{}", short_hash(&[host, port, dbname])))
    }

    /// Whether they are those of an external database.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.0.starts_with(EXTERNAL)
    }

    /// The volume that holds them; `None` of an external database.
    #[must_use]
    pub fn volume(&self) -> Option<VolumeUid> {
        (!self.is_external()).then(|| VolumeUid(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_written_down_as_the_text_that_it_is() {
        let hash = ReleaseHash::of(&["a", "b"]);
        assert_eq!(hash.as_str(), short_hash(&["a", "b"]));
        assert_eq!(serde_json::json!(hash), serde_json::json!(hash.as_str()));
    }

    #[test]
    fn data_are_those_of_a_volume_or_of_an_external_database() {
        let volume = VolumeUid::from("uid");
        assert_eq!(DataId::of_volume(&volume).volume(), Some(volume));
        let external = DataId::of_external("host", "5432", "app");
        assert!(external.is_external());
        assert_eq!(external.volume(), None);
    }
}
