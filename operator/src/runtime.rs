//! What any operator needs, whatever it operates: health, metrics, traces, back-off, deadlines, leadership, what
//! watches see.
//!
//! Nothing here knows what an `AppStack` is. These modules must not import `api` or `reconcile`,
//! so that they can be read, tested and replaced on their own; `tests/architecture.rs` checks it.

pub mod admin;
pub mod backoff;
pub mod deadline;
pub mod kind;
pub mod leader;
pub mod metrics;
pub mod optional_apis;
pub mod telemetry;
pub mod versions;
pub mod watch;
