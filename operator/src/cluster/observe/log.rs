//! The last lines of a container, in plain text: what a terminal would show at the end, without secret values.
//!
//! Invariant: pure. A log is redacted as a whole, before a line of it is chosen and before any of it is cut off; what is cut off is
//! its front.

use std::borrow::Cow;

use kube::api::LogParams;

use super::telling::{bare, telling};
use crate::model::message;
use crate::model::observed::Printed;
use crate::model::redaction::Redactor;

/// How many lines are asked for, many more than are shown: a secret value may be spread over them, and most of them may be ornament.
///
/// `limitBytes` would not help: the kubelet looks for the first of these lines and stops after so many bytes from there, so that
/// it is the end which is missing. Nor is it needed: lines are those of the log file, in which a runtime breaks what is longer than
/// 16 KiB (`tail.FindTailLineStartIndex` and `logWriter.write` in `pkg/kubelet/kuberuntime/logs` of Kubernetes).
const LINES: i64 = 100;
/// How many bytes of the end are kept while it is read.
const KEPT_BYTES: usize = 64 * 1024;
/// How many bytes of the other lines are handed on beside the one that tells: as much as a message has room for.
const SHOWN_BYTES: usize = 1000;
/// What the kubelet says in place of a log that it has removed meanwhile.
const REMOVED: &str = "unable to retrieve container logs";

/// Stands for the sequence that erases a line from the cursor on; no other control character is left where this one is.
const ERASE_TO_END: char = '\u{1}';
/// Stands for the sequence that erases a line.
const ERASE_LINE: char = '\u{2}';
const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
const BACKSPACE: char = '\u{8}';

/// Which part of a log is read.
pub(super) fn params(container: &str, previous: bool) -> LogParams {
    LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(LINES),
        previous,
        ..LogParams::default()
    }
}

/// The end of what is read.
#[derive(Debug, Default)]
pub(super) struct End {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl End {
    /// Takes what comes next. No more than twice of what is kept is held.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(KEPT_BYTES)..];
        self.is_cut |= new.len() < bytes.len();
        self.bytes.extend_from_slice(new);
        if self.bytes.len() > 2 * KEPT_BYTES {
            self.keep();
        }
    }

    fn keep(&mut self) {
        let surplus = self.bytes.len().saturating_sub(KEPT_BYTES);
        self.is_cut |= surplus > 0;
        self.bytes.drain(..surplus);
    }

