//! What all watches have in common: they are short, their beginnings are told, and each has a patience of its own.
//!
//! Invariant: nothing here knows what is watched. kube's watcher goes on after a failure from where it was, and says
//! nothing when it does; so the client is asked, which sees the answer.

use std::time::Duration;

use hyper::Request;
use kube::Client;
use kube::client::Body;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher;
use tokio::time::Instant;

use crate::runtime::backoff::delay;

/// How long a watch lasts, in seconds; it goes on with the next request. kube gives up on one 5 seconds later.
pub const SECONDS: u32 = 30;
/// The first wait after a failed watch, and the longest: the waits of Kubernetes' own clients.
const WAITS: (Duration, Duration) = (Duration::from_millis(800), Duration::from_secs(30));
/// A watch that held for so long since it last failed is well again: longer than the longest wait and a request.
const WELL: Duration = Duration::from_mins(2);

/// Watches that end so soon that their silence is noticed.
#[must_use]
pub fn short() -> watcher::Config {
    watcher::Config::default().timeout(SECONDS)
}

/// Whether a request is answered by events, one after the other.
pub(super) fn is_watch<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|it| it == "watch=true")
}

/// The same client, which says each time when the API server has taken up a watch.
#[must_use]
pub fn telling(client: &Client, begun: impl Fn() + Clone + Send + 'static) -> Client {
    let inner = client.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, begun) = (inner.clone(), begun.clone());
        async move {
            let is_watch = is_watch(&request);
            let answer = inner.send(request).await?;
            if is_watch && answer.status().is_success() {
                begun();
            }
            Ok::<_, kube::Error>(answer)
        }
    });
    Client::new(service, client.default_namespace())
}

/// Whether a failure leaves a gap: the watch does not go on from where it was, and what happened meanwhile is shown by the
/// next complete list alone.
#[must_use]
pub fn leaves_gap(error: &watcher::Error) -> bool {
    const GONE: u16 = 410;
    match error {
        watcher::Error::InitialListFailed(_)
        | watcher::Error::NoResourceVersion
        // An event that cannot be read is passed over.
        | watcher::Error::WatchFailed(kube::Error::SerdeError(_)) => true,
        watcher::Error::WatchError(status)
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status.code == GONE,
        watcher::Error::WatchStartFailed(_) | watcher::Error::WatchFailed(_) => false,
    }
}

/// How long one watch waits after each of its failures.
///
/// Only time makes it well again. A list that is refused begins well each time, as kube tells it, so a good event proves
/// nothing; and kube's own back-off waits for up to twice its longest wait.
#[derive(Debug)]
pub struct Patience {
    failures: u32,
    last: Option<Instant>,
    /// Draws a number from 0 to 1, so that watches that failed together do not come back together.
    jitter: fn() -> f64,
}

impl Patience {
    /// Of a watch that never failed.
    #[must_use]
    pub const fn new(jitter: fn() -> f64) -> Self {
        Self {
            failures: 0,
            last: None,
            jitter,
        }
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last > WELL) {
            self.failures = 0;
        }
        self.last = Some(now);
        let wait = delay(WAITS, self.failures, (self.jitter)());
        self.failures = self.failures.saturating_add(1);
        Some(wait)
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hyper::Response;
    use kube::core::Status;
    use tokio::time::advance;

    use super::*;

    fn most() -> f64 {
        1.0
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_again_and_again_waits_longer_up_to_its_cap_whatever_it_told_between()
     {
        let mut patience = Patience::new(most);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = patience.next().unwrap();
            waits.push(wait.as_millis());
            advance(wait).await;
            patience.reset();
        }
        assert_eq!(
            waits,
            [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]
        );
        advance(WELL).await;
        assert_eq!(patience.next(), Some(WAITS.0));
    }

    #[test]
    fn waits_are_spread() {
        assert_eq!(Patience::new(|| 0.0).next(), Some(WAITS.0 / 2));
    }

    #[test]
    fn a_gap_is_told_from_an_interruption() {
        let status = |code| Status {
            code,
            ..Status::default()
        };
        let refused = || kube::Error::Api(Box::new(status(403)));
        let unread = serde_json::from_str::<u8>("x").unwrap_err();
        let gaps = [
            watcher::Error::InitialListFailed(refused()),
            watcher::Error::NoResourceVersion,
            watcher::Error::WatchError(Box::new(status(410))),
            watcher::Error::WatchFailed(kube::Error::SerdeError(unread)),
        ];
        assert!(gaps.iter().all(leaves_gap));
        let interruptions = [
            watcher::Error::WatchStartFailed(refused()),
            watcher::Error::WatchFailed(refused()),
            watcher::Error::WatchError(Box::new(status(500))),
        ];
        assert!(!interruptions.iter().any(leaves_gap));
    }

    #[tokio::test]
    async fn that_a_watch_was_taken_up_is_told_and_a_refusal_or_a_list_is_not() {
        let server = tower::service_fn(|request: Request<Body>| async move {
            let mut answer = Response::new(Body::empty());
            if request.uri().path() == "/refused" {
                *answer.status_mut() = hyper::StatusCode::FORBIDDEN;
            }
            Ok::<_, kube::Error>(answer)
        });
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let client = telling(&Client::new(server, "ns"), move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        for (at, told) in [
            ("/pods?limit=1", 0),
            ("/refused?watch=true", 0),
            ("/pods?watch=true&resourceVersion=1", 1),
        ] {
            let request = Request::get(at).body(Body::empty()).unwrap();
            assert!(client.send(request).await.is_ok());
            assert_eq!(count.load(Ordering::Relaxed), told, "{at}");
        }
    }
}
