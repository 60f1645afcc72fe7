//! The loop over the stages. The only place that knows that their order is a wait.
//!
//! A shut gate holds changes, not healing: the stages behind it are kept as the serving release has them, and only
//! their step to the new release waits. Its pods are kept beside those of the new one until every gate is open, so that
//! the way back is short.

pub mod deadline;
pub mod gates;
pub mod hold;
pub mod prepull;
pub mod public_check;
pub mod reach;
pub mod rehearsal;
mod replicas;
pub mod revocation;
pub mod schedules;
mod tools;
mod visit;

use std::collections::BTreeSet;

use crate::api::StageName;
use crate::build::{Desired, Pull, Stage};
use crate::cluster::apply::{Applied, Writer};
use crate::cluster::observe::Observer;
use crate::error::{Class, Result};
use crate::model::fact::{Hold, Login, Record};
use crate::model::kinds::HTTPRoute;
use crate::model::object::Object;
use crate::model::observed::{Images, Issuance, Observed, Schedule, Standing};
use crate::rollout::deadline::JobLimits;
use crate::rollout::gates::{Gate, Trial, judge, stuck};
use crate::rollout::reach::Reached;
pub use crate::rollout::visit::Visits;
use crate::rollout::visit::visit;

/// What is rolled out, and how.
pub struct Rollout<'a> {
    /// The objects of the release that is worked towards.
    pub target: &'a Desired,
    /// What is kept beside it until its gates are open.
    pub beside: Beside<'a>,
    /// The rules that the target must stand, where it is not known to be good.
    pub trial: Option<Trial>,
    /// Whether the target is not known to be good, so that it is asked as visitors ask it.
    pub unverified: bool,
    /// What came back so far.
    pub visits: Visits<'a>,
    /// How long Jobs may take.
    pub job_limits: JobLimits,
    /// What is pulled for a release that has not begun.
    pub pulls: &'a [Pull],
    /// Kinds and names of objects that are never pruned: kept releases need them, or the one that has not begun.
    pub retained: BTreeSet<(&'static str, String)>,
}

/// What is kept beside a release until its gates are open.
#[derive(Clone, Copy, Debug)]
pub enum Beside<'a> {
    /// Nothing else is there.
    Nothing,
    /// The objects of the release that serves.
    Release(&'a Desired),
    /// Whatever is there, as it is: nobody knows what of it is needed.
    Everything,
}

/// How far a roll-out came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutStatus {
    /// One for each stage of the stack, in roll-out order.
    pub reports: Vec<Report>,
    /// Why the API server does not take what is to be changed of the release that serves.
    pub unkept: Option<String>,
    /// How far the images are of a release that has not begun.
    pub images: Images,
    /// What is to be said of the way in although its gate is open.
    pub caveat: Option<String>,
    /// Whether visitors get through. They are not asked for while a gate is shut.
    pub reached: Reached,
    /// How far the certificate is that cert-manager looks after, where there is one.
    pub certificate: Option<Issuance>,
    /// Why a Gateway does not take routes that it is to take.
    pub refused_routes: Vec<String>,
    /// How it is with the schedules. They are not asked while a gate is shut.
    pub schedules: Option<Vec<Schedule>>,
    /// Whether the tools run, where there are some.
    pub tools: Option<Gate>,
}

/// How far a stage came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The stage.
    pub stage: StageName,
    /// Its gate; `None` if it waits for an earlier one.
    pub gate: Option<Gate>,
}

