//! Which line of what a program printed in the end tells why it ended.
//!
//! Invariant: pure. An error is known by its shape and not by its language: a class names it (`KeyError: 'x'`,
//! `Caused by: java.net.ConnectException: refused`, `not found (ActiveRecord::RecordNotFound)`), or a word of its runtime does
//! (`panic: `). Frames of a stack look otherwise, and so do lines of code. Of several errors the last one tells: it is the cause, or
//! what became of it; of causes that are listed below an error (`Caused by:`) the last one is the root. Without any, a line that
//! speaks of an error does, and else the last one.

use std::ops::Range;

/// How runtimes begin the line of an error that is of no class.
const BEGINNINGS: [&str; 3] = ["panic: ", "fatal error: ", "PHP Fatal error: "];
/// What log lines of errors hold.
const SPOKEN: [&str; 6] = [
    "error:",
    "fatal:",
    "level=error",
    "level=fatal",
    "\"error\"",
    "\"fatal\"",
];
/// The levels of log lines that tell of errors.
const LEVELS: [&str; 3] = ["ERROR", "FATAL", "CRITICAL"];

/// What stands above the causes of an error, the root last and all of them indented.
const CAUSES: &str = "Caused by:";

/// Where the lines are that tell: one, or two where the first one ends with a colon. Empty where there is no line.
pub(super) fn telling(lines: &[&str]) -> Range<usize> {
    let named = (0..lines.len()).rfind(|&at| is_error(lines, at));
    let named = root_cause(lines).max(named);
    let spoken = || lines.iter().rposition(|it| speaks_of_an_error(it));
    let Some(at) = named.or_else(spoken).or(lines.len().checked_sub(1)) else {
        return 0..0;
    };
    let announces = bare(lines[at]).ends_with(':') && at + 1 < lines.len();
    at..at + 1 + usize::from(announces)
}

/// Where the last of the causes is that are listed below an error.
fn root_cause(lines: &[&str]) -> Option<usize> {
    let head = lines.iter().rposition(|it| it.trim() == CAUSES)?;
    let causes = lines[head + 1..].iter();
    let count = causes
        .take_while(|it| it.starts_with(char::is_whitespace))
        .count();
    (count > 0).then_some(head + count)
}

/// A line without indentation and without what is drawn around it.
pub(super) fn bare(line: &str) -> &str {
    let drawn = '\u{2500}'..='\u{259f}';
    line.trim_matches(|it: char| it.is_whitespace() || it == '|' || drawn.contains(&it))
}

fn is_error(lines: &[&str], at: usize) -> bool {
    let line = bare(lines[at]);
    let after_frames = at > 0 && bare(lines[at - 1]) != lines[at - 1];
    // Such as `rails aborted!`.
    let after_abort = at > 0 && lines[at - 1].ends_with(" aborted!");
    after_abort
        || BEGINNINGS.iter().any(|it| line.starts_with(it))
        || line.contains(" panicked at ")
        || names_a_class(line)
        || (after_frames && begins_with_a_path(line))
        || ends_with_a_class(line)
}

/// `KeyError: 'x'`, `Caused by: a.b.SqlException: no`, `---> A.B.SqlException (0x80004005): no`.
fn names_a_class(line: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_named = match (word.strip_suffix(':'), words.peek()) {
            (Some(name), _) => is_class(name),
            (None, None) => is_class(word),
            (None, Some(next)) => next.starts_with("(0x") && is_class(word),
        };
        if is_named {
            return true;
        }
    }
    false
}

/// Below the frames of its stack an error may be of a class that is not called an error: `a.b.ImproperlyConfigured: no`.
fn begins_with_a_path(line: &str) -> bool {
    let name = line.split_once(": ").map(|(name, _)| name);
    name.is_some_and(|it| it.contains('.') && is_path(it))
}

/// `app.rb:3:in 'fetch': key not found (KeyError)`.
fn ends_with_a_class(line: &str) -> bool {
    let class = line.strip_suffix(')').and_then(|it| it.rsplit_once(" ("));
    class.is_some_and(|(said, class)| said.contains(":in ") && is_path(class))
}

fn is_class(name: &str) -> bool {
    let name = name.trim_start_matches(['(', '[']);
    let is_named = name.ends_with("Error") || name.ends_with("Exception");
    is_path(name) && (is_named || name.starts_with("Errno::"))
}

/// Names with separators between them, of which the last begins with a capital letter.
fn is_path(name: &str) -> bool {
    let is_part = |it: char| it.is_alphanumeric() || "_.:\\$".contains(it);
    let last = name.rsplit(['.', ':', '\\', '$']).next();
    let is_type = last.is_some_and(|it| it.starts_with(char::is_uppercase));
    is_type && name.chars().all(is_part)
}

fn speaks_of_an_error(line: &str) -> bool {
    let lower = line.to_lowercase();
    let mut words = line.split(|it: char| !it.is_alphanumeric());
    SPOKEN.iter().any(|it| lower.contains(it)) || words.any(|it| LEVELS.contains(&it))
}

#[cfg(test)]
mod tests;
