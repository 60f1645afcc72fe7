//! Judges the public check of a release from what came back so far, and remembers that.
//!
//! Invariant: pure but for the memory; time is an argument. A bad answer of the
//! application is the release's own fault, so a few of them fail it. Trouble on the way there is not, and passes by
//! itself while names, certificates and routes spread: it only takes time, of which there is an end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::observe::public::Answer;
use crate::api::Reason;

/// How many bad answers of the application in a row fail the check: one may come from a pod that is just ending.
const MOST_BAD_ANSWERS: u32 = 3;

/// What was seen of the public check so far, kept in memory: forgetting it costs time, never correctness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// When the first one was judged.
    pub since: Timestamp,
    /// How many bad answers the application gave in a row. Trouble on the way there is no answer of its, so it neither
    /// counts nor ends the row: a release that fails behind a shaky edge is found out all the same.
    pub application: u32,
    /// When the last one was judged.
    pub last: Timestamp,
}

/// What the tries so far come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The application answers well.
    Passed,
    /// It is to be asked again.
    Again {
        /// What came back, for people.
        why: String,
    },
    /// Asking again would not help.
    Failed {
        /// Why.
        reason: Reason,
        /// The same for people.
        message: String,
    },
}

/// How far apart two tries are.
const DISTANCE: SignedDuration = SignedDuration::from_secs(1);

/// The tries of every stack that is being checked. It is empty after each start.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, Remembered>>);

#[derive(Clone, Debug)]
struct Remembered {
    release: String,
    tries: Tries,
    verdict: Verdict,
}

impl Memory {
    /// The last verdict on a release and when the next try is due, if that is not yet.
    #[must_use]
    pub fn recent(
        &self,
        stack: &str,
        release: &str,
        now: Timestamp,
    ) -> Option<(Verdict, Timestamp)> {
        let found = self.entries().get(stack).cloned();
        let found = found.filter(|it| it.release == release)?;
        let due = found.tries.last.saturating_add(DISTANCE).ok()?;
        (now < due).then_some((found.verdict, due))
    }

    /// The verdict on a release after one more answer, and when the next try is due.
    pub fn judge(
        &self,
        stack: &str,
        release: &str,
        answer: Answer,
        now: Timestamp,
        timeout: Duration,
    ) -> (Verdict, Timestamp) {
        let mut entries = self.entries();
        let before = entries.get(stack).filter(|it| it.release == release);
        let (tries, verdict) = judge(before.map(|it| it.tries), answer, now, timeout);
        let remembered = Remembered {
            release: release.into(),
            tries,
            verdict: verdict.clone(),
        };
        entries.insert(stack.into(), remembered);
        (verdict, now.saturating_add(DISTANCE).unwrap_or(now))
    }

