//! Sets up the log. Called once, before anything can be worth logging.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Sends the log to standard output, in the format that the settings ask for.
pub fn init(config: &Config) {
    let log = fmt().with_env_filter(EnvFilter::new(&config.log_filter));
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
