//! The admin port: is the process alive, does it make progress, what has it counted.
//!
//! It only reports. Nothing here may change how the operator works, and nothing secret may be
//! answered: the port has no authentication.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::runtime::metrics::Metrics;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A process in which nothing ends for so many times the limit is beyond hope, and is to be started anew. Much longer than the
/// limit: work that is slow since the API server is slow would only be slower after a start.
const BEYOND_HOPE: u32 = 5;

/// Whether the operator gets anywhere. Work that has not begun is not counted: it waits only for work that has. Readiness means progress, not "the process answers": an
/// operator whose watches hang answers every probe.
#[derive(Debug)]
pub struct Progress {
    limit: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    phase: Phase,
    /// Whether another replica leads.
    standby: bool,
    under_way: usize,
    /// When work last began from rest, or last came to an end.
    moved: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Standby,
    Synced,
}

/// The answer to "are you ready", with the cause when not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Work gets done, or there is none.
    Ready,
    /// Another replica leads.
    Standby,
    /// The first lists of the watches are not in yet.
    Starting,
    /// Work is under way, and none of it ended for longer than the limit.
    Stuck,
}

impl Progress {
    /// Starts as not ready. Work that is under way may take up to `limit` without any of it
    /// ending before the operator counts as stuck.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let seen = Seen {
            phase: Phase::Starting,
            standby: false,
            under_way: 0,
            moved: Instant::now(),
        };
        Self {
            limit,
            seen: Mutex::new(seen),
        }
    }

    /// The first lists of the watches are in: from now on there is something to work with.
    pub fn synced(&self) {
        self.lock().phase = Phase::Synced;
    }

    /// This replica waits for the lease. Waiting is all that it has to do, so it is ready.
    pub fn standby(&self) {
        let mut seen = self.lock();
        seen.phase = Phase::Standby;
        seen.standby = true;
    }

    /// This replica waits no longer.
    pub fn leads(&self) {
        self.lock().standby = false;
    }

    /// A piece of work begins. It ends, well or not, when what this gives is dropped.
    #[must_use = "the work ends when it is dropped"]
    pub fn begin(&self) -> Work<'_> {
        self.started();
        Work(self)
    }

    fn started(&self) {
        let mut seen = self.lock();
        if seen.under_way == 0 {
            // Rest was no standstill: the clock runs from here.
            seen.moved = Instant::now();
        }
        seen.under_way += 1;
    }

    fn finished(&self) {
        let mut seen = self.lock();
        seen.under_way = seen.under_way.saturating_sub(1);
        seen.moved = Instant::now();
    }

    /// Whether the operator is ready at this time.
    #[must_use]
    pub fn is_ready(&self, now: Instant) -> bool {
        matches!(self.judge(now), Readiness::Ready | Readiness::Standby)
    }

    /// The same with its cause.
    #[must_use]
    pub fn judge(&self, now: Instant) -> Readiness {
        let seen = self.lock();
        if seen.phase == Phase::Starting {
            return Readiness::Starting;
        }
        if seen.stands_still(now, self.limit) {
            return Readiness::Stuck;
        }
        if seen.standby {
            return Readiness::Standby;
        }
        Readiness::Ready
    }

    /// Whether a new start would not help at this time: there is no work, or some of it ends now and then. Lists that do
    /// not come in are nothing that a start would mend.
    #[must_use]
    pub fn is_alive(&self, now: Instant) -> bool {
        !self.lock().stands_still(now, self.limit * BEYOND_HOPE)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn stands_still(&self, now: Instant, limit: Duration) -> bool {
        self.under_way > 0 && now.saturating_duration_since(self.moved) > limit
    }
}

/// A piece of work that is under way.
#[derive(Debug)]
pub struct Work<'a>(&'a Progress);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.finished();
    }
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        match self {
            Self::Ready => (StatusCode::OK, "ready\n"),
            Self::Standby => (StatusCode::OK, "standby: another replica leads\n"),
            Self::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "starting: the first lists of the watches are not in\n",
            ),
            Self::Stuck => (
                StatusCode::SERVICE_UNAVAILABLE,
                "stuck: work is under way and none of it ends\n",
            ),
        }
        .into_response()
    }
}

#[derive(Clone)]
struct Admin {
    progress: Arc<Progress>,
    metrics: Arc<Metrics>,
}

/// Answers `/healthz`, `/readyz` and `/metrics` until `stop` is cancelled.
///
/// The listener comes bound, so that an address in use is an error of the start.
///
/// # Errors
///
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    progress: Arc<Progress>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .with_state(Admin { progress, metrics });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn healthz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    if admin.progress.is_alive(Instant::now()) {
        (StatusCode::OK, "ok\n")
    } else {
        let told = "stuck: work is under way and none of it has ended for long\n";
        (StatusCode::SERVICE_UNAVAILABLE, told)
    }
}