/// Rolls the target out, stage by stage. `current` says who has the data, and who has them afterwards.
///
/// # Errors
/// At the first request that fails.
pub async fn run(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    rollout: &Rollout<'_>,
    current: &mut Option<Hold>,
) -> Result<RolloutStatus> {
    let mut status = RolloutStatus::default();
    let mut result = Ok(());
    let mut opened = Vec::new();
    status.tools = tools::step(writer, observer, &rollout.target.tools).await?;
    for stage in &rollout.target.stages {
        if result.is_err() || status.is_shut() {
            status.hold(stage.name);
            continue;
        }
        match step(writer, observer, rollout, stage, current).await {
            Ok(step) => {
                status.record(stage.name, step.gate);
                status.certificate = status.certificate.or(step.certificate);
                status.refused_routes.extend(step.refused_routes);
                opened.extend(step.opened);
            }
            // What serves is kept before the error is told.
            Err(error) => result = Err(error),
        }
    }
    if let (true, Beside::Release(serving)) = (result.is_err() || status.is_shut(), rollout.beside)
    {
        match keep(writer, serving, rollout.target, &status).await {
            // A policy that came later bars no release that would satisfy it.
            Err(error) if result.is_ok() && error.class() == Class::User => {
                status.unkept = Some(observer.redactor.redact(&error.chain()));
            }
            outcome => outcome?,
        }
    }
    result?;
    if !status.is_shut() {
        status.schedules = Some(observer.schedules(&opened).await?);
    }
    status.caveat = rollout.caveat(observer);
    if !status.is_shut() {
        status.reached = rollout.reached(observer).await?;
    }
    status.images = prepull::images(writer, observer, rollout.pulls).await?;
    Ok(status)
}

/// Deletes what neither the target nor what serves needs, once it is known what that is.
///
/// The invariant of every release: **record, then prune**. While a gate is shut the objects of the serving release stay, and
/// where these cannot be told, everything does. Once all gates are open, the caller has written that down before it comes here.
///
/// # Errors
/// If the API server refuses a list or a deletion.
pub async fn prune(
    writer: &Writer<'_>,
    rollout: &Rollout<'_>,
    status: &RolloutStatus,
) -> Result<()> {
    let shut = status.is_shut();
    match rollout.beside {
        Beside::Everything if shut => Ok(()),
        Beside::Release(serving) if shut => {
            let both = [rollout.target, serving];
            writer.prune(&both, &rollout.retained).await
        }
        Beside::Nothing | Beside::Release(_) | Beside::Everything => {
            writer.prune(&[rollout.target], &rollout.retained).await
        }
    }
}

/// Applies a release as it is, without judging it: what it lost comes back. Its Jobs change the data, and these have their turn in
/// [`run`] alone.
///
/// # Errors
/// At the first request that fails.
pub async fn heal(writer: &Writer<'_>, serving: &Desired) -> Result<()> {
    for stage in &serving.stages {
        replicas::detach_autoscaler(writer, stage).await?;
        let lasting: Vec<&Object> = stage.all().filter(|it| !is_job(it)).collect();
        writer.apply(lasting).await?;
    }
    Ok(())
}

/// What came of a stage.
struct Step {
    gate: Gate,
    certificate: Option<Issuance>,
    refused_routes: BTreeSet<String>,
    /// What was applied behind the gate.
    opened: Vec<Applied>,
}

/// Applies a stage and judges its gate. When it opens, requests turn to the new pods, and what was achieved is written
/// down before the next stage begins.
async fn step(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    rollout: &Rollout<'_>,
    stage: &Stage,
    current: &mut Option<Hold>,
) -> Result<Step> {
    let hold = hold::of_stage(stage, &rollout.target.release, rollout.visits.now);
    if let Some(hold) = &hold
        && let Some(gate) = hold::take(writer, current, hold.clone()).await?
    {
        return Ok(Step {
            gate,
            certificate: None,
            refused_routes: BTreeSet::new(),
            opened: Vec::new(),
        });
    }
    replicas::detach_autoscaler(writer, stage).await?;
    let applied = writer.apply(&stage.objects).await?;
    let applied = replicas::match_replicas(writer, observer, stage, applied).await?;
    let trial = rollout.trial.as_ref();
    let mut seen = observer.stage(&applied, |it| rollout.standing(it)).await?;
    deadline::enforce(writer, &mut seen, rollout.job_limits).await?;
    writer.replace_pods(stuck(&seen)).await?;
    let mut gate = judge(&seen, trial);
    if let (Gate::Open, Some(what)) = (&gate, &stage.awaits) {
        gate = gates::awaits(what);
    }
    if let (Gate::Open, Some(check)) = (&gate, rollout.check(stage, observer)) {
        gate = visit(observer, rollout, check, stage.name).await?;
    }
    // Of a release that serves its Services stay as they are until then.
    let is_turned = rollout.unverified;
    if gate == Gate::Open && is_turned && writer.is_too_early_to_open(&stage.opens) {
        gate = gates::awaits_proxy();
    }
    let mut opened = Vec::new();
    if gate == Gate::Open {
        opened = writer.apply(&stage.opens).await?;
        if let Some(record) = &stage.record {
            writer.record(&noted(record, &seen), 1).await?;
        }
        if let Some(hold) = &hold {
            hold::release(writer, current, hold).await?;
        }
    }
    let certificate = seen.iter().find_map(Observed::certificate).cloned();
    let refused = seen.iter().filter_map(Observed::refused_route);
    let refused = refused.map(|it| observer.redactor.redact(it));
    Ok(Step {
        gate,
        certificate,
        refused_routes: refused.collect(),
        opened,
    })
}

