//! The loop over the stages. The only place that knows that their order is a wait.
//!
//! A shut gate holds changes, not healing: the stages behind it are kept as the serving release has them, and only
//! their step to the new release waits.

use super::apply::Writer;
use super::desired::{Desired, Stage};
use super::gates::{Gate, judge};
use super::observe::Observer;
use crate::api::StageName;
use crate::error::Result;

/// The release that serves: the last one whose gates were all open.
#[derive(Clone, Debug)]
pub enum Serving {
    /// There was none yet.
    Nothing,
    /// Its objects.
    Release(Desired),
    /// There is one, but what it refers to is gone, so that its objects cannot be told.
    Unknown,
}

/// How far a roll-out came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// One for each stage of the stack, in roll-out order.
    pub reports: Vec<Report>,
}

/// How far a stage came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The stage.
    pub stage: StageName,
    /// Its gate; `None` if it waits for an earlier one.
    pub gate: Option<Gate>,
}

/// Rolls `target` out, stage by stage. Behind the first shut gate `serving` is kept.
///
/// # Errors
/// At the first request that fails.
pub async fn run(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    target: &Desired,
    serving: &Serving,
) -> Result<Rollout> {
    let mut rollout = Rollout::default();
    let mut result = Ok(());
    for stage in &target.stages {
        if result.is_err() || rollout.is_shut() {
            rollout.hold(stage.name);
            continue;
        }
        match step(writer, observer, stage).await {
            Ok(gate) => rollout.record(stage.name, gate),
            // The stages behind it are kept before the error is told.
            Err(error) => result = Err(error),
        }
    }
    if let (true, Serving::Release(serving)) = (result.is_err() || rollout.is_shut(), serving) {
        keep(writer, serving, &rollout).await?;
    }
    result?;
    match serving {
        Serving::Release(serving) if rollout.is_shut() => writer.prune(&[target, serving]).await?,
        // Nobody knows what it needs, so nothing is taken away.
        Serving::Unknown if rollout.is_shut() => {}
        Serving::Release(_) | Serving::Unknown | Serving::Nothing => {
            writer.prune(&[target]).await?;
        }
    }
    Ok(rollout)
}

/// Applies a release as it is, without judging it: what it lost comes back.
///
/// # Errors
/// At the first request that fails.
pub async fn heal(writer: &Writer<'_>, serving: &Serving) -> Result<()> {
    if let Serving::Release(serving) = serving {
        for stage in &serving.stages {
            writer.stage(stage).await?;
        }
    }
    Ok(())
}

/// Applies a stage and judges its gate; what it achieved is written down before the next one begins.
async fn step(writer: &Writer<'_>, observer: &Observer<'_>, stage: &Stage) -> Result<Gate> {
    let applied = writer.stage(stage).await?;
    let gate = judge(&observer.stage(&applied).await?);
    if let (Gate::Open, Some(record)) = (&gate, &stage.record) {
        writer.record(record, 1).await?;
    }
    Ok(gate)
}

/// Applies the stages of the serving release that the roll-out did not come to.
async fn keep(writer: &Writer<'_>, serving: &Desired, rollout: &Rollout) -> Result<()> {
    for report in rollout.reports.iter().filter(|it| it.gate.is_none()) {
        for stage in serving.stage(report.stage) {
            writer.stage(stage).await?;
        }
    }
    Ok(())
}

impl Rollout {
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
    use super::*;
    use crate::api::Reason;

    fn waiting() -> Gate {
        Gate::Waiting {
            reason: Reason::JobRunning,
            message: "it runs".into(),
        }
    }

    #[test]
    fn the_first_shut_gate_blocks() {
        let mut rollout = Rollout::default();
        rollout.record(StageName::Database, Gate::Open);
        assert!(!rollout.is_shut());
        rollout.record(StageName::Migration, waiting());
        rollout.hold(StageName::Backend);
        assert_eq!(rollout.blocking(), Some((StageName::Migration, &waiting())));
        assert_eq!(
            rollout.reports[2],
            Report {
                stage: StageName::Backend,
                gate: None
            }
        );
    }

    #[test]
    fn a_stage_of_two_steps_has_one_report_with_the_worse_gate() {
        let mut rollout = Rollout::default();
        rollout.record(StageName::Migration, Gate::Open);
        rollout.record(StageName::Migration, waiting());
        assert_eq!(
            rollout.reports,
            [Report {
                stage: StageName::Migration,
                gate: Some(waiting())
            }]
        );
        rollout.hold(StageName::Migration);
        assert_eq!(rollout.reports.len(), 1);
    }
}
