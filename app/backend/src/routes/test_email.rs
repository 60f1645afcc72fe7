//! A letter to see whether the mail server takes letters.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::message::Message;
use crate::{
    auth::Superuser,
    extract::Json,
    mail::letters,
    openapi::problems::{OnBody, OnDatabase, OnMail, OnSuperuser},
    problem::Error,
    rules::{self, Fields},
    state::AppState,
};

/// The route `/utils/test-email/`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(send))
}

/// Where the letter goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestEmail {
    #[schema(format = Email, max_length = 254)]
    email: String,
}

/// Sends a test letter, and waits until the mail server has taken it
#[utoipa::path(
    post,
    path = "/utils/test-email/",
    operation_id = "send_test_email",
    tag = "utils",
    security(("login" = [])),
    request_body = TestEmail,
    responses((status = 200, description = "The mail server took the letter.", body = Message), OnSuperuser, OnBody, OnMail, OnDatabase)
)]
async fn send(
    State(state): State<AppState>,
    _: Superuser,
    Json(test): Json<TestEmail>,
) -> Result<Json<Message>, Error> {
    let mut fields = Fields::default();
    let email = fields.take("email", rules::email(&test.email));
    fields.done()?;
    if !state.mailer.is_set_up() {
        return Err(Error::conflict("No mail server is set up."));
    }
    let letter = letters::test(&state.config, &email);
    state
        .mailer
        .deliver(letter)
        .await
        .map_err(|error| Error::Upstream {
            detail: "The mail server did not take the letter. The log says more.",
            cause: error.into(),
        })?;
    Ok(Json("The mail server took the letter.".into()))
}
