//! Asks a release as visitors ask it: its pods before requests turn to them, and the way in once the edge is there.
//!
//! Invariant: decides what is asked and when; `cluster::observe` asks, and `public_check` judges what comes back.

use futures::future::try_join_all;
use jiff::Timestamp;

use crate::api::StageName;
use crate::build::{Check, CheckTarget, Stage};
use crate::cluster::observe::Observer;
use crate::error::Result;
use crate::model::fact::Attempt;
use crate::model::observed::Answer;
use crate::model::stack::Served;
use crate::rollout::gates::{Gate, of_check};
use crate::rollout::public_check::{CheckKey, PublicChecks, Verdict};
use crate::rollout::reach::{Reach, Reached};
use crate::rollout::{Beside, Rollout};

/// What frameworks answer when they do not know the host name that they are asked by: bad request, forbidden, misdirected request.
const REFUSED: [u16; 3] = [400, 403, 421];

/// What is remembered of the questions to a stack.
pub struct Visits<'a> {
    /// What came back so far.
    pub checks: &'a PublicChecks,
    /// Whether visitors of a stack that serves get through.
    pub reach: &'a Reach,
    /// The name of the stack in it.
    pub stack: String,
    /// Which try of the release this is.
    pub attempt: Attempt,
    /// The time of now.
    pub now: Timestamp,
}

/// Asks a release as visitors ask it, when that is due.
pub(super) async fn visit(
    observer: &Observer<'_>,
    rollout: &Rollout<'_>,
    check: &Check,
    stage: StageName,
) -> Result<Gate> {
    let Visits { checks, now, .. } = rollout.visits;
    let key = rollout.key(stage);
    if let Some((verdict, due)) = checks.recent(&key, now) {
        return Ok(gate_of(check, verdict, due));
    }
    let mut answer = observer.check(check, &check.urls).await?;
    let mut remarks = Vec::new();
    if !check.decides {
        remarks.extend(refusal(&answer));
        if let Answer::Application { .. } = answer {
            answer = Answer::Good;
        }
    }
    if let (Answer::Good, true, Some(aside)) = (&answer, remarks.is_empty(), &check.aside) {
        let aside = observer.check(check, std::slice::from_ref(aside)).await?;
        remarks.extend(refusal(&aside));
    }
    let (verdict, due) = checks.judge(&key, answer, now, check.limits);
    // Before, nothing is told of it.
    if let (Verdict::Passed, CheckTarget::Edge { served }) = (&verdict, &check.target) {
        for url in &check.urls {
            let stack = &rollout.visits.stack;
            let good = (&Answer::Good, None);
            rollout.visits.reach.note(stack, url, served, good, now);
        }
        remarks.extend(observer.foreign_route(&check.urls).await);
    }
    if !remarks.is_empty() {
        checks.remark(&key, remarks.join("; "));
    }
    Ok(gate_of(check, verdict, due))
}

/// How the application turned a visitor away, where it did as those do that do not know their host name. What else it answers
/// may be right.
fn refusal(answer: &Answer) -> Option<String> {
    let Answer::Application { status, said } = answer else {
        return None;
    };
    let said = if said.is_empty() {
        ""
    } else {
        &format!(": {said}")
    };
    REFUSED.contains(status).then(|| {
        format!(
            "the application answers visitors with {status}{said}; where that is because it does not know its host name, name that in its settings; rollout.publicCheck lets no such release through"
        )
    })
}

/// The gate of a release that was asked.
fn gate_of(check: &Check, verdict: Verdict, due: Timestamp) -> Gate {
    match verdict {
        Verdict::Failed { .. } if !check.decides => Gate::Open,
        verdict => of_check(verdict, due),
    }
}

