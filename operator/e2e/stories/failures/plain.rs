//! What kubectl prints, without what is another one each time.

use std::net::Ipv4Addr;

/// How many characters a hash has in a name.
const HASH: usize = 10;
/// What ends a sentence, or introduces the next word, and belongs to no name.
const STOPS: [char; 3] = [':', '.', ','];

/// A text without the namespace of the story, ends of names that are hashes, times, and addresses of pods and Services.
pub(super) fn plain(text: &str, namespace: &str) -> String {
    let text = text.replace(namespace, "demo");
    let is_of_word = |it: char| it.is_ascii_alphanumeric() || "-_.:,".contains(it);
    // Words, each with what stands behind it.
    let pieces = text.split_inclusive(|it| !is_of_word(it));
    let pieces = pieces.map(|piece| {
        let end = piece.trim_end_matches(|it| !is_of_word(it));
        let word = end.trim_end_matches(STOPS);
        format!("{}{}", plain_word(word), &piece[word.len()..])
    });
    pieces.collect()
}

fn plain_word(word: &str) -> String {
    let is_hash = |it: &&str| it.len() == HASH && it.bytes().all(|it| it.is_ascii_hexdigit());
    if word.parse::<jiff::Timestamp>().is_ok() {
        return "2026-01-02T03:04:05Z".into();
    }
    if word.parse::<Ipv4Addr>().is_ok_and(|it| it.is_private()) {
        return "10.0.0.7".into();
    }
    match word.split(['-', '_']).find(is_hash) {
        Some(hash) => format!("{}…", word.split(hash).next().unwrap_or_default()),
        None => word.to_owned(),
    }
}

/// The list of one object, with an age that is always the same and columns that are as wide as they then need to be.
pub(super) fn row(listed: &str, namespace: &str) -> String {
    let (head, row) = listed.trim_end().split_once('\n').expect("two lines");
    let names: Vec<&str> = head.split_whitespace().collect();
    let begins: Vec<usize> = names.iter().map(|it| column(head, it)).collect();
    let ends = begins.iter().skip(1).copied().chain([row.len()]);
    let cells = begins.iter().zip(ends).zip(&names);
    let cells: Vec<String> = cells
        .map(|((&begin, end), name)| match *name {
            "AGE" => "1m".to_owned(),
            _ => plain(row[begin..end].trim(), namespace),
        })
        .collect();
    let line = |cell: &dyn Fn(usize) -> String| {
        let padded = (0..names.len()).map(|it| {
            let width = names[it].len().max(cells[it].chars().count());
            format!("{:width$}", cell(it))
        });
        let line: Vec<String> = padded.collect();
        line.join("   ").trim_end().to_owned()
    };
    let (head, row) = (line(&|it| names[it].into()), line(&|it| cells[it].clone()));
    format!("{head}\n{row}")
}

/// Where a column begins.
fn column(head: &str, name: &str) -> usize {
    let padded = format!(" {head} ");
    padded.find(&format!(" {name} ")).expect("a column")
}

#[test]
fn what_is_another_one_each_time_is_made_equal() {
    let text = "pod shop-backend-6f9c2d01ab-7c5d8-x2x4q of fails-a-0a1b2c: 10.244.0.17, app_0123456789: until 2026-05-06T07:08:09Z.";
    assert_eq!(
        plain(text, "fails-a-0a1b2c"),
        "pod shop-backend-… of demo: 10.0.0.7, app_…: until 2026-01-02T03:04:05Z."
    );
    let listed = "NAME   READY   STAGE     VERSION   URL                     AGE   MESSAGE\nshop   False   backend             https://fails-a.local   34s   it is  so\n";
    assert_eq!(
        row(listed, "fails-a"),
        "NAME   READY   STAGE     VERSION   URL                  AGE   MESSAGE\nshop   False   backend             https://demo.local   1m    it is  so"
    );
}
