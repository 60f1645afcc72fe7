//! A text whose letters beyond ASCII were written or read in another encoding than UTF-8, as programs of old locales do, and those
//! that take bytes for characters. All that is ASCII of it stands there whole, so it is as good as the value.

/// What Windows-1252 has in place of the control characters of Latin-1, from 0x80 on; five of them are nothing.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A text in all ways in which it may have been misread; none of one in ASCII, which is read alike everywhere.
pub(super) fn forms(text: &str) -> Vec<String> {
    if text.is_ascii() {
        return Vec::new();
    }
    let replaced = |by: char| -> String {
        let chars = text.chars();
        chars
            .map(|it| if it.is_ascii() { it } else { by })
            .collect()
    };
    let bytes_as = |char_of: fn(u8) -> char| text.bytes().map(char_of).collect::<String>();
    vec![
        // One byte for each, which is no UTF-8.
        replaced(char::REPLACEMENT_CHARACTER),
        replaced('?'),
        bytes_as(char::from),
        bytes_as(of_windows),
    ]
}

fn of_windows(byte: u8) -> char {
    let place = byte.checked_sub(0x80).map(usize::from);
    let special = place.and_then(|it| WINDOWS.get(it)).copied();
    special.unwrap_or_else(|| char::from(byte))
}