    /// Forgets a stack that is gone.
    pub fn forget(&self, stack: &str) {
        self.entries().remove(stack);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        // A panic elsewhere leaves the map whole: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The verdict after one more answer, and what to remember for the next one. `timeout` is how long the way there may
/// be in trouble, counted from the first try.
#[must_use]
pub fn judge(
    tries: Option<Tries>,
    answer: Answer,
    now: Timestamp,
    timeout: Duration,
) -> (Tries, Verdict) {
    let since = tries.map_or(now, |it| it.since);
    let before = tries.map_or(0, |it| it.application);
    let (application, verdict) = match answer {
        Answer::Good => (0, Verdict::Passed),
        Answer::Application { status, said } => {
            let count = before.saturating_add(1);
            (count, bad_answer(count, status, &said))
        }
        Answer::Infrastructure { why } => {
            let late = now.duration_since(since) >= signed(timeout);
            (before, trouble(why, late, timeout))
        }
    };
    let tries = Tries {
        since,
        application,
        last: now,
    };
    (tries, verdict)
}

fn bad_answer(count: u32, status: u16, said: &str) -> Verdict {
    let said = match said {
        "" => String::new(),
        said => format!(": {said}"),
    };
    if count < MOST_BAD_ANSWERS {
        Verdict::Again {
            why: format!(
                "the application answered {status}, {count} of {MOST_BAD_ANSWERS} bad answers that it may not give in a row{said}"
            ),
        }
    } else {
        Verdict::Failed {
            reason: Reason::PublicCheckFailed,
            message: format!(
                "the application gave {count} bad answers in a row, the last one {status}{said}"
            ),
        }
    }
}

fn trouble(why: String, late: bool, timeout: Duration) -> Verdict {
    if late {
        Verdict::Failed {
            reason: Reason::PublicCheckUnreachable,
            message: format!("the application was not reached within {timeout:?}: {why}"),
        }
    } else {
        Verdict::Again { why }
    }
}

/// A timeout that no clock can hold never passes.
fn signed(timeout: Duration) -> SignedDuration {
    SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_mins(1);

    fn bad() -> Answer {
        Answer::Application {
            status: 500,
            said: "no such column".into(),
        }
    }

    fn away() -> Answer {
        Answer::Infrastructure {
            why: "connection refused".into(),
        }
    }

    /// What the answers come to, each with the second at which it was judged, and what is remembered then.
    fn all(answers: Vec<(i64, Answer)>) -> (Tries, Vec<Verdict>) {
        let mut tries = None;
        let mut verdicts = Vec::new();
        for (second, answer) in answers {
            let (after, verdict) = judge(tries, answer, at(second), TIMEOUT);
            tries = Some(after);
            verdicts.push(verdict);
        }
        (tries.unwrap(), verdicts)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// The words of verdicts: passed, again, or the reason.
    fn words(answers: Vec<(i64, Answer)>) -> Vec<&'static str> {
        let (_, verdicts) = all(answers);
        let word = |it: &Verdict| match it {
            Verdict::Passed => "passed",
            Verdict::Again { .. } => "again",
            Verdict::Failed { reason, .. } => reason.as_str(),
        };
        verdicts.iter().map(word).collect()
    }

    #[test]
    fn a_good_answer_passes_at_once_and_after_any_trouble() {
        assert_eq!(words(vec![(0, Answer::Good)]), ["passed"]);
        let late = vec![(0, bad()), (1, away()), (2, bad()), (300, Answer::Good)];
        assert_eq!(words(late), ["again", "again", "again", "passed"]);
    }

    #[test]
    fn the_third_bad_answer_in_a_row_fails() {
        let answers = vec![(0, bad()), (1, bad()), (2, bad())];
        assert_eq!(
            words(answers.clone()),
            ["again", "again", "PublicCheckFailed"]
        );
        let (_, verdicts) = all(answers);
        let Some(Verdict::Failed { message, .. }) = verdicts.last() else {
            panic!("it did not fail");
        };
        assert!(message.contains("500: no such column"), "{message}");
    }

    #[test]
    fn a_good_answer_ends_the_row() {
        let answers = vec![
            (0, bad()),
            (1, bad()),
            (2, Answer::Good),
            (3, bad()),
            (4, bad()),
        ];
        assert_eq!(
            words(answers),
            ["again", "again", "passed", "again", "again"]
        );
    }

    #[test]
    fn trouble_on_the_way_neither_counts_nor_ends_the_row() {
        let answers = vec![
            (0, bad()),
            (1, away()),
            (2, bad()),
            (3, away()),
            (4, away()),
            (5, bad()),
        ];
        assert_eq!(words(answers).last(), Some(&"PublicCheckFailed"));
    }

    #[test]
    fn trouble_on_the_way_fails_when_its_time_is_over() {
        let answers = vec![(0, away()), (30, away()), (59, away()), (60, away())];
        assert_eq!(
            words(answers.clone()),
            ["again", "again", "again", "PublicCheckUnreachable"]
        );
        let (_, verdicts) = all(answers);
        let message = "the application was not reached within 60s: connection refused";
        assert_eq!(
            verdicts.last(),
            Some(&Verdict::Failed {
                reason: Reason::PublicCheckUnreachable,
                message: message.into()
            })
        );
    }

    #[test]
    fn a_bad_answer_is_not_the_fault_of_the_way_however_late_it_comes() {
        let answers = vec![(0, away()), (61, bad()), (62, bad()), (63, bad())];
        assert_eq!(
            words(answers),
            ["again", "again", "again", "PublicCheckFailed"]
        );
    }

    #[test]
    fn a_clock_that_was_set_back_only_costs_time() {
        assert_eq!(words(vec![(100, away()), (0, away())]), ["again", "again"]);
    }

    #[test]
    fn a_release_is_asked_once_a_second_and_another_one_begins_anew() {
        let memory = Memory::default();
        let ask = |release, second| memory.judge("ns/shop", release, bad(), at(second), TIMEOUT);
        ask("one", 0);
        assert!(memory.recent("ns/shop", "one", at(0)).is_some());
        assert!(memory.recent("ns/shop", "one", at(1)).is_none());
        assert!(memory.recent("ns/shop", "two", at(0)).is_none());
        ask("one", 1);
        assert!(matches!(ask("two", 2).0, Verdict::Again { .. }));
        ask("two", 3);
        assert!(matches!(ask("two", 4).0, Verdict::Failed { .. }));
        memory.forget("ns/shop");
        assert!(matches!(ask("two", 5).0, Verdict::Again { .. }));
    }

    #[test]
    fn the_first_and_the_last_try_are_remembered() {
        let (tries, _) = all(vec![(0, away()), (7, bad())]);
        let expected = Tries {
            since: at(0),
            application: 1,
            last: at(7),
        };
        assert_eq!(tries, expected);
    }
}
