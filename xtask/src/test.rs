//! `cargo xtask test`: every test of the repository, or one group of them.

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use local_cluster::{Cluster, Progress, authority, folders, machine};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::cargo::cargo;
use crate::{generate, images, operators, start, tell};

/// The cluster of the stories, beside the one of the developer.
pub(crate) const CLUSTER: &str = "appstack-test";
/// The crate of the stories.
pub(crate) const STORIES: &str = "appstack-e2e";
/// What needs a cluster: the stories, and the tests of the cluster itself.
const ON_A_CLUSTER: [&str; 5] = ["test", "--package", STORIES, "--package", "local-cluster"];

/// The stories that take long, by what their names begin with.
const LONG_STORIES: [&str; 2] = ["acme", "upgrade"];

/// Run the tests
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Which tests
    #[arg(value_enum, default_value_t = Group::All)]
    group: Group,
    /// Leave the cluster of the stories running
    #[arg(long)]
    keep: bool,
    /// Run only the stories whose names contain this
    #[arg(long)]
    story: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// What needs no cluster: formatting, lints, generated files, unit and contract tests
    Fast,
    /// The web site's own tests
    Web,
    /// The stories on a real cluster
    Cluster,
    /// All of them
    All,
    /// What takes long and is not part of all: drivers of other languages, operators of other versions, up and down
    Long,
}

/// How many tests came to which end.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Test {
    pub(crate) async fn run(self) -> Result<()> {
        let mut count = Count::default();
        if self.group == Group::Long {
            return self.long().await;
        }
        let wants = |group| self.group == group || self.group == Group::All;
        let mut result = Ok(());
        if wants(Group::Fast) {
            result = fast(&mut count).await;
        }
        if result.is_ok() && wants(Group::Web) {
            result = web(&mut count).await;
        }
        let mut skipped = None;
        if result.is_ok() && wants(Group::Cluster) {
            match machine::can_hold_a_cluster().await {
                Ok(()) => result = self.cluster(&mut count).await,
                Err(why) if is_ci() => result = Err(why.context("the stories need a cluster")),
                Err(why) => {
                    let stories = stories().await?;
                    skipped = Some(format!("{stories} cluster stories were skipped: {why:#}"));
                }
            }
        }
        let Count {
            passed,
            failed,
            skipped: ignored,
        } = count;
        tell(&format!(
            "\ntests: {passed} passed, {failed} failed, {ignored} skipped"
        ));
        if let Some(skipped) = skipped {
            tell(&skipped);
        }
        result
    }

    /// Drivers of other languages, and the stories of upgrades. Each of those puts an operator in the place of the one before, so they
    /// go one after the other.
    async fn long(&self) -> Result<()> {
        let mut count = Count::default();
        if self.story.is_none() {
            let mut drivers = long_test("drivers");
            drivers.args(["--", "--nocapture"]);
            counted(&mut drivers, &mut count).await?;
        }
        machine::can_hold_a_cluster().await?;
        let progress = Progress::new();
        let cluster = Cluster::open(CLUSTER)?;
        start::cluster_with_operator(&cluster, &progress).await?;
        authority::install(&cluster, &progress).await?;
        let mut stories = long_test("stories");
        for it in operators::make(&cluster, &progress).await? {
            let variable = format!("APPSTACK_OPERATOR_{}", it.name.to_uppercase());
            stories.env(variable, format!("{} {}", it.name, it.chart.display()));
        }
        stories.args(["--", "--test-threads", "1"]);
        match &self.story {
            Some(story) => stories.arg(story),
            None => stories.args(LONG_STORIES),
        };
        let result = self.told(&cluster, stories, &mut count).await;
        tell(&format!(
            "\nlong tests: {} passed, {} failed",
            count.passed, count.failed
        ));
        result
    }

    async fn cluster(&self, count: &mut Count) -> Result<()> {
        let progress = Progress::new();
        let cluster = Cluster::open(CLUSTER)?;
        start::cluster_with_operator(&cluster, &progress).await?;
        let mut stories = cargo(&ON_A_CLUSTER);
        if let Some(story) = &self.story {
            stories.arg(story);
        }
        // Stories mostly wait, so more of them than cores may go on at once.
        stories.args(["--", "--test-threads", "6"]);
        self.told(&cluster, stories, count).await
    }

    /// Runs stories on a cluster, which is removed then unless it is to stay.
    async fn told(&self, cluster: &Cluster, mut stories: Command, count: &mut Count) -> Result<()> {
        stories.env("APPSTACK_CLUSTER", CLUSTER);
        let result = counted(&mut stories, count).await;
        if !self.keep {
            cluster.down(&Progress::new()).await?;
        }
        result
    }
}

async fn fast(count: &mut Count) -> Result<()> {
    plain(&mut cargo(&["fmt", "--all", "--check"])).await?;
    plain(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))
    .await?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps"]);
    plain(docs.env("RUSTDOCFLAGS", "-D warnings")).await?;
    generate::Generate::check().await?;
    counted(&mut cargo(&["test"]), count).await
}

async fn web(count: &mut Count) -> Result<()> {
    images::dependencies(&Progress::new()).await?;
    let in_pages = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command
            .current_dir(folders::in_repository("app/frontend"))
            .args(words)
            // Colours would hide the summary from the count.
            .env("NO_COLOR", "1");
        command
    };
    plain(&mut in_pages(
        "npx",
        &["tsc", "--noEmit", "--project", "e2e"],
    ))
    .await?;
    counted(&mut in_pages("npm", &["run", "check"]), count).await
}

/// How many tests there are that need a cluster.
async fn stories() -> Result<usize> {
    let output = cargo(&ON_A_CLUSTER)
        .args(["--quiet", "--", "--list"])
        .output()
        .await?;
    ensure!(output.status.success(), "the stories do not build");
    let list = String::from_utf8(output.stdout)?;
    Ok(list.lines().filter(|it| it.ends_with(": test")).count())
}

/// What runs a test that only `long` has.
fn long_test(name: &str) -> Command {
    cargo(&[
        "test",
        "--package",
        STORIES,
        "--features",
        "long",
        "--test",
        name,
    ])
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|it| it == "true")
}

async fn plain(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command.as_std());
    let status = command
        .status()
        .await
        .with_context(|| format!("cannot run {shown}"))?;
    ensure!(status.success(), "{shown} failed");
    Ok(())
}

/// Runs a test command, passes its output on and counts what it says.
async fn counted(command: &mut Command, count: &mut Count) -> Result<()> {
    let shown = format!("{:?}", command.as_std());
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let output = child.stdout.take().context("there is no output to read")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        tell(&line);
        count.add(&line);
    }
    if !child.wait().await?.success() {
        bail!("{shown} failed");
    }
    Ok(())
}

impl Count {
    /// Adds a summary line of cargo (`test result: ok. 3 passed; 0 failed; 1 ignored; ...`) or of vitest
    /// (`Tests  3 passed | 1 skipped (4)`). Other lines add nothing.
    fn add(&mut self, line: &str) {
        let line = line.trim();
        if !line.starts_with("test result:") && !line.starts_with("Tests ") {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<usize>() else {
                continue;
            };
            match pair[1].trim_end_matches([';', '|', '.']) {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" | "skipped" => self.skipped += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_both_runners_are_counted() {
        let mut count = Count::default();
        count.add("test result: ok. 94 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out");
        count.add("      Tests  1 failed | 11 passed (12)");
        count.add("running 94 tests");
        assert_eq!((count.passed, count.failed, count.skipped), (105, 1, 2));
    }
}
