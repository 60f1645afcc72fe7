//! The command line: `run`, `crd`, `render`, `maintenance`. Nothing else reads flags or the environment.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::settings::{ClusterSettings, RunSettings};
use crate::{maintenance, render, run};

/// One AppStack is one web application: database, migration, backend, frontend and HTTPS edge.
#[derive(Debug, Parser)]
#[command(name = "appstack-operator", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator until it is told to stop.
    Run(Box<RunSettings>),
    /// Prints the CustomResourceDefinition.
    Crd,
    /// Prints every object that the AppStacks of a file would become, without a cluster.
    Render {
        /// The file; `-` is standard input.
        #[arg(short, long)]
        file: PathBuf,
        #[command(flatten)]
        cluster: ClusterSettings,
    },
    /// Answers every visitor of a stack in maintenance with 503 and a page.
    Maintenance {
        /// Where it listens.
        #[arg(long, default_value = "0.0.0.0:8080")]
        address: SocketAddr,
        /// A page in place of ours.
        #[arg(long)]
        page: Option<PathBuf>,
    },
}

/// Does what the command line says. What kept it from being done is said in one line and for people: a backtrace, which
/// anyhow would add, tells them nothing.
#[must_use]
pub fn main() -> ExitCode {
    match work(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere else to say it.
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(command: Command) -> Result<()> {
    match command {
        Command::Run(settings) => run::operator(*settings),
        Command::Crd => print(&render::crd()?),
        Command::Render { file, cluster } => {
            let text = read(&file)?;
            print(&render::manifests(&text, &cluster)?)
        }
        Command::Maintenance { address, page } => maintenance::serve(address, page),
    }
}

fn read(file: &PathBuf) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever read us has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}
