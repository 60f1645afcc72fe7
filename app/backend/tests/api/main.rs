//! The API as its clients see it, on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

mod app;
mod bad_input;
mod database;
mod document;
mod http;
mod items;
mod login;
mod logs;
mod mail;
mod me;
mod recovery;
mod tokens;
mod users;

#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/smtp.rs"]
mod smtp;
