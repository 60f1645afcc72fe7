//! One stack after the other: a setting of the operator that reaches pods makes a release of every stack, and all of them at once
//! would be a storm that nobody could stop.
//!
//! Invariant: pure but for the memory; time is an argument. The memory is empty after each start: forgetting it costs order,
//! never correctness, since each of these releases has gates of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long a stack may have its turn while others wait: one whose release waits for something that never comes must not
/// hold up all.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct Turns(Mutex<Option<Turn>>);

#[derive(Clone, Debug)]
struct Turn {
    stack: String,
    since: Timestamp,
}

impl Turns {
    /// Takes the turn for a stack, if it is free, its own, or was another's for too long.
    ///
    /// # Errors
    /// The name of the stack whose turn it is.
    pub fn take(&self, stack: &str, now: Timestamp) -> Result<(), String> {
        let mut turn = self.turn();
        match turn.as_ref() {
            Some(it) if it.stack == stack => Ok(()),
            Some(it) if now.duration_since(it.since) < LONGEST => Err(it.stack.clone()),
            _ => {
                *turn = Some(Turn {
                    stack: stack.to_owned(),
                    since: now,
                });
                Ok(())
            }
        }
    }

    /// Gives the turn back, if it is the stack's.
    pub fn give_back(&self, stack: &str) {
        let mut turn = self.turn();
        if turn.as_ref().is_some_and(|it| it.stack == stack) {
            *turn = None;
        }
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        // A panic elsewhere leaves it whole: each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_anothers_until_it_is_given_back_or_lasted_too_long() {
        let turns = Turns::default();
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(turns.take("a", start), Ok(()));
        assert_eq!(turns.take("a", start), Ok(()));
        assert_eq!(turns.take("b", start), Err("a".to_owned()));
        turns.give_back("b");
        assert_eq!(turns.take("b", start), Err("a".to_owned()));
        turns.give_back("a");
        assert_eq!(turns.take("b", start), Ok(()));
        let late = start + LONGEST;
        assert_eq!(turns.take("a", late), Ok(()));
    }
}
