//! Reads from a Dockerfile what an image is made of: the images it begins with and the paths it copies. Understands the
//! plain form of FROM, ARG, COPY and ADD that our Dockerfiles have, and builds nothing.

use std::collections::HashMap;

/// The images that the stages begin with, with build arguments filled in; `scratch` and earlier stages are none.
#[must_use]
pub fn bases(text: &str, build_args: &[(String, String)]) -> Vec<String> {
    let mut values: HashMap<String, String> = HashMap::new();
    let (mut found, mut stages) = (Vec::new(), vec!["scratch".to_owned()]);
    for words in instructions(text) {
        match words[0].to_ascii_uppercase().as_str() {
            "ARG" => {
                let (name, value) = words
                    .get(1)
                    .map_or(("", ""), |word| word.split_once('=').unwrap_or((word, "")));
                let given = build_args
                    .iter()
                    .find(|(other, _)| other == name)
                    .map(|(_, value)| value.as_str());
                values.insert(name.to_owned(), given.unwrap_or(value).to_owned());
            }
            "FROM" => {
                let names: Vec<&str> = operands(&words);
                let image = names
                    .first()
                    .map(|name| fill_in(name, &values))
                    .unwrap_or_default();
                if !stages.contains(&image) {
                    found.push(image);
                }
                if let Some(stage) = names.get(2) {
                    stages.push((*stage).to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

/// The paths in the context that the image copies.
#[must_use]
pub fn copied(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for words in instructions(text) {
        let copies = matches!(words[0].to_ascii_uppercase().as_str(), "COPY" | "ADD");
        if !copies || words.iter().any(|word| word.starts_with("--from=")) {
            continue;
        }
        if let Some((_target, sources)) = operands(&words).split_last() {
            found.extend(sources.iter().map(|&source| source.to_owned()));
        }
    }
    found
}

/// The instructions as words, with continued lines joined and comments left out.
fn instructions(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let words = joined.lines().map(|line| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    words.filter(|words| !words.is_empty()).collect()
}

fn operands(words: &[String]) -> Vec<&str> {
    words[1..]
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect()
}

fn fill_in(name: &str, values: &HashMap<String, String>) -> String {
    values.iter().fold(name.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# FROM nothing
ARG BASE=docker.io/library/web:1
FROM rust AS build
COPY . .
FROM ${BASE}
COPY --from=build /out /out
COPY --chown=1:1 nginx.conf \\
     dist/ /srv/
ADD root.tar /
";

    #[test]
    fn bases_follow_arguments() {
        assert_eq!(bases(TEXT, &[]), ["rust", "docker.io/library/web:1"]);
        assert_eq!(
            bases(TEXT, &[("BASE".into(), "own:2".into())]),
            ["rust", "own:2"]
        );
        assert!(bases("FROM scratch\n", &[]).is_empty());
        assert_eq!(bases("FROM a AS b\nFROM b\n", &[]), ["a"]);
    }

    #[test]
    fn copied_paths_are_those_of_the_context() {
        assert_eq!(copied(TEXT), [".", "nginx.conf", "dist/", "root.tar"]);
    }
}
