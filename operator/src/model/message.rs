//! Messages for people: first what happened, then the line that tells why, and last what a container printed, of which the front
//! is cut off where there is no room for all of it.
//!
//! Invariant: pure. Whoever shows less of a message than there is, such as a column of a table or the note of an Event, shows its
//! start; so what tells is there, and what can be done is said before what was printed.

use std::borrow::Cow;

use crate::model::observed::Printed;

/// How many bytes a message with printed lines has at most: the note of an Event holds 1024.
const LONGEST: usize = 1000;
/// How many bytes of the telling line are shown at most: of one that is longer its start and its end, since loggers put what happened
/// first, and those that write JSON last.
const LONGEST_LINE: usize = START + END;
/// How many bytes of its start.
const START: usize = 180;
/// How many bytes of its end.
const END: usize = 120;
/// How many characters a message without printed lines has at most. A condition holds 32,768; people read the first lines.
const MOST_CHARACTERS: usize = 4000;
/// What stands before the lines that a container printed last.
const LAST_LINES: &str = "; its last lines: ";

/// A message, and what a container printed.
#[must_use]
pub fn with(said: &str, printed: Option<&Printed>) -> String {
    let Some(Printed { telling, others }) = printed else {
        return said.to_owned();
    };
    let lines = match others.as_str() {
        "" => String::new(),
        others => format!("{LAST_LINES}{others}"),
    };
    format!("{said}; it said: {}{lines}", both_ends(telling))
}

fn both_ends(line: &str) -> Cow<'_, str> {
    if line.len() <= LONGEST_LINE {
        return line.into();
    }
    let start = line.floor_char_boundary(START);
    let end = line.ceil_char_boundary(line.len() - END);
    format!("{}…{}", &line[..start], &line[end..]).into()
}

/// The message with more said, before what was printed.
#[must_use]
pub fn and(message: &str, more: &str) -> String {
    let said = message.split(LAST_LINES).next().unwrap_or_default();
    format!("{said}{more}{}", &message[said.len()..])
}

/// A message beside others: what happened and the line that tells, of both together no more than of a long line.
#[must_use]
pub fn brief(message: &str) -> Cow<'_, str> {
    both_ends(message.split(LAST_LINES).next().unwrap_or_default())
}

/// As much of a message as is shown.
#[must_use]
pub fn shortened(message: &str) -> String {
    let Some((said, lines)) = message.split_once(LAST_LINES) else {
        return message.chars().take(MOST_CHARACTERS).collect();
    };
    let room = LONGEST.saturating_sub(said.len() + LAST_LINES.len());
    match end(lines, room) {
        "" => said.chars().take(MOST_CHARACTERS).collect(),
        lines => format!("{said}{LAST_LINES}{lines}"),
    }
}

/// The last bytes of a text, as many as there is room for. Half a line helps nobody, unless it is all there is.
#[must_use]
pub fn end(text: &str, room: usize) -> &str {
    let cut = text.ceil_char_boundary(text.len().saturating_sub(room));
    let shown = &text[cut..];
    if cut == 0 || text[..cut].ends_with('\n') {
        return shown;
    }
    shown.split_once('\n').map_or(shown, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(telling: &str, others: &str) -> Printed {
        Printed {
            telling: telling.into(),
            others: others.into(),
        }
    }

    #[test]
    fn what_happened_comes_first_then_what_tells_then_the_lines_of_before() {
        let one = printed("KeyError: 'x'", "");
        let all = printed("KeyError: 'x'", "Traceback:\n  main.py");
        assert_eq!(with("it ended", None), "it ended");
        assert_eq!(
            with("it ended", Some(&one)),
            "it ended; it said: KeyError: 'x'"
        );
        let whole = with("it ended", Some(&all));
        assert_eq!(
            whole,
            "it ended; it said: KeyError: 'x'; its last lines: Traceback:\n  main.py"
        );
        assert_eq!(
            and(&whole, "; try again"),
            "it ended; it said: KeyError: 'x'; try again; its last lines: Traceback:\n  main.py"
        );
        assert_eq!(and("it ended", "; try again"), "it ended; try again");
        assert_eq!(brief(&whole), "it ended; it said: KeyError: 'x'");
    }

    #[test]
    fn where_there_is_no_room_the_front_of_the_lines_goes_and_what_tells_stays() {
        let lines: Vec<String> = (0..200).map(|it| format!("line {it:04} ä")).collect();
        let all = with(
            "it ended",
            Some(&printed("no such column", &lines.join("\n"))),
        );
        let message = shortened(&and(&all, "; try again"));
        assert!(message.len() <= LONGEST, "{}", message.len());
        assert!(message.len() > LONGEST - 20, "{}", message.len());
        let start = "it ended; it said: no such column; try again; its last lines: line 0";
        assert!(message.starts_with(start), "{message}");
        assert!(message.ends_with("line 0199 ä"), "{message}");
    }

    #[test]
    fn a_line_that_is_too_long_keeps_its_start_and_its_end() {
        let line = format!("{}{}", "ä".repeat(500), "ö".repeat(500));
        let message = with("it ended", Some(&printed(&line, "")));
        let (start, end) = ("ä".repeat(90), "ö".repeat(60));
        assert_eq!(message, format!("it ended; it said: {start}…{end}"));
        let whole = "x".repeat(LONGEST_LINE);
        let message = with("it ended", Some(&printed(&whole, "")));
        assert_eq!(message, format!("it ended; it said: {whole}"));
    }

    #[test]
    fn of_one_long_line_the_end_is_shown_and_nothing_where_nothing_fits() {
        let lines = format!("{}the end", "x".repeat(5000));
        let message = shortened(&with("it ended", Some(&printed("no", &lines))));
        assert_eq!(message.len(), LONGEST);
        assert!(message.ends_with("xthe end"), "{message}");
        let said = "y".repeat(LONGEST);
        let message = shortened(&with(&said, Some(&printed("no", &lines))));
        assert_eq!(message, format!("{said}; it said: no"));
    }

    #[test]
    fn a_message_without_lines_keeps_its_start() {
        assert_eq!(shortened(&"ä".repeat(5000)), "ä".repeat(MOST_CHARACTERS));
    }
}
