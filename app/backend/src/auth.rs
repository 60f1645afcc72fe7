//! Who calls: passwords, tokens, and the extractors that routes name to be for users or superusers only.

mod caller;
mod hs256;
mod passwords;
mod tokens;

pub use caller::{CurrentUser, Superuser, Unchecked};
pub use passwords::{Outcome, Passwords, hash};
pub use tokens::{ACCESS_LIVES, Claims, Purpose, Tokens};
