//! Values of Secrets, which show themselves to nobody who does not ask for them by name.

use std::collections::BTreeMap;

use secrecy::SecretString;

/// The values of a Secret by key.
pub type SecretData = BTreeMap<String, SecretString>;
