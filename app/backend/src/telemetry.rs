//! The log, and the reports of what goes wrong. Set up once, before anything can be worth logging.

mod reports;

use std::{
    io::{self, IsTerminal},
    panic,
};

use sentry::{ClientInitGuard, Level, integrations::tracing::ErrorLayer};
use tracing_subscriber::{
    EnvFilter, Layer, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::config::{Config, LogFormat};

/// Sends what is left to be sent when it is dropped, so it is kept until the end.
#[must_use = "reports of faults are lost without it"]
pub struct Telemetry {
    _reports: Option<ClientInitGuard>,
}

impl Telemetry {
    /// Reports what ended the program before its time. The log has other words for it.
    pub fn report(&self, failure: &str) {
        sentry::capture_message(failure, Level::Fatal);
    }
}

/// Sends the log to standard output, in the format that the settings ask for. What is logged as an error
/// is reported as well, where the settings name a place; a panic is logged as an error.
pub fn init(config: &Config) -> Telemetry {
    let lines = fmt::layer().with_ansi(io::stdout().is_terminal());
    let lines = match config.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let reports = reports::init(config);
    let errors = reports
        .as_ref()
        .map(|_| ErrorLayer::new().with_filter(LevelFilter::ERROR));
    tracing_subscriber::registry()
        .with(EnvFilter::new(&config.log_filter))
        .with(lines)
        .with(errors)
        .init();
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str();
        tracing::error!(place, cause = message, "panicked");
    }));
    Telemetry { _reports: reports }
}
