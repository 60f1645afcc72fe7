//! The settings. The only module that reads the environment, and it reads it once.
//!
//! All faults are collected and told in one message: whoever deploys this fixes them in one go.

use std::fmt;

use axum::http::HeaderValue;
use sqlx::postgres::PgSslMode;
use tracing_subscriber::EnvFilter;

/// The value that example files put where a secret belongs.
const PLACEHOLDER: &str = "changethis";

/// More than this in one pod is a mistake in the unit: it is a count of threads, not of requests.
const MAX_WORKERS: usize = 64;

/// What is logged unless `RUST_LOG` says otherwise. The notices of the database tell that what should
/// exist does exist.
const LOG_FILTER: &str = "info,sqlx::postgres::notice=warn";

/// The settings, checked.
#[derive(Debug)]
pub struct Config {
    /// `ENVIRONMENT`: where this runs.
    pub environment: Environment,
    /// `PROJECT_NAME`: what people call this deployment.
    pub project_name: String,
    /// `APP_VERSION`: the release that is deployed.
    pub version: String,
    /// `BACKEND_CORS_ORIGINS`: the pages that may call this API from a browser, separated by commas.
    pub cors_origins: Vec<HeaderValue>,
    /// `SECRET_KEY`: signs what this service hands out.
    pub secret_key: Secret,
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
#[derive(Debug)]
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
    pub password: Secret,
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

/// A value that must not appear in logs or messages: its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value itself. Callers hand it to the library that needs it and keep no copy.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Everything that is wrong with the environment.
#[derive(Debug, thiserror::Error)]
#[error("the settings are faulty:\n  - {}", .0.join("\n  - "))]
pub struct Faults(Vec<String>);

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
        let mut reader = Reader {
            lookup,
            faults: Vec::new(),
        };
        let environment = reader.environment();
        let config = Self {
            environment,
            project_name: reader.text("PROJECT_NAME", Some("AppStack demo")),
            version: reader.text("APP_VERSION", Some("unknown")),
            cors_origins: reader.origins("BACKEND_CORS_ORIGINS"),
            secret_key: reader.secret("SECRET_KEY", environment),
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
        if reader.faults.is_empty() {
            Ok(config)
        } else {
            Err(Faults(reader.faults))
        }
    }
}

/// Reads one setting after the other and goes on after a fault, with a value nobody will see.
struct Reader<L> {
    lookup: L,
    faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn environment(&mut self) -> Environment {
        // The strictest one stands in for a faulty value, so that faulty secrets are told as well.
        self.choice(
            "ENVIRONMENT",
            Some("local"),
            Environment::Production,
            |word| match word {
                "local" => Ok(Environment::Local),
                "staging" => Ok(Environment::Staging),
                "production" => Ok(Environment::Production),
                _ => Err("local, staging or production"),
            },
        )
    }

    fn log_format(&mut self, name: &str) -> LogFormat {
        self.choice(name, Some("json"), LogFormat::Json, |word| match word {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => Err("json or text"),
        })
    }

    fn ssl_mode(&mut self, name: &str) -> PgSslMode {
        self.choice(name, Some("prefer"), PgSslMode::Prefer, |word| {
            word.parse()
                .map_err(|_| "disable, allow, prefer, require, verify-ca or verify-full")
        })
    }

    fn log_filter(&mut self, name: &str) -> String {
        let filter = self.text(name, Some(LOG_FILTER));
        if let Err(error) = EnvFilter::try_new(&filter) {
            self.faults
                .push(format!("{name} is no log filter: {error}"));
        }
        filter
    }

