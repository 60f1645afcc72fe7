//! The kinds of other projects that are used where they are served.
//!
//! Invariant: a list and nothing else. Whoever adds a kind gives it a line here, the right to read its
//! CustomResourceDefinition in the chart, and a watch in the controller.

use crate::model::kinds::Middleware;
use crate::runtime::optional_apis::{Definition, OptionalApis};

/// All of them, of which nothing is known yet.
#[must_use]
pub fn optional() -> OptionalApis {
    OptionalApis::new([Definition::of::<Middleware>()])
}
