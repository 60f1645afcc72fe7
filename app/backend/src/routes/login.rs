//! Logging in. Whether there is such a user is told to nobody: neither by words nor by time.

use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    auth::{ACCESS_LIVES, Outcome, Purpose},
    extract::{Form, Json},
    openapi::problems::{OnBody, OnDatabase},
    problem::Error,
    rules,
    state::AppState,
};

/// The route `/login/access-token`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(login))
}

/// The form of OAuth 2.0's password grant. What else clients send with it is left unread.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Login {
    /// May be left out.
    #[schema(pattern = "^password$", example = "password")]
    grant_type: Option<String>,
    /// The email address.
    #[schema(example = "ada@example.com")]
    username: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// An access token, for the header `Authorization: Bearer <token>`.
#[derive(Serialize, ToSchema)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of OAuth 2.0"
)]
pub struct Token {
    access_token: String,
    #[schema(value_type = String, example = "bearer", pattern = "^bearer$")]
    token_type: &'static str,
    /// How long it lives, in seconds.
    #[schema(example = 86400)]
    expires_in: u64,
}

impl Token {
    /// # Errors
    /// When it can't be signed, which is a fault of this program.
    pub fn issue(state: &AppState, user: Uuid, version: i64) -> Result<Self, Error> {
        Ok(Self {
            access_token: state.tokens.issue(Purpose::Access, user, version)?,
            token_type: "bearer",
            expires_in: ACCESS_LIVES,
        })
    }
}

#[derive(FromRow)]
struct Account {
    id: Uuid,
    password_hash: String,
    token_version: i64,
}

/// Returns an access token for an email address and a password
#[utoipa::path(
    post,
    path = "/login/access-token",
    operation_id = "login",
    tag = "login",
    request_body(content = Login, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token.", body = Token), OnBody, OnDatabase)
)]
async fn login(
    State(state): State<AppState>,
    Form(form): Form<Login>,
) -> Result<Json<Token>, Error> {
    if form.grant_type.is_some_and(|grant| grant != "password") {
        return Err(Error::invalid("grant_type", "must be password"));
    }
    let account = find(&form.username, &state.db).await?;
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let outcome = state.passwords.verify(form.password, hash).await?;
    let (Some(account), Outcome::Right | Outcome::Outdated(_)) = (account, &outcome) else {
        return Err(Error::refused(
            StatusCode::BAD_REQUEST,
            "The email address or the password is wrong.",
        ));
    };
    if let Outcome::Outdated(hash) = outcome {
        renew(&account, &hash, &state.db).await?;
    }
    Token::issue(&state, account.id, account.token_version).map(Json)
}

/// An inactive user is as good as none.
async fn find(username: &str, db: &PgPool) -> Result<Option<Account>, Error> {
    let email = rules::one_spelling(username);
    // The database can't even look for what can't be stored.
    if email.contains('\0') {
        return Ok(None);
    }
    let account = sqlx::query_as(
        "select id, password_hash, token_version from users where email = $1 and is_active",
    );
    Ok(account.bind(email).fetch_optional(db).await?)
}

/// Stores the same password with today's parameters. When it was changed meanwhile, that change stays.
async fn renew(account: &Account, hash: &str, db: &PgPool) -> Result<(), Error> {
    sqlx::query("update users set password_hash = $3 where id = $1 and password_hash = $2")
        .bind(account.id)
        .bind(&account.password_hash)
        .bind(hash)
        .execute(db)
        .await?;
    Ok(())
}
