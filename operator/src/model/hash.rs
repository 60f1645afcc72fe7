//! Hashes that names and comparisons are made of.
//!
//! Invariant: what is hashed here never gives another hash in a later version; a test holds examples.

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
