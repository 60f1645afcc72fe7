//! Facts and values that every wing speaks of: the checked stack, names, inputs, and what was observed.
//!
//! Invariant: data and small rules about it. Nothing here reads the cluster, the clock or the environment.

pub mod child_name;
pub mod fact;
pub mod hash;
pub mod identity;
pub mod image;
pub mod inputs;
pub mod job;
pub mod kinds;
pub mod manifests;
pub mod message;
pub mod names;
pub mod network;
pub mod object;
pub mod observed;
pub mod place;
pub mod redaction;
pub mod scaling;
pub mod secret;
pub mod self_signed;
pub mod stack;
