//! The AppStack operator: one `AppStack` becomes database, migration, backend, frontend and HTTPS edge.
//!
//! # Five minutes
//!
//! Users write an `AppStack` ([`api`]). [`controller`] wakes [`reconcile`] when it or a child changes. `reconcile`
//! reads what it refers to, checks it into a `Stack`, builds `Desired`, and rolls it out stage by stage; a stage's
//! `Gate` must open before the next begins. What came back becomes the status.
//!
//! ```text
//! AppStack ──gather──▶ Inputs ──check──▶ Stack ──build──▶ Desired (stages of objects)
//!  (read)              (reads)          (pure)          (pure, cannot fail)
//!                                                           │
//!         ┌──────────── for each stage, until a gate is shut ┘
//!         ▼
//!    apply ──▶ Applied ──observe──▶ Observed ──judge──▶ Gate
//!   (writes)            (reads of status)      (pure)
//!         │
//!         ▼
//!    Rollout (stage reports) ──compute──▶ AppStackStatus ──write if changed──▶ API server
//!                                (pure)
//! ```
//!
//! Objects are applied before they are observed, because the answer to an apply is the live object: a changed pod
//! template shows at once as a generation that was not observed yet, where a read before the apply would have
//! reported the old pods as ready for the new spec.
//!
//! Modules marked pure cannot reach the cluster; `reconcile::apply` is the only one that writes. The test
//! `architecture` keeps it so.

pub mod api;
pub mod build;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod context;
pub mod controller;
pub mod error;
pub mod model;
pub mod plan;
pub mod reconcile;
pub mod release;
pub mod render;
pub mod rollout;
pub mod run;
pub mod runtime;
pub mod settings;