impl Rollout<'_> {
    /// What is to be asked before the gate of a stage opens. Pods are asked before visitors come to them, and so only where
    /// there are visitors.
    pub(super) fn check<'a>(&self, stage: &'a Stage, observer: &Observer<'_>) -> Option<&'a Check> {
        let check = stage.check.as_ref().filter(|_| self.unverified)?;
        let is_due = match &check.target {
            CheckTarget::Edge { .. } if !check.decides => {
                observer.edge_host.is_some() && self.is_new_way(check)
            }
            CheckTarget::Edge { .. } => true,
            CheckTarget::Pods { selector, .. } => {
                let mut targets = stage.objects.iter().filter(|it| it.runs(selector));
                self.trial.is_some() && targets.any(|it| self.is_new(it))
            }
        };
        is_due.then_some(check)
    }

    /// Whether the addresses of a check lead to this stack for the first time, as far as that is known. Of others the ingress
    /// controller knows, and trouble on the way there is none of the release's.
    fn is_new_way(&self, check: &Check) -> bool {
        match self.beside {
            Beside::Nothing => true,
            Beside::Release(serving) => {
                let mut before = serving.stages.iter().filter_map(|it| it.check.as_ref());
                before.all(|it| it.urls != check.urls)
            }
            Beside::Everything => false,
        }
    }

    /// What is to be said of the way in although its gate is open: that it is not known whether visitors reach the target, or that
    /// it turns them away.
    pub(super) fn caveat(&self, observer: &Observer<'_>) -> Option<String> {
        self.edge_check().filter(|it| !it.decides)?;
        match observer.edge_host {
            None => Some(
                "whether visitors reach it was not asked: it is not known where the ingress controller is (`edge.host` of the operator's chart; a Gateway says it by its addresses); rollout.publicCheck asks by the host names"
                    .into(),
            ),
            Some(_) => self.visits.checks.caveat(&self.key(StageName::Edge)),
        }
    }

    /// Whether the visitors of a release that serves get through, asked where that is due.
    pub(super) async fn reached(&self, observer: &Observer<'_>) -> Result<Reached> {
        let Visits {
            reach, stack, now, ..
        } = &self.visits;
        let check = self.edge_check().map(|it| (it, &it.target));
        let Some((check, CheckTarget::Edge { served })) = check else {
            return Ok(Reached::default());
        };
        if observer.edge_host.is_none() {
            return Ok(Reached::default());
        }
        let due = check.urls.iter();
        let due = due.filter(|url| reach.is_due(stack, url, served, *now));
        let asked = due.map(async |url| {
            let answer = observer.check(check, std::slice::from_ref(url)).await?;
            let validity = match served {
                Served::AnyOfHost => observer.validity(url, served).await,
                Served::None | Served::This(_) => None,
            };
            Ok((url, answer, validity))
        });
        for (url, answer, validity) in try_join_all(asked).await? {
            reach.note(stack, url, served, (&answer, validity), *now);
        }
        Ok(reach.seen(stack, &check.urls, *now))
    }

    /// How the edge of the target is asked.
    fn edge_check(&self) -> Option<&Check> {
        let mut stages = self.target.stages.iter();
        let edge = stages.find(|it| it.name == StageName::Edge)?;
        edge.check.as_ref()
    }

    fn key(&self, stage: StageName) -> CheckKey<'_> {
        CheckKey {
            stack: &self.visits.stack,
            stage,
            release: &self.target.release,
            attempt: &self.visits.attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::build::{self, Desired, Direction};
    use crate::fixtures;
    use crate::rollout::tests::unverified;

    fn edge_check(desired: &Desired) -> &Check {
        let mut stages = desired.stages.iter();
        let edge = stages.find(|it| it.name == StageName::Edge).unwrap();
        edge.check.as_ref().unwrap()
    }

    #[test]
    fn an_application_that_turns_visitors_away_as_one_does_that_does_not_know_its_name_is_told() {
        let told = |status, said: &str| {
            let said = said.to_owned();
            refusal(&Answer::Application { status, said })
        };
        let refused = told(403, "Invalid Host header").unwrap();
        assert!(
            refused.contains("with 403: Invalid Host header; "),
            "{refused}"
        );
        assert!(told(421, "").unwrap().contains("with 421; "));
        assert_eq!(told(401, "log in"), None);
        assert_eq!(refusal(&Answer::Good), None);
    }

    #[test]
    fn the_way_in_is_asked_for_where_it_is_new_and_never_fails_a_release() {
        let built = |fields: &str| {
            let stack = fixtures::stack(&fixtures::app(fields));
            build::build(&stack, Direction::Forward)
        };
        let target = built("");
        let same = built("version: v2");
        let other = built("domain: other.test");
        let is_new = |beside| {
            let (checks, reach) = (PublicChecks::default(), Reach::default());
            let rollout = unverified(&target, beside, (&checks, &reach));
            rollout.is_new_way(edge_check(&target))
        };
        assert!(is_new(Beside::Nothing));
        assert!(is_new(Beside::Release(&other)));
        assert!(!is_new(Beside::Release(&same)));
        assert!(!is_new(Beside::Everything));

        let failed = || Verdict::Failed {
            reason: Reason::PublicCheckUnreachable,
            message: "nobody there".into(),
        };
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(gate_of(edge_check(&target), failed(), now), Gate::Open);
        let checked = built("rollout: {publicCheck: {}}");
        assert!(gate_of(edge_check(&checked), failed(), now).is_shut());
    }
}
