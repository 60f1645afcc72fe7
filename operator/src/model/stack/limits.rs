//! Who may come into a checked stack, and how often.
//!
//! Invariant: data only.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who may come in, and how often.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// How many requests a client may send.
    pub rate: Rate,
    /// The addresses and networks that may come in; empty for everybody.
    pub allow: Vec<String>,
    /// The Secret with the names and passwords that are asked for.
    pub users: Option<String>,
    /// How many proxies stand before the ingress controller.
    pub proxies: i32,
    /// How many bytes the body of a request may have.
    pub max_body: Option<i64>,
    /// Whether answers are given headers that browsers are careful by.
    pub security_headers: bool,
    /// How long an answer may take to begin.
    pub response_timeout: Option<Duration>,
    /// What answers visitors in place of the application, while it does.
    pub maintenance: Option<Maintenance>,
    /// What is wrong with them. Then those that are in force stay, whatever they are: nobody is let in, or shut out, by a
    /// mistake.
    pub faults: Vec<String>,
}

/// What answers visitors in place of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// The image that answers: the operator's own.
    pub image: String,
    /// The ConfigMap with the user's page.
    pub page: Option<String>,
    /// Whether it answers, so that visitors may be led to it. Once they are, it is left at that.
    pub answers: bool,
}

impl Maintenance {
    /// The key of the user's page in its `ConfigMap`.
    pub const KEY: &'static str = "index.html";
}

/// What a spec says of how many requests a client may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rate {
    /// Nothing: the default of the release.
    #[default]
    Default,
    /// As many as it likes.
    Unlimited,
    /// No more than these.
    Most(RateLimit),
}

/// How many requests a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// A second, in the long run.
    pub average: i32,
    /// At once.
    pub burst: i32,
}

impl Limits {
    /// How many requests a client may send, where there is such a limit; `default` is that of the release.
    #[must_use]
    pub fn rate(&self, default: Option<RateLimit>) -> Option<RateLimit> {
        match self.rate {
            Rate::Default => default,
            Rate::Unlimited => None,
            Rate::Most(limit) => Some(limit),
        }
    }
}
