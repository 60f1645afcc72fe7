//! Random values in random texts, in each of the ways in which they are written, whole, wrapped and cut: no piece of them is shown.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::*;

/// How many values are tried; each in all ways, of which there are more than a hundred.
const VALUES: u32 = 260;
/// What a piece of a value has at least.
const PIECE: usize = 6;
/// What must be encoded in the query of an address.
const FEW: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'+');

/// A way of writing a text, character by character.
type Way = fn(&str) -> String;

const WAYS: [Way; 11] = [
    str::to_owned,
    upper,
    |it| lower_escapes(&upper(it)),
    |it| upper(it).replace("%20", "+"),
    |it| utf8_percent_encode(it, FEW).to_string(),
    json,
    |it| ascii(&json(it)),
    |it| replaced(it, char::REPLACEMENT_CHARACTER),
    |it| replaced(it, '?'),
    as_latin,
    |it| ascii(&json(&as_latin(it))),
];

/// A value in each of the ways in which it is written, and what must not be seen of it then.
fn written(value: &str) -> Vec<(String, Vec<String>)> {
    let pieces = pieces(value);
    let mut written = Vec::new();
    for way in WAYS {
        // Marks of what was no UTF-8 tell nothing.
        let pieces = pieces.iter().map(|it| plain(&way(it)));
        let pieces = pieces.filter(|it| it.chars().count() >= PIECE);
        let pieces: Vec<String> = pieces.collect();
        written.push((way(value), pieces.clone()));
        written.push((way(value.trim()), pieces.clone()));
        let lines = value.lines().map(|it| format!("12:00 {}", way(it)));
        written.push((lines.collect::<Vec<_>>().join("\n"), pieces));
    }
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        for (before, after) in [("", ""), ("u", "v"), ("u:", "vw")] {
            let text = engine.encode(format!("{before}{value}{after}"));
            // What is around it is told in the first and in the last digits.
            let own = text.trim_end_matches('=');
            let own = own.get(2 * before.len()..own.len().saturating_sub(2 * after.len()));
            let own = own.unwrap_or_default();
            let own: Vec<char> = if value.trim().len() < PIECE {
                Vec::new()
            } else {
                own.chars().collect()
            };
            let pieces = own.windows(PIECE).map(|it| it.iter().collect());
            written.push((text.clone(), pieces.collect()));
        }
    }
    written
}

/// The shortest pieces of a value that must not be seen.
fn pieces(value: &str) -> Vec<String> {
    let chars: Vec<char> = value.chars().collect();
    let from = |start: usize| {
        let mut ends = (start + 1)..=chars.len();
        let piece = |end: usize| chars[start..end].iter().collect::<String>();
        ends.find(|end| plain(&piece(*end)).chars().count() == PIECE)
            .map(piece)
    };
    (0..chars.len()).filter_map(from).collect()
}

fn upper(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn json(text: &str) -> String {
    let quoted = serde_json::json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Each character beyond ASCII as another one.
fn replaced(text: &str, by: char) -> String {
    let chars = text.chars();
    chars
        .map(|it| if it.is_ascii() { it } else { by })
        .collect()
}

/// The bytes of a text as characters.
fn as_latin(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// Without characters that are not ASCII.
fn ascii(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, it| {
        if it.is_ascii() {
            text.push(it);
        } else {
            for unit in it.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(text, "\\u{unit:04x}");
            }
        }
        text
    })
}

fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, it| {
        let (digits, rest) = it.split_at(2);
        format!("{text}%{}{rest}", digits.to_lowercase())
    })
}

/// The text wrapped after so many characters.
fn wrapped(text: &str, width: usize, between: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let lines = chars.chunks(width).map(|it| it.iter().collect::<String>());
    lines.collect::<Vec<_>>().join(between)
}

/// Without what views leave out.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_ascii_control() && ![' ', char::REPLACEMENT_CHARACTER].contains(it))
        .collect()
}

/// Whether a text shows a piece that is not in what is around it as well.
fn shows(text: &str, pieces: &[String], around: [&str; 2]) -> bool {
    let around = around.map(plain);
    let parts: Vec<String> = text.split(MASK).map(plain).collect();
    let mut pieces = pieces
        .iter()
        .filter(|it| parts.iter().any(|part| part.contains(*it)));
    pieces.any(|it| !around.iter().any(|text| text.contains(it)))
}

/// How many texts with this value were tried; none of them shows it.
fn try_all(
    value: &str,
    before: &str,
    after: &str,
    width: usize,
    cut: usize,
) -> Result<u32, TestCaseError> {
    let redactor = redactor(&[value]);
    let mut tried = 0;
    for (way, (form, pieces)) in written(value).iter().enumerate() {
        let wraps = [
            form.clone(),
            wrapped(form, width, "\n"),
            wrapped(form, width, "\r\n  "),
        ];
        for (wrap, form) in wraps.iter().enumerate() {
            let length = form.chars().count();
            let cut = cut % length.max(1);
            let end: String = form.chars().skip(cut).collect();
            let start: String = form.chars().take(length - cut).collect();
            let middle: String = start.chars().skip(cut / 2).collect();
            // What stands right before an escape, without anything between, may be the start of another one.
            let texts = [
                (format!("{before}={form} {after}"), [before, after]),
                (format!("{end} {after}"), ["", after]),
                (format!("{before}={start}"), [before, ""]),
                (middle, ["", ""]),
            ];
            for (text, around) in texts {
                let shown = redactor.redact(&text);
                tried += 1;
                prop_assert!(
                    !shows(&shown, pieces, around),
                    "way {way}, wrapped {wrap}: {text:?} {shown:?}"
                );
            }
        }
    }
    Ok(tried)
}

#[test]
fn no_piece_of_a_value_is_shown() {
    let of = |letters: &'static str| {
        let ends = prop_oneof![5 => 1..40_usize, 1 => 40..200_usize];
        ends.prop_flat_map(move |length| {
            proptest::string::string_regex(&format!("{letters}{{{length}}}")).unwrap()
        })
    };
    let value = prop_oneof![
        4 => of("[ -~]"),
        2 => of("[a-zA-Z0-9]"),
        1 => of("[%\"\\\\+/ =n0-9a-f]"),
        2 => of("[ -~\n]"),
        2 => of("[ -~äöüßéÀ-ÿ中文字漢字😀-😎]"),
    ];
    let around = "[ -~\nä]{0,30}";
    let strategy = (value, around, around, 3..60_usize, 1..200_usize);
    let config = Config {
        cases: VALUES,
        failure_persistence: None,
        max_shrink_iters: 100,
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    };
    let tried = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&strategy, |(value, before, after, width, cut)| {
        tried.set(tried.get() + try_all(&value, &before, &after, width, cut)?);
        Ok(())
    });
    if let Err(found) = outcome {
        panic!("{found}");
    }
    assert!(tried.get() >= 100_000, "{}", tried.get());
}
