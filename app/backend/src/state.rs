//! What handlers share. Holds values only; cheap to clone.

use std::sync::Arc;

use sqlx::PgPool;

use crate::{
    auth::{Passwords, Tokens},
    config::Config,
    problem::Error,
};

/// The state of the service.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The settings, as read at start.
    pub config: Arc<Config>,
    /// Connections to the database. They are opened when first needed.
    pub db: PgPool,
    /// Signs and verifies tokens.
    pub tokens: Arc<Tokens>,
    /// Hashes and verifies passwords.
    pub passwords: Arc<Passwords>,
}

impl AppState {
    /// Prepares what handlers need.
    ///
    /// # Errors
    /// When passwords can't be hashed on this machine.
    pub fn new(config: Config, db: PgPool) -> Result<Self, Error> {
        let tokens = Tokens::new(&config.secret_key, config.secret_key_previous.as_ref());
        Ok(Self {
            tokens: Arc::new(tokens),
            passwords: Arc::new(Passwords::new(config.workers)?),
            config: Arc::new(config),
            db,
        })
    }
}
