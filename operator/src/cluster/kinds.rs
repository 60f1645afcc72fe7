//! The kinds of other projects that are used where they are served.

use crate::model::kinds::{Gateway, GatewayClass};
use crate::model::object::Object;
use crate::runtime::kind::Kind;
use crate::runtime::optional_apis::{Definition, OptionalApis};

/// All of them, of which nothing is known yet.
#[must_use]
pub fn optional() -> OptionalApis {
    let optional = Object::KINDS.iter().filter(|it| it.traits.optional);
    let owned = optional.map(|it| it.kind);
    let others = [Kind::of::<Gateway>(), Kind::of::<GatewayClass>()];
    OptionalApis::new(owned.chain(others).map(Definition::of))
}
