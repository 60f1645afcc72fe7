//! The loop over the stages. The only place that knows that their order is a wait.
//!
//! A shut gate holds changes, not healing: the stages behind it are kept as the serving release has them, and only
//! their step to the new release waits.

use super::apply::Writer;
use super::desired::Desired;
use super::gates::{Gate, judge};
use super::observe::Observer;
use crate::api::StageName;
use crate::error::Result;

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
    serving: Option<&Desired>,
) -> Result<Rollout> {
    let mut rollout = Rollout::default();
    for stage in &target.stages {
        if rollout.is_shut() {
            rollout.hold(stage.name);
            continue;
        }
        let applied = writer.stage(stage).await?;
        let gate = judge(&observer.stage(&applied).await?);
        if let (Gate::Open, Some(record)) = (&gate, &stage.record) {
            writer.record(record, 1).await?;
        }
        rollout.record(stage.name, gate);
    }
    if rollout.is_shut() {
        if let Some(serving) = serving {
            keep(writer, serving, &rollout).await?;
        }
        let both: Vec<&Desired> = [target].into_iter().chain(serving).collect();
        writer.prune(&both).await?;
    } else {
        writer.prune(&[target]).await?;
    }
    Ok(rollout)
}

/// Applies a release as it is, without judging it: what it lost comes back.
///
/// # Errors
/// At the first request that fails.
pub async fn heal(writer: &Writer<'_>, serving: &Desired) -> Result<()> {
    for stage in &serving.stages {
        writer.stage(stage).await?;
    }
    Ok(())
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
