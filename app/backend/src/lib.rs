//! The API of the demo application.
//!
//! `cli` reads the command and the `config`, and `serve` answers requests until it is told to stop.
//! `openapi` joins the `routes` with their description, and `http` adds what every request shares. A route
//! file holds a `router()` beside its handlers; what a handler needs comes from `state`. `auth` knows who
//! calls, `rules` what fields may hold, and `user` what more than one route does with users. Whatever goes
//! wrong becomes a `problem`, the only shape of error that leaves the program. `database` opens the
//! pool, migrates and seeds; `mail` writes and sends letters; `metrics` counts, and `telemetry` logs and
//! reports what goes wrong.
//!
//! Three commands change nothing about each other: `migrate` and `seed` run to their end and tell by
//! their exit code, `serve` starts with or without a database.

pub mod auth;
pub mod cli;
pub mod config;
pub mod database;
pub mod extract;
pub mod http;
pub mod mail;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod routes;
pub mod rules;
pub mod serve;
pub mod state;
pub mod telemetry;
pub mod user;
