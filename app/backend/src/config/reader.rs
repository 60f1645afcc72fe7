//! Reads one setting after the other and collects what is wrong. Knows kinds of values, not what they are for.

use std::fmt;

use axum::http::{HeaderValue, Uri};
use lettre::Address;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use secrecy::SecretString;
use sqlx::postgres::PgSslMode;
use tracing_subscriber::EnvFilter;

use super::{Environment, LogFormat, email_address};

/// The value that example files put where a secret belongs.
const PLACEHOLDER: &str = "changethis";

/// The development server of the pages.
const LOCAL_PAGES: &str = "http://localhost:5173";

/// What is logged unless `RUST_LOG` says otherwise. The notices of the database tell that what should
/// exist does exist.
pub(super) const LOG_FILTER: &str = "info,sqlx::postgres::notice=warn";

/// Everything that is wrong with the environment.
#[derive(Debug, thiserror::Error)]
#[error("the settings are faulty:\n  - {}", .0.join("\n  - "))]
pub struct Faults(Vec<String>);

/// Goes on after a fault, with a value nobody will see.
pub(super) struct Reader<L> {
    lookup: L,
    faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn new(lookup: L) -> Self {
        Self {
            lookup,
            faults: Vec::new(),
        }
    }

    /// The result, if nothing was wrong on the way to it.
    pub(super) fn finish<T>(self, result: T) -> Result<T, Faults> {
        if self.faults.is_empty() {
            Ok(result)
        } else {
            Err(Faults(self.faults))
        }
    }

