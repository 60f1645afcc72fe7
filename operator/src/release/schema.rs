//! Which schema a release was made with, and whether the database still has it.
//!
//! Invariant: pure.

use std::fmt;

use crate::model::identity::{DataId, MigrationHash};
use crate::model::inputs::{MigrationRecord, Records};
use crate::release::data::is_about;

/// How the schema of a kept release differs from the one that the database has; `None` if it does not, or nobody knows.
///
/// Schemas are compared by what `migrate.headCommand` printed for both, else by the migrations themselves.
#[must_use]
pub fn schema_change(
    records: &Records,
    data: Option<&DataId>,
    kept: Option<&MigrationHash>,
) -> Option<SchemaChange> {
    let mut done = records
        .migrations
        .iter()
        .filter(|it| is_about(it.data.as_ref(), data));
    let then = done.clone().find(|it| Some(&it.hash) == kept)?;
    let now = done.next_back()?;
    let of = |it: &MigrationRecord| it.head.clone().unwrap_or_else(|| (&it.hash).into());
    let differs = match (&then.head, &now.head) {
        (Some(then), Some(now)) => then != now,
        _ => then.hash != now.hash,
    };
    differs.then(|| SchemaChange {
        kept: of(then),
        now: of(now),
    })
}

/// Two schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// The one that a kept release was released with.
    pub kept: String,
    /// The one that the database has.
    pub now: String,
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, now } = self;
        write!(
            f,
            "it was released with schema {kept}, and the database has {now}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_compared_by_their_heads_else_by_the_migrations() {
        let migration = |hash: &str, head: Option<&str>| MigrationRecord {
            hash: hash.into(),
            data: None,
            head: head.map(str::to_owned),
        };
        let change = |migrations: Vec<MigrationRecord>| {
            let records = Records {
                migrations,
                ..Records::default()
            };
            schema_change(&records, None, Some(&"m1".into())).map(|it| (it.kept, it.now))
        };
        let both = |kept: &str, now: &str| Some((kept.to_owned(), now.to_owned()));
        let same = vec![migration("m1", Some("1")), migration("m2", Some("1"))];
        assert_eq!(change(same), None);
        let other = vec![migration("m1", Some("1")), migration("m2", Some("2"))];
        assert_eq!(change(other), both("1", "2"));
        let untold = vec![migration("m1", None), migration("m2", None)];
        assert_eq!(change(untold), both("m1", "m2"));
        assert_eq!(change(vec![migration("m1", None)]), None);
        assert_eq!(change(vec![migration("m2", None)]), None);
    }
}
