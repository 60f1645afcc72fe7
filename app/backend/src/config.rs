//! The settings. The only module that reads the environment, and it reads it once.
//!
//! All faults are collected and told in one message: whoever deploys this fixes them in one go. No
//! secret is part of a fault, or of what `Debug` shows.

mod email;
mod reader;

use axum::http::HeaderValue;
use lettre::Address;
use rustls::pki_types::CertificateDer;
use secrecy::SecretString;
use sqlx::postgres::PgSslMode;

pub use email::{Email, Encryption, Login};
pub use reader::Faults;
use reader::Reader;

/// More than this in one pod is a mistake in the unit: it is a count of threads, not of requests.
const MAX_WORKERS: usize = 64;

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ENVIRONMENT`: where this runs.
    pub environment: Environment,
    /// `PROJECT_NAME`: what people call this deployment.
    pub project_name: String,
    /// `APP_VERSION`: the release that is deployed.
    pub version: String,
    /// `FRONTEND_HOST`: where people find the pages, such as `https://dashboard.example.com`; no slash at its end.
    pub frontend_host: String,
    /// `BACKEND_CORS_ORIGINS`: the pages that may call this API from a browser, separated by commas.
    pub cors_origins: Vec<HeaderValue>,
    /// `SECRET_KEY`: signs what this service hands out.
    pub secret_key: SecretString,
    /// `SECRET_KEY_PREVIOUS`: the key before this one. What it signed is still believed, so that a
    /// change of the key logs nobody out.
    pub secret_key_previous: Option<SecretString>,
    /// `FIRST_SUPERUSER`: the email address of the account that the seed makes.
    pub first_superuser: String,
    /// `FIRST_SUPERUSER_PASSWORD`.
    pub first_superuser_password: SecretString,
    /// `SMTP_*` and `EMAILS_FROM_EMAIL`: none when no mail server is set up.
    pub email: Option<Email>,
    /// `SENTRY_DSN`: where faults are reported, besides the log.
    pub sentry_dsn: Option<SecretString>,
    /// `SSL_CERT_FILE`: the authorities to trust instead of the public ones, which are built in. Holds for
    /// the mail server and for Sentry; the database has `PGSSLROOTCERT`.
    pub authorities: Option<Vec<CertificateDer<'static>>>,
    /// `POSTGRES_*` and `PGSSLMODE`.
    pub database: Database,
    /// `WEB_CONCURRENCY`: threads that serve requests; the pool of connections grows with it.
    pub workers: usize,
    /// `LOG_FORMAT`: `json` or `text`.
    pub log_format: LogFormat,
    /// `RUST_LOG`: which lines are logged.
    pub log_filter: String,
}

/// Where the database is. Kept in parts: a password in a URL needs escaping, and URLs end up in logs.
#[derive(Clone, Debug)]
pub struct Database {
    /// `POSTGRES_SERVER`: a host name, or the folder of a Unix socket.
    pub host: String,
    /// `POSTGRES_PORT`.
    pub port: u16,
    /// `POSTGRES_DB`.
    pub name: String,
    /// `POSTGRES_USER`.
    pub user: String,
    /// `POSTGRES_PASSWORD`.
    pub password: SecretString,
    /// `PGSSLMODE`.
    pub ssl_mode: PgSslMode,
}

/// Where this runs. Only `local` forgives placeholders for secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine.
    Local,
    /// A rehearsal of production.
    Staging,
    /// The real thing.
    Production,
}

impl Environment {
    /// The word used in settings and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For people.
    Text,
}

impl Config {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// With all faults at once.
    pub fn from_env() -> Result<Self, Faults> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings from any place that knows names.
    ///
    /// # Errors
    /// With all faults at once.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut reader = Reader::new(lookup);
        let environment = reader.environment();
        let config = Self {
            environment,
            project_name: reader.line("PROJECT_NAME", Some("AppStack demo")),
            version: reader.text("APP_VERSION", Some("unknown")),
            frontend_host: reader.address_of_pages("FRONTEND_HOST", environment),
            cors_origins: reader.origins("BACKEND_CORS_ORIGINS"),
            secret_key: reader.secret("SECRET_KEY", environment),
            secret_key_previous: reader.optional_secret("SECRET_KEY_PREVIOUS", environment),
            first_superuser: reader.email_address("FIRST_SUPERUSER").to_string(),
            first_superuser_password: reader.password("FIRST_SUPERUSER_PASSWORD", environment),
            email: email::read(&mut reader),
            sentry_dsn: reader.sentry_dsn("SENTRY_DSN"),
            authorities: reader.authorities("SSL_CERT_FILE"),
            database: Database {
                host: reader.text("POSTGRES_SERVER", None),
                port: reader.number("POSTGRES_PORT", 5432, 1..=u16::MAX),
                name: reader.text("POSTGRES_DB", None),
                user: reader.text("POSTGRES_USER", None),
                password: reader.secret("POSTGRES_PASSWORD", environment),
                ssl_mode: reader.ssl_mode("PGSSLMODE"),
            },
            workers: reader.number("WEB_CONCURRENCY", 1, 1..=MAX_WORKERS),
            log_format: reader.log_format("LOG_FORMAT"),
            log_filter: reader.log_filter("RUST_LOG"),
        };
        reader.finish(config)
    }
}

/// Email addresses are compared in small letters. `None` when it is none, or longer than mail servers take.
fn email_address(text: &str) -> Option<Address> {
    let text = text.trim().to_lowercase();
    (text.len() <= 254).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
pub(crate) mod tests;
