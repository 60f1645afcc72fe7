//! Cuts secret values out of texts that others write: logs, messages of Kubernetes, answers of the application.
//!
//! Invariant: pure, and whoever is in doubt hides. A text is redacted as it was read, before any of it is cut off: half a value is
//! found at the edges of a text alone.
//!
//! A value is looked for as it is, without the white space around it and line by line, and so is what in it is secret by itself, such
//! as the password of an address; each of them as it is, percent-encoded, in a form, as pages, JSON and other string literals write
//! it, in hexadecimal digits and in base64. What encodes leaves much to whoever does it: which characters, upper or lower case. So
//! it is the text that is decoded, and not the value that is encoded. Of base64 that is not possible, since nothing tells where it
//! begins: there the value is encoded, as it looks after any number of other bytes.

mod inside;
mod misread;
mod patterns;
mod view;

use std::ops::Range;
use std::sync::OnceLock;

use secrecy::SecretString;

use self::patterns::Patterns;
use self::view::View;

/// What stands for a secret value.
const MASK: &str = "***";
/// How many characters of a text may be what is left of an escape of which the start was cut off: of `\ud83d`, all but the first.
const LONGEST_REST: usize = 5;

/// Cuts a set of secret values out of texts.
pub struct Redactor {
    values: Vec<SecretString>,
    /// Made when there is a first text to look at, which most passes over a stack do not have.
    patterns: OnceLock<Patterns>,
}

impl Redactor {
    /// Of these values.
    #[must_use]
    pub fn new(values: Vec<SecretString>) -> Self {
        Self {
            values,
            patterns: OnceLock::new(),
        }
    }

    /// The text without the values.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let patterns = self.patterns.get_or_init(|| Patterns::of(&self.values));
        if text.is_empty() || patterns.is_empty() {
            return text.to_owned();
        }
        let mut found: Vec<Range<usize>> = patterns.short(text).collect();
        for view in view::of(text) {
            let Some(whole) = patterns.whole(&view.bytes) else {
                return MASK.to_owned();
            };
            found.extend(whole.map(|it| view.origin(it)));
            found.extend(at_the_start(&view, patterns, text));
            found.extend(at_the_end(&view, patterns, text));
        }
        masked(text, found)
    }
}

/// What a text begins with that is the end, or the middle, of a value.
fn at_the_start(view: &View, patterns: &Patterns, text: &str) -> Option<Range<usize>> {
    let is_rest = |it: &&u8| it.is_ascii_hexdigit() || b"uxnrt{}".contains(it);
    let rest = view.bytes.iter().take(LONGEST_REST).take_while(is_rest);
    let ends = (0..=rest.count()).filter_map(|skipped| {
        let found = patterns.ends_in_front_of(&view.bytes[skipped..], skipped > 0)?;
        let end = skipped + found;
        let origin = view.origin(skipped..end);
        if skipped > 0 && !is_one_word(&text[..origin.start]) {
            return None;
        }
        // Where nothing follows there may be half an escape, which is in no view.
        let is_all = end == view.bytes.len();
        Some(if is_all { text.len() } else { origin.end })
    });
    Some(0..ends.max()?)
}

/// Whether a text may be what is left of one escape: it is wrapped at most.
fn is_one_word(text: &str) -> bool {
    text.lines().all(|it| !it.trim().contains(' '))
}

/// What a text ends with that is the start of a value.
fn at_the_end(view: &View, patterns: &Patterns, text: &str) -> Option<Range<usize>> {
    let found = patterns.begins_at_the_end_of(&view.bytes)?;
    let bytes = view.bytes.len();
    Some(view.origin(bytes - found..bytes).start..text.len())
}

/// The text with a mask over each of the places.
fn masked(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|it| it.start);
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    let mut places = places.into_iter().peekable();
    while let Some(Range { start, mut end }) = places.next() {
        while let Some(next) = places.next_if(|it| it.start <= end) {
            end = end.max(next.end);
        }
        // A piece may begin or end within a character.
        let start = text.floor_char_boundary(start).max(at);
        shown.push_str(&text[at..start]);
        shown.push_str(MASK);
        at = text.ceil_char_boundary(end);
    }
    shown.push_str(&text[at..]);
    shown
}

#[cfg(test)]
mod tests;
