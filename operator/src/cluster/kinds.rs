//! The kinds of other projects that are used where they are served.

use crate::model::object::Object;
use crate::runtime::optional_apis::{Definition, OptionalApis};

/// All of them, of which nothing is known yet.
#[must_use]
pub fn optional() -> OptionalApis {
    let optional = Object::KINDS.iter().filter(|it| it.traits.optional);
    OptionalApis::new(optional.map(|it| Definition::of(it.kind)))
}
