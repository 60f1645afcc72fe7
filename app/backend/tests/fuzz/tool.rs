//! Schemathesis, which makes requests from the description of an API and judges the answers.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    iter::Sum,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::{
    postgres::python::{self, MISSING, packages},
    program::{ADMIN, PASSWORD},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz");

/// It and all that it needs.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// What it says of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    /// By operation, as `GET /path`, and by phase.
    pub(crate) valid_rates: BTreeMap<String, BTreeMap<String, Rate>>,
    pub(crate) auth: Auth,
    pub(crate) phases: BTreeMap<String, Phase>,
}

/// What became of the requests that follow the description.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Rate {
    pub(crate) accepted: u64,
    /// Not found.
    pub(crate) unreachable: u64,
    pub(crate) conflicts: u64,
    pub(crate) rejected: u64,
}

impl Sum for Rate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        rates.fold(Self::default(), |sum, rate| Self {
            accepted: sum.accepted + rate.accepted,
            unreachable: sum.unreachable + rate.unreachable,
            conflicts: sum.conflicts + rate.conflicts,
            rejected: sum.rejected + rate.rejected,
        })
    }
}

/// Whether it had to log in again, and whether that failed.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Auth {
    pub(crate) reauth_count: u64,
    pub(crate) reauth_broke: bool,
}

/// A part of the run.
#[derive(Debug, Deserialize)]
pub(crate) struct Phase {
    pub(crate) status: String,
}

/// Tests the API on this port. Fails with what it prints when it finds a fault.
pub(crate) fn run(port: u16, superuser: &str, folder: &Path) -> Report {
    let report = folder.join("report.json");
    let output = Command::new("python3")
        .args([
            "-m",
            "schemathesis.cli",
            "--config-file",
            "schemathesis.toml",
            "run",
            "--no-color",
        ])
        .args(["--report", "json,ndjson", "--report-json-path"])
        .arg(&report)
        .arg("--report-ndjson-path")
        .arg(folder.join("events.ndjson"))
        .arg(format!("http://127.0.0.1:{port}/api/v1/openapi.json"))
        .current_dir(FOLDER)
        .env("PYTHONPATH", installed())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.join("hypothesis"))
        .env("FIRST_SUPERUSER", ADMIN)
        .env("FIRST_SUPERUSER_PASSWORD", PASSWORD)
        .env("SUPERUSER_ID", superuser)
        .output()
        .expect(MISSING);
    let printed = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{}", printed.join("\n"));
    serde_json::from_slice(&fs::read(&report).unwrap()).unwrap()
}

/// The folder with the tool, in the user's cache. Other versions, also of Python, get another one.
fn installed() -> PathBuf {
    let tag = python::run(&["-c", "import sys; print(sys.implementation.cache_tag)"]);
    let mut version = DefaultHasher::new();
    (REQUIREMENTS, tag).hash(&mut version);
    let requirements = format!("{FOLDER}/requirements.txt");
    packages(
        "fuzz",
        &format!("{:016x}", version.finish()),
        &["--requirement", &requirements],
    )
}
