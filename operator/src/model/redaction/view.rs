//! A text as it may be meant: without line breaks or without any white space, and with its escapes decoded.
//!
//! Invariant: what each byte comes from is known, so that what is found in a view can be hidden in the text.

use std::ops::Range;

/// The mark of what was no UTF-8: what is left of a character that was cut.
const REPLACEMENT: [u8; 3] = [0xEF, 0xBF, 0xBD];

/// How many backslashes may be left of an escaped one of which the first was cut off: it is four where it was escaped twice.
const MOST_CUT: usize = 3;

/// Bytes that a text may stand for.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Where in the text each byte comes from.
    places: Vec<(usize, usize)>,
}

/// Which white space stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Squeeze {
    /// Spaces: a value that is wrapped over lines, and that may hold some.
    KeepSpaces,
    /// None: a value that is wrapped and indented.
    DropSpaces,
}

/// What there is at a place of a text.
enum Found {
    /// The byte itself.
    Itself,
    /// An escape of this length, and what it stands for.
    Escape(usize, Vec<u8>),
    /// The start of an escape, and then the end of the text.
    Cut,
}

/// Every view of a text.
pub(super) fn of(text: &str) -> Vec<View> {
    let raw = View::raw(text);
    let decodings = decodings(text);
    let mut views: Vec<View> = Vec::new();
    let mut add = |view: View| {
        if views.iter().all(|it| it.bytes != view.bytes) {
            views.push(view);
        }
    };
    for squeeze in [Squeeze::KeepSpaces, Squeeze::DropSpaces] {
        let squeezed = raw.squeezed(squeeze);
        for decode in &decodings {
            // Where an escape is wrapped it is seen once the line breaks are gone; but then what stood before a line break may
            // look as if it was one.
            add(decode(&raw).squeezed(squeeze));
            add(decode(&squeezed).squeezed(squeeze));
            // The first of these may be the end of an escape that was cut.
            let backslashes = squeezed.bytes.iter().take_while(|it| **it == b'\\');
            for cut in 1..=backslashes.count().min(MOST_CUT) {
                add(decode(&squeezed.behind(cut)).squeezed(squeeze));
            }
        }
        add(squeezed);
    }
    views
}

/// The ways in which a text may be encoded, once or twice.
fn decodings(text: &str) -> Vec<fn(&View) -> View> {
    let (percent, plus) = (text.contains('%'), text.contains('+'));
    let backslash = text.contains('\\');
    let entity = text.contains('&');
    let mut ways: Vec<fn(&View) -> View> = Vec::new();
    if percent {
        ways.push(|it| it.decoded(percent_escape));
        ways.push(|it| it.decoded(percent_escape).decoded(percent_escape));
    }
    if plus {
        ways.push(|it| it.decoded(form_escape));
    }
    if entity {
        ways.push(|it| it.decoded(entity_escape));
    }
    if backslash {
        ways.push(|it| it.decoded(literal_escape));
        ways.push(|it| it.decoded(literal_escape).decoded(literal_escape));
        ways.push(|it| it.decoded(shell_escape));
    }
    if text.contains(':') && has_octets(text) {
        ways.push(|it| it.decoded(between_octets));
    }
    if backslash && (percent || plus) {
        ways.push(|it| it.decoded(literal_escape).decoded(form_escape));
        ways.push(|it| it.decoded(literal_escape).decoded(percent_escape));
    }
    ways
}

impl View {
    pub(super) fn raw(text: &str) -> Self {
        Self {
            bytes: text.bytes().collect(),
            places: (0..text.len()).map(|at| (at, at + 1)).collect(),
        }
    }

    /// Where in the text a part of it comes from; the part holds something.
    pub(super) fn origin(&self, part: Range<usize>) -> Range<usize> {
        self.places[part.start].0..self.places[part.end - 1].1
    }

    /// Without control characters, what was no UTF-8 and, if it is to be so, spaces.
    pub(super) fn squeezed(&self, squeeze: Squeeze) -> Self {
        let mut squeezed = self.empty();
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            if self.bytes[at..].starts_with(&REPLACEMENT) {
                at += REPLACEMENT.len();
                continue;
            }
            let is_space = *byte == b' ' && squeeze == Squeeze::DropSpaces;
            if !is_space && !byte.is_ascii_control() {
                squeezed.bytes.push(*byte);
                squeezed.places.push(self.places[at]);
            }
            at += 1;
        }
        squeezed
    }

    fn behind(&self, start: usize) -> Self {
        Self {
            bytes: self.bytes[start..].to_vec(),
            places: self.places[start..].to_vec(),
        }
    }

    fn decoded(&self, escape: fn(&[u8]) -> Found) -> Self {
        let mut decoded = self.empty();
        let mut at = 0;
        while let Some(byte) = self.bytes.get(at) {
            match escape(&self.bytes[at..]) {
                Found::Itself => {
                    decoded.bytes.push(*byte);
                    decoded.places.push(self.places[at]);
                    at += 1;
                }
                Found::Escape(length, bytes) => {
                    let origin = self.origin(at..at + length);
                    decoded
                        .places
                        .extend(bytes.iter().map(|_| (origin.start, origin.end)));
                    decoded.bytes.extend(bytes);
                    at += length;
                }
                Found::Cut => break,
            }
        }
        decoded
    }

    fn empty(&self) -> Self {
        Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            places: Vec::with_capacity(self.bytes.len()),
        }
    }
}

