//! Whether the visitors of a stack that serves get through, host by host, and when that is asked again.
//!
//! Invariant: pure but for the memory; time is an argument. It judges no release: that a way was good and is not is no release's
//! fault. One bad answer of a way that was good proves nothing, and is told only once it lasts.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use jiff::{SignedDuration, Timestamp};

use crate::api::{HostStep, UnreachedHost};
use crate::model::observed::Answer;
use crate::model::stack::{Served, Validity};

/// For how long a way that was good must be bad before that is told: ingress controllers and pods are restarted.
const LASTS: SignedDuration = SignedDuration::from_secs(15);
/// How soon it is asked again until then.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// How soon it is asked again once it is told: nothing wakes us when somebody mends it.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// For how long a good answer holds.
const HOLDS: SignedDuration = SignedDuration::from_mins(30);

/// What was seen of the ways to each stack, kept in memory: forgetting it costs a question, never correctness.
#[derive(Debug, Default)]
pub struct Reach(Mutex<HashMap<String, BTreeMap<String, Way>>>);

/// What was seen of the way to one address.
#[derive(Clone, Debug)]
struct Way {
    /// The hash of what must be served.
    served: u64,
    asked: Timestamp,
    was_good: bool,
    trouble: Option<Trouble>,
    validity: Option<Validity>,
}

#[derive(Clone, Debug)]
struct Trouble {
    since: Timestamp,
    step: HostStep,
    why: String,
}

/// How it is with the ways to a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The hosts whose visitors do not get through.
    pub unreached: Vec<UnreachedHost>,
    /// The certificate that ends first of those that somebody else looks after: its host, and when it is good.
    pub ends_first: Option<(String, Validity)>,
    /// When it is to be asked again, if that is sooner than a stack at rest is looked at.
    pub again: Option<Timestamp>,
}

impl Reach {
    /// Whether an address is to be asked now, at which this certificate must be served.
    #[must_use]
    pub fn is_due(&self, stack: &str, url: &str, served: &Served, now: Timestamp) -> bool {
        let entries = self.entries();
        let way = entries.get(stack).and_then(|it| it.get(url));
        way.is_none_or(|it| it.served != hash(served) || now >= it.next(now))
    }

    /// Remembers what came back, and when the certificate is good that was served, where that is to be known.
    pub fn note(
        &self,
        stack: &str,
        url: &str,
        served: &Served,
        (answer, validity): (&Answer, Option<Validity>),
        now: Timestamp,
    ) {
        let mut entries = self.entries();
        let ways = entries.entry(stack.into()).or_default();
        let before = ways.get(url);
        let since = before.and_then(|it| it.trouble.as_ref()).map(|it| it.since);
        let trouble = match answer {
            Answer::Good | Answer::Application { .. } => None,
            Answer::Infrastructure { step, why, .. } => Some(Trouble {
                since: since.unwrap_or(now),
                step: *step,
                why: why.clone(),
            }),
        };
        let way = Way {
            served: hash(served),
            asked: now,
            was_good: trouble.is_none() || before.is_some_and(|it| it.was_good),
            trouble,
            validity,
        };
        ways.insert(url.into(), way);
    }

    /// How it is with the ways to a stack by these addresses. Others are forgotten.
    #[must_use]
    pub fn seen(&self, stack: &str, urls: &[String], now: Timestamp) -> Reached {
        let mut entries = self.entries();
        let Some(ways) = entries.get_mut(stack) else {
            return Reached::default();
        };
        ways.retain(|url, _| urls.contains(url));
        let troubled = ways.values().filter(|it| it.trouble.is_some());
        let told = ways.iter().filter_map(|(url, way)| {
            let Trouble { step, why, .. } = way.told(now)?;
            Some(UnreachedHost {
                host: host(url),
                step: *step,
                message: why.clone(),
            })
        });
        let validities = ways
            .iter()
            .filter_map(|(url, way)| Some((host(url), way.validity?)));
        Reached {
            unreached: told.collect(),
            ends_first: validities.min_by_key(|(_, it)| it.until),
            again: troubled.map(|it| it.next(now)).min(),
        }
    }

