//! One order at a certificate authority at a time: those that many people share count them, and refuse for a week who asks too often.

use jiff::SignedDuration;
use kube::ResourceExt as _;

use super::{Writer, unread};
use crate::cluster::call::send;
use crate::cluster::ours;
use crate::error::Result;
use crate::model::kinds::Certificate;
use crate::runtime::kind::Kind;

/// How long an order is waited for: one that goes well takes seconds, and one for a host that is given up may hang for days.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

impl Writer<'_> {
    /// Whether another certificate of the stack is being issued, so that one that is not there yet has to wait.
    pub(super) async fn has_another_order(&self, wanted: &Certificate) -> Result<bool> {
        let name = wanted.name_any();
        let ours = ours(&self.app.name_any());
        let all = send(self.api::<Certificate>().list(&ours)).await;
        let all = all.map_err(|source| unread(Kind::of::<Certificate>(), &name, source))?;
        let is_there = all.iter().any(|it| it.name_any() == name);
        Ok(!is_there && all.iter().any(|it| self.is_being_issued(it)))
    }

    fn is_being_issued(&self, it: &Certificate) -> bool {
        let issuing = it.status.as_ref().and_then(|it| it.condition("Issuing"));
        let since = issuing.filter(|it| it.status == "True");
        let since = since.and_then(|it| it.last_transition_time);
        since.is_some_and(|since| self.now.duration_since(since) < PATIENCE)
    }
}
