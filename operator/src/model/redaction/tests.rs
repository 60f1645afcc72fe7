//! Each way in which a value is written and cut, by hand; `random_tests` has them all.

use super::*;

fn redactor(values: &[&str]) -> Redactor {
    let values = values.iter().map(|it| (*it).to_owned().into());
    Redactor::new(values.collect())
}

fn redact(value: &str, text: &str) -> String {
    redactor(&[value]).redact(text)
}

/// A value is not shown in any of these texts; `@` is the mask.
fn check(value: &str, texts: &[(&str, &str)]) {
    let redactor = redactor(&[value]);
    for (text, expected) in texts {
        assert_eq!(redactor.redact(text), expected.replace('@', MASK), "{text}");
    }
}

#[test]
fn a_value_is_hidden_in_whatever_way_it_is_written() {
    let texts = [
        ("is p%40ss \"wörd\"+/ bad", "is @ bad"),
        ("is p%40ss \"w\nörd\"+/ bad", "is @ bad"),
        ("is p%40ss\n  \"wörd\"+/ bad", "is @ bad"),
        ("is p%2540ss%20%22w%C3%B6rd%22%2B%2F bad", "is @ bad"),
        ("is p%2540ss%20%22w%c3%b6rd%22%2b/ bad", "is @ bad"),
        ("is p%2540ss+%22w%C3%B6rd%22%2B%2F bad", "is @ bad"),
        ("is \"p%40ss \\\"wörd\\\"+/\" bad", "is \"@\" bad"),
        ("is \"p%40ss \\\"w\\u00F6rd\\\"+\\/\" bad", "is \"@\" bad"),
        (
            "{\"log\":\"is \\\"p%40ss \\\\\\\"wörd\\\\\\\"+/\\\" bad",
            "{\"log\":\"is \\\"@\\\" bad",
        ),
        ("100%\np%2540ss%20%22w%C3%B6rd%22%2B%2F bad", "100%\n@ bad"),
        (
            "is p%252540ss%2520%2522w%25C3%25B6rd%2522%252B%252F bad",
            "is @ bad",
        ),
        ("is p%40ss\\ \\\"wörd\\\"\\+/ bad", "is @ bad"),
        ("is p%40ss \\042w\\303\\266rd\\042\\053/ bad", "is @ bad"),
        (
            "is 70:25:34:30:73:73:20:22:77:c3:b6:72:64:22:2b:2f bad",
            "is @ bad",
        ),
        ("is cCU0MHNzICJ3w7ZyZCIrLw== bad", "is @ bad"),
        ("is cCU0MHNzICJ3w7ZyZCIrLw bad", "is @ bad"),
        // In another encoding, or as if it were one.
        ("is p%40ss \"w\u{fffd}rd\"+/ bad", "is @ bad"),
        ("is p%40ss \"w?rd\"+/ bad", "is @ bad"),
        ("is p%40ss \"wÃ¶rd\"+/ bad", "is @ bad"),
        ("is p%40ss \\\"w\\u00c3\\u00b6rd\\\"+/ bad", "is @ bad"),
        ("is p%40ss \"w\\U000000f6rd\"+/ bad", "is @ bad"),
        // Behind `user:`.
        ("Basic dXNlcjpwJTQwc3MgInfDtnJkIisv", "Basic dXNlcjp@"),
    ];
    check("p%40ss \"wörd\"+/", &texts);
}

#[test]
fn a_value_of_several_lines_is_hidden_line_by_line() {
    let value = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nshort\n-----END KEY-----\n";
    let texts = [
        (value, "@"),
        ("1 MIIEvQIBADANBg\n2 -----END KEY-----", "1 @\n2 @"),
        (
            "-----BEGIN KEY-----\\nMIIEvQIBADANBg\\nshort\\n-----END KEY-----\\n.",
            "@\\n.",
        ),
        ("1 TUlJRXZRSUJBREFOQmc= 2", "1 @ 2"),
    ];
    check(value, &texts);
}

#[test]
fn a_value_that_is_cut_at_an_edge_is_hidden() {
    let texts = [
        ("er2hunter2 is bad", "@ is bad"),
        ("is bad: hunter2hunt", "is bad: @"),
        ("unter2hunt", "@"),
        (
            "er2hu is too short to matter",
            "er2hu is too short to matter",
        ),
        ("bnRlcjJodW50ZXIy is bad", "@ is bad"),
        ("\u{fffd}hunter2", "@"),
    ];
    check("hunter2hunter2", &texts);
    check("ab\\\u{6587}cdef", &[(r"\\u6587cdef", "@")]);
    check(
        "grün \"grün\"",
        &[("\\u00fcn \\\"gr\\u00", "@"), ("C%BCn%20%22gr%C3%BC", "@")],
    );
}

#[test]
fn what_is_no_secret_of_an_address_is_shown() {
    let texts = [
        (
            "cannot use the dialect postgresql",
            "cannot use the dialect postgresql",
        ),
        ("inventory is gone", "inventory is gone"),
        ("see postgresql://app:correct-ho", "see @"),
    ];
    check("postgresql://app:correct-horse@db/inventory", &texts);
}

#[test]
fn what_is_short_is_hidden_as_it_is_and_what_is_very_short_is_not() {
    check("abcd", &[("an abcd, an ab\ncd", "an @, an ab\ncd")]);
    check("abc", &[("an abc", "an abc")]);
    assert_eq!(redact("", "text"), "text");
    assert_eq!(redactor(&[]).redact("text"), "text");
}

#[test]
fn values_that_share_a_place_are_hidden_together() {
    let redactor = redactor(&["abcdefgh", "efghijkl"]);
    assert_eq!(redactor.redact("is abcdefghijkl."), "is ***.");
}

#[path = "random_tests.rs"]
mod random;

#[test]
fn a_value_is_hidden_in_digits_and_in_pages() {
    let texts = [
        ("is 703c2677267264 bad", "is @ bad"),
        ("is 703C2677267264 bad", "is @ bad"),
        (r"bytea \x703c2677267264", r"bytea \x@"),
        ("is p&lt;&amp;w&amp;rd bad", "is @ bad"),
        ("is p&#60;&#x26;w&#x26;rd bad", "is @ bad"),
        ("a &amp; b &nope; &#x; &# c", "a &amp; b &nope; &#x; &# c"),
    ];
    check("p<&w&rd", &texts);
}

#[test]
fn the_password_of_an_address_is_hidden_alone() {
    let texts = [
        ("login with Rq4tZ%Ywp2K failed", "login with @ failed"),
        (
            "redis at redis:6379/0 is away",
            "redis at redis:6379/0 is away",
        ),
    ];
    check("redis://:Rq4tZ%25Ywp2K@redis:6379/0", &texts);
    let place = [("no route to db.example.com", "no route to db.example.com")];
    check("postgresql://app:secret-word@db.example.com/shop", &place);
}
