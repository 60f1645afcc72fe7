//! Makes sure that no module imports one that imports it, by whatever way round: what is at the bottom can be read alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each module, with those that its code names.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_module_imports_one_that_imports_it() {
    let graph = graph(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(graph["lifecycle"].contains("cluster"), "{graph:?}");
    for module in graph.keys() {
        let mut reached = BTreeSet::new();
        let mut ahead: Vec<_> = graph[module].iter().collect();
        while let Some(next) = ahead.pop() {
            assert!(next != module, "{module} imports itself by {reached:?}");
            if reached.insert(next) {
                ahead.extend(&graph[next]);
            }
        }
    }
}

#[test]
fn a_tree_of_imports_is_all_its_paths() {
    let found = paths("use crate::{a, b::{c, d::E}}; f(crate::g::h())");
    assert_eq!(
        found,
        ["crate::a", "crate::b::c", "crate::b::d::E", "crate::g::h"]
    );
}

fn graph(folder: &Path) -> Graph {
    let mut texts = BTreeMap::new();
    read(folder, "", &mut texts);
    let of = |(module, text): (&String, &String)| {
        let code: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let named = paths(&code.join("\n")).into_iter().filter_map(|path| {
            let path = match path.split_once("::") {
                Some(("crate", rest)) => rest.to_owned(),
                Some(("super", rest)) => {
                    let (parent, _) = module.rsplit_once("::")?;
                    format!("{parent}::{rest}")
                }
                _ => format!("{module}::{path}"),
            };
            // The longest beginning that is a module.
            let ends = path.match_indices("::").map(|(end, _)| end);
            let mut beginnings: Vec<&str> = ends.map(|end| &path[..end]).collect();
            beginnings.push(&path);
            let found = beginnings
                .into_iter()
                .rev()
                .find(|it| texts.contains_key(*it))?;
            (found != module).then(|| found.to_owned())
        });
        (module.clone(), named.collect())
    };
    texts.iter().map(of).collect()
}

/// The text of every module but the root, which imports all.
fn read(folder: &Path, above: &str, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = format!("{above}{}", path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{module}::"), texts);
        } else if module != "lib" {
            texts.insert(module, std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Every path of two names or more, with the trees of `use` taken apart.
fn paths(code: &str) -> Vec<String> {
    let is_of_a_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    // What stands before each brace that is open: the beginning of a path, or nothing.
    let mut open: Vec<String> = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find(|c| is_of_a_path(c) || "{}".contains(c)) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_of_a_path(c)).unwrap_or(rest.len());
        let before = open.last().cloned().unwrap_or_default();
        let word = &rest[..end];
        if end == 0 {
            if rest.starts_with('{') {
                open.push(String::new());
            } else {
                open.pop();
            }
            rest = &rest[1..];
        } else if word.ends_with("::") && rest[end..].starts_with('{') {
            open.push(before + word);
            rest = &rest[end + 1..];
        } else {
            let path = before + word;
            if path.contains("::") {
                found.push(path);
            }
            rest = &rest[end..];
        }
    }
    found
}
