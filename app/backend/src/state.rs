//! What handlers share. Holds values only; cheap to clone.

use std::sync::Arc;

use sqlx::PgPool;

use crate::config::Config;

/// The state of the service.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The settings, as read at start.
    pub config: Arc<Config>,
    /// Connections to the database. They are opened when first needed.
    pub db: PgPool,
}
