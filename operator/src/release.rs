//! Facts and rules about releases: what makes one, which one serves, and what is written down of it.
//!
//! Invariant: pure. It knows nothing of how a release is checked, built or rolled out.

pub mod approval;
pub mod assets;
pub mod data;
pub mod database_roles;
pub mod defaults;
pub mod history;
pub mod identity;
pub mod limits;
pub mod record;
pub mod scale;
pub mod schema;
pub mod tools;