/// A record with what was seen only when it was achieved.
fn noted(record: &Record, seen: &[Observed]) -> Record {
    let run = seen.iter().find_map(Observed::job);
    match record.clone() {
        Record::Migration { hash, data, head } => Record::Migration {
            head: run.and_then(|it| it.told.clone()).or(head),
            hash,
            data,
        },
        Record::Role(login) => Record::Role(Login {
            made_by: run.and_then(|it| it.uid.clone()).unwrap_or_default(),
            ..login
        }),
        other => other,
    }
}

/// Applies what the target does not have of the serving release, and turns requests to its pods wherever the target's
/// are not ready for them. Never its Jobs: on a volume that is a new one they would all run at once, and beside the one that has
/// the data.
async fn keep(
    writer: &Writer<'_>,
    serving: &Desired,
    target: &Desired,
    status: &RolloutStatus,
) -> Result<()> {
    for stage in &serving.stages {
        let gate = status.gate(stage.name);
        replicas::detach_autoscaler(writer, stage).await?;
        let is_missed =
            |it: &&Object| !is_job(it) && (gate.is_none() || !target.has_before_gates(it));
        writer.apply(stage.objects.iter().filter(is_missed)).await?;
        if gate != Some(&Gate::Open) {
            let is_kept = |it: &&Object| gate.is_none() || !replicas::is_detached(it, target);
            writer.apply(stage.opens.iter().filter(is_kept)).await?;
        }
    }
    Ok(())
}

const fn is_job(object: &Object) -> bool {
    matches!(object, Object::Job(_))
}

impl Rollout<'_> {
    /// How the pods of an object stand.
    fn standing(&self, object: &Object) -> Standing {
        if let Object::HTTPRoute(it) = object {
            return if self.is_new_route(it) {
                Standing::First
            } else {
                Standing::Known
            };
        }
        let is_first = self.unverified && matches!(self.beside, Beside::Nothing);
        match self.is_new(object) {
            true if self.trial.is_some() => Standing::OnTrial,
            true if is_first => Standing::First,
            _ => Standing::Known,
        }
    }

    /// Whether a route is of a release that has yet to be verified, and that which serves has none for the same hosts at the same
    /// listeners.
    fn is_new_route(&self, route: &HTTPRoute) -> bool {
        let is_same = |it: &HTTPRoute| {
            it.spec.hostnames == route.spec.hostnames
                && it.spec.parent_refs == route.spec.parent_refs
        };
        let has = |serving: &Desired| {
            serving
                .of_stages()
                .any(|it| matches!(it, Object::HTTPRoute(it) if is_same(it)))
        };
        self.unverified
            && match self.beside {
                Beside::Nothing => true,
                Beside::Release(serving) => !has(serving),
                Beside::Everything => false,
            }
    }

    /// Whether an object makes pods that the serving release does not have, as far as that is known. The database's are
    /// nobody's but the stack's.
    fn is_new(&self, object: &Object) -> bool {
        let serves = match self.beside {
            Beside::Release(serving) => serving.has(object),
            Beside::Nothing | Beside::Everything => false,
        };
        matches!(object, Object::Deployment(_)) && !serves
    }
}

