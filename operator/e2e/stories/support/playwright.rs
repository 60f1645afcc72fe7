//! Runs stories of `app/frontend/e2e` in a browser.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use local_cluster::folders;
use serde_json::Value;
use tokio::process::Command;

/// A run of Playwright: a project of `app/frontend/playwright.config.ts`.
pub(crate) struct Playwright {
    command: Command,
    results: PathBuf,
    secret: Option<String>,
}

impl Playwright {
    /// A project in a browser, which leaves pictures and traces in a folder.
    pub(crate) fn new(project: &str, browser: &Path, results: PathBuf) -> Self {
        // Neither a picture nor a count of an earlier time.
        let _ = std::fs::remove_dir_all(&results);
        let mut command = npx(&["playwright", "test", "--project", project]);
        command.env("CHROMIUM", browser).env("RESULTS", &results);
        Self {
            command,
            results,
            secret: None,
        }
    }

    /// What the stories are told: see `app/frontend/e2e/settings.ts`.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What they are told and nobody else.
    pub(crate) fn secret_env(mut self, name: &str, value: &str) -> Self {
        self.secret = Some(value.to_owned());
        self.env(name, value)
    }

    /// Tells the stories. All must go well.
    pub(crate) async fn run(mut self) {
        let output = self.command.output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        let mut said = String::from_utf8_lossy(&said).into_owned();
        if let Some(secret) = &self.secret {
            // What is typed into a field is part of what a failure says.
            said = said.replace(secret, "(secret)");
        }
        self.count();
        assert!(
            output.status.success(),
            "{said}\npictures and traces are in {}",
            self.results.display()
        );
    }

    /// Says how many stories of the browser came to which end, in a line that `cargo xtask test` counts.
    fn count(&self) {
        let Ok(results) = std::fs::read(self.results.join("results.json")) else {
            return;
        };
        let results: Value = serde_json::from_slice(&results).unwrap();
        let stats = &results["stats"];
        let [passed, failed, skipped] = ["expected", "unexpected", "skipped"].map(|it| &stats[it]);
        // The runner has begun a line where it tells one story at a time, and would keep what `println` prints.
        let summary = format!("\nTests  {passed} passed | {failed} failed | {skipped} skipped\n");
        std::io::stdout().write_all(summary.as_bytes()).unwrap();
    }
}

/// A program that the pages are made and tested with.
pub(crate) fn npx(words: &[&str]) -> Command {
    let mut npx = Command::new("npx");
    npx.current_dir(folders::in_repository("app/frontend"))
        .args(words)
        .kill_on_drop(true);
    npx
}
