//! The secret values that each stack has had while this process runs. What a container printed before a Secret was changed or
//! deleted holds the old value, which may be good for a while yet, and text that was printed is looked at again with every pass.
//!
//! Invariant: holds values and gives them to who hides them; nothing here is shown, logged or written.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

/// How many values are kept of a stack; the oldest go first.
const MOST: usize = 500;

/// The values of each stack, by its name; the newest last.
#[derive(Debug, Default)]
pub struct SeenValues(Mutex<HashMap<String, Vec<SecretString>>>);

impl SeenValues {
    /// The values that a stack has now, and those that it had.
    #[must_use]
    pub fn with(&self, stack: &str, now: Vec<SecretString>) -> Vec<SecretString> {
        // A panic elsewhere leaves the map whole: what is lost by it is one value at most.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(stack.into()).or_default();
        for value in now {
            let is_known = |it: &SecretString| it.expose_secret() == value.expose_secret();
            if !seen.iter().any(is_known) {
                seen.push(value);
            }
        }
        let too_many = seen.len().saturating_sub(MOST);
        seen.drain(..too_many);
        seen.clone()
    }

    /// Forgets a stack that is gone.
    pub fn forget(&self, stack: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(stack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: &[&str]) -> Vec<SecretString> {
        of.iter().copied().map(SecretString::from).collect()
    }

    fn shown(values: &[SecretString]) -> Vec<&str> {
        values
            .iter()
            .map(secrecy::ExposeSecret::expose_secret)
            .collect()
    }

    #[test]
    fn what_a_stack_had_is_known_once_and_that_of_others_is_not() {
        let seen = SeenValues::default();
        assert_eq!(
            shown(&seen.with("a", values(&["one", "two"]))),
            ["one", "two"]
        );
        assert_eq!(
            shown(&seen.with("a", values(&["two", "three"]))),
            ["one", "two", "three"]
        );
        assert_eq!(shown(&seen.with("b", values(&[]))), [""; 0]);
        seen.forget("a");
        assert_eq!(shown(&seen.with("a", values(&["four"]))), ["four"]);
    }

    #[test]
    fn the_oldest_go_first() {
        let seen = SeenValues::default();
        let many: Vec<String> = (0..=MOST).map(|it| it.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let kept = seen.with("a", values(&many));
        assert_eq!((kept.len(), shown(&kept)[0]), (MOST, "1"));
    }
}
