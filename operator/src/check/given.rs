//! What users give themselves of the values that the operator would generate.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::api::AppStackSpec;
use crate::model::secret::SecretData;

/// The value of a key in the user's Secrets, and the Secret's name; of two Secrets the later wins.
pub(super) fn value<'a>(
    spec: &'a AppStackSpec,
    secrets: &'a BTreeMap<String, SecretData>,
    key: &str,
) -> Option<(&'a str, &'a SecretString)> {
    let mut from = spec.secrets.iter().flat_map(|it| &it.from).rev();
    from.find_map(|it| Some((it.name.as_str(), secrets.get(&it.name)?.get(key)?)))
}
