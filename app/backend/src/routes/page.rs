//! Lists: which part is asked for, and how one statement answers with that part and the count of all.

use serde::Deserialize;
use sqlx::{FromRow, Row, postgres::PgRow};
use utoipa::IntoParams;

use crate::{
    problem::Error,
    rules::{self, Fields, Rule},
};

const LIMIT_MAX: i64 = 100;
const LIMIT_DEFAULT: i64 = 20;
const SEARCH_MAX: usize = 255;

const SKIP_RULE: Rule = "must not be negative";
const LIMIT_RULE: Rule = "must be 1 to 100";
const SEARCH_RULE: Rule = "must have at most 255 characters";

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// How many to leave out
    #[serde(default)]
    #[param(minimum = 0, default = 0, required = false)]
    skip: i64,
    /// How many to return at most
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    limit: i64,
    /// Return only what holds this text somewhere, in upper or lower case
    #[serde(default)]
    #[param(max_length = 255, pattern = r"^[^\u0000]*$", default = "", required = false, value_type = String)]
    search: String,
}

fn default_limit() -> i64 {
    LIMIT_DEFAULT
}

/// A part of a list, as a statement takes it.
#[derive(Debug)]
pub struct Page {
    pub skip: i64,
    pub limit: i64,
    /// For `ilike`; null for all.
    pub pattern: Option<String>,
}

impl Query {
    /// # Errors
    /// With the faults of the parameters.
    pub fn check(self) -> Result<Page, Error> {
        let mut fields = Fields::default();
        let holds = |good: bool, rule| if good { Ok(()) } else { Err(rule) };
        fields.take("skip", holds(self.skip >= 0, SKIP_RULE));
        fields.take(
            "limit",
            holds((1..=LIMIT_MAX).contains(&self.limit), LIMIT_RULE),
        );
        let search = fields.take(
            "search",
            rules::text(self.search, 0..=SEARCH_MAX, SEARCH_RULE),
        );
        fields.done()?;
        Ok(Page {
            skip: self.skip,
            limit: self.limit,
            pattern: pattern(search.trim()),
        })
    }
}

/// The pattern that matches what holds this text, each of whose characters stands for itself.
fn pattern(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Some(pattern)
}

/// The parts of the answer to `select total.count, page.* from .. left join .. page on true`: there is
/// always a row, to carry the count, and without a page its other columns are null.
///
/// # Errors
/// When a row is not of that shape.
pub fn split<'r, T: FromRow<'r, PgRow>>(rows: &'r [PgRow]) -> sqlx::Result<(Vec<T>, i64)> {
    let mut data = Vec::with_capacity(rows.len());
    let mut count = 0;
    for row in rows {
        count = row.try_get("count")?;
        if row.try_get::<Option<uuid::Uuid>, _>("id")?.is_some() {
            data.push(T::from_row(row)?);
        }
    }
    Ok((data, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_pattern_each_character_stands_for_itself() {
        assert_eq!(pattern(""), None);
        assert_eq!(pattern("Ada").as_deref(), Some("%Ada%"));
        assert_eq!(pattern(r"5%_\").as_deref(), Some(r"%5\%\_\\%"));
    }
}
