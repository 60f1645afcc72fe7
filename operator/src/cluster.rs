//! The only wing that sends requests to the API server: it reads, applies and observes, and judges nothing.

pub mod apply;
pub mod cache;
pub mod call;
pub mod dns;
pub mod gateways;
pub mod gather;
pub mod kinds;
pub mod observe;
pub mod seen_values;
pub mod stacks;

use kube::api::ListParams;

use crate::api::{MANAGER, label};

/// Selects what we made for a stack.
fn ours(stack: &str) -> ListParams {
    let ours = format!("{}={stack},{}={MANAGER}", label::STACK, label::MANAGED_BY);
    ListParams::default().labels(&ours)
}
