//! The answer of operations that have nothing to return but words.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

/// What was done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    #[schema(value_type = String)]
    message: Cow<'static, str>,
}

impl From<&'static str> for Message {
    fn from(message: &'static str) -> Self {
        Self {
            message: message.into(),
        }
    }
}
