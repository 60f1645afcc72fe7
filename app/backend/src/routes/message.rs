//! The answer of operations that have nothing to return but words.

use serde::Serialize;
use utoipa::ToSchema;

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    message: &'static str,
}

impl From<&'static str> for Message {
    fn from(message: &'static str) -> Self {
        Self { message }
    }
}
