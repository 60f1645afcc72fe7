//! What secret values look like, and where it is found.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

use super::inside;
use super::misread;
use super::view::{Squeeze, View};

/// A value shorter than this is not cut out: it is guessed in no time, and would cut words apart.
const SHORTEST_VALUE: usize = 4;
/// A piece of a value shorter than this is not cut out, nor a shorter line of one: words share four or five letters with whatever is
/// there, and five letters of a value that is worth hiding are no help to anybody. The same is true of an encoded value.
const SHORTEST_PIECE: usize = 6;

/// What secret values look like.
pub(super) struct Patterns {
    /// Values that are too short to be looked for in any other way than as they are.
    short: BTreeSet<String>,
    all: Vec<Pattern>,
    /// Finds any of them. None if there are more than it can hold.
    finder: Option<AhoCorasick>,
    /// Where in the patterns each piece of the shortest length is, in order.
    pieces: Vec<([u8; SHORTEST_PIECE], usize, usize)>,
}

/// A form of a value without line breaks.
struct Pattern {
    bytes: Vec<u8>,
    /// What of it is secret. The scheme of an address is not, nor the place that is behind a password: a log that ends with
    /// `postgresql` or begins with the name of a database is no secret that was cut.
    secret: Range<usize>,
}

impl Patterns {
    pub(super) fn of(values: &[SecretString]) -> Self {
        let mut short = BTreeSet::new();
        let mut forms = BTreeSet::new();
        for value in values.iter().map(SecretString::expose_secret) {
            let trimmed = value.trim();
            if (SHORTEST_VALUE..SHORTEST_PIECE).contains(&trimmed.len()) {
                short.insert(trimmed.to_owned());
            }
            forms.extend(forms_of(value));
            let inside = inside::secrets(value).into_iter();
            let inside = inside.filter(|it| it.trim().len() >= SHORTEST_PIECE);
            forms.extend(inside.flat_map(|it| forms_of(&it)));
        }
        forms.retain(|it| it.len() >= SHORTEST_PIECE);
        let all: Vec<Pattern> = forms.into_iter().map(Pattern::of).collect();
        let mut finder = AhoCorasick::builder();
        // Its size is that of the patterns, which the other kinds exceed many times.
        let finder = finder.kind(Some(AhoCorasickKind::ContiguousNFA));
        Self {
            short,
            finder: finder.build(all.iter().map(|it| &it.bytes)).ok(),
            pieces: pieces(&all),
            all,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.short.is_empty() && self.all.is_empty()
    }

    /// Where short values are in a text.
    pub(super) fn short(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let found = self.short.iter().flat_map(|it| text.match_indices(it));
        let found = found.map(|(at, it)| at..at + it.len());
        found.collect::<Vec<_>>().into_iter()
    }

    /// Where patterns are, also those that share a place; `None` if that cannot be told.
    pub(super) fn whole<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> Option<impl Iterator<Item = Range<usize>> + 'a> {
        let found = self.finder.as_ref()?.find_overlapping_iter(bytes);
        Some(found.map(|it| it.range()))
    }

    /// How much of the front is the end of a pattern; all of it if it is from the middle of one. Whole patterns count unless only
    /// those are meant that are cut.
    pub(super) fn ends_in_front_of(&self, bytes: &[u8], only_cut: bool) -> Option<usize> {
        let found = self.at(bytes.get(..SHORTEST_PIECE)?);
        let lengths = found.filter_map(|(pattern, at)| {
            let end = &pattern.bytes[at..];
            let length = end.len().min(bytes.len());
            let is_it = bytes[..length] == end[..length];
            let counts = at > 0 || !only_cut;
            (is_it && counts && pattern.is_secret(at..at + length)).then_some(length)
        });
        lengths.max()
    }

    /// How much of the end is the start of a pattern.
    pub(super) fn begins_at_the_end_of(&self, bytes: &[u8]) -> Option<usize> {
        let last = bytes.len().checked_sub(SHORTEST_PIECE)?;
        let lengths = self.at(&bytes[last..]).filter_map(|(pattern, at)| {
            let length = at + SHORTEST_PIECE;
            let is_it = bytes.ends_with(&pattern.bytes[..length]);
            (is_it && pattern.is_secret(0..length)).then_some(length)
        });
        lengths.max()
    }

