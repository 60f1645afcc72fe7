//! What probes ask.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{openapi::problems::OnDatabase, problem::Error, state::AppState};

/// The operator's probes give up after three seconds, and the check before them: an answer is better than none. A database that needs
/// longer than a second on a busy machine, such as for a new connection, is no reason to take visitors away.
const CHECK_WITHIN: Duration = Duration::from_secs(2);

/// The routes below `/utils`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(health_check))
        .routes(routes!(live))
}

/// The answer to a probe.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`: what isn't ok is told by the status.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Tells whether requests can be answered, the database included
#[utoipa::path(
    get,
    path = "/utils/health-check/",
    tag = "utils",
    responses(
        (status = 200, description = "They can.", body = Health),
        OnDatabase,
    )
)]
async fn health_check(State(state): State<AppState>) -> Result<Json<Health>, Error> {
    let answer = sqlx::query("select 1").execute(&state.db);
    tokio::time::timeout(CHECK_WITHIN, answer)
        .await
        .map_err(|elapsed| Error::Unavailable(elapsed.into()))?
        // Whatever the database says instead of an answer: this pod can't serve.
        .map_err(|error| Error::Unavailable(error.into()))?;
    Ok(OK)
}

/// Tells whether the program runs
///
/// Never asks the database: a restart of this program would not heal it.
#[utoipa::path(get, path = "/utils/live/", tag = "utils", responses((status = 200, description = "It does.", body = Health)))]
async fn live() -> Json<Health> {
    OK
}
