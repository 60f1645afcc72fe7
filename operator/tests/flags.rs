//! The chart calls the operator with flags and variables that it knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use appstack_operator::cli::Cli;
use clap::{Command, CommandFactory as _, Parser as _};

fn chart() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/appstack-operator")
}

fn deployment() -> Result<String> {
    Ok(fs::read_to_string(
        chart().join("templates/deployment.yaml"),
    )?)
}

/// Every word in `text` that begins with `start`.
fn words<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .filter(|word| word.starts_with(start) && word.len() > start.len())
        .collect()
}

fn run() -> Result<Command> {
    Cli::command()
        .find_subcommand("run")
        .cloned()
        .context("there is no command `run`")
}

fn flags(command: &Command) -> BTreeSet<String> {
    let flags = command.get_arguments().filter_map(|it| it.get_long());
    flags.map(|flag| format!("--{flag}")).collect()
}

fn variables(command: &Command) -> BTreeSet<String> {
    let variables = command.get_arguments().filter_map(|it| it.get_env());
    variables
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_flag_of_the_chart_exists() -> Result<()> {
    let text = deployment()?;
    let used = words(&text, "--");
    assert!(
        used.len() >= 8,
        "the flags of the chart were not found: {used:?}"
    );
    let known = flags(&run()?);
    for flag in used {
        assert!(
            known.contains(flag),
            "`run` has no flag {flag}; it has {known:?}"
        );
    }
    Ok(())
}

#[test]
fn every_variable_of_the_chart_exists() -> Result<()> {
    let known = variables(&run()?);
    for file in ["templates/deployment.yaml", "values.yaml", "README.md"] {
        let text = fs::read_to_string(chart().join(file))?;
        for variable in words(&text, "APPSTACK_").union(&words(&text, "OTEL_EXPORTER")) {
            assert!(
                known.contains(*variable),
                "{file}: `run` does not read {variable}"
            );
        }
    }
    Ok(())
}

#[test]
fn every_flag_is_a_variable_too() -> Result<()> {
    for argument in run()?.get_arguments().filter(|it| it.get_id() != "help") {
        assert!(
            argument.get_env().is_some(),
            "{} has no variable",
            argument.get_id()
        );
    }
    Ok(())
}

#[test]
fn the_arguments_of_the_chart_are_accepted_as_they_are_written() -> Result<()> {
    let values = |flag: &str| match flag {
        "--admin-address" => "0.0.0.0:8080",
        "--log-format" => "json",
        "--leader-election" => "false",
        "--concurrency" => "8",
        "--public-https-port" | "--public-http-port" => "8443",
        _ => "a,b",
    };
    let text = deployment()?;
    let arguments = words(&text, "--")
        .into_iter()
        .map(|flag| format!("{flag}={}", values(flag)));
    let line = ["appstack-operator", "run"]
        .map(str::to_owned)
        .into_iter()
        .chain(arguments);
    Cli::try_parse_from(line)?;
    Ok(())
}

#[test]
fn what_goes_wrong_is_said_in_one_line_and_without_a_backtrace() -> Result<()> {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_appstack-operator"))
        .args(["render", "--file", "/nowhere/stack.yaml"])
        .env("RUST_BACKTRACE", "1")
        .output()?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(
        said,
        "Error: cannot read /nowhere/stack.yaml: No such file or directory (os error 2)\n"
    );
    assert!(!output.status.success());
    Ok(())
}
