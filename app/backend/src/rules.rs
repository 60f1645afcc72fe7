//! The rules that fields follow, and how to tell all that are broken at once. Knows no table and no route.

use std::ops::RangeInclusive;

use lettre::Address;
use secrecy::{ExposeSecret, SecretString};

use crate::problem::{Error, FieldFaults};

/// What a field must be, in words for the client.
pub type Rule = &'static str;

/// The longest address that mail servers take.
pub const EMAIL_MAX: usize = 254;

/// The rule of an email address.
pub const EMAIL_RULE: Rule = "must be an email address of at most 254 characters";
const PASSWORD_LENGTH: RangeInclusive<usize> = 8..=128;
const PASSWORD_RULE: Rule = "must have 8 to 128 characters";
const FULL_NAME_MAX: usize = 255;
/// The rule of a full name.
pub const FULL_NAME_RULE: Rule = "must have at most 255 characters";
const NUL_RULE: Rule = "must not hold the NUL character";

/// Takes one field after the other and goes on after a fault, with a value that nobody will see.
#[derive(Debug, Default)]
pub struct Fields(FieldFaults);

impl Fields {
    /// The value of a field, or a stand-in for a faulty one.
    pub fn take<T: Default>(&mut self, field: &'static str, value: Result<T, Rule>) -> T {
        value.unwrap_or_else(|rule| {
            self.0.insert(field, rule.into());
            T::default()
        })
    }

    /// Ends the check.
    ///
    /// # Errors
    /// With all faults, when there are some.
    pub fn done(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.0))
        }
    }
}

/// A text of so many characters, which are counted as the database does: code points.
///
/// # Errors
/// With the broken rule: `rule` for the length.
pub fn text(value: String, length: RangeInclusive<usize>, rule: Rule) -> Result<String, Rule> {
    // Bytes bound characters from above, and most texts are far below the limit.
    let short = value.len() <= *length.end() && value.len() >= 4 * *length.start();
    if !short && !length.contains(&value.chars().count()) {
        return Err(rule);
    }
    // PostgreSQL can't store it.
    if value.contains('\0') {
        return Err(NUL_RULE);
    }
    Ok(value)
}

/// An address that mails can be sent to, in the one spelling that is stored and looked for.
///
/// # Errors
/// With the broken rule.
pub fn email(value: &str) -> Result<String, Rule> {
    let email = one_spelling(value);
    let address: Result<Address, _> = email.parse();
    // An IP address instead of a domain would let anyone make the mail server call inner machines.
    let fits = |address: Address| !address.domain().starts_with('[');
    let length = value.chars().count().max(email.chars().count());
    if length <= EMAIL_MAX && !email.contains('\0') && address.is_ok_and(fits) {
        Ok(email)
    } else {
        Err(EMAIL_RULE)
    }
}

/// How an address is stored, whatever it is.
#[must_use]
pub fn one_spelling(email: &str) -> String {
    email.trim().to_lowercase()
}

/// A password that may be set. It is taken as it is, blanks included.
///
/// # Errors
/// With the broken rule.
pub fn password(value: &SecretString) -> Result<(), Rule> {
    let value = value.expose_secret();
    if !PASSWORD_LENGTH.contains(&value.chars().count()) {
        return Err(PASSWORD_RULE);
    }
    if value.contains('\0') {
        return Err(NUL_RULE);
    }
    Ok(())
}

/// A name, trimmed. Pages send an empty one when the field is left empty: that is none.
///
/// # Errors
/// With the broken rule.
pub fn full_name(value: Option<String>) -> Result<Option<String>, Rule> {
    let name = value.map(|name| text(name, 0..=FULL_NAME_MAX, FULL_NAME_RULE));
    let name = name.transpose()?.map(|name| name.trim().to_owned());
    Ok(name.filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_text_is_counted_in_code_points() {
        let check = |value: &str| text(value.to_owned(), 1..=5, "length");
        for good in ["a", "abcde", "ü", "🎈🎈🎈🎈🎈", " "] {
            assert_eq!(check(good).as_deref(), Ok(good));
        }
        for bad in ["", "abcdef", "🎈🎈🎈🎈🎈🎈"] {
            assert_eq!(check(bad), Err("length"), "{bad}");
        }
        assert_eq!(check("a\0"), Err(NUL_RULE));
    }

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(
            email(" Ada@Example.COM\n").as_deref(),
            Ok("ada@example.com")
        );
        assert_eq!(email("admin@localhost").as_deref(), Ok("admin@localhost"));
        let longest = format!(
            "ada@{}.example.com",
            vec!["b".repeat(59); 4].join(".").split_at(238).0
        );
        assert_eq!((longest.len(), email(&longest)), (254, Ok(longest.clone())));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@exa mple.com",
            "Ada <ada@example.com>",
            "ada@[127.0.0.1]",
            "ada@example.com\0",
            "ada@example.com, eve@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            &longest.replace("ada", "adam"),
        ] {
            assert_eq!(email(bad), Err(EMAIL_RULE), "{bad:?}");
        }
    }

    #[test]
    fn a_password_has_its_length_and_keeps_its_blanks() {
        for good in ["        ", &"🎈".repeat(128)] {
            assert_eq!(password(&good.into()), Ok(()));
        }
        for bad in ["seven 7", &"a".repeat(129)] {
            assert_eq!(password(&bad.into()), Err(PASSWORD_RULE));
        }
        assert_eq!(password(&"12345678\0".into()), Err(NUL_RULE));
    }

    #[test]
    fn an_empty_name_is_none() {
        assert_eq!(full_name(None), Ok(None));
        assert_eq!(full_name(Some("  ".into())), Ok(None));
        assert_eq!(full_name(Some(" Ada ".into())), Ok(Some("Ada".into())));
        assert_eq!(full_name(Some("a".repeat(256))), Err(FULL_NAME_RULE));
    }

    #[test]
    fn all_broken_rules_are_told_at_once() {
        let mut fields = Fields::default();
        let kept = fields.take("kept", Ok(7));
        let stand_in = fields.take::<i32>("one", Err("broken"));
        fields.take::<()>("two", Err("broken too"));
        assert_eq!((kept, stand_in), (7, 0));
        let Err(Error::Invalid(faults)) = fields.done() else {
            panic!("no faults")
        };
        assert_eq!(faults.into_keys().collect::<Vec<_>>(), ["one", "two"]);
        assert!(Fields::default().done().is_ok());
    }
}
