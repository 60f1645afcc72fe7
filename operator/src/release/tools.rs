//! What of the tools belongs to a release: whether the application's mail is caught, since its pods are told where they send it. Whether and how
//! the database is shown holds at once.
//!
//! Invariant: pure.

use crate::api::{AppStackSpec, Tools};

/// A spec without what holds at once. Tools of which nothing is left are none.
#[must_use]
pub fn without(mut spec: AppStackSpec) -> AppStackSpec {
    say(&mut spec, &Tools::default());
    spec
}

/// The spec of a kept release with what is said now.
#[must_use]
pub fn of_now(mut kept: AppStackSpec, now: &AppStackSpec) -> AppStackSpec {
    say(&mut kept, &now.tools.clone().unwrap_or_default());
    kept
}

fn say(spec: &mut AppStackSpec, now: &Tools) {
    let tools = Tools {
        mail: spec.tools.take().and_then(|it| it.mail),
        ..now.clone()
    };
    spec.tools = Some(tools).filter(|it| *it != Tools::default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;

    #[test]
    fn how_the_database_is_shown_is_no_part_of_a_release_and_where_mail_goes_is() {
        let shown = spec("tools: {adminer: true, adminerAccess: ReadWrite}");
        assert_eq!(without(shown.clone()), spec(""));
        let caught = spec("tools: {mail: true}");
        assert_eq!(without(caught.clone()), caught);
        let both = spec("tools: {mail: true, adminer: true, adminerAccess: ReadWrite}");
        assert_eq!(of_now(caught.clone(), &shown), both);
        assert_eq!(of_now(both, &spec("tools: {mail: false}")), caught);
    }
}