    fn choice<T>(
        &mut self,
        name: &str,
        default: Option<&str>,
        stand_in: T,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> T {
        let word = self.text(name, default);
        parse(&word).unwrap_or_else(|choices| {
            self.faults
                .push(format!("{name} must be {choices}, but is {word:?}"));
            stand_in
        })
    }

    fn number<T>(&mut self, name: &str, default: T, range: std::ops::RangeInclusive<T>) -> T
    where
        T: std::str::FromStr + PartialOrd + fmt::Display + Copy,
    {
        let text = self.text(name, Some(&default.to_string()));
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.faults
                    .push(format!("{name} must be {low} to {high}, but is {text:?}"));
                default
            }
        }
    }

    fn origins(&mut self, name: &str) -> Vec<HeaderValue> {
        let list = self.lookup(name).unwrap_or_default();
        let mut origins = Vec::new();
        for entry in list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            match origin(entry) {
                Some(origin) => origins.push(origin),
                None => self.faults.push(format!(
                    "{name} must list origins such as https://app.example.com, but holds {entry:?}"
                )),
            }
        }
        origins
    }

    /// The value is never part of a fault.
    fn secret(&mut self, name: &str, environment: Environment) -> Secret {
        let value = self.lookup(name).unwrap_or_default();
        let known = value.is_empty() || value == PLACEHOLDER;
        if known && environment != Environment::Local {
            self.faults.push(format!(
                "{name} must be set to a secret of its own outside of ENVIRONMENT=local"
            ));
        }
        Secret(value)
    }

    fn text(&mut self, name: &str, default: Option<&str>) -> String {
        match (self.lookup(name), default) {
            (Some(value), _) => value,
            (None, Some(default)) => default.to_owned(),
            (None, None) => {
                self.faults.push(format!("{name} is missing"));
                String::new()
            }
        }
    }

    /// An empty value counts as none: that is what templates leave where they have nothing to say.
    fn lookup(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }
}

/// Scheme and host, and perhaps a port. Browsers send an origin without a slash at its end.
fn origin(text: &str) -> Option<HeaderValue> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (scheme, rest) = text.split_once("://")?;
    let fits = matches!(scheme, "http" | "https")
        && !rest.is_empty()
        && !rest.contains(|c: char| "/?#@*".contains(c) || c.is_whitespace());
    fits.then(|| HeaderValue::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 6] = [
        ("ENVIRONMENT", "staging"),
        ("SECRET_KEY", "s3cret"),
        ("POSTGRES_SERVER", "db"),
        ("POSTGRES_DB", "app"),
        ("POSTGRES_USER", "me"),
        ("POSTGRES_PASSWORD", "pa:ss@w/rd"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let find = |name: &str, pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::read(|name| find(name, changes).or_else(|| find(name, &GOOD)))
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        let config = read(&[]).unwrap();
        assert_eq!((config.workers, config.database.port), (1, 5432));
        assert_eq!(
            (config.log_format, config.log_filter.as_str()),
            (LogFormat::Json, LOG_FILTER)
        );
        assert!(config.cors_origins.is_empty());
    }

    #[test]
    fn one_message_lists_every_fault() {
        let message = read(&[
            ("ENVIRONMENT", "prod"),
            ("SECRET_KEY", "changethis"),
            ("POSTGRES_SERVER", ""),
            ("POSTGRES_PORT", "0"),
            ("PGSSLMODE", "maybe"),
            ("WEB_CONCURRENCY", "many"),
            ("BACKEND_CORS_ORIGINS", "https://ok.example.com, *"),
            ("LOG_FORMAT", "xml"),
        ])
        .unwrap_err();
        for name in [
            "ENVIRONMENT must be local, staging or production",
            "SECRET_KEY must be set",
            "POSTGRES_SERVER is missing",
            "POSTGRES_PORT must be 1 to 65535",
            "PGSSLMODE must be",
            "WEB_CONCURRENCY must be 1 to 64",
            "BACKEND_CORS_ORIGINS must list",
            "LOG_FORMAT must be json or text",
        ] {
            assert!(message.contains(name), "{name:?} is not in {message}");
        }
    }

    #[test]
    fn placeholders_for_secrets_pass_only_on_a_developers_machine() {
        for value in ["", "changethis"] {
            let secrets = [("SECRET_KEY", value), ("POSTGRES_PASSWORD", value)];
            let message = read(&secrets).unwrap_err();
            assert!(message.contains("SECRET_KEY") && message.contains("POSTGRES_PASSWORD"));
            let local = [("ENVIRONMENT", "local"), secrets[0], secrets[1]];
            assert!(read(&local).is_ok());
        }
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let shown = format!("{:?}", read(&[]).unwrap());
        assert!(
            !shown.contains("s3cret") && !shown.contains("pa:ss"),
            "{shown}"
        );
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let list = "http://localhost:5173/, https://dashboard.example.com";
        let origins = read(&[("BACKEND_CORS_ORIGINS", list)])
            .unwrap()
            .cors_origins;
        assert_eq!(
            origins,
            ["http://localhost:5173", "https://dashboard.example.com"]
        );
        for wrong in [
            "dashboard.example.com",
            "ftp://host",
            "https://",
            "https://host/path",
        ] {
            assert!(origin(wrong).is_none(), "{wrong}");
        }
    }
}
