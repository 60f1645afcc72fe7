//! The routes of the API, by resource. Each file has its `router()` above the handlers.

pub mod items;
pub mod login;
pub mod me;
mod message;
mod page;
pub mod recovery;
pub mod test_email;
pub mod users;
pub mod utils;
pub mod version;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

/// All routes of version 1.
#[must_use]
pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(login::router())
        .merge(recovery::router())
        .merge(me::router())
        .merge(users::router())
        .merge(items::router())
        .merge(utils::router())
        .merge(test_email::router())
        .merge(version::router())
}
