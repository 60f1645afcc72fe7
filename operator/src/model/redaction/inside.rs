//! What is secret by itself inside a value: the password of an address, and what a file of settings calls a secret.
//!
//! Invariant: pure. Programs print these alone, apart from the value that they came in. What is not called a secret is left: a
//! host, a mode or a name that is cut out of every log helps nobody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What is in the names of settings that hold a secret, whatever the letters' case.
const SECRET_NAMES: [&str; 6] = ["pass", "pwd", "secret", "token", "key", "credential"];
/// What stands between settings in one line, as in the connection strings of libpq and ADO.NET.
const BETWEEN: [char; 5] = [' ', '\t', ';', '&', '?'];

/// The secrets in a value that are shown without the rest of it.
pub(super) fn secrets(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(value) {
        of_json(&json, false, &mut found);
    } else {
        found.extend(passwords(value));
        found.extend(pair(value));
        found.extend(value.lines().flat_map(of_line));
        found.extend(decoded(value));
    }
    found
}

/// The passwords of the addresses in a value, as they are meant.
fn passwords(value: &str) -> impl Iterator<Item = String> {
    value.split("://").skip(1).filter_map(password)
}

/// That of what follows the scheme of an address.
fn password(rest: &str) -> Option<String> {
    let (credentials, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    let (_, password) = credentials.split_once(':')?;
    let decoded = percent_decode_str(password).decode_utf8().ok()?;
    Some(decoded.trim().to_owned())
}

fn of_json(json: &Value, is_secret: bool, found: &mut Vec<String>) {
    match json {
        Value::String(text) if is_secret => found.push(text.clone()),
        Value::String(text) => found.extend(passwords(text)),
        Value::Array(all) => {
            for it in all {
                of_json(it, is_secret, found);
            }
        }
        Value::Object(fields) => {
            for (name, it) in fields {
                of_json(it, is_secret || is_secret_name(name), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The password behind a name, as in `name:password`; a number is the port of a host.
fn pair(value: &str) -> Option<String> {
    let value = value.trim();
    let (_, password) = value.split_once(':')?;
    let is_one = !password.contains([':', '/']) && !value.contains(char::is_whitespace);
    let is_port = password.bytes().all(|it| it.is_ascii_digit());
    (is_one && !is_port).then(|| password.to_owned())
}

/// What a value is in base64, where that is a text.
fn decoded(value: &str) -> Option<String> {
    let bytes = STANDARD.decode(value.trim()).ok()?;
    String::from_utf8(bytes).ok()
}

/// The secrets of a line such as `PASSWORD=…`, `password: …` and `host=… password=…`.
fn of_line(line: &str) -> Vec<String> {
    let words = line.split(BETWEEN).filter_map(|it| it.split_once('='));
    let whole = line.split_once('=').into_iter().chain(line.split_once(':'));
    let settings = words.chain(whole);
    let secret = settings.filter(|(name, _)| is_secret_name(last_word(name)));
    secret.map(|(_, value)| bare(value).to_owned()).collect()
}

fn last_word(name: &str) -> &str {
    name.split_whitespace().next_back().unwrap_or_default()
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|it| name.contains(it))
}

/// A value without what quotes it.
fn bare(value: &str) -> &str {
    let value = value.trim();
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_an_address_is_found_as_it_is_meant() {
        assert_eq!(secrets("postgres://u:p%40ss@db/x"), ["p@ss"]);
        assert_eq!(secrets("https://example.com/a@b"), [""; 0]);
        assert_eq!(
            secrets("amqp://a:first@h1,amqp://b:second@h2"),
            ["first", "second"]
        );
    }

    #[test]
    fn what_stands_behind_a_name_or_in_base64_is_found() {
        assert_eq!(secrets("bob:hunter22"), ["hunter22"]);
        assert_eq!(secrets("db.example.com:5432"), [""; 0]);
        assert_eq!(secrets("aHVudGVyMjI="), ["hunter22"]);
    }

    #[test]
    fn what_json_calls_a_secret_is_found_at_any_depth() {
        let value = r#"{"type": "service", "private_key": "-----BEGIN\nabc", "db": {"password": "hunter22", "host": "db.example.com"},
            "tokens": ["one", {"deep": "two"}], "url": "amqp://u:rabbit@mq/"}"#;
        assert_eq!(
            secrets(value),
            ["hunter22", "-----BEGIN\nabc", "one", "two", "rabbit"]
        );
        assert_eq!(secrets(r#""password=hunter22""#).len(), 2);
    }

    #[test]
    fn what_a_line_calls_a_secret_is_found() {
        let of = |line: &str, secret: &str| {
            assert!(secrets(line).iter().any(|it| it == secret), "{line}");
        };
        of("# shop\nHOST=db\nDB_PASSWORD='hunter 22'\n", "hunter 22");
        of("mail:\n  password: \"hunter22\"\n", "hunter22");
        of("export API_TOKEN=hunter22", "hunter22");
        of("DB_PASS=hunter22", "hunter22");
        of("host=db password=hunter22 sslmode=require", "hunter22");
        of("Server=db;Pwd=hunter22;Pooling=true", "hunter22");
        assert_eq!(secrets("HOST=db.example.com\nMODE: production"), [""; 0]);
    }
}