    pub(super) fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// An empty value counts as none: that is what templates leave where they have nothing to say.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn text(&mut self, name: &str, default: Option<&str>) -> String {
        match (self.given(name), default) {
            (Some(value), _) => value,
            (None, Some(default)) => default.to_owned(),
            (None, None) => {
                self.fault(format!("{name} is missing"));
                String::new()
            }
        }
    }

    /// A text that ends up in places of one line, such as the subject of a mail.
    pub(super) fn line(&mut self, name: &str, default: Option<&str>) -> String {
        let text = self.text(name, default);
        if text.contains(char::is_control) {
            self.fault(format!(
                "{name} must be one line without control characters"
            ));
        }
        text
    }

    pub(super) fn number<T>(
        &mut self,
        name: &str,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> T
    where
        T: std::str::FromStr + PartialOrd + fmt::Display + Copy,
    {
        let text = self.text(name, Some(&default.to_string()));
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.fault(format!("{name} must be {low} to {high}, but is {text:?}"));
                default
            }
        }
    }

    /// Nothing when nothing is said.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let word = self.given(name)?;
        match word.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.fault(format!("{name} must be true or false, but is {word:?}"));
                None
            }
        }
    }

    pub(super) fn environment(&mut self) -> Environment {
        // The strictest one stands in for a faulty value, so that faulty secrets are told as well.
        self.choice(
            "ENVIRONMENT",
            "local",
            Environment::Production,
            |word| match word {
                "local" => Ok(Environment::Local),
                "staging" => Ok(Environment::Staging),
                "production" => Ok(Environment::Production),
                _ => Err("local, staging or production"),
            },
        )
    }

    pub(super) fn log_format(&mut self, name: &str) -> LogFormat {
        self.choice(name, "json", LogFormat::Json, |word| match word {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => Err("json or text"),
        })
    }

    pub(super) fn ssl_mode(&mut self, name: &str) -> PgSslMode {
        self.choice(name, "prefer", PgSslMode::Prefer, |word| {
            word.parse()
                .map_err(|_| "disable, allow, prefer, require, verify-ca or verify-full")
        })
    }

    fn choice<T>(
        &mut self,
        name: &str,
        default: &str,
        stand_in: T,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> T {
        let word = self.text(name, Some(default));
        parse(&word).unwrap_or_else(|choices| {
            self.fault(format!("{name} must be {choices}, but is {word:?}"));
            stand_in
        })
    }

    pub(super) fn log_filter(&mut self, name: &str) -> String {
        let filter = self.text(name, Some(LOG_FILTER));
        if let Err(error) = EnvFilter::try_new(&filter) {
            self.fault(format!("{name} is no log filter: {error}"));
        }
        filter
    }

    pub(super) fn address_of_pages(&mut self, name: &str, environment: Environment) -> String {
        let default = (environment == Environment::Local).then_some(LOCAL_PAGES);
        let text = self.text(name, default);
        let address = address_of_pages(&text);
        if address.is_none() && !text.is_empty() {
            self.fault(format!(
                "{name} must be an address such as https://dashboard.example.com, but is {text:?}"
            ));
        }
        address.unwrap_or_default()
    }

    pub(super) fn origins(&mut self, name: &str) -> Vec<HeaderValue> {
        let list = self.given(name).unwrap_or_default();
        let entries = list.split(',').map(str::trim);
        let mut origins = Vec::new();
        for entry in entries.filter(|entry| !entry.is_empty()) {
            match origin(entry) {
                Some(origin) => origins.push(origin),
                None => self.fault(format!(
                    "{name} must list origins such as https://app.example.com, but holds {entry:?}"
                )),
            }
        }
        origins
    }

    /// A host name or an IP address; nothing when nothing is said.
    pub(super) fn host(&mut self, name: &str) -> Option<String> {
        let host = self.given(name)?;
        if rustls::pki_types::ServerName::try_from(host.as_str()).is_err() {
            self.fault(format!(
                "{name} must be a host name such as smtp.example.com, but is {host:?}"
            ));
        }
        Some(host)
    }

    pub(super) fn email_address(&mut self, name: &str) -> Address {
        let text = self.text(name, None);
        email_address(&text).unwrap_or_else(|| {
            if !text.is_empty() {
                self.fault(format!(
                    "{name} must be an email address such as admin@example.com, but is {text:?}"
                ));
            }
            Address::new_dangerous("", "")
        })
    }

    /// The value is never part of a fault.
    pub(super) fn secret(&mut self, name: &str, environment: Environment) -> SecretString {
        let value = self.given(name).unwrap_or_default();
        let known = value.is_empty() || value == PLACEHOLDER;
        if known && environment != Environment::Local {
            self.fault(format!(
                "{name} must be set to a secret of its own outside of ENVIRONMENT=local"
            ));
        }
        value.into()
    }

    pub(super) fn optional_secret(
        &mut self,
        name: &str,
        environment: Environment,
    ) -> Option<SecretString> {
        self.given(name)?;
        Some(self.secret(name, environment))
    }

    /// A secret that the API takes as the password of an account.
    pub(super) fn password(&mut self, name: &str, environment: Environment) -> SecretString {
        let length = self.given(name).map(|value| value.chars().count());
        if length.is_some_and(|length| !(8..=128).contains(&length)) {
            self.fault(format!("{name} must have 8 to 128 characters"));
        }
        self.secret(name, environment)
    }

    /// Held as a secret, although half of it is in every page: who has it can fill the error tracker.
    pub(super) fn sentry_dsn(&mut self, name: &str) -> Option<SecretString> {
        let dsn = self.given(name)?;
        if let Err(error) = dsn.parse::<sentry::types::Dsn>() {
            self.fault(format!(
                "{name} must be the DSN that Sentry shows, as https://<key>@<host>/<project>, or be left out: {error}"
            ));
        }
        Some(dsn.into())
    }

    /// The certificates of a PEM file.
    pub(super) fn authorities(&mut self, name: &str) -> Option<Vec<CertificateDer<'static>>> {
        let path = self.given(name)?;
        authorities(&path)
            .inspect_err(|fault| self.fault(format!("{name} names {path:?}, {fault}")))
            .ok()
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

/// As an origin, but perhaps below a path.
fn address_of_pages(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let uri: Uri = text.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = !text.contains(['?', '#', '@', '*']);
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    (is_web && is_plain && has_host).then(|| text.to_owned())
}

fn authorities(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| format!("which can't be read as PEM: {error}"))?;
    if certificates.is_empty() {
        return Err("which holds no certificate".into());
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(certificate.clone())
            .map_err(|error| format!("which holds a certificate that is no authority: {error}"))?;
    }
    Ok(certificates)
}
