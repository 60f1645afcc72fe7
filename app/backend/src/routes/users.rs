//! All users, for superusers. No superuser can take from itself what it needs to be here.

use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::page;
use crate::{
    auth::Superuser,
    extract::{Json, Path, Query, present},
    mail::letters,
    openapi::problems::{OnBody, OnDatabase, OnEmail, OnId, OnQuery, OnSelf, OnSuperuser},
    problem::Error,
    rules::{self, Fields},
    state::AppState,
    user::{Change, Creation, User, columns},
};

/// The routes below `/users`, but for those of the caller's own account.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
}

/// A part of the list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Users {
    /// The users of this part, newest first.
    data: Vec<User>,
    /// How many there are in all.
    count: i64,
}

/// Lists users, newest first
#[utoipa::path(
    get,
    path = "/users/",
    operation_id = "list_users",
    tag = "users",
    security(("login" = [])),
    params(page::Query),
    responses((status = 200, description = "A part of the list.", body = Users), OnSuperuser, OnQuery, OnDatabase)
)]
async fn list(
    State(state): State<AppState>,
    _: Superuser,
    Query(query): Query<page::Query>,
) -> Result<Json<Users>, Error> {
    let page = query.check()?;
    let rows = sqlx::query(concat!(
        "select total.count, page.* from (
             select count(*) from users
             where $1::text is null or email ilike $1 or full_name ilike $1
         ) total left join (
             select ",
        columns!(),
        " from users
             where $1::text is null or email ilike $1 or full_name ilike $1
             order by id desc offset $2 limit $3
         ) page on true order by page.id desc"
    ))
    .bind(page.pattern)
    .bind(page.skip)
    .bind(page.limit)
    .fetch_all(&state.db)
    .await?;
    let (data, count) = page::split(&rows)?;
    Ok(Json(Users { data, count }))
}

/// A user to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$")]
    password: SecretString,
    #[schema(max_length = 255, pattern = r"^[^\u0000]*$")]
    full_name: Option<String>,
    /// True when left out.
    #[serde(default = "yes")]
    #[schema(required = false)]
    is_active: bool,
    /// False when left out.
    #[serde(default)]
    #[schema(required = false)]
    is_superuser: bool,
}

fn yes() -> bool {
    true
}

/// Makes a user
///
/// A letter of welcome is mailed to it, when there is a mail server and it may log in.
#[utoipa::path(
    post,
    path = "/users/",
    operation_id = "create_user",
    tag = "users",
    security(("login" = [])),
    request_body = NewUser,
    responses((status = 201, description = "The new user.", body = User), OnSuperuser, OnEmail, OnBody, OnDatabase)
)]
async fn create(
    State(state): State<AppState>,
    _: Superuser,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, Json<User>), Error> {
    let passwords = &state.passwords;
    let user = Creation {
        is_active: new.is_active,
        is_superuser: new.is_superuser,
        ..Creation::checked(&new.email, new.password, new.full_name, passwords).await?
    };
    let user = user.insert(&state.db).await?;
    if user.is_active && state.mailer.is_set_up() {
        state
            .mailer
            .send(letters::welcome(&state.config, &user.email));
    }
    Ok((StatusCode::CREATED, Json(user)))
}

/// Returns a user
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "read_user",
    tag = "users",
    security(("login" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The user.", body = User), OnSuperuser, OnId, OnDatabase)
)]
async fn read(
    State(state): State<AppState>,
    _: Superuser,
    Path(id): Path<Uuid>,
) -> Result<Json<User>, Error> {
    let user = sqlx::query_as(concat!("select ", columns!(), " from users where id = $1"))
        .bind(id)
        .fetch_optional(&state.db)
        .await?;
    user.map(Json).ok_or_else(no_such_user)
}

/// What to change of a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, format = Email, max_length = 254)]
    email: Option<String>,
    /// Voids the user's tokens.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$")]
    password: Option<SecretString>,
    /// Null takes the name away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, max_length = 255)]
    #[expect(
        clippy::option_option,
        reason = "left out, null and a name are three things"
    )]
    full_name: Option<Option<String>>,
    /// False voids the user's tokens.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    is_active: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    is_superuser: Option<bool>,
}

/// Changes a user
///
/// 409 when the email address is taken, or when superusers would deactivate or demote themselves.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    operation_id = "change_user",
    tag = "users",
    security(("login" = [])),
    params(("id" = Uuid, Path)),
    request_body = UserChange,
    responses((status = 200, description = "The user as it is now.", body = User), OnSuperuser, OnId, OnEmail, OnBody, OnDatabase)
)]
async fn change(
    State(state): State<AppState>,
    Superuser(caller): Superuser,
    Path(id): Path<Uuid>,
    Json(change): Json<UserChange>,
) -> Result<Json<User>, Error> {
    if caller.id == id && (change.is_active == Some(false) || change.is_superuser == Some(false)) {
        return Err(Error::conflict("You can't deactivate or demote yourself."));
    }
    let mut fields = Fields::default();
    let email = change.email.map(|email| rules::email(&email)).transpose();
    let email = fields.take("email", email);
    let full_name = change.full_name.map(rules::full_name).transpose();
    let full_name = fields.take("full_name", full_name);
    let password = change.password.as_ref().map(rules::password).transpose();
    fields.take("password", password);
    fields.done()?;
    let password_hash = match change.password {
        Some(password) => Some(state.passwords.hash(password).await?),
        None => None,
    };
    let change = Change {
        email,
        password_hash,
        full_name,
        is_active: change.is_active,
        is_superuser: change.is_superuser,
    };
    let user = change.apply(id, &state.db).await?;
    user.map(Json).ok_or_else(no_such_user)
}

/// Deletes a user and all its items
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "delete_user",
    tag = "users",
    security(("login" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is gone."), OnSuperuser, OnId, OnSelf, OnDatabase)
)]
async fn delete(
    State(state): State<AppState>,
    Superuser(caller): Superuser,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Error> {
    if caller.id == id {
        return Err(Error::conflict("You can't delete yourself."));
    }
    let done = sqlx::query("delete from users where id = $1")
        .bind(id)
        .execute(&state.db)
        .await?;
    if done.rows_affected() == 0 {
        return Err(no_such_user());
    }
    Ok(StatusCode::NO_CONTENT)
}

fn no_such_user() -> Error {
    Error::not_found("There is no such user.")
}
