//! What to do about a lost password: a link by mail, which works once. Whether there is such a user is told
//! to nobody who does not read that user's mail.

use axum::{extract::State, http::StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::message::Message;
use crate::{
    auth::Purpose,
    extract::Json,
    mail::{Letter, letters},
    openapi::problems::{OnBody, OnDatabase},
    problem::Error,
    rules::{self, Fields},
    state::AppState,
};

/// The routes `/password-recovery/` and `/reset-password/`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(recover))
        .routes(routes!(reset))
}

/// Whose password is lost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverPassword {
    #[schema(format = Email, max_length = 254)]
    email: String,
}

/// Mails a link to set a new password
///
/// The answer is the same whether there is such a user or not. One account gets one letter a minute.
#[utoipa::path(
    post,
    path = "/password-recovery/",
    operation_id = "recover_password",
    tag = "login",
    request_body = RecoverPassword,
    responses((status = 202, description = "Whatever can be done is under way.", body = Message), OnBody, OnDatabase)
)]
async fn recover(
    State(state): State<AppState>,
    Json(lost): Json<RecoverPassword>,
) -> Result<(StatusCode, Json<Message>), Error> {
    let mut fields = Fields::default();
    let email = fields.take("email", rules::email(&lost.email));
    fields.done()?;
    let user = sqlx::query_scalar("select id from users where email = $1 and is_active")
        .bind(&email)
        .fetch_optional(&state.db)
        .await?;
    if let Some(user) = user {
        // Beside the answer, which comes as soon as for an address that nobody has.
        let mailer = state.mailer.clone();
        mailer.send_made(async move { letter(&state, user, &email).await });
    }
    let message = "If there is an account for that address, a link is on its way.";
    Ok((StatusCode::ACCEPTED, Json(message.into())))
}

/// The letter with the link. A minute has to pass between two to one account: others can ask for them too.
async fn letter(state: &AppState, user: Uuid, email: &str) -> Result<Option<Letter>, Error> {
    let version = sqlx::query_scalar(
        "update users set link_mailed_at = now()
         where id = $1 and is_active and link_mailed_at > now() - interval '1 minute' is not true
         returning token_version",
    );
    let Some(version) = version.bind(user).fetch_optional(&state.db).await? else {
        return Ok(None);
    };
    let token = state.tokens.issue(Purpose::Reset, user, version)?;
    Ok(Some(letters::reset_password(&state.config, email, &token)))
}

/// The token of the link, and the new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    #[schema(value_type = String)]
    token: SecretString,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128, pattern = r"^[^\u0000]*$")]
    new_password: SecretString,
}

/// Sets a new password with the token of a link
///
/// 400 also when the token is forged, expired or used.
#[utoipa::path(
    post,
    path = "/reset-password/",
    operation_id = "reset_password",
    tag = "login",
    request_body = ResetPassword,
    responses((status = 200, description = "The password is set.", body = Message), OnBody, OnDatabase)
)]
async fn reset(
    State(state): State<AppState>,
    Json(reset): Json<ResetPassword>,
) -> Result<Json<Message>, Error> {
    let mut fields = Fields::default();
    fields.take("new_password", rules::password(&reset.new_password));
    fields.done()?;
    let dead = || {
        Error::refused(
            StatusCode::BAD_REQUEST,
            "The link is not valid, or no longer. Ask for a new one.",
        )
    };
    let claims = state
        .tokens
        .read(Purpose::Reset, reset.token.expose_secret());
    let claims = claims.ok_or_else(dead)?;
    let hash = state.passwords.hash(reset.new_password).await?;
    // The condition is what makes the token work once, also when two come at once.
    let done = sqlx::query(
        "update users set password_hash = $3, token_version = token_version + 1
         where id = $1 and token_version = $2 and is_active",
    )
    .bind(claims.sub)
    .bind(claims.ver)
    .bind(hash)
    .execute(&state.db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(dead());
    }
    Ok(Json("The new password is set. Log in with it.".into()))
}
