//! The cluster stories: what the operator promises, told on a real Kubernetes with real databases and a real edge.
//!
//! `cargo xtask test cluster` brings up a cluster, installs the operator by its chart and runs them; with
//! `--story drift` only those whose names contain `drift`. Each story has a namespace of its own, which is removed when
//! the story is told; with `APPSTACK_KEEP` set it stays. A story that fails prints what was there: the stacks, pods,
//! events and the operator's log.
//!
//! Start reading at `first_rollout`. What the stories are told with is in `support`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a story that cannot go on fails, and says on standard error what was there"
)]

#[cfg(feature = "long")]
mod acme;
mod addresses;
mod approval;
mod assets;
mod autoscaling;
mod bad_specs;
mod browser;
mod causes;
mod changed_secret;
mod connections;
mod database_down;
mod deletion;
mod drift;
mod external_database;
#[cfg(feature = "long")]
mod failures;
mod first_rollout;
mod gates_hold_the_order;
mod gateway;
mod hibernate;
mod hosts;
mod jobs;
mod layout;
mod limits;
mod maintenance;
mod migration;
mod name_taken;
mod neighbours;
mod network;
mod no_release;
mod one_change;
mod privileges;
mod quiet;
mod redirect;
mod release;
mod remembered;
mod restart;
mod rollback;
mod rollout_restart;
mod suspend;
mod takeover;
mod tools;
#[cfg(feature = "long")]
mod upgrade;

mod support;