    /// Forgets a stack that is gone.
    pub fn forget(&self, stack: &str) {
        self.entries().remove(stack);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<String, Way>>> {
        // A panic elsewhere leaves the map whole: each change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    fn next(&self, now: Timestamp) -> Timestamp {
        let distance = match (&self.trouble, self.told(now)) {
            (None, _) => HOLDS,
            (Some(_), None) => SOON,
            (Some(_), Some(_)) => AGAIN,
        };
        self.asked.saturating_add(distance).unwrap_or(self.asked)
    }

    fn told(&self, now: Timestamp) -> Option<&Trouble> {
        let trouble = self.trouble.as_ref()?;
        let lasts = now.duration_since(trouble.since) >= LASTS;
        (lasts || !self.was_good).then_some(trouble)
    }
}

fn hash(served: &Served) -> u64 {
    let mut hasher = DefaultHasher::new();
    served.hash(&mut hasher);
    hasher.finish()
}

fn host(url: &str) -> String {
    let parsed = url.parse::<Uri>().ok();
    let host = parsed.as_ref().and_then(Uri::host);
    host.unwrap_or(url).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = "ns/shop";
    const URL: &str = "https://shop.test:8443/";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn bad(why: &str) -> Answer {
        Answer::Infrastructure {
            step: HostStep::Certificate,
            status: None,
            why: why.into(),
        }
    }

    fn note(reach: &Reach, answer: &Answer, second: i64) {
        reach.note(STACK, URL, &Served::AnyOfHost, (answer, None), at(second));
    }

    fn told(reach: &Reach, second: i64) -> Vec<String> {
        let seen = reach.seen(STACK, &[URL.into()], at(second)).unreached;
        let all = seen.into_iter();
        all.map(|it| format!("{} {:?} {}", it.host, it.step, it.message))
            .collect()
    }

    fn is_due(reach: &Reach, second: i64) -> bool {
        reach.is_due(STACK, URL, &Served::AnyOfHost, at(second))
    }

    #[test]
    fn a_way_that_was_never_good_is_told_at_once() {
        let reach = Reach::default();
        assert!(is_due(&reach, 0));
        note(&reach, &bad("another one"), 0);
        assert_eq!(told(&reach, 0), ["shop.test Certificate another one"]);
        assert!(!is_due(&reach, 59) && is_due(&reach, 60));
        note(&reach, &Answer::Good, 60);
        assert_eq!(told(&reach, 60), [""; 0]);
        assert!(!is_due(&reach, 60 + 29 * 60) && is_due(&reach, 60 + 30 * 60));
        let other = Served::This("PEM".into());
        assert!(reach.is_due(STACK, URL, &other, at(61)));
    }

    #[test]
    fn a_way_that_was_good_is_told_once_it_lasts() {
        let reach = Reach::default();
        note(&reach, &Answer::Good, 0);
        for second in [100, 105, 110] {
            note(&reach, &bad("away"), second);
            assert_eq!(told(&reach, second), [""; 0]);
            let seen = reach.seen(STACK, &[URL.into()], at(second));
            assert_eq!(seen.again, Some(at(second + 5)));
        }
        note(&reach, &bad("still away"), 115);
        assert_eq!(told(&reach, 115), ["shop.test Certificate still away"]);
        let refused = Answer::Application {
            status: 403,
            said: String::new(),
        };
        note(&reach, &refused, 175);
        assert_eq!(told(&reach, 175), [""; 0]);
        note(&reach, &bad("away"), 176);
        assert_eq!(told(&reach, 176), [""; 0]);
    }

    #[test]
    fn addresses_that_a_stack_has_no_more_are_forgotten() {
        let reach = Reach::default();
        note(&reach, &bad("away"), 0);
        assert_eq!(reach.seen(STACK, &[], at(1)), Reached::default());
        assert!(is_due(&reach, 1));
    }
}
