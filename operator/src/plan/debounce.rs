//! Lets changed values come together: several Secrets or ConfigMaps that change within seconds make one release.
//!
//! Invariant: pure but for the memory; time is an argument. A release that differs from the one that serves by values alone
//! begins when they have rested for a moment, and after a while in any case, so that a value that never rests holds nothing
//! up for ever. A changed spec is somebody's word and begins at once, with whatever values there are. So does every change
//! while a release is under way: the newest wins. The memory is empty after each start, when what is found counts as old.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use crate::api::AppStackSpec;
use crate::model::hash::{canonical, short_hash};
use crate::model::identity::ReleaseHash;
use crate::model::inputs::{Inputs, config_map_values, referenced_secrets};

/// What every stack was asked for when it was last looked at.
#[derive(Debug)]
pub struct Debounce {
    limits: Limits,
    stacks: Mutex<HashMap<String, Last>>,
}

/// How long changed values are waited for.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How long they must have rested.
    rest: Duration,
    /// How long they may go on changing.
    longest: Duration,
}

/// What a stack is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What its spec asks for; see [`spec`].
    pub spec: String,
    /// The hash of the values that it refers to; see [`values`].
    pub values: String,
    /// The release that they lead to.
    pub release: &'a ReleaseHash,
    /// The release that serves.
    pub serving: &'a ReleaseHash,
    /// The releases that failed.
    pub failed: BTreeSet<&'a ReleaseHash>,
}

/// What a stack was asked for.
#[derive(Clone, Debug)]
struct Last {
    spec: String,
    values: String,
    /// The release that was begun last.
    begun: Option<ReleaseHash>,
    /// When its values first and last changed, while more of them may.
    changing: Option<(Timestamp, Timestamp)>,
}

impl Debounce {
    /// Waits until values have rested for so long, and no longer than that in all.
    #[must_use]
    pub fn new(rest: Duration, longest: Duration) -> Self {
        Self {
            limits: Limits { rest, longest },
            stacks: Mutex::default(),
        }
    }

    /// When the requested release may begin, if that is not now.
    pub fn due(&self, stack: &str, request: &Request<'_>, now: Timestamp) -> Option<Timestamp> {
        let mut stacks = self.stacks();
        let (seen, due) = judge(stacks.get(stack), request, now, self.limits);
        stacks.insert(stack.into(), seen);
        due
    }

    /// Forgets a stack that is gone.
    pub fn forget(&self, stack: &str) {
        self.stacks().remove(stack);
    }

