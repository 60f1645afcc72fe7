//! What helps developers beside the application of a checked stack.
//!
//! Invariant: data only.

use secrecy::SecretString;

use crate::api::AdminerAccess;

/// What helps developers beside the application.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    /// What shows the data, where something does.
    pub adminer: Option<Adminer>,
    /// The image, with its tag, of what takes the application's mail, where something does.
    pub mail: Option<String>,
}

/// What shows the data.
#[derive(Clone, Debug)]
pub struct Adminer {
    /// The image, with its tag.
    pub image: String,
    /// What may be done to the data.
    pub access: AdminerAccess,
    /// The password of its role in the embedded database. In an external one it is the application's.
    pub password: SecretString,
}

impl Adminer {
    /// Where `<stack>-generated` has the password of its role.
    pub const PASSWORD: &'static str = "ADMINER_PASSWORD";
}