    /// The places of a piece.
    fn at(&self, piece: &[u8]) -> impl Iterator<Item = (&Pattern, usize)> {
        let first = self.pieces.partition_point(|it| it.0.as_slice() < piece);
        let found = self.pieces[first..].iter();
        let found = found.take_while(move |it| it.0.as_slice() == piece);
        found.map(|(_, pattern, at)| (&self.all[*pattern], *at))
    }
}

impl Pattern {
    fn of(bytes: Vec<u8>) -> Self {
        let secret = secret_part(&bytes).unwrap_or(0..bytes.len());
        Self { bytes, secret }
    }

    /// Whether a piece tells anything that is secret.
    fn is_secret(&self, piece: Range<usize>) -> bool {
        let start = piece.start.max(self.secret.start);
        let end = piece.end.min(self.secret.end);
        end >= start + SHORTEST_PIECE
    }
}

/// What of an address is secret: what is between its scheme and its place if it has credentials, else all behind the scheme.
fn secret_part(address: &[u8]) -> Option<Range<usize>> {
    let scheme = address.windows(3).position(|it| it == b"://")?;
    let is_scheme = |it: &u8| it.is_ascii_alphanumeric() || b"+-.".contains(it);
    if scheme == 0 || !address[..scheme].iter().all(is_scheme) {
        return None;
    }
    let start = scheme + 3;
    let credentials = address[start..].iter().rposition(|it| *it == b'@');
    Some(start..credentials.map_or(address.len(), |it| start + it))
}

fn pieces(all: &[Pattern]) -> Vec<([u8; SHORTEST_PIECE], usize, usize)> {
    let each = all.iter().enumerate().flat_map(|(pattern, it)| {
        let windows = it.bytes.windows(SHORTEST_PIECE).enumerate();
        windows.filter_map(move |(at, it)| Some((it.try_into().ok()?, pattern, at)))
    });
    let mut pieces: Vec<_> = each.collect();
    pieces.sort_unstable();
    pieces
}

/// A value as it is, without the white space around it, and line by line, each in all its forms.
fn forms_of(value: &str) -> BTreeSet<Vec<u8>> {
    let lines = value.split(['\n', '\r']).map(str::trim);
    let lines = lines.filter(|it| it.len() >= SHORTEST_PIECE);
    let texts = lines.chain([value, value.trim()]);
    let texts: BTreeSet<&str> = texts
        .filter(|it| it.trim().len() >= SHORTEST_VALUE)
        .collect();
    let forms = texts.into_iter().flat_map(|text| {
        let misread = misread::forms(text).into_iter();
        let misread = misread.flat_map(|it| squeezed(&it));
        let plain = squeezed(text).into_iter().chain(in_base64(text));
        plain.chain(in_hexadecimal(text)).chain(misread)
    });
    forms.collect()
}

/// A text as it looks in views.
fn squeezed(text: &str) -> [Vec<u8>; 2] {
    let view = View::raw(text);
    [Squeeze::KeepSpaces, Squeeze::DropSpaces].map(|it| view.squeezed(it).bytes)
}

/// A text as the digits of its bytes.
fn in_hexadecimal(text: &str) -> [Vec<u8>; 2] {
    let digits = |digit: fn(u8) -> String| text.bytes().map(digit).collect::<String>();
    let (lower, upper) = (
        digits(|it| format!("{it:02x}")),
        digits(|it| format!("{it:02X}")),
    );
    [lower, upper].map(String::into_bytes)
}

/// A text in both alphabets of base64: from the start, with and without padding, and behind one and two other bytes. What shares a
/// digit with bytes around it is left out.
fn in_base64(text: &str) -> impl Iterator<Item = Vec<u8>> {
    let engines: [GeneralPurpose; 2] = [STANDARD_NO_PAD, URL_SAFE_NO_PAD];
    engines.into_iter().flat_map(move |engine| {
        let alone = engine.encode(text);
        let padding = "=".repeat(alone.len().next_multiple_of(4) - alone.len());
        let padded = format!("{alone}{padding}");
        let within = [(0, 0), (1, 2), (2, 3)].map(|(before, digits)| {
            let bytes = [vec![0; before].as_slice(), text.as_bytes()].concat();
            let encoded = engine.encode(&bytes);
            let shared = usize::from(bytes.len() % 3 != 0);
            let end = encoded.len().saturating_sub(shared).max(digits);
            encoded[digits..end].to_owned()
        });
        let all = within.into_iter().chain([alone, padded]);
        all.map(String::into_bytes)
    })
}
