//! What handlers share. Holds values only; cheap to clone.

use std::sync::Arc;

use anyhow::Context;
use sqlx::PgPool;

use crate::{
    auth::{Passwords, Tokens},
    config::Config,
    mail::Mailer,
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
    /// Sends letters.
    pub mailer: Mailer,
}

impl AppState {
    /// Prepares what handlers need.
    ///
    /// # Errors
    /// When passwords can't be hashed on this machine, or the settings of the mail server don't fit together.
    pub fn new(config: Config, db: PgPool) -> anyhow::Result<Self> {
        let tokens = Tokens::new(&config.secret_key, config.secret_key_previous.as_ref());
        let passwords = Passwords::new(config.workers).context("cannot hash passwords")?;
        let mailer = Mailer::new(&config).context("cannot set up the mail")?;
        Ok(Self {
            config: Arc::new(config),
            db,
            tokens: Arc::new(tokens),
            passwords: Arc::new(passwords),
            mailer,
        })
    }
}
