//! Items: the list that each user has. Nobody sees those of others, superusers neither.

use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::page;
use crate::{
    auth::{CurrentUser, Unchecked},
    extract::{Json, Path, Query},
    openapi::problems::{OnBody, OnDatabase, OnId, OnQuery, OnUser},
    problem::{Error, OnConstraint},
    rules::{self, Fields, Rule},
    state::AppState,
    user::of_token,
};

const TITLE_MAX: usize = 255;
const DESCRIPTION_MAX: usize = 2000;

const TITLE_RULE: Rule = "must have 1 to 255 characters";
const DESCRIPTION_RULE: Rule = "must have at most 2000 characters";

/// The routes below `/items`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
}

/// Named one by one: with `*` a column that the next release adds would break the prepared statements
/// of the running one.
macro_rules! columns {
    () => {
        "id, title, description, owner_id, created_at, updated_at"
    };
}

/// An item.
#[derive(Debug, Serialize, FromRow, ToSchema)]
pub struct Item {
    /// Ids grow with time.
    id: Uuid,
    title: String,
    /// Null when there is none.
    #[schema(required)]
    description: Option<String>,
    /// The user whose item this is.
    owner_id: Uuid,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    created_at: jiff::Timestamp,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    updated_at: jiff::Timestamp,
}

/// A part of the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items {
    /// The items of this part, newest first.
    data: Vec<Item>,
    /// How many there are in all.
    count: i64,
}

/// The page and the count of all, in one round trip with the look at the token: this is what pages ask for
/// most. Without a row the token is void. A search has a statement of its own, so that the count without
/// one is read from the index alone.
macro_rules! list_statement {
    ($search:literal) => {
        concat!(
            "select total.count, page.* from users
             cross join lateral (
                 select count(*) from items where owner_id = users.id ",
            $search,
            ") total left join lateral (
                 select ",
            columns!(),
            " from items where owner_id = users.id ",
            $search,
            " order by id desc offset $3 limit $4
             ) page on true where ",
            of_token!(),
            " order by page.id desc"
        )
    };
}

/// Lists the caller's items, newest first
#[utoipa::path(
    get,
    path = "/items/",
    operation_id = "list_items",
    tag = "items",
    security(("login" = [])),
    params(page::Query),
    responses((status = 200, description = "A part of the list.", body = Items), OnUser, OnQuery, OnDatabase)
)]
async fn list(
    State(state): State<AppState>,
    Unchecked(claims): Unchecked,
    Query(query): Query<page::Query>,
) -> Result<Json<Items>, Error> {
    let page = query.check()?;
    let statement = match page.pattern {
        None => list_statement!(""),
        Some(_) => list_statement!("and (title ilike $5 or description ilike $5)"),
    };
    let mut query = sqlx::query(statement)
        .bind(claims.sub)
        .bind(claims.ver)
        .bind(page.skip)
        .bind(page.limit);
    if let Some(pattern) = page.pattern {
        query = query.bind(pattern);
    }
    let rows = query.fetch_all(&state.db).await?;
    if rows.is_empty() {
        return Err(Error::Unauthenticated);
    }
    let (data, count) = page::split(&rows)?;
    Ok(Json(Items { data, count }))
}

/// An item to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000]*$")]
    title: String,
    #[schema(max_length = 2000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
}

/// What an item is to be from now on: without a description it has none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemChange {
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\u0000]*$")]
    title: String,
    #[schema(max_length = 2000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
}

/// The title and the description, when both keep their rules.
fn checked(title: String, description: Option<String>) -> Result<(String, Option<String>), Error> {
    let mut fields = Fields::default();
    let title = fields.take("title", rules::text(title, 1..=TITLE_MAX, TITLE_RULE));
    let text = |text| rules::text(text, 0..=DESCRIPTION_MAX, DESCRIPTION_RULE);
    let description = fields.take("description", description.map(text).transpose());
    fields.done()?;
    Ok((title, description))
}

/// Adds an item to the caller's list
#[utoipa::path(
    post,
    path = "/items/",
    operation_id = "create_item",
    tag = "items",
    security(("login" = [])),
    request_body = NewItem,
    responses((status = 201, description = "The new item.", body = Item), OnUser, OnBody, OnDatabase)
)]
async fn create(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Json(item): Json<NewItem>,
) -> Result<(StatusCode, Json<Item>), Error> {
    let (title, description) = checked(item.title, item.description)?;
    let item = sqlx::query_as(concat!(
        "insert into items (id, owner_id, title, description) values ($1, $2, $3, $4) returning ",
        columns!()
    ))
    .bind(Uuid::now_v7())
    .bind(user.id)
    .bind(title)
    .bind(description)
    .fetch_one(&state.db)
    .await
    .on_constraint(rule)?;
    Ok((StatusCode::CREATED, Json(item)))
}

/// Returns one of the caller's items
#[utoipa::path(
    get,
    path = "/items/{id}",
    operation_id = "read_item",
    tag = "items",
    security(("login" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The item.", body = Item), OnUser, OnId, OnDatabase)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Json<Item>, Error> {
    let item = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from items where id = $1 and owner_id = $2"
    ))
    .bind(id)
    .bind(user.id)
    .fetch_optional(&state.db)
    .await?;
    item.map(Json).ok_or_else(no_such_item)
}

/// Replaces the title and the description of one of the caller's items
#[utoipa::path(
    put,
    path = "/items/{id}",
    operation_id = "change_item",
    tag = "items",
    security(("login" = [])),
    params(("id" = Uuid, Path)),
    request_body = ItemChange,
    responses((status = 200, description = "The item as it is now.", body = Item), OnUser, OnId, OnBody, OnDatabase)
)]
async fn change(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Json(item): Json<ItemChange>,
) -> Result<Json<Item>, Error> {
    let (title, description) = checked(item.title, item.description)?;
    let item = sqlx::query_as(concat!(
        "update items set title = $3, description = $4, updated_at = now()
         where id = $1 and owner_id = $2 returning ",
        columns!()
    ))
    .bind(id)
    .bind(user.id)
    .bind(title)
    .bind(description)
    .fetch_optional(&state.db)
    .await
    .on_constraint(rule)?;
    item.map(Json).ok_or_else(no_such_item)
}

/// Deletes one of the caller's items
#[utoipa::path(
    delete,
    path = "/items/{id}",
    operation_id = "delete_item",
    tag = "items",
    security(("login" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is gone."), OnUser, OnId, OnDatabase)
)]
async fn delete(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Error> {
    let done = sqlx::query("delete from items where id = $1 and owner_id = $2")
        .bind(id)
        .bind(user.id)
        .execute(&state.db)
        .await?;
    if done.rows_affected() == 0 {
        return Err(no_such_item());
    }
    Ok(StatusCode::NO_CONTENT)
}

fn no_such_item() -> Error {
    Error::not_found("There is no such item.")
}

/// The rule that a constraint of the table stands for.
fn rule(constraint: &str) -> Option<Error> {
    Some(match constraint {
        "items_title_length" => Error::invalid("title", TITLE_RULE),
        "items_description_length" => Error::invalid("description", DESCRIPTION_RULE),
        // Deleted since the token was looked at.
        "items_owner_exists" => Error::Unauthenticated,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(title: &str, description: Option<&str>) -> Vec<&'static str> {
        match checked(title.into(), description.map(Into::into)) {
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
        let schema = include_str!("../../migrations/0002_create_items.sql");
        let mut names = schema
            .split("constraint ")
            .skip(1)
            .filter_map(|s| s.split(' ').next());
        assert!(names.clone().count() > 1);
        assert!(names.all(|name| rule(name).is_some()));
    }
}