    fn stacks(&self) -> MutexGuard<'_, HashMap<String, Last>> {
        // A panic elsewhere leaves the map whole: each change is one insertion.
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of what of a spec belongs to a release: a change of anything else begins none.
#[must_use]
pub fn spec(lasting: &AppStackSpec) -> String {
    short_hash(&[&canonical(lasting)])
}

/// The hash of all values that a spec refers to.
#[must_use]
pub fn values(spec: &AppStackSpec, inputs: &Inputs) -> String {
    let secrets = referenced_secrets(spec).filter_map(|it| inputs.secrets.get_key_value(it));
    let mut parts = Vec::new();
    for (name, values) in secrets {
        parts.push(name.as_str());
        let pairs = values.iter();
        parts.extend(pairs.flat_map(|(key, value)| [key.as_str(), value.expose_secret()]));
    }
    for (name, key) in config_map_values(spec) {
        let value = inputs.config_maps.get(name).and_then(|it| it.get(key));
        parts.extend([name, key]);
        parts.extend(value.map(String::as_str));
    }
    short_hash(&parts)
}

fn judge(
    before: Option<&Last>,
    request: &Request<'_>,
    now: Timestamp,
    limits: Limits,
) -> (Last, Option<Timestamp>) {
    let changing = before.and_then(|it| changing(it, request, now));
    let due = changing
        .and_then(|it| rested(it, limits))
        .filter(|due| now < *due);
    let begins = due.is_none() && request.release != request.serving;
    let seen = Last {
        spec: request.spec.clone(),
        values: request.values.clone(),
        begun: begins.then(|| request.release.clone()),
        changing: changing.filter(|_| due.is_some()),
    };
    (seen, due)
}

/// When values first and last changed, where it is they alone that make the release another one than the one that serves.
fn changing(
    before: &Last,
    request: &Request<'_>,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let ended = |it: &ReleaseHash| it == request.serving || request.failed.contains(it);
    let under_way = before.begun.as_ref().is_some_and(|it| !ended(it));
    let by_spec = before.spec != request.spec;
    if under_way || by_spec || request.release == request.serving {
        return None;
    }
    let changed = before.values != request.values;
    match before.changing {
        Some((first, _)) if changed => Some((first, now)),
        None if changed => Some((now, now)),
        rests => rests,
    }
}

fn rested((first, last): (Timestamp, Timestamp), limits: Limits) -> Option<Timestamp> {
    let rested = last.saturating_add(limits.rest).ok()?;
    let longest = first.saturating_add(limits.longest).ok()?;
    Some(rested.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::identity;

    /// A stack whose first release serves, and when it is looked at.
    struct Stack(Debounce);

    impl Stack {
        fn new() -> Self {
            let stack = Self(Debounce::new(
                Duration::from_secs(2),
                Duration::from_secs(10),
            ));
            assert_eq!(stack.at(0, 1, "a", "one"), None);
            stack
        }

        /// The second at which the release of these values may begin, where `one` serves.
        fn at(&self, second: i64, generation: i64, values: &str, release: &str) -> Option<i64> {
            self.requested(second, generation, values, release, &[])
        }

        fn requested(
            &self,
            second: i64,
            generation: i64,
            values: &str,
            release: &str,
            failed: &[&str],
        ) -> Option<i64> {
            let failed: Vec<ReleaseHash> = failed.iter().map(|&it| it.into()).collect();
            let request = Request {
                spec: generation.to_string(),
                values: values.into(),
                release: &release.into(),
                serving: &"one".into(),
                failed: failed.iter().collect(),
            };
            let now = Timestamp::from_second(second).unwrap();
            let due = self.0.due("ns/shop", &request, now);
            due.map(Timestamp::as_second)
        }
    }

    #[test]
    fn changed_values_begin_when_they_have_rested() {
        let stack = Stack::new();
        assert_eq!(stack.at(10, 1, "b", "two"), Some(12));
        assert_eq!(stack.at(11, 1, "c", "three"), Some(13));
        assert_eq!(stack.at(12, 1, "c", "three"), Some(13));
        assert_eq!(stack.at(13, 1, "c", "three"), None);
        assert_eq!(stack.at(14, 1, "c", "three"), None);
    }

    #[test]
    fn values_that_never_rest_begin_all_the_same() {
        let stack = Stack::new();
        for second in 10..20 {
            let values = second.to_string();
            assert!(stack.at(second, 1, &values, &values).is_some(), "{second}");
        }
        assert_eq!(stack.at(20, 1, "x", "x"), None);
    }

    #[test]
    fn a_changed_spec_begins_at_once_and_takes_the_values_along() {
        let stack = Stack::new();
        assert_eq!(stack.at(10, 1, "b", "two"), Some(12));
        assert_eq!(stack.at(11, 2, "c", "three"), None);
    }

    #[test]
    fn a_change_of_the_spec_that_makes_no_release_begins_none() {
        let text = |fields: &str| spec(&identity::lasting(&fixtures::spec(fields)));
        let more = "backend: {image: 'a/b:1', replicas: 3}, rollout: {soak: 0s}, suspend: false";
        assert_eq!(text(""), text(more));
        assert_ne!(text(""), text("backend: {image: 'a/b:2'}"));
    }

    #[test]
    fn values_that_go_back_or_that_nobody_reads_are_not_waited_for() {
        let stack = Stack::new();
        assert_eq!(stack.at(10, 1, "b", "one"), None);
        assert_eq!(stack.at(20, 1, "c", "two"), Some(22));
        assert_eq!(stack.at(21, 1, "b", "one"), None);
        assert_eq!(stack.at(30, 1, "c", "two"), Some(32));
    }

    #[test]
    fn while_a_release_is_under_way_the_newest_wins() {
        let stack = Stack::new();
        stack.at(10, 1, "b", "two");
        assert_eq!(stack.at(12, 1, "b", "two"), None);
        assert_eq!(stack.at(13, 1, "c", "three"), None);
        // Once it has failed the next values are waited for.
        assert_eq!(stack.requested(14, 1, "d", "four", &["three"]), Some(16));
    }

    #[test]
    fn what_is_found_after_a_start_counts_as_old() {
        let stack = Stack::new();
        stack.at(10, 1, "b", "two");
        stack.0.forget("ns/shop");
        assert_eq!(stack.at(11, 1, "b", "two"), None);
    }
}
