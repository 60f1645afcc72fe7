//! The caller's own account: making it, reading, changing and deleting it.

use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::login::Token;
use crate::{
    auth::{CurrentUser, Outcome},
    extract::{Json, present},
    openapi::problems::{OnBody, OnDatabase, OnEmail, OnSelf, OnUser},
    problem::Error,
    rules::{self, Fields},
    state::AppState,
    user::{Change, Creation, User},
};

/// The routes `/users/signup` and `/users/me`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(read, change, delete))
        .routes(routes!(change_password))
}

/// A new account of one's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$")]
    password: SecretString,
    #[schema(max_length = 255, pattern = r"^[^\u0000]*$")]
    full_name: Option<String>,
}

/// Makes an account
#[utoipa::path(
    post,
    path = "/users/signup",
    operation_id = "sign_up",
    tag = "users",
    request_body = SignUp,
    responses((status = 201, description = "The new user.", body = User), OnEmail, OnBody, OnDatabase)
)]
async fn sign_up(
    State(state): State<AppState>,
    Json(new): Json<SignUp>,
) -> Result<(StatusCode, Json<User>), Error> {
    let passwords = &state.passwords;
    let user = Creation::checked(&new.email, new.password, new.full_name, passwords).await?;
    Ok((StatusCode::CREATED, Json(user.insert(&state.db).await?)))
}

/// Returns the caller
#[utoipa::path(
    get,
    path = "/users/me",
    operation_id = "read_me",
    tag = "users",
    security(("login" = [])),
    responses((status = 200, description = "The caller.", body = User), OnUser, OnDatabase)
)]
async fn read(CurrentUser(user): CurrentUser) -> Json<User> {
    Json(user)
}

/// What to change of one's own account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, format = Email, max_length = 254)]
    email: Option<String>,
    /// Null takes the name away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, required = false, max_length = 255)]
    #[expect(
        clippy::option_option,
        reason = "left out, null and a name are three things"
    )]
    full_name: Option<Option<String>>,
}

/// Changes the caller's email address or name
#[utoipa::path(
    patch,
    path = "/users/me",
    operation_id = "change_me",
    tag = "users",
    security(("login" = [])),
    request_body = ProfileChange,
    responses((status = 200, description = "The caller as it is now.", body = User), OnUser, OnEmail, OnBody, OnDatabase)
)]
async fn change(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Json(change): Json<ProfileChange>,
) -> Result<Json<User>, Error> {
    let mut fields = Fields::default();
    let email = change.email.map(|email| rules::email(&email)).transpose();
    let full_name = change.full_name.map(rules::full_name).transpose();
    let change = Change {
        email: fields.take("email", email),
        full_name: fields.take("full_name", full_name),
        ..Change::default()
    };
    fields.done()?;
    let user = change.apply(user.id, &state.db).await?;
    // Deleted since the token was looked at.
    user.map(Json).ok_or(Error::Unauthenticated)
}

/// Deletes the caller and all his items
///
/// A superuser can't: someone has to be left.
#[utoipa::path(
    delete,
    path = "/users/me",
    operation_id = "delete_me",
    tag = "users",
    security(("login" = [])),
    responses((status = 204, description = "All is gone."), OnUser, OnSelf, OnDatabase)
)]
async fn delete(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<StatusCode, Error> {
    if user.is_superuser {
        return Err(Error::conflict("A superuser can't delete itself."));
    }
    sqlx::query("delete from users where id = $1 and not is_superuser")
        .bind(user.id)
        .execute(&state.db)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The password as it is, and as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$")]
    new_password: SecretString,
}

/// Changes the caller's password
///
/// All tokens from before are void. The answer holds a new one.
#[utoipa::path(
    patch,
    path = "/users/me/password",
    operation_id = "change_my_password",
    tag = "users",
    security(("login" = [])),
    request_body = PasswordChange,
    responses((status = 200, description = "A token that replaces all older ones.", body = Token), OnUser, OnBody, OnDatabase)
)]
async fn change_password(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Json(change): Json<PasswordChange>,
) -> Result<Json<Token>, Error> {
    let mut fields = Fields::default();
    fields.take("new_password", rules::password(&change.new_password));
    fields.done()?;
    let current: Option<String> =
        sqlx::query_scalar("select password_hash from users where id = $1")
            .bind(user.id)
            .fetch_optional(&state.db)
            .await?;
    let current = current.ok_or(Error::Unauthenticated)?;
    let verified = state
        .passwords
        .verify(change.current_password, Some(current.clone()));
    if verified.await? == Outcome::Wrong {
        return Err(Error::invalid("current_password", "is wrong"));
    }
    let hash = state.passwords.hash(change.new_password).await?;
    let version: Option<i64> = sqlx::query_scalar(
        "update users set password_hash = $3, token_version = token_version + 1
         where id = $1 and password_hash = $2 and is_active returning token_version",
    )
    .bind(user.id)
    .bind(current)
    .bind(hash)
    .fetch_optional(&state.db)
    .await?;
    // Of two changes at once the first one counts.
    let version = version.ok_or(Error::Unauthenticated)?;
    Token::issue(&state, user.id, version).map(Json)
}