/// `%2B`.
fn percent_escape(text: &[u8]) -> Found {
    match text {
        [b'%', rest @ ..] => hexadecimal(rest, 2).map_or_else(
            || cut_if(rest.len() < 2 && rest.iter().all(u8::is_ascii_hexdigit)),
            |it| Found::Escape(3, it.to_be_bytes()[3..].to_vec()),
        ),
        _ => Found::Itself,
    }
}

/// The same, and `+` for a space.
fn form_escape(text: &[u8]) -> Found {
    match text {
        [b'+', ..] => Found::Escape(1, vec![b' ']),
        _ => percent_escape(text),
    }
}

/// `&lt;`, `&#60;` and `&#x3c;`, as pages write what would be a tag.
fn entity_escape(text: &[u8]) -> Found {
    let [b'&', rest @ ..] = text else {
        return Found::Itself;
    };
    let Some(end) = rest.iter().take(8).position(|it| *it == b';') else {
        return Found::Itself;
    };
    let name = &rest[..end];
    let bytes = match name {
        b"amp" => vec![b'&'],
        b"lt" => vec![b'<'],
        b"gt" => vec![b'>'],
        b"quot" => vec![b'"'],
        b"apos" => vec![b'\''],
        [b'#', b'x' | b'X', digits @ ..] => match hexadecimal(digits, digits.len()) {
            Some(code) => utf8(code),
            None => return Found::Itself,
        },
        [b'#', digits @ ..] => {
            let digits = std::str::from_utf8(digits).ok();
            match digits.and_then(|it| it.parse().ok()) {
                Some(code) => utf8(code),
                None => return Found::Itself,
            }
        }
        _ => return Found::Itself,
    };
    Found::Escape(end + 2, bytes)
}

/// What JSON and the string literals of most languages have: `\n`, `\"`, `\x2b`, `\053`, `\u00e9`, `\U000000e9`, `\ud83d\ude00` and `\u{e9}`.
fn literal_escape(text: &[u8]) -> Found {
    let [b'\\', rest @ ..] = text else {
        return Found::Itself;
    };
    match rest {
        [] => Found::Cut,
        [b'x', rest @ ..] => hexadecimal(rest, 2).map_or_else(
            || cut_if(rest.len() < 2 && rest.iter().all(u8::is_ascii_hexdigit)),
            |it| Found::Escape(4, it.to_be_bytes()[3..].to_vec()),
        ),
        [b'u', rest @ ..] => unicode_escape(rest),
        [b'U', rest @ ..] => hexadecimal(rest, 8).map_or_else(
            || cut_if(rest.len() < 8 && rest.iter().all(u8::is_ascii_hexdigit)),
            |it| Found::Escape(10, utf8(it)),
        ),
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            let byte = (a - b'0') * 64 + (b - b'0') * 8 + (c - b'0');
            Found::Escape(4, vec![byte])
        }
        [b'n' | b'r' | b't' | b'b' | b'f' | b'0', ..] => Found::Escape(2, vec![b'\n']),
        [it @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Found::Escape(2, vec![*it]),
        _ => Found::Itself,
    }
}

/// What shells have before each character that would mean something to them: `\&`.
fn shell_escape(text: &[u8]) -> Found {
    match text {
        [b'\\', it, ..] if it.is_ascii_punctuation() || *it == b' ' => Found::Escape(2, vec![*it]),
        _ => Found::Itself,
    }
}

/// Whether there is a row of bytes in hexadecimal digits with colons between, such as `54:72:30`.
fn has_octets(text: &str) -> bool {
    let mut row = 0;
    text.split(':').any(|it| {
        let is_octet = it.len() == 2 && it.bytes().all(|it| it.is_ascii_hexdigit());
        row = if is_octet { row + 1 } else { 0 };
        row > 2
    })
}

/// The colon in front of such a byte.
fn between_octets(text: &[u8]) -> Found {
    match text {
        [b':', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
            Found::Escape(1, Vec::new())
        }
        _ => Found::Itself,
    }
}

/// What follows `\u`. A character beyond the first 65,536 is two of them in JSON.
fn unicode_escape(rest: &[u8]) -> Found {
    if let [b'{', rest @ ..] = rest {
        let Some(digits) = rest.iter().position(|it| *it == b'}') else {
            return cut_if(rest.len() <= 6 && rest.iter().all(u8::is_ascii_hexdigit));
        };
        return match hexadecimal(rest, digits).filter(|_| digits <= 6) {
            Some(code) => Found::Escape(digits + 4, utf8(code)),
            None => Found::Itself,
        };
    }
    let Some(first) = hexadecimal(rest, 4) else {
        return cut_if(rest.len() < 4 && rest.iter().all(u8::is_ascii_hexdigit));
    };
    if !(0xD800..0xDC00).contains(&first) {
        return Found::Escape(6, utf8(first));
    }
    let second = rest[4..].strip_prefix(br"\u");
    match second.and_then(|it| hexadecimal(it, 4)) {
        Some(second @ 0xDC00..0xE000) => {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Found::Escape(12, utf8(code))
        }
        _ if rest.len() < 10 => Found::Cut,
        _ => Found::Escape(6, Vec::new()),
    }
}

/// A number of so many hexadecimal digits.
fn hexadecimal(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|it| !it.is_empty())?;
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    })
}

/// A character in UTF-8; nothing for half of one.
fn utf8(code: u32) -> Vec<u8> {
    char::from_u32(code).map_or_else(Vec::new, |it| it.to_string().into_bytes())
}

const fn cut_if(is_cut: bool) -> Found {
    if is_cut { Found::Cut } else { Found::Itself }
}
