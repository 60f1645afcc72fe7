//! What was ever written down is read for ever: the files in `records` are never changed, only added to. Their folders are the
//! versions of the records; those of the first, which nobody had thought of a version for, have none in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use appstack_operator::release::record;
use serde_json::{Value, json};

/// The kinds of records that there were in each version.
const KINDS: [(&str, &[&str]); 2] = [
    (
        "v0",
        &[
            "failure",
            "migration",
            "pulled",
            "release",
            "revocation",
            "role",
            "seed",
        ],
    ),
    (
        "v1",
        &[
            "database",
            "failure",
            "hold",
            "manifests",
            "migration",
            "pulled",
            "release",
            "revocation",
            "role",
            "seed",
        ],
    ),
];

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/records")
        .join(version)
}

#[test]
fn every_record_that_was_ever_written_is_read() -> Result<()> {
    for (version, kinds) in KINDS {
        let mut found = BTreeSet::new();
        for file in fs::read_dir(folder(version))? {
            let path = file?.path();
            let text = fs::read_to_string(&path)?;
            let written: Value = serde_json::from_str(&text)?;
            let read = record::parse(&text).map_err(anyhow::Error::msg);
            let read = json!(read.with_context(|| path.display().to_string())?);
            let kind = written["record"].as_str().context("no kind")?;
            // Nothing of it is lost.
            let mut rest = written.clone();
            rest.as_object_mut().context("no object")?.remove("version");
            assert_eq!(read, rest, "{}", path.display());
            found.insert(kind.to_owned());
        }
        let wanted: BTreeSet<String> = kinds.iter().map(|&it| it.to_owned()).collect();
        ensure!(found == wanted, "{version} has {found:?}");
    }
    Ok(())
}

#[test]
fn a_record_of_a_later_version_or_of_no_known_kind_says_why_it_is_not_read() {
    for (text, why) in [
        (r#"{"record": "release", "version": 2}"#, "version 2"),
        (r#"{"record": "wish"}"#, "wish"),
        (r#"{"version": 1}"#, "no record"),
        ("nonsense", "no record"),
        ("null", "no record"),
    ] {
        let error = record::parse(text).err().unwrap_or_default();
        assert!(error.contains(why), "{text}: {error}");
    }
}
