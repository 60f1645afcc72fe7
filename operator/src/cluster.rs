//! The only wing that sends requests to the API server: it reads, applies and observes, and judges nothing.

pub mod apply;
pub mod cache;
pub mod call;
pub mod gather;
pub mod observe;
