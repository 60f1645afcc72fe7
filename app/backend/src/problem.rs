//! What can go wrong, and the one shape in which clients learn of it: RFC 9457 problem documents.
//!
//! Two audiences: the client reads status, detail and faults; causes inside go to the log only.

use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What is wrong with each field of the input, by the name of the field.
pub type FieldFaults = BTreeMap<&'static str, Cow<'static, str>>;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request can't be read: malformed, of the wrong type, too large.
    #[error("unreadable request: {detail}")]
    Unreadable {
        /// The status that fits.
        status: StatusCode,
        /// What is wrong, in words for the client.
        detail: String,
    },
    /// The request was read, but fields break a rule.
    #[error("invalid fields: {0:?}")]
    Invalid(FieldFaults),
    /// The database can't be reached, or isn't ready.
    #[error("the database does not answer")]
    Unavailable(#[source] Cause),
    /// A fault of this program.
    #[error("internal error")]
    Internal(#[source] Cause),
}

/// The cause of an error: for the log, never for the client.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable { status, .. } => *status,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if passes(&error) {
            Self::Unavailable(error.into())
        } else {
            Self::Internal(error.into())
        }
    }
}

/// Whether the same request can succeed later, with no change to this program.
fn passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection lost, wrong password, out of resources, shutting down or starting,
            // no such database, and a schema that isn't there yet.
            ["08", "28", "53", "57", "3D000", "42P01"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Names the rule behind a database constraint, so that nobody asks before writing, which would race.
pub trait OnConstraint<T> {
    /// Turns the violation of a constraint into the faults that `rule` knows for its name.
    ///
    /// # Errors
    /// With the error as it was when it is none, or no rule is known.
    fn on_constraint(self, rule: impl FnOnce(&str) -> Option<FieldFaults>) -> Result<T, Error>;
}

impl<T> OnConstraint<T> for sqlx::Result<T> {
    fn on_constraint(self, rule: impl FnOnce(&str) -> Option<FieldFaults>) -> Result<T, Error> {
        self.map_err(|error| {
            let name = error
                .as_database_error()
                .and_then(|error| error.constraint());
            name.and_then(rule)
                .map_or_else(|| error.into(), Error::Invalid)
        })
    }
}

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem this is; the status says it all.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The name of the status.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    /// The status of the answer.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong with this request.
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
    /// What is wrong with each field, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, value_type = BTreeMap<String, String>)]
    errors: FieldFaults,
}

impl Problem {
    /// The document for a status alone.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: Cow::Borrowed(detail(status)),
            errors: FieldFaults::new(),
        }
    }
}

fn detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing at this address.",
        StatusCode::METHOD_NOT_ALLOWED => "This address does not know this method.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is too large.",
        StatusCode::UNPROCESSABLE_ENTITY => "Some fields break a rule.",
        StatusCode::SERVICE_UNAVAILABLE => "The service can't answer now. Try again soon.",
        _ if status.is_server_error() => "Something went wrong here. It has been logged.",
        _ => "The request can't be answered.",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut problem = Problem::of(self.status());
        match self {
            Self::Unreadable { detail, .. } => problem.detail = detail.into(),
            Self::Invalid(faults) => problem.errors = faults,
            Self::Unavailable(ref cause) => tracing::warn!(%cause, "{self}"),
            Self::Internal(ref cause) => tracing::error!(%cause, "{self}"),
        }
        problem.into_response()
    }
}