async fn readyz(State(admin): State<Admin>) -> Readiness {
    admin.progress.judge(Instant::now())
}

async fn metrics_text(State(admin): State<Admin>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, OPENMETRICS)],
        admin.metrics.encode(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    fn later(by: Duration) -> Instant {
        Instant::now() + by
    }

    #[test]
    fn a_new_operator_is_not_ready() {
        let progress = Progress::new(LIMIT);
        assert_eq!(progress.judge(Instant::now()), Readiness::Starting);
    }

    #[test]
    fn work_before_the_first_lists_does_not_make_it_ready() {
        let progress = Progress::new(LIMIT);
        progress.started();
        progress.finished();
        assert!(!progress.is_ready(Instant::now()));
    }

    #[test]
    fn an_operator_without_work_stays_ready_for_ever() {
        let progress = Progress::new(LIMIT);
        progress.synced();
        assert!(progress.is_ready(later(LIMIT * 1000)));
    }

    #[test]
    fn a_standby_is_ready_without_lists() {
        let progress = Progress::new(LIMIT);
        progress.standby();
        assert!(progress.is_ready(later(LIMIT * 1000)));
        progress.synced();
        assert_eq!(progress.judge(Instant::now()), Readiness::Standby);
        progress.leads();
        assert_eq!(progress.judge(Instant::now()), Readiness::Ready);
    }

    #[test]
    fn work_that_does_not_end_makes_it_stuck() {
        let progress = Progress::new(LIMIT);
        progress.synced();
        progress.started();
        assert!(progress.is_ready(later(LIMIT / 2)));
        assert_eq!(progress.judge(later(LIMIT * 2)), Readiness::Stuck);
    }

    #[test]
    fn work_that_stands_still_for_much_longer_kills_it_and_rest_or_missing_lists_do_not() {
        let progress = Progress::new(LIMIT);
        let much_later = later(LIMIT * BEYOND_HOPE + Duration::from_secs(1));
        assert!(progress.is_alive(much_later), "it waits for its lists");
        progress.synced();
        assert!(progress.is_alive(much_later), "it rests");
        let work = progress.begin();
        assert!(progress.is_alive(later(LIMIT * (BEYOND_HOPE - 1))));
        assert!(!progress.is_alive(much_later));
        drop(work);
        assert!(progress.is_alive(much_later));
    }

    #[test]
    fn an_end_among_much_work_counts_as_progress() {
        let progress = Progress::new(LIMIT);
        progress.synced();
        progress.started();
        progress.started();
        progress.lock().moved -= LIMIT * 2;
        assert!(!progress.is_ready(Instant::now()));
        progress.finished();
        assert!(progress.is_ready(later(LIMIT / 2)));
        assert!(!progress.is_ready(later(LIMIT * 2)));
    }

    #[test]
    fn a_long_rest_is_not_counted_against_new_work() {
        let progress = Progress::new(LIMIT);
        progress.synced();
        progress.lock().moved -= LIMIT * 2;
        progress.started();
        assert!(progress.is_ready(Instant::now()));
    }

    struct Running {
        address: SocketAddr,
        progress: Arc<Progress>,
        stop: CancellationToken,
        server: JoinHandle<io::Result<()>>,
    }

    async fn run() -> Running {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let progress = Arc::new(Progress::new(LIMIT));
        let metrics = Arc::new(Metrics::new("appstack"));
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(
            listener,
            Arc::clone(&progress),
            metrics,
            stop.clone(),
        ));
        Running {
            address,
            progress,
            stop,
            server,
        }
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn healthz_answers_before_the_operator_is_ready() {
        let running = run().await;
        let answer = get(running.address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn healthz_says_that_nothing_moves_any_more() {
        let running = run().await;
        running.progress.started();
        running.progress.lock().moved -= LIMIT * (BEYOND_HOPE + 1);
        let answer = get(running.address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("stuck: "), "{answer}");
    }

    #[tokio::test]
    async fn readyz_says_why_it_is_not_ready_and_then_that_it_is() {
        let running = run().await;
        let answer = get(running.address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("starting: "), "{answer}");
        running.progress.synced();
        let answer = get(running.address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn metrics_come_as_openmetrics() {
        let running = run().await;
        let answer = get(running.address, "/metrics").await;
        assert!(answer.contains(OPENMETRICS), "{answer}");
        assert!(answer.contains("appstack_stacks"), "{answer}");
    }

    #[tokio::test]
    async fn the_server_ends_when_told_to() {
        let running = run().await;
        running.stop.cancel();
        running.server.await.unwrap().unwrap();
    }
}
