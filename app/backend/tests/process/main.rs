//! The program as a process: its commands, its start and its end, on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

mod client;
mod commands;
mod program;
mod service;

#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/smtp.rs"]
mod smtp;
#[path = "../support/tracker.rs"]
mod tracker;
