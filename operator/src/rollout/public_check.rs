//! Judges the public check of a release from what came back so far, and remembers that.
//!
//! Invariant: pure but for the memory; time is an argument. A bad answer of the
//! application is the release's own fault, so a few of them fail it. Trouble on the way there is not, and passes by
//! itself while names, certificates and routes spread: it only takes time, of which there is an end. One good answer may be
//! luck, so where visitors are let in for good it must stay good for a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::{Reason, StageName};
use crate::model::fact::Attempt;
use crate::model::identity::ReleaseHash;
use crate::model::observed::Answer;
use crate::model::stack::CheckLimits;

/// How many bad answers of the application in a row fail the check: one may come from a pod that is just ending.
const MOST_BAD_ANSWERS: u32 = 3;

/// What was seen of the public check so far, kept in memory: forgetting it costs time, never correctness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// When the first one was judged, or the last one that passed.
    pub since: Timestamp,
    /// Since when all answers are good; `None` if the last one was not.
    pub good_since: Option<Timestamp>,
    /// How many bad answers the application gave in a row. Trouble on the way there is no answer of its, so it neither
    /// counts nor ends the row: a release that fails behind a shaky edge is found out all the same. Good answers end it
    /// once they have lasted, so that one that is well every second time is found out too.
    pub application: u32,
    /// When the last one was judged.
    pub last: Timestamp,
}

impl Tries {
    /// When the next one is due. Trouble that lasts is asked about ever more seldom; answers always come a second apart, so
    /// that a row of bad ones is no matter of one moment.
    fn due(&self) -> Timestamp {
        let only_trouble = self.application == 0 && self.good_since.is_none();
        let distance = if only_trouble {
            (self.last.duration_since(self.since) / 2).clamp(AT_FIRST, DISTANCE)
        } else {
            DISTANCE
        };
        self.last.saturating_add(distance).unwrap_or(self.last)
    }
}

/// What the tries so far come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The application answers well.
    Passed,
    /// It answers well, and has yet to do so for long enough.
    Holding {
        /// How long that is.
        steady: Duration,
    },
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
/// The same at first, while there was nothing but trouble on the way: a route and its certificate are taken up within moments.
const AT_FIRST: SignedDuration = SignedDuration::from_millis(200);

/// Which release is asked, and where.
#[derive(Clone, Copy, Debug)]
pub struct CheckKey<'a> {
    /// The name of the stack.
    pub stack: &'a str,
    /// The stage whose gate it is about.
    pub stage: StageName,
    /// The hash of the release.
    pub release: &'a ReleaseHash,
    /// Which try of the release it is: each begins anew.
    pub attempt: &'a Attempt,
}

/// The tries of every stack that is being checked, by stage. It is empty after each start.
#[derive(Debug, Default)]
pub struct PublicChecks(Mutex<HashMap<String, Stages>>);

type Stages = BTreeMap<StageName, Remembered>;

#[derive(Clone, Debug)]
struct Remembered {
    release: ReleaseHash,
    attempt: Attempt,
    tries: Tries,
    verdict: Verdict,
    remark: Option<String>,
}

impl Remembered {
    fn is_of(&self, key: &CheckKey<'_>) -> bool {
        (&self.release, &self.attempt) == (key.release, key.attempt)
    }
}

impl PublicChecks {
    /// The last verdict on a release and when the next try is due, if that is not yet.
    #[must_use]
    pub fn recent(&self, key: &CheckKey<'_>, now: Timestamp) -> Option<(Verdict, Timestamp)> {
        let entries = self.entries();
        let found = entries.get(key.stack)?.get(&key.stage)?;
        let due = found.tries.due();
        (found.is_of(key) && now < due).then(|| (found.verdict.clone(), due))
    }

    /// The verdict on a release after one more answer, and when the next try is due.
    pub fn judge(
        &self,
        key: &CheckKey<'_>,
        answer: Answer,
        now: Timestamp,
        patience: CheckLimits,
    ) -> (Verdict, Timestamp) {
        let mut entries = self.entries();
        let stages = entries.entry(key.stack.into()).or_default();
        let before = stages.get(&key.stage).filter(|it| it.is_of(key));
        let (tries, verdict) = judge(before.map(|it| it.tries), answer, now, patience);
        let remembered = Remembered {
            release: key.release.clone(),
            attempt: key.attempt.clone(),
            tries,
            verdict: verdict.clone(),
            remark: None,
        };
        stages.insert(key.stage, remembered);
        (verdict, tries.due())
    }

    /// Remembers what is to be said of the last answer, whatever the verdict on it was.
    pub fn remark(&self, key: &CheckKey<'_>, remark: String) {
        let mut entries = self.entries();
        let found = entries.get_mut(key.stack);
        if let Some(found) = found.and_then(|it| it.get_mut(&key.stage)) {
            found.remark = Some(remark);
        }
    }

    /// What was remarked of a release whose visitors get through.
    #[must_use]
    pub fn caveat(&self, key: &CheckKey<'_>) -> Option<String> {
        let entries = self.entries();
        let found = entries.get(key.stack)?.get(&key.stage)?;
        let got_through = !matches!(found.verdict, Verdict::Failed { .. });
        let remark = found.remark.clone();
        remark.filter(|_| found.is_of(key) && got_through)
    }

    /// Forgets a stack that is gone.
    pub fn forget(&self, stack: &str) {
        self.entries().remove(stack);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Stages>> {
        // A panic elsewhere leaves the map whole: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The verdict after one more answer, and what to remember for the next one.
#[must_use]
pub fn judge(
    tries: Option<Tries>,
    answer: Answer,
    now: Timestamp,
    patience: CheckLimits,
) -> (Tries, Verdict) {
    let before = tries.unwrap_or(Tries {
        since: now,
        good_since: None,
        application: 0,
        last: now,
    });
    let CheckLimits { timeout, steady } = patience;
    let passed = |since: Timestamp, time| now.duration_since(since) >= signed(time);
    let (good_since, application, verdict) = match answer {
        Answer::Good => {
            let since = before.good_since.unwrap_or(now);
            if passed(since, steady) {
                (Some(since), 0, Verdict::Passed)
            } else {
                let holding = Verdict::Holding { steady };
                (Some(since), before.application, holding)
            }
        }
        Answer::Application { status, said } => {
            let count = before.application.saturating_add(1);
            (None, count, bad_answer(count, status, &said))
        }
        Answer::Infrastructure { why, .. } => {
            let late = passed(before.since, timeout);
            (None, before.application, trouble(why, late, timeout))
        }
    };
    let tries = Tries {
        since: if verdict == Verdict::Passed {
            now
        } else {
            before.since
        },
        good_since,
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
mod tests;
