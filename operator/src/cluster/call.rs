//! What one request to the API server came to. That it ends in time is the client's affair (`runtime::deadline`).

use crate::error::CallError;
use crate::runtime::deadline::Late;

/// The answer to `call`, or why there is none.
///
/// # Errors
/// What the client says.
pub async fn send<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
    call.await.map_err(|error| match Late::within(&error) {
        Some(Late(limit)) => CallError::TimedOut(limit.as_secs()),
        None => CallError::Kube(Box::new(error)),
    })
}
