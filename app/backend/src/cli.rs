//! The commands. Reads flags and builds the runtime; what a command does is elsewhere.

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    config::Config,
    database, openapi,
    serve::{self, Listen},
    telemetry,
};

const NO_DATABASE: &str = "cannot connect to the database";

/// The API of the demo application.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests until SIGTERM
    Serve {
        /// The port to listen on, on every address
        #[arg(long, default_value_t = 8000)]
        port: u16,
        /// The port for the metrics, on every address; without it they are not served
        #[arg(long)]
        metrics_port: Option<u16>,
        /// How many seconds a connection may wait for a request: longer than a proxy in front keeps one
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
        keep_alive: u64,
    },
    /// Bring the schema of the database up to date
    Migrate,
    /// Make the first superuser; does nothing when it is there
    Seed,
    /// Print the description of the API
    Openapi,
}

/// Runs the command that the arguments name. Its exit code tells whether it worked.
#[must_use]
pub fn run() -> ExitCode {
    let Err(error) = start(Cli::parse().command) else {
        return ExitCode::SUCCESS;
    };
    // The last line of the log, in any format: the first thing that people look at.
    let _ = writeln!(std::io::stderr(), "error: {}", explain(&error));
    ExitCode::FAILURE
}

/// The error and its causes, each said once: some repeat in their own words what caused them.
fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn start(command: Command) -> anyhow::Result<()> {
    if let Command::Openapi = command {
        return print(&openapi::document()?);
    }
    let config = Config::from_env()?;
    let telemetry = telemetry::init(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime
        .block_on(execute(command, config))
        .inspect_err(|error| telemetry.report(&explain(error)))
}

async fn execute(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Serve {
            port,
            metrics_port,
            keep_alive,
        } => {
            let keep_alive = Duration::from_secs(keep_alive);
            let listen = Listen {
                port,
                metrics_port,
                keep_alive,
            };
            serve::run(config, listen).await
        }
        Command::Migrate => migrate(&config).await,
        Command::Seed => seed(&config).await,
        Command::Openapi => Ok(()), // answered before, since it needs no settings
    }
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let conn = database::connect(config).await.context(NO_DATABASE)?;
    let report = database::migrate(conn)
        .await
        .context("cannot read the state of the schema")?;
    for migration in &report.applied {
        print(&format!("applied {migration}\n"))?;
    }
    report.outcome.context("cannot migrate the database")?;
    if report.applied.is_empty() {
        print("nothing to apply: the schema is up to date\n")?;
    }
    Ok(())
}

async fn seed(config: &Config) -> anyhow::Result<()> {
    let mut conn = database::connect(config).await.context(NO_DATABASE)?;
    let added = database::seed(&mut conn, config)
        .await
        .context("cannot seed")?;
    print(if added {
        "added the first superuser and a welcome item\n"
    } else {
        "nothing to add: there is a user with that email address\n"
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_no_cause_twice() {
        let error = anyhow::anyhow!("no such user")
            .context("login failed: no such user")
            .context("cannot migrate");
        assert_eq!(
            explain(&error),
            "cannot migrate: login failed: no such user"
        );
    }
}
