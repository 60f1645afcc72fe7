//! The AppStack operator: one `AppStack` becomes database, migration, backend, frontend and HTTPS edge.
//!
//! # Five minutes
//!
//! Users write an `AppStack` ([`api`]). [`controller`] wakes [`reconcile`] when it or a child changes. At the heart of it is the
//! **release**: what is requested, and what serves.
//!
//! ```text
//! AppStack ──gather──▶ Inputs, records ──check──▶ Stack ──plan──▶ Plan: which release is the target, which one serves
//!  (read)              (reads)           (pure)         (pure)        │
//!                                                                   build   Desired: stages of objects. A release that was
//!                                                                     │     verified is not built but read from its record
//!         ┌──────────── for each stage, until a gate is shut ─────────┘     (pure, cannot fail)
//!         ▼                          rollout
//!    apply ──▶ Applied ──observe──▶ Observed ──judge──▶ Gate
//!   (writes)            (reads of status)      (pure)
//!         │
//!         ▼ all gates open
//!    record what serves ──▶ prune what nobody needs ──▶ AppStackStatus ──write if changed──▶ API server
//! ```
//!
//! Objects are applied before they are observed, because the answer to an apply is the live object: a changed pod
//! template shows at once as a generation that was not observed yet, where a read before the apply would have
//! reported the old pods as ready for the new spec.
//!
//! The modules are wings, each of which imports only those above it in this list: [`runtime`] (what any operator needs), [`api`],
//! [`error`], [`settings`], [`model`] (facts and values), [`release`] (what makes one, what is written down of it), [`check`],
//! [`build`], [`plan`], [`cluster`] (the only one that sends requests, and `cluster::apply` the only module that writes),
//! [`rollout`] (the loop over the stages, and their gates), [`context`], [`reconcile`], [`controller`], [`render`],
//! [`maintenance`] (what answers visitors meanwhile), [`run`], [`cli`]. The test `architecture` keeps it so.

pub mod api;
pub mod build;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod context;
pub mod controller;
pub mod error;
pub mod maintenance;
pub mod model;
pub mod plan;
pub mod reconcile;
pub mod release;
pub mod render;
pub mod rollout;
pub mod run;
pub mod runtime;
pub mod settings;

#[cfg(test)]
mod fixtures;
