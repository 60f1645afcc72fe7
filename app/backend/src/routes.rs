//! The routes of the API, by resource. Each file has its `router()` above the handlers.

pub mod items;
pub mod utils;
pub mod version;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

/// All routes of version 1.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(utils::router())
        .merge(items::router())
        .merge(version::router())
}
