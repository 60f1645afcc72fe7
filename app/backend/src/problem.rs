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
    /// The request is refused as it is: it can't be read, or what it asks for is not to be had.
    #[error("refused: {detail}")]
    Refused {
        /// The status that fits.
        status: StatusCode,
        /// What is wrong, in words for the client.
        detail: Cow<'static, str>,
    },
    /// The request was read, but fields break a rule.
    #[error("invalid fields: {0:?}")]
    Invalid(FieldFaults),
    /// Fields hold what someone else has already.
    #[error("taken fields: {0:?}")]
    Taken(FieldFaults),
    /// Nobody knows who asks.
    #[error("no valid access token")]
    Unauthenticated,
    /// More work is waiting than can be done in time.
    #[error("too much work is waiting")]
    Busy,
    /// The database can't be reached, or isn't ready.
    #[error("the database does not answer")]
    Unavailable(#[source] Cause),
    /// A service behind this one refused its part.
    #[error("{detail}")]
    Upstream {
        /// What was to be done, in words for the client.
        detail: &'static str,
        /// What the service said.
        cause: Cause,
    },
    /// A fault of this program.
    #[error("internal error")]
    Internal(#[source] Cause),
}

/// The cause of an error: for the log, never for the client.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// There is no such thing, or it is not the caller's to see: nobody learns which.
    #[must_use]
    pub fn not_found(detail: &'static str) -> Self {
        Self::refused(StatusCode::NOT_FOUND, detail)
    }

    /// What is asked for can't be done as things are.
    #[must_use]
    pub fn conflict(detail: &'static str) -> Self {
        Self::refused(StatusCode::CONFLICT, detail)
    }

    /// The request is refused with this status.
    #[must_use]
    pub fn refused(status: StatusCode, detail: &'static str) -> Self {
        Self::Refused {
            status,
            detail: detail.into(),
        }
    }

    /// One field breaks a rule.
    #[must_use]
    pub fn invalid(field: &'static str, rule: &'static str) -> Self {
        Self::Invalid(FieldFaults::from([(field, rule.into())]))
    }

    /// One field holds what someone else has already.
    #[must_use]
    pub fn taken(field: &'static str, rule: &'static str) -> Self {
        Self::Taken(FieldFaults::from([(field, rule.into())]))
    }

    /// A fault of this program, with its cause.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused { status, .. } => *status,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Taken(_) => StatusCode::CONFLICT,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream { .. } => StatusCode::BAD_GATEWAY,
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
            // Connection lost, wrong password, rolled back for another, out of resources, shutting down or
            // starting, no such database, a standby, and a schema that isn't there yet.
            ["08", "28", "40", "53", "57", "3D000", "25006", "42P01"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Names the rule behind a database constraint, so that nobody asks before writing, which would race.
pub trait OnConstraint<T> {
    /// Turns the violation of a constraint into the error that `rule` knows for its name.
    ///
    /// # Errors
    /// With the error as it was when it is none, or no rule is known.
    fn on_constraint(self, rule: impl FnOnce(&str) -> Option<Error>) -> Result<T, Error>;
}

impl<T> OnConstraint<T> for sqlx::Result<T> {
    fn on_constraint(self, rule: impl FnOnce(&str) -> Option<Error>) -> Result<T, Error> {
        self.map_err(|error| {
            let name = error
                .as_database_error()
                .and_then(|error| error.constraint());
            name.and_then(rule).unwrap_or_else(|| error.into())
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
        StatusCode::UNAUTHORIZED => "A valid access token is needed. Log in again.",
        StatusCode::NOT_FOUND => "There is nothing at this address.",
        StatusCode::METHOD_NOT_ALLOWED => "This address does not know this method.",
        StatusCode::CONFLICT => "Some fields hold what someone else has already.",
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
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut problem = Problem::of(self.status());
        match self {
            Self::Refused { detail, .. } => problem.detail = detail,
            Self::Invalid(faults) | Self::Taken(faults) => problem.errors = faults,
            Self::Unauthenticated => {}
            Self::Busy => tracing::warn!("{self}"),
            Self::Unavailable(ref cause) => tracing::warn!(%cause, "{self}"),
            Self::Upstream { detail, ref cause } => {
                tracing::warn!(%cause, "{self}");
                problem.detail = detail.into();
            }
            Self::Internal(ref cause) => tracing::error!(%cause, "{self}"),
        }
        problem.into_response()
    }
}
