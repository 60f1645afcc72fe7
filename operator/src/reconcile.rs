//! The reconciliations: read, check, build, roll out stage by stage, report. Each kind that is reconciled has a file.

pub mod appstack;
mod data;
mod deletion;
pub mod events;
mod pass;
pub mod report;
pub mod requeue;
pub mod status;
