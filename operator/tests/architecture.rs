//! The rules of the architecture that no compiler checks. Each failure names the file and the rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// The wings, from the bottom to the top. A wing imports only those before it.
const WINGS: [&str; 20] = [
    "runtime",
    "api",
    "error",
    "settings",
    "model",
    "release",
    "check",
    "build",
    "plan",
    "cluster",
    "rollout",
    "context",
    "reconcile",
    "controller",
    "render",
    "maintenance",
    "run",
    "cli",
    "main",
    // Of unit tests alone, which import what they like.
    "fixtures",
];
/// Modules that are pure: the same arguments always give the same result. A folder counts with all it holds.
const PURE: [&str; 21] = [
    "api.rs",
    "api/",
    "build.rs",
    "build/",
    "check.rs",
    "check/",
    "cluster/cache/entries.rs",
    "cluster/gather/records.rs",
    "cluster/observe/log.rs",
    "model/",
    "plan.rs",
    "plan/",
    "reconcile/events.rs",
    "reconcile/status.rs",
    "reconcile/status/",
    "release.rs",
    "release/",
    "rollout/gates.rs",
    "rollout/gates/",
    "rollout/public_check.rs",
    "settings.rs",
];
/// What a pure module cannot need.
const IMPURE: [&str; 8] = [
    ".await",
    "async fn",
    "Client",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "std::env",
    "std::fs",
];
/// Calls of kube that write.
const WRITES: [&str; 7] = [
    ".create(",
    ".delete(",
    ".delete_collection(",
    ".patch(",
    ".patch_metadata(",
    ".patch_status(",
    ".replace(&",
];
/// The most code, comments aside, that can be read in one go.
const MOST_LINES: usize = 450;

/// A source file: its path below `src`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The code without its comments and its unit tests.
    fn code(&self) -> String {
        let product = self
            .text
            .split("\n#[cfg(test)]\n")
            .next()
            .unwrap_or_default();
        let lines = product
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| {
            if place.ends_with('/') {
                self.path.starts_with(place)
            } else {
                self.path == *place
            }
        })
    }

    /// The file or folder of the root that it is in.
    fn wing(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// The wings that its code names after `crate::`, in an import or elsewhere.
    fn imported(&self) -> BTreeSet<String> {
        let code = self.code();
        let words = code.split("crate::").skip(1).flat_map(|rest| {
            let group = rest.strip_prefix('{').and_then(|it| it.split_once(';'));
            let heads = group.map_or(rest, |(group, _)| group);
            let depth_one = heads
                .split(',')
                .take(if group.is_some() { usize::MAX } else { 1 });
            depth_one.map(|it| {
                let name = it.trim_start().chars();
                name.take_while(|it| it.is_ascii_alphanumeric() || *it == '_')
                    .collect::<String>()
            })
        });
        words.collect()
    }

    /// Whatever of `words` the code holds is a breach of `rule`.
    fn breaches(&self, words: &[&str], rule: &str) -> Vec<String> {
        let code = self.code();
        let found = words.iter().filter(|word| code.contains(**word));
        found
            .map(|word| format!("src/{} contains `{word}`: {rule}", self.path))
            .collect()
    }
}

fn sources() -> Result<Vec<Source>> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                collect(&path, files)?;
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
        Ok(())
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root)?.to_string_lossy().into_owned();
            Ok(Source {
                path,
                text: fs::read_to_string(file)?,
            })
        })
        .collect()
}

/// Fails with every breach that `find` sees.
fn check(find: impl Fn(&Source) -> Vec<String>) -> Result<()> {
    let breaches: Vec<String> = sources()?.iter().flat_map(find).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    Ok(())
}

/// One breach, if there is one.
fn breach(is: bool, source: &Source, rule: &str) -> Vec<String> {
    is.then(|| format!("src/{}: {rule}", source.path))
        .into_iter()
        .collect()
}

#[test]
fn pure_modules_reach_neither_cluster_nor_clock_nor_environment() -> Result<()> {
    check(|source| {
        let rule = "a pure module gets everything as an argument";
        if source.is_in(&PURE) {
            source.breaches(&IMPURE, rule)
        } else {
            Vec::new()
        }
    })
}

#[test]
fn every_module_that_is_named_here_exists() -> Result<()> {
    let sources = sources()?;
    for place in PURE.iter().chain(&[
        "cluster/apply.rs",
        "runtime/deadline.rs",
        "runtime/leader.rs",
    ]) {
        let exists = sources.iter().any(|source| source.is_in(&[place]));
        assert!(
            exists,
            "src/{place} is gone: take it out of this file, or give its new name"
        );
    }
    Ok(())
}

#[test]
fn only_apply_writes_to_the_cluster() -> Result<()> {
    check(|source| {
        let rule = "only cluster/apply.rs writes, and runtime/leader.rs its Lease";
        let may = source.is_in(&["cluster/apply.rs", "cluster/apply/", "runtime/leader.rs"]);
        if may {
            Vec::new()
        } else {
            source.breaches(&WRITES, rule)
        }
    })
}

#[test]
fn no_request_is_without_a_deadline() -> Result<()> {
    check(|source| {
        let rule =
            "clients come from runtime/deadline.rs, and that of the Lease from runtime/leader.rs";
        if source.is_in(&["runtime/deadline.rs", "runtime/leader.rs"]) {
            Vec::new()
        } else {
            let makers = ["Client::try_", "ClientBuilder"];
            source.breaches(&makers, rule)
        }
    })
}

#[test]
fn a_wing_imports_only_what_is_below_it() -> Result<()> {
    let height = |wing: &str| WINGS.iter().position(|it| *it == wing);
    check(|source| {
        let wing = source.wing();
        let Some(own) = height(wing) else {
            return breach(
                wing != "lib",
                source,
                "is in no wing: give it a place in WINGS",
            );
        };
        let imported = source.imported();
        let above = imported
            .iter()
            .filter(|it| height(it).is_some_and(|it| it > own));
        let breaches =
            above.map(|it| format!("src/{} imports {it}, which is above it", source.path));
        breaches.collect()
    })
}

#[test]
fn manifests_are_typed() -> Result<()> {
    check(|source| {
        let rule = "objects are built from types, so that the compiler knows their fields";
        let words = [
            "json!({",
            "json!{",
            "json! {",
            "\"apiVersion\"",
            "\"metadata\"",
        ];
        if source.is_in(&["build.rs", "build/"]) {
            source.breaches(&words, rule)
        } else {
            Vec::new()
        }
    })
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() -> Result<()> {
    check(|source| {
        let lines = source
            .text
            .lines()
            .filter(|it| !it.trim_start().starts_with("//"))
            .count();
        [
            breach(
                !source.text.starts_with("//! "),
                source,
                "begins with a `//!` comment",
            ),
            breach(
                lines > MOST_LINES,
                source,
                &format!("{lines} lines of code; {MOST_LINES} at most"),
            ),
            breach(
                source.text.contains("#[allow("),
                source,
                "`expect` with a reason, not `allow`",
            ),
        ]
        .concat()
    })
}

#[test]
fn files_are_named_after_what_they_hold() -> Result<()> {
    check(|source| {
        let vague = [
            "mod.rs",
            "utils.rs",
            "util.rs",
            "helpers.rs",
            "common.rs",
            "misc.rs",
        ];
        let name = source.path.rsplit('/').next().unwrap_or_default();
        breach(
            vague.contains(&name),
            source,
            "has a name that says nothing",
        )
    })
}