    /// All of it in plain text, without secret values; `None` if there is nothing.
    pub(super) fn text(mut self, redactor: &Redactor) -> Option<String> {
        self.keep();
        let text = String::from_utf8_lossy(&self.bytes);
        if !self.is_cut && text.starts_with(REMOVED) {
            return None;
        }
        let text = if self.is_cut {
            // What is left of a character.
            text.trim_start_matches(char::REPLACEMENT_CHARACTER)
        } else {
            &text
        };
        let text = redactor.redact(&without_sequences(text));
        let lines = text.split('\n').map(on_a_terminal);
        let lines: Vec<_> = lines.filter(|it| has_words(it)).collect();
        // What was overwritten may have been in the midst of a value.
        let text = redactor.redact(&lines.join("\n"));
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// What is shown of a text: the line that tells, and the end of the others.
pub(super) fn shown(text: &str) -> Printed {
    let lines: Vec<&str> = text.lines().collect();
    let chosen = telling(&lines);
    let told: Vec<&str> = lines[chosen.clone()].iter().map(|it| bare(it)).collect();
    let others = [&lines[..chosen.start], &lines[chosen.end..]].concat();
    Printed {
        telling: told.join(" "),
        others: message::end(&others.join("\n"), SHOWN_BYTES).to_owned(),
    }
}

/// A text without the sequences that colour it, move the cursor or tell a terminal something, and without other control
/// characters. What moves within a line is left.
pub(super) fn without_sequences(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        match it {
            ESCAPE => plain.extend(escaped(&mut rest)),
            '\u{9b}' => plain.extend(control_sequence(&mut rest)),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            '\n' | '\r' | '\t' | BACKSPACE => plain.push(it),
            _ if it.is_control() => {}
            _ => plain.push(it),
        }
    }
    plain
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What an escape sequence comes to. The classes of characters are those of ECMA-48.
fn escaped(rest: &mut Rest<'_>) -> Option<char> {
    match *rest.peek()? {
        '[' => {
            rest.next();
            return control_sequence(rest);
        }
        ']' | 'P' | 'X' | '^' | '_' => {
            rest.next();
            skip_string(rest);
        }
        _ => {
            while rest.next_if(|it| (' '..='/').contains(it)).is_some() {}
            rest.next_if(|it| ('0'..='~').contains(it));
        }
    }
    None
}

fn control_sequence(rest: &mut Rest<'_>) -> Option<char> {
    let mut parameters = String::new();
    while let Some(it) = rest.next_if(|it| (' '..='?').contains(it)) {
        parameters.push(it);
    }
    let last = rest.next_if(|it| ('@'..='~').contains(it))?;
    match (last, parameters.as_str()) {
        ('K', "" | "0") => Some(ERASE_TO_END),
        ('K', "2") => Some(ERASE_LINE),
        ('G', "" | "1") => Some('\r'),
        _ => None,
    }
}

/// Skips a string for the terminal, such as a title or the address of a link. One without an end is over with its line.
fn skip_string(rest: &mut Rest<'_>) {
    while let Some(it) = rest.next_if(|it| *it != '\n') {
        match it {
            BELL | '\u{9c}' => return,
            ESCAPE => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// What a terminal shows of a line in the end, whatever overwrote it.
fn on_a_terminal(line: &str) -> Cow<'_, str> {
    let moves = ['\r', BACKSPACE, ERASE_TO_END, ERASE_LINE];
    let line = line.trim_end();
    if !line.contains(moves) {
        return line.into();
    }
    let (mut shown, mut column) = (Vec::new(), 0_usize);
    for it in line.chars() {
        match it {
            '\r' => column = 0,
            BACKSPACE => column = column.saturating_sub(1),
            ERASE_TO_END => shown.truncate(column),
            ERASE_LINE => shown.clear(),
            _ => {
                if shown.len() <= column {
                    shown.resize(column + 1, ' ');
                }
                shown[column] = it;
                column += 1;
            }
        }
    }
    let shown: String = shown.into_iter().collect();
    shown.trim_end().to_owned().into()
}

/// Whether a line says something: an empty one does not, nor does one that is drawn.
fn has_words(line: &str) -> bool {
    let is_drawn = |it: char| ('\u{2500}'..='\u{259f}').contains(&it);
    let has_letters = line.contains(char::is_alphanumeric);
    has_letters || !(line.trim().is_empty() || line.contains(is_drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain text of a log that came in pieces of so many bytes.
    fn text_of(log: &[u8], size: usize, secrets: &[&str]) -> Option<String> {
        let values = secrets.iter().map(|it| (*it).to_owned().into());
        let mut end = End::default();
        log.chunks(size).for_each(|it| end.push(it));
        end.text(&Redactor::new(values.collect()))
    }

    fn check(log: &str, expected: &str) {
        let text = text_of(log.as_bytes(), 7, &[]);
        assert_eq!(text.unwrap_or_default(), expected, "{log:?}");
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        let shown = text_of(b"caf\xe9 is \xff\xfe closed\n", 3, &[]);
        assert_eq!(shown.unwrap(), "caf\u{fffd} is \u{fffd}\u{fffd} closed");
    }

    #[test]
    fn colours_titles_and_links_are_taken_away() {
        check(
            "\u{1b}[1;31mERROR\u{1b}[0m: no \u{1b}[4mtable\u{1b}[m\n",
            "ERROR: no table",
        );
        check(
            "\u{1b}]0;title\u{7}a \u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\ b",
            "a link b",
        );
        check("\u{9b}31mred\u{1b}(B \u{1b}[?25lend\u{1b}[", "red end");
        check("\u{1b}]0;a title without an end\nnext", "next");
        check("tab\there\0, bell\u{7}", "tab\there, bell");
    }

    #[test]
    fn of_a_bar_that_moves_what_stays_is_shown() {
        check("10%\r50%\r100%\ndone\r\n", "100%\ndone");
        check("loading 50%\rdone\n", "doneing 50%");
        check("loading 50%\r\u{1b}[Kdone\n", "done");
        check("loading 50%\u{1b}[2K\rdone\n", "done");
        check("loading 50%\u{1b}[2K\u{1b}[1Gdone\n", "done");
        check("working |\u{8}/\u{8}-\u{8}!\n", "working !");
    }

    #[test]
    fn of_a_line_without_an_end_its_end_is_shown() {
        let log = format!("{}the end", "ä".repeat(1 << 20));
        for size in [1000, KEPT_BYTES, 3 * KEPT_BYTES] {
            let text = text_of(log.as_bytes(), size, &[]).unwrap();
            assert_eq!(text, format!("{}the end", "ä".repeat(32_764)));
        }
    }

    #[test]
    fn of_a_long_log_the_line_that_tells_and_the_last_whole_lines_are_shown() {
        let mut lines: Vec<String> = (0..1000).map(|it| format!("line {it:04}")).collect();
        lines[500] = "KeyError: 'x'".into();
        let text = text_of(lines.join("\n").as_bytes(), 999, &[]).unwrap();
        let expected = Printed {
            telling: "KeyError: 'x'".into(),
            others: lines[900..].join("\n"),
        };
        assert_eq!(shown(&text), expected);
    }

    #[test]
    fn no_more_than_twice_of_what_is_kept_is_held() {
        let mut end = End::default();
        for _ in 0..100 {
            end.push(&[b'x'; 10_000]);
            assert!(end.bytes.len() <= 2 * KEPT_BYTES);
        }
    }

    #[test]
    fn what_is_empty_or_was_removed_shows_nothing() {
        let nothing = [
            "",
            " \n\r\n",
            "\u{1b}[0m\n",
            "unable to retrieve container logs for containerd://0f",
        ];
        for log in nothing {
            assert_eq!(text_of(log.as_bytes(), 10, &[]), None, "{log:?}");
        }
    }

    #[test]
    fn lines_that_are_drawn_are_left_out() {
        let log =
            "╭─ Traceback ─╮\n│ ╰────╯ │\n│ main.py:1   │\n╰─────────────╯\n\n}\nKeyError: 'x'\n";
        check(log, "╭─ Traceback ─╮\n│ main.py:1   │\n}\nKeyError: 'x'");
    }

    #[test]
    fn secret_values_are_hidden_before_anything_is_cut_or_overwritten() {
        let text = |log: &str| text_of(log.as_bytes(), 50, &["hunter2-hunter2"]).unwrap();
        assert_eq!(
            text("password hunter2-hunter2 is bad\n"),
            "password *** is bad"
        );
        assert_eq!(
            text("password hunter2\n-hunter2 is bad\n"),
            "password *** is bad"
        );
        assert_eq!(text("is \u{1b}[31mhunter2\u{1b}[0m-hunter2\n"), "is ***");
        assert_eq!(text("hunter2-hunter2\rabc\n"), "abc");
        let log = format!("hunter2-hunter2{}", "x".repeat(KEPT_BYTES - 10));
        assert_eq!(text(&log), format!("***{}", "x".repeat(KEPT_BYTES - 10)));
        let log = format!("hunter2-hunter2{}\nend", " ".repeat(KEPT_BYTES - 13));
        assert_eq!(text(&log), "***\nend");
        let log = format!("KeyError: hunter2-hunter2\n{}", "x\n".repeat(600));
        assert_eq!(shown(&text(&log)).telling, "KeyError: ***");
        let tail = "x".repeat(SHOWN_BYTES - 8);
        let log = format!("KeyError: 'x'\nis hunter2-hunter2{tail}");
        assert_eq!(shown(&text(&log)).others, format!("is ***{tail}"));
    }
}
