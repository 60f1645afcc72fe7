//! One request to the API server, with a deadline.
//!
//! kube's client has no read timeout: on a half-open connection a call would hang for ever, and with it the
//! reconciliation of its object.

use std::time::Duration;

use crate::error::CallError;

/// How long the API server may take to answer. Its own limit is 60 s; whoever waits so long is better told.
const DEADLINE: Duration = Duration::from_secs(10);

/// The answer to `call`, or why there is none.
///
/// # Errors
/// What the client says, or that the deadline passed.
pub async fn send<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer.map_err(|error| CallError::Kube(Box::new(error))),
        Err(_) => Err(CallError::TimedOut(DEADLINE.as_secs())),
    }
}
