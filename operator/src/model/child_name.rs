//! The name of an object of a stack. Which there are says `model::names`.

use std::fmt;

use crate::model::hash::short_hash;

/// The name of a child: a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildName(String);

impl ChildName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `<stack>-<suffix>`; where that is too long, a shortened stack name with a hash of the whole.
    pub(super) fn new(stack: &str, suffix: &str, max: usize) -> Self {
        let whole = format!("{stack}-{suffix}");
        if whole.len() <= max {
            return Self(whole);
        }
        let digest = short_hash(&[&whole]);
        let room = max.saturating_sub(suffix.len() + digest.len() + 2);
        let head: String = stack.chars().take(room).collect();
        Self(format!("{}-{digest}-{suffix}", head.trim_end_matches('-')))
    }
}

impl fmt::Display for ChildName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ChildName> for String {
    fn from(name: ChildName) -> Self {
        name.0
    }
}

impl From<&ChildName> for String {
    fn from(name: &ChildName) -> Self {
        name.0.clone()
    }
}