impl RolloutStatus {
    /// Whether a gate is shut.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.blocking().is_some()
    }

    /// The stage whose gate is shut, and the gate.
    #[must_use]
    pub fn blocking(&self) -> Option<(StageName, &Gate)> {
        self.reports
            .iter()
            .filter_map(|it| Some((it.stage, it.gate.as_ref()?)))
            .find(|(_, gate)| gate.is_shut())
    }

    /// The gate of a stage; `None` if the roll-out did not come to it.
    #[must_use]
    pub fn gate(&self, stage: StageName) -> Option<&Gate> {
        let report = self.reports.iter().find(|it| it.stage == stage)?;
        report.gate.as_ref()
    }

    /// Notes the gate of a stage; a stage of several steps has the worst of them.
    fn record(&mut self, stage: StageName, gate: Gate) {
        match self.reports.iter_mut().find(|it| it.stage == stage) {
            Some(report) => {
                let before = report.gate.take().unwrap_or(Gate::Open);
                report.gate = Some(before.worst(gate));
            }
            None => self.reports.push(Report {
                stage,
                gate: Some(gate),
            }),
        }
    }

    /// Notes that a stage waits; a stage of several steps keeps what its first ones said.
    fn hold(&mut self, stage: StageName) {
        if self.reports.iter().all(|it| it.stage != stage) {
            self.reports.push(Report { stage, gate: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::api::Reason;
    use crate::build::{self, Direction};
    use crate::fixtures;
    use crate::model::fact::Attempt;
    use crate::rollout::public_check::PublicChecks;
    use crate::rollout::reach::Reach;

    /// A roll-out of what is not known to be good, at the beginning of time.
    pub(in crate::rollout) fn unverified<'a>(
        target: &'a Desired,
        beside: Beside<'a>,
        (checks, reach): (&'a PublicChecks, &'a Reach),
    ) -> Rollout<'a> {
        let now = Timestamp::UNIX_EPOCH;
        Rollout {
            target,
            beside,
            trial: None,
            unverified: true,
            visits: Visits {
                checks,
                reach,
                stack: "ns/shop".into(),
                attempt: Attempt::default(),
                now,
            },
            job_limits: JobLimits {
                start: Duration::ZERO,
                now,
            },
            pulls: &[],
            retained: BTreeSet::new(),
        }
    }

    fn waiting() -> Gate {
        Gate::Waiting {
            reason: Reason::JobRunning,
            message: "it runs".into(),
            until: None,
        }
    }

    #[test]
    fn pods_that_serve_visitors_have_to_prove_themselves_and_the_database_never() {
        let stack = fixtures::stack(&fixtures::app(""));
        let target = build::build(&stack, Direction::Forward);
        let trial = Trial {
            soak: Duration::ZERO,
            now: Timestamp::UNIX_EPOCH,
        };
        let judged = |beside, trial| {
            let (checks, reach) = (PublicChecks::default(), Reach::default());
            let rollout = Rollout {
                trial,
                ..unverified(&target, beside, (&checks, &reach))
            };
            let all = target
                .of_stages()
                .map(|it| (it.kind(), rollout.standing(it)));
            let judged = all.filter(|(_, standing)| *standing != Standing::Known);
            judged.collect::<Vec<_>>()
        };
        let on_trial = [("Deployment", Standing::OnTrial)];
        assert_eq!(judged(Beside::Everything, Some(trial)), on_trial);
        assert_eq!(judged(Beside::Release(&target), Some(trial)), []);
        assert_eq!(judged(Beside::Everything, None), []);
        let first = [("Deployment", Standing::First)];
        assert_eq!(judged(Beside::Nothing, None), first);
    }

    #[test]
    fn the_first_shut_gate_blocks() {
        let mut status = RolloutStatus::default();
        status.record(StageName::Database, Gate::Open);
        assert!(!status.is_shut());
        status.record(StageName::Migration, waiting());
        status.hold(StageName::Backend);
        assert_eq!(status.blocking(), Some((StageName::Migration, &waiting())));
        assert_eq!(
            status.reports[2],
            Report {
                stage: StageName::Backend,
                gate: None
            }
        );
    }

    #[test]
    fn a_stage_of_two_steps_has_one_report_with_the_worse_gate() {
        let mut status = RolloutStatus::default();
        status.record(StageName::Migration, Gate::Open);
        status.record(StageName::Migration, waiting());
        assert_eq!(
            status.reports,
            [Report {
                stage: StageName::Migration,
                gate: Some(waiting())
            }]
        );
        status.hold(StageName::Migration);
        assert_eq!(status.reports.len(), 1);
    }
}
