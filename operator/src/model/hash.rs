//! Hashes that names and comparisons are made of.
//!
//! Invariant: what is hashed here gives the same hash in every later version; the tests hold examples. A text is made of JSON
//! with sorted keys whatever serde_json is built with, since another order would be another hash, and so other pods.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Ten hexadecimal characters of the SHA-256 of the parts, each ended by a zero byte so that they cannot run together.
#[must_use]
pub fn short_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let number = digest[..5]
        .iter()
        .fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    format!("{number:010x}")
}

/// The JSON of something, without white space and with sorted keys.
#[must_use]
pub fn canonical(it: &impl Serialize) -> String {
    let mut text = String::new();
    write(&serde_json::json!(it), &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            let entries = entries.into_iter();
            list(text, ('{', '}'), entries, |(key, value), text| {
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write(value, text);
            });
        }
        Value::Array(items) => list(text, ('[', ']'), items.iter(), write),
        other => text.push_str(&other.to_string()),
    }
}

fn list<T>(
    text: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut String),
) {
    text.push(open);
    for (number, item) in items.enumerate() {
        if number > 0 {
            text.push(',');
        }
        write(item, text);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_of_a_hash_do_not_run_together() {
        assert_ne!(short_hash(&["ab", "c"]), short_hash(&["a", "bc"]));
        assert_eq!(short_hash(&["a"]).len(), 10);
    }

    #[test]
    fn a_hash_is_what_it_always_was() {
        assert_eq!(short_hash(&["a", "b"]), "8fb20ef63c");
    }

    #[test]
    fn keys_are_sorted_and_texts_escaped() {
        let value = json!({"b": [1, "\"", null], "a": {"d": true, "c": {}}, "e": []});
        assert_eq!(
            canonical(&value),
            r#"{"a":{"c":{},"d":true},"b":[1,"\"",null],"e":[]}"#
        );
    }
}
