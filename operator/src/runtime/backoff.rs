//! How long to wait before a failing object is tried again: longer each time, up to a cap.
//!
//! Pure but for its memory of how often each object has failed. It reads no clock and draws no
//! random number; the caller brings the jitter.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Doubling past this many failures changes nothing: any sensible cap is reached long before.
const MOST_DOUBLINGS: u32 = 31;

/// The delay after so many failures before the last one, from the first of `waits` to the longest.
///
/// `jitter` is a random number from 0 to 1. It spreads the delay over its upper half, so that what failed together does not
/// come back together, and nothing comes back at once.
#[must_use]
pub fn delay(waits: (Duration, Duration), failures: u32, jitter: f64) -> Duration {
    let factor = 1_u32 << failures.min(MOST_DOUBLINGS);
    let full = waits.0.saturating_mul(factor).min(waits.1);
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// A time of which the last quarter is left to chance: `jitter` is a random number from 0 to 1. For what would go on
/// happening together because it began together, with the start of the process.
#[must_use]
pub fn spread(time: Duration, jitter: f64) -> Duration {
    time.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 4.0)
}

/// Exponential back-off for each object on its own, so that one broken object slows no other.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// The first delay is about `base`; each further one doubles until `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            failures: Mutex::default(),
        }
    }

    /// Counts one more failure of `key` and says how long to wait.
    ///
    /// `jitter` is that of [`delay`].
    pub fn next(&self, key: &str, jitter: f64) -> Duration {
        delay((self.base, self.cap), self.count(key), jitter)
    }

    /// Forgets the failures of `key`: it succeeded, or it is gone.
    pub fn reset(&self, key: &str) {
        self.lock().remove(key);
    }

    /// How often `key` had failed before this failure.
    fn count(&self, key: &str) -> u32 {
        let mut failures = self.lock();
        let count = failures.entry(key.to_owned()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        // A count is never half written, so a panic elsewhere leaves nothing to distrust.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: f64 = 1.0;

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(10))
    }

    #[test]
    fn the_delay_doubles_until_the_cap() {
        let backoff = backoff();
        let delays: Vec<u64> = (0..6).map(|_| backoff.next("a", FULL).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn a_success_starts_over() {
        let backoff = backoff();
        backoff.next("a", FULL);
        backoff.next("a", FULL);
        backoff.reset("a");
        assert_eq!(backoff.next("a", FULL), Duration::from_secs(1));
        assert_eq!(backoff.lock().len(), 1, "what succeeded takes no memory");
    }

    #[test]
    fn one_object_does_not_slow_another() {
        let backoff = backoff();
        for _ in 0..5 {
            backoff.next("broken", FULL);
        }
        assert_eq!(backoff.next("other", FULL), Duration::from_secs(1));
    }

    #[test]
    fn jitter_spreads_the_delay_over_its_upper_half() {
        assert_eq!(backoff().next("a", 0.0), Duration::from_millis(500));
        assert_eq!(backoff().next("a", 0.5), Duration::from_millis(750));
        assert_eq!(backoff().next("a", 1.0), Duration::from_secs(1));
    }

    #[test]
    fn chance_takes_no_more_than_a_quarter_and_adds_nothing() {
        let spread = |jitter| spread(Duration::from_hours(4), jitter);
        assert_eq!(spread(0.0), Duration::from_hours(3));
        assert_eq!(spread(1.0), Duration::from_hours(4));
        assert_eq!(spread(9.0), Duration::from_hours(4));
    }

    #[test]
    fn jitter_out_of_range_breaks_neither_bound() {
        assert_eq!(backoff().next("a", -3.0), Duration::from_millis(500));
        assert_eq!(backoff().next("a", 7.0), Duration::from_secs(1));
    }

    #[test]
    fn a_million_failures_still_wait_for_the_cap_only() {
        let backoff = backoff();
        backoff.lock().insert("a".to_owned(), u32::MAX);
        assert_eq!(backoff.next("a", FULL), Duration::from_secs(10));
        assert_eq!(backoff.next("a", FULL), Duration::from_secs(10));
    }
}
