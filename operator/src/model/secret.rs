//! Values of Secrets, which show themselves to nobody who does not ask for them by name.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;

/// The values of a Secret by key.
pub type SecretData = BTreeMap<String, SecretString>;

/// The keys whose values are no text, by the name of the Secret or ConfigMap that holds them. What they hold is of no use to a
/// variable; that they are there must be known, or they would pass for keys that nobody gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoText {
    /// Keys of Secrets.
    pub secrets: BTreeMap<String, BTreeSet<String>>,
    /// Keys of ConfigMaps.
    pub config_maps: BTreeMap<String, BTreeSet<String>>,
}

impl NoText {
    /// Whether a key of a Secret is one of them.
    #[must_use]
    pub fn in_secret(&self, name: &str, key: &str) -> bool {
        self.secrets.get(name).is_some_and(|it| it.contains(key))
    }

    /// Whether a key of a ConfigMap is one of them.
    #[must_use]
    pub fn in_config_map(&self, name: &str, key: &str) -> bool {
        self.config_maps
            .get(name)
            .is_some_and(|it| it.contains(key))
    }
}
