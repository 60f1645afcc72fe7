//! Pods and what runs them: the parts that serve, the jobs beside them, and what runs once.

pub(in crate::build) mod assets;
pub(in crate::build) mod backend;
pub(in crate::build) mod deployment;
pub(in crate::build) mod frontend;
pub(in crate::build) mod job;
pub(in crate::build) mod jobs;
pub(in crate::build) mod merge;
pub(in crate::build) mod pod;
pub(in crate::build) mod prepull;
pub(in crate::build) mod process;
pub(in crate::build) mod scale;
pub(in crate::build) mod writable;
