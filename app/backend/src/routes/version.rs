//! What is deployed here.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::AppState;

/// The route `/version`.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(version))
}

/// What is deployed here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deployment {
    /// The release.
    #[schema(example = "v1.4.0")]
    version: String,
    /// Where it runs.
    #[schema(example = "staging")]
    environment: &'static str,
    /// What people call this deployment.
    #[schema(example = "Shop")]
    project_name: String,
}

/// Tells what is deployed here
#[utoipa::path(get, path = "/version", tag = "utils", responses((status = 200, description = "The deployment.", body = Deployment)))]
async fn version(State(state): State<AppState>) -> Json<Deployment> {
    let config = &state.config;
    Json(Deployment {
        version: config.version.clone(),
        environment: config.environment.as_str(),
        project_name: config.project_name.clone(),
    })
}
