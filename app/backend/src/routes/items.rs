//! Items: the list that the page shows.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::{Json, Query},
    problem::{Error, FieldFaults, OnConstraint, Problem},
    state::AppState,
};

const TITLE_MAX: usize = 255;
const DESCRIPTION_MAX: usize = 2000;
const LIMIT_MAX: i64 = 100;

const TITLE_RULE: &str = "must have 1 to 255 characters";
const DESCRIPTION_RULE: &str = "must have at most 2000 characters";
const NUL_RULE: &str = "must not hold the NUL character";

/// The routes below `/items`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create))
}

/// An item.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct Item {
    id: i64,
    title: String,
    /// Null when there is none.
    #[schema(required)]
    description: Option<String>,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    created_at: jiff::Timestamp,
}

/// A part of the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items {
    /// The items of this part, newest first.
    data: Vec<Item>,
    /// How many there are in all.
    count: i64,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many items to leave out
    #[serde(default)]
    #[param(minimum = 0, default = 0, required = false)]
    skip: i64,
    /// How many items to return at most
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 100, default = 20, required = false)]
    limit: i64,
}

fn default_limit() -> i64 {
    20
}

impl Page {
    fn check(&self) -> Result<(), Error> {
        let mut faults = FieldFaults::new();
        if self.skip < 0 {
            faults.insert("skip", "must not be negative".into());
        }
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            faults.insert("limit", "must be 1 to 100".into());
        }
        none(faults)
    }
}

/// Lists items, newest first
#[utoipa::path(
    get,
    path = "/items/",
    operation_id = "list_items",
    tag = "items",
    params(Page),
    responses(
        (status = 200, body = Items),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(state): State<AppState>,
    Query(page): Query<Page>,
) -> Result<Json<Items>, Error> {
    page.check()?;
    let data = sqlx::query_as("select * from items order by id desc offset $1 limit $2")
        .bind(page.skip)
        .bind(page.limit)
        .fetch_all(&state.db)
        .await?;
    let count = sqlx::query_scalar("select count(*) from items")
        .fetch_one(&state.db)
        .await?;
    Ok(Json(Items { data, count }))
}

/// An item to be added.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewItem {
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000]*$")]
    title: String,
    #[schema(max_length = 2000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
}

impl NewItem {
    /// Characters are counted as the database does: code points.
    fn check(&self) -> Result<(), Error> {
        let mut faults = FieldFaults::new();
        if !(1..=TITLE_MAX).contains(&self.title.chars().count()) {
            faults.insert("title", TITLE_RULE.into());
        } else if self.title.contains('\0') {
            faults.insert("title", NUL_RULE.into());
        }
        let description = self.description.as_deref().unwrap_or_default();
        if description.chars().count() > DESCRIPTION_MAX {
            faults.insert("description", DESCRIPTION_RULE.into());
        } else if description.contains('\0') {
            faults.insert("description", NUL_RULE.into());
        }
        none(faults)
    }
}

/// Adds an item
#[utoipa::path(
    post,
    path = "/items/",
    operation_id = "create_item",
    tag = "items",
    request_body = NewItem,
    responses(
        (status = 201, body = Item),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(state): State<AppState>,
    Json(item): Json<NewItem>,
) -> Result<(StatusCode, Json<Item>), Error> {
    item.check()?;
    let item = sqlx::query_as("insert into items (title, description) values ($1, $2) returning *")
        .bind(item.title)
        .bind(item.description)
        .fetch_one(&state.db)
        .await
        .on_constraint(rule)?;
    Ok((StatusCode::CREATED, Json(item)))
}

/// The rule that a constraint of the table stands for.
fn rule(constraint: &str) -> Option<FieldFaults> {
    let (field, rule) = match constraint {
        "items_title_length" => ("title", TITLE_RULE),
        "items_description_length" => ("description", DESCRIPTION_RULE),
        _ => return None,
    };
    Some(FieldFaults::from([(field, rule.into())]))
}

fn none(faults: FieldFaults) -> Result<(), Error> {
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(title: &str, description: Option<&str>) -> Vec<&'static str> {
        let item = NewItem {
            title: title.into(),
            description: description.map(Into::into),
        };
        match item.check() {
            Err(Error::Invalid(faults)) => faults.into_keys().collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_broken_rule_is_told_by_the_name_of_its_field() {
        let none: [&str; 0] = [];
        assert_eq!(faults(&"ü".repeat(255), Some(&"ü".repeat(2000))), none);
        assert_eq!(faults("t", None), none);
        assert_eq!(faults("", None), ["title"]);
        assert_eq!(faults("a\0b", Some("\0")), ["description", "title"]);
        assert_eq!(
            faults(&"ü".repeat(256), Some(&"ü".repeat(2001))),
            ["description", "title"]
        );
    }

    #[test]
    fn every_constraint_of_the_table_has_its_rule() {
        let schema = include_str!("../../migrations/0001_create_items.sql");
        let mut names = schema
            .split("constraint ")
            .skip(1)
            .filter_map(|s| s.split(' ').next());
        assert!(names.clone().count() > 1);
        assert!(names.all(|name| rule(name).is_some()));
    }
}
