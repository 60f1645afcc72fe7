//! Reports to Sentry: what went wrong, where, in which release and for which request. Not who asked or
//! with what: no header, body or address leaves, and what looks like a secret in a text is taken out.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use sentry::{
    ClientInitGuard, ClientOptions, Transport, TransportFactory, TransportOptions,
    protocol::{Context, Event, Value},
    transports::UreqHttpTransportOptions,
};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};
use uuid::Uuid;

use crate::config::Config;

/// For one report. They are sent one after the other, on a thread of their own.
const WITHIN: Duration = Duration::from_secs(5);

/// A word this long that consists of what tokens consist of is taken for one.
const TOKEN_MIN: usize = 24;

/// Starts to report, if the settings name a place to report to.
pub(super) fn init(config: &Config) -> Option<ClientInitGuard> {
    let dsn = config.sentry_dsn.as_ref()?;
    let mut options = ClientOptions::new()
        .release(config.version.clone())
        .environment(config.environment.as_str())
        .send_default_pii(false)
        .max_breadcrumbs(0)
        .before_send(|event| Some(scrubbed(event)));
    options.dsn = dsn.expose_secret().parse().ok();
    options.transport = Some(Arc::new(Post(agent(config))));
    Some(sentry::init(options))
}

/// Sends reports with an HTTP client that is set up as ours.
struct Post(Agent);

impl TransportFactory for Post {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        let options = UreqHttpTransportOptions::from(options);
        Arc::new(options.with_agent(self.0.clone()).build())
    }
}

fn agent(config: &Config) -> Agent {
    let mut tls = TlsConfig::builder();
    if let Some(authorities) = &config.authorities {
        let authorities = authorities
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        tls = tls.root_certs(RootCerts::from(authorities));
    }
    Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(WITHIN))
        .build()
        .new_agent()
}

/// The report without what could name a person or let somebody in.
fn scrubbed(mut event: Event<'static>) -> Event<'static> {
    event.request = None;
    event.user = None;
    event.server_name = None;
    event.message = event.message.map(|text| scrubbed_text(&text));
    for exception in &mut event.exception.values {
        exception.value = exception.value.take().map(|text| scrubbed_text(&text));
    }
    for context in event.contexts.values_mut() {
        if let Context::Other(fields) = context {
            fields.values_mut().for_each(scrub);
        }
    }
    event
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = scrubbed_text(text),
        Value::Array(values) => values.iter_mut().for_each(scrub),
        Value::Object(fields) => fields.values_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes out the words that look like addresses, tokens, or links with a token.
fn scrubbed_text(text: &str) -> String {
    let ends_word = |c: char| c.is_whitespace() || "\"'`(),;<>[]{}=".contains(c);
    let mut scrubbed = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        let rest = &piece[word.len()..];
        scrubbed.push_str(match word {
            address if address.contains('@') => "[address]",
            token if is_token(token) => "[token]",
            word => word,
        });
        scrubbed.push_str(rest);
    }
    scrubbed
}

/// Names of modules and files have other characters than tokens, and ids of requests and rows let nobody in.
fn is_token(word: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    word.len() >= TOKEN_MIN
        && word.bytes().all(fits)
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
        && Uuid::try_parse(word).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_somebody_in_or_names_a_person_is_taken_out() {
        for (text, scrubbed) in [
            (
                "no user <me@example.com>, sorry",
                "no user <[address]>, sorry",
            ),
            (
                "Key (email)=(me@example.com) exists",
                "Key (email)=([address]) exists",
            ),
            (
                "see https://page.example/reset-password#token=eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
                "see https://page.example/reset-password#token=[token]",
            ),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "Bearer [token]"),
            (
                "postgresql://me:secret@db:5432/app failed",
                "[address] failed",
            ),
        ] {
            assert_eq!(scrubbed_text(text), scrubbed);
        }
    }

    #[test]
    fn what_helps_to_find_the_fault_stays() {
        for text in [
            "called `Option::unwrap()` on a `None` value",
            "index out of bounds: the len is 3 but the index is 99",
            "app/backend/src/routes/items.rs:157:48",
            "row 01932b1c-7a7e-7cc3-98c4-dc0c0c07398f is gone",
            "relation \"a_rather_long_name_of_a_relation\" does not exist",
        ] {
            assert_eq!(scrubbed_text(text), text);
        }
    }

    #[test]
    fn fields_are_scrubbed_at_any_depth() {
        let mut value =
            serde_json::json!({"a": ["me@example.com", 7], "b": {"c": "me@example.com"}});
        scrub(&mut value);
        let scrubbed = serde_json::json!({"a": ["[address]", 7], "b": {"c": "[address]"}});
        assert_eq!(value, scrubbed);
    }
}
