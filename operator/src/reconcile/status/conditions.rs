//! The list of conditions: transition times, order and length.
//!
//! Invariant: pure. A transition time moves only when the status of its condition does.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{ConditionType, Reason};
use crate::model::message::{self, shortened};

/// The conditions as they become.
pub(super) struct Conditions {
    before: Vec<Condition>,
    after: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    /// Conditions that are as they were, until something is said of them for this generation.
    pub(super) fn after(before: Vec<Condition>, generation: Option<i64>, now: Timestamp) -> Self {
        Self {
            after: before.clone(),
            before,
            generation,
            now,
        }
    }

    pub(super) fn set(&mut self, type_: ConditionType, value: bool, reason: Reason, message: &str) {
        self.say(type_, value, reason.as_str(), message);
    }

    /// The same with a reason that was written down earlier.
    pub(super) fn say(&mut self, type_: ConditionType, value: bool, reason: &str, message: &str) {
        let status = if value { "True" } else { "False" };
        let before = self.before.iter().find(|it| it.type_ == type_.as_str());
        let since = before
            .filter(|it| it.status == status)
            // The API server keeps whole seconds; more would make every comparison differ.
            .map_or_else(
                || whole_second(self.now),
                |it| it.last_transition_time.clone(),
            );
        self.after.retain(|it| it.type_ != type_.as_str());
        self.after.push(Condition {
            type_: type_.as_str().into(),
            status: status.into(),
            reason: reason.into(),
            message: shortened(message),
            last_transition_time: since,
            observed_generation: self.generation,
        });
    }

    /// Says more of a condition that was set.
    pub(super) fn add(&mut self, type_: ConditionType, said: &str) {
        let mut those = self.after.iter_mut();
        if let Some(it) = those.find(|it| it.type_ == type_.as_str()) {
            it.message = shortened(&message::and(&it.message, &format!("; {said}")));
        }
    }

    /// Takes back what was said.
    pub(super) fn forget(&mut self, type_: ConditionType) {
        self.after.retain(|it| it.type_ != type_.as_str());
    }

    pub(super) fn is_current(&self, type_: ConditionType) -> bool {
        let found = self.before.iter().find(|it| it.type_ == type_.as_str());
        found.is_some_and(|it| it.observed_generation == self.generation)
    }

    pub(super) fn sorted(mut self) -> Vec<Condition> {
        self.after.sort_by(|a, b| a.type_.cmp(&b.type_));
        self.after
    }
}

fn whole_second(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}
