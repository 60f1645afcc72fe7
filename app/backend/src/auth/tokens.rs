//! Tokens: what this service signs and believes when it comes back. They hold no secret and give nothing away.

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation, decode, encode,
    get_current_timestamp,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hs256;
use crate::problem::Error;

/// How long an access token lives, in seconds.
pub const ACCESS_LIVES: u64 = 24 * 60 * 60;

/// How long the link in a mail works, in seconds.
const RESET_LIVES: u64 = 60 * 60;

/// How far the clocks of two pods may be apart, in seconds.
const LEEWAY: u64 = 5;

/// What a token is good for. One for the other is as good as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To call the API.
    Access,
    /// To set a new password once.
    Reset,
}

impl Purpose {
    fn lives(self) -> u64 {
        match self {
            Self::Access => ACCESS_LIVES,
            Self::Reset => RESET_LIVES,
        }
    }
}

/// What a token says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The id of the user.
    pub sub: Uuid,
    /// When it expires, in seconds since 1970.
    pub exp: u64,
    /// When it was made.
    pub iat: u64,
    /// What it is good for.
    pub purpose: Purpose,
    /// The user's `token_version` at that time: the token is void when it has grown since.
    pub ver: i64,
}

/// Signs and verifies.
pub struct Tokens {
    header: Header,
    signing: EncodingKey,
    /// The present key, and the one before it while tokens signed with that may live.
    believed: Vec<DecodingKey>,
    validation: Validation,
}

impl Tokens {
    /// Prepares the keys.
    #[must_use]
    pub fn new(key: &SecretString, previous: Option<&SecretString>) -> Self {
        hs256::install();
        let bytes = |key: &SecretString| DecodingKey::from_secret(key.expose_secret().as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        Self {
            header: Header::new(Algorithm::HS256),
            signing: EncodingKey::from_secret(key.expose_secret().as_bytes()),
            believed: [Some(key), previous]
                .into_iter()
                .flatten()
                .map(bytes)
                .collect(),
            validation,
        }
    }

    /// A token for the user with this id and `token_version`.
    ///
    /// # Errors
    /// When it can't be signed, which is a fault of this program.
    pub fn issue(&self, purpose: Purpose, sub: Uuid, ver: i64) -> Result<String, Error> {
        let iat = get_current_timestamp();
        let exp = iat + purpose.lives();
        let claims = Claims {
            sub,
            exp,
            iat,
            purpose,
            ver,
        };
        encode(&self.header, &claims, &self.signing).map_err(Error::internal)
    }

    /// What a token says, when it is ours, alive, and for this purpose. Only the database knows whether
    /// it is void.
    #[must_use]
    pub fn read(&self, purpose: Purpose, token: &str) -> Option<Claims> {
        let read = |key| decode::<Claims>(token, key, &self.validation).ok();
        let TokenData { claims, .. } = self.believed.iter().find_map(read)?;
        (claims.purpose == purpose).then_some(claims)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
