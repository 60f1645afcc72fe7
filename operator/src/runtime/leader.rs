//! Runs work only while this replica holds a Lease, so that two replicas never work at once.
//!
//! The protocol is that of `k8s-controller`: writes carry the resourceVersion, and expiry is
//! measured by our own clock. This module adds what a program needs around it: settings that are
//! refused before they can panic, a standby that prepares its work and can be stopped, a look at the
//! Lease that is more frequent than its renewal, and the metric.
//!
//! Invariant: a term begins after the Lease was won and never before; a standby only reads the Lease.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use k8s_controller::LeaderElection;
use kube::{Client, Config};
use tokio_util::sync::CancellationToken;

use crate::runtime::metrics::Metrics;

/// How long a Lease holds, and how hard its holder tries to keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Another replica takes over after the Lease went unrenewed for this long.
    pub lease: Duration,
    /// The leader stops its work when it could not renew for this long.
    pub renew_deadline: Duration,
    /// Time between two renewals of the Lease.
    pub retry: Duration,
    /// Least time between two looks of a standby at the Lease; chance adds up to half of it.
    pub look: Duration,
}

impl Default for Timings {
    /// The values of the controllers of Kubernetes itself, but for the look: with theirs a standby would see only after
    /// up to 3 seconds that the Lease was given back, and up to 6 seconds too late that it ran out. Ours costs one GET of
    /// the Lease per standby each 0.6 to 0.9 seconds, and takes over within 0.9 seconds after the Lease was given back, or
    /// 16.8 after the last renewal of a leader that was killed: one look until that renewal is seen, the 15 seconds of the
    /// Lease, and one look.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
            look: Duration::from_millis(600),
        }
    }
}

/// Settings with which two replicas could lead at once, or none ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidElection {
    /// Replicas without a name of their own take each other's Lease for theirs.
    #[error("a replica needs an identity of its own to take part in an election")]
    NoIdentity,
    /// A Lease counts in seconds.
    #[error("the lease must last a whole number of seconds, at least one")]
    NotWholeSeconds,
    /// The old leader would still work when the new one begins.
    #[error("the renew deadline must be shorter than the lease")]
    DeadlineTooLong,
    /// One failed renewal would be the end, or a standby would look without a rest, or hardly ever.
    #[error("the times between tries must be above zero and shorter than the renew deadline")]
    RetryTooLong,
}

/// How a term ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The work ended by itself, and the Lease was given back.
    Finished(T),
    /// The Lease was lost, and the work was dropped. The process should exit now.
    Lost,
    /// The work ended before this replica ever led.
    NeverLed,
}

/// The time in which this replica leads: it begins once, and ends with the process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Term(CancellationToken);

impl Term {
    /// From now on this replica leads.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it begins.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }
}

/// One replica's part in the election of a leader.
#[derive(Clone)]
pub struct Election {
    /// Looks at the Lease until it is won.
    looks: LeaderElection,
    /// Renews it.
    holds: LeaderElection,
}

impl Election {
    /// Takes part in the election for the Lease `name` in `namespace` under the name `identity`,
    /// which no other replica may use (the name of the pod).
    ///
    /// `client` should come from [`client`].
    ///
    /// # Errors
    ///
    /// When the settings contradict each other.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: &str,
        timings: Timings,
    ) -> Result<Self, InvalidElection> {
        if identity.is_empty() {
            return Err(InvalidElection::NoIdentity);
        }
        timings.check()?;
        let election = LeaderElection::new(client, namespace, name, identity)
            .with_lease_duration(timings.lease)
            .with_renew_deadline(timings.renew_deadline)
            .with_retry_period(timings.retry);
        Ok(Self {
            looks: election.clone().with_retry_period(timings.look),
            holds: election,
        })
    }

    /// Runs `work` from now on, and begins the `term` once the Lease is held: `work` may prepare itself before, and must not
    /// write.
    ///
    /// `work` ends by itself, whether it ever led or not. The Lease is then given back, so that the next replica leads at
    /// once. When the Lease is lost, `work` is dropped wherever it stands.
    pub async fn run<F: Future>(
        &self,
        metrics: &Metrics,
        term: &Term,
        work: F,
    ) -> Outcome<F::Output> {
        let over = CancellationToken::new();
        let mut leads = pin!(self.lead(metrics, term, &over));
        let outcome = tokio::select! {
            _ = &mut leads => Outcome::Lost,
            output = work => {
                if term.has_begun() {
                    over.cancel();
                    leads.await.map_or(Outcome::Lost, |()| Outcome::Finished(output))
                } else {
                    // The answer that made us leader may be on its way: do not keep what we got.
                    self.holds.release().await;
                    Outcome::NeverLed
                }
            }
        };
        metrics.leading(false);
        outcome
    }

    /// Waits for the Lease and holds it until the term is `over`, when it is given back; `None` if it was lost.
    async fn lead(&self, metrics: &Metrics, term: &Term, over: &CancellationToken) -> Option<()> {
        self.won().await;
        // Held already, so that this only renews it, and goes on to do so at the pace of a leader.
        let held = self.holds.with_lease(async {
            metrics.leading(true);
            term.begin();
            over.cancelled().await;
        });
        held.await
    }

    /// Ends when the Lease is won, and holds on to it: what holds it for `looks` is dropped, and gives nothing back.
    async fn won(&self) {
        let won = CancellationToken::new();
        let looking = self.looks.with_lease(async {
            won.cancel();
            pending::<()>().await;
        });
        tokio::select! {
            () = won.cancelled() => {}
            _ = looking => {}
        }
    }
}

impl Timings {
    fn check(&self) -> Result<(), InvalidElection> {
        let seconds = i32::try_from(self.lease.as_secs()).unwrap_or(0);
        if seconds == 0 || self.lease.subsec_nanos() != 0 {
            return Err(InvalidElection::NotWholeSeconds);
        }
        if self.renew_deadline >= self.lease {
            return Err(InvalidElection::DeadlineTooLong);
        }
        let is_wrong = |it: Duration| it.is_zero() || it >= self.renew_deadline;
        if is_wrong(self.retry) || is_wrong(self.look) {
            return Err(InvalidElection::RetryTooLong);
        }
        Ok(())
    }
}

/// A client for the Lease alone.
///
/// A call that hangs on a dead connection, or that the client retries in silence for minutes,
/// would keep a standby from ever taking over; a call that waits behind the work's own would cost
/// the leader its Lease.
///
/// # Errors
///
/// When the configuration makes no client.
pub fn client(config: Config) -> kube::Result<Client> {
    Client::try_from(bounded(config))
}

fn bounded(mut config: Config) -> Config {
    let Timings { retry, .. } = Timings::default();
    config.connect_timeout = Some(retry);
    config.read_timeout = Some(retry * 2);
    config.write_timeout = Some(retry * 2);
    // The connection rests between renewals, and that rest must not count as waiting.
    config.reset_reader_on_write = true;
    config.default_retry = false;
    config
}

#[cfg(test)]
mod tests {
    use http::{Method, Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use tower_test::mock::{self, Handle, SendResponse};

    use super::*;

    const US: &str = "replica-a";
    const THEM: &str = "replica-b";

    fn quick() -> Timings {
        Timings {
            lease: Duration::from_secs(5),
            renew_deadline: Duration::from_secs(4),
            retry: Duration::from_millis(5),
            look: Duration::from_millis(5),
        }
    }

    /// An API server that holds one Lease, and on which another replica may take it.
    struct ApiServer {
        calls: Handle<Request<Body>, Response<Body>>,
        lease: Option<Value>,
    }

    fn api_server(holder: Option<&str>) -> (Client, ApiServer) {
        let (service, calls) = mock::pair();
        let lease = holder.map(lease_of);
        (Client::new(service, "system"), ApiServer { calls, lease })
    }

    fn lease_of(holder: &str) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "operator", "namespace": "system"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 5},
        })
    }

    impl ApiServer {
        /// Answers one call and says by which method it came.
        async fn answer(&mut self) -> Method {
            let (request, reply) = self.calls.next_request().await.unwrap();
            let (head, body) = request.into_parts();
            if head.method != Method::GET {
                let written = body.collect_bytes().await.unwrap();
                self.lease = Some(serde_json::from_slice(&written).unwrap());
            }
            self.reply(reply);
            head.method
        }

        fn reply(&self, reply: SendResponse<Response<Body>>) {
            let missing = json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure",
                "reason": "NotFound", "message": "no such lease", "code": 404,
            });
            let (code, body) = match &self.lease {
                Some(lease) => (200, lease),
                None => (404, &missing),
            };
            let body = Body::from(serde_json::to_vec(body).unwrap());
            reply.send_response(Response::builder().status(code).body(body).unwrap());
        }

        fn holder(&self) -> Option<&str> {
            self.lease.as_ref()?["spec"]["holderIdentity"].as_str()
        }

        /// Answers calls until `done` holds after one of them.
        async fn answer_until(&mut self, done: impl Fn(&Self) -> bool) {
            while !done(self) {
                self.answer().await;
            }
        }
    }

    fn election(client: Client) -> Election {
        Election::new(client, "system", "operator", US, quick()).unwrap()
    }

    fn leads(metrics: &Metrics) -> bool {
        metrics
            .encode()
            .contains(r#"leader_election_master_status{name="test"} 1"#)
    }

    #[tokio::test]
    async fn the_leader_gives_the_lease_back_when_its_work_ends() {
        let (client, mut server) = api_server(None);
        let metrics = Metrics::new("test");
        let term = Term::default();
        let work = async {
            term.begun().await;
            leads(&metrics)
        };
        let election = election(client);
        let run = election.run(&metrics, &term, work);
        let answers = async {
            server.answer_until(|s| s.holder() == Some(US)).await;
            server.answer_until(|s| s.holder().is_none()).await;
        };
        let (outcome, ()) = tokio::join!(run, answers);
        assert_eq!(outcome, Outcome::Finished(true), "led while it worked");
        assert!(!leads(&metrics), "and not after");
    }

    #[tokio::test]
    async fn a_leader_told_to_stop_ends_its_work_first() {
        let (client, mut server) = api_server(None);
        let metrics = Metrics::new("test");
        let stop = CancellationToken::new();
        let term = Term::default();
        let work = async {
            term.begun().await;
            stop.cancel();
            stop.cancelled().await;
            tokio::task::yield_now().await;
            "done"
        };
        let election = election(client);
        let run = election.run(&metrics, &term, work);
        let answers = async {
            server.answer_until(|s| s.holder() == Some(US)).await;
            server.answer_until(|s| s.holder().is_none()).await;
        };
        let (outcome, ()) = tokio::join!(run, answers);
        assert_eq!(outcome, Outcome::Finished("done"));
    }

    #[tokio::test]
    async fn work_is_dropped_when_another_replica_takes_the_lease() {
        let (client, mut server) = api_server(None);
        let metrics = Metrics::new("test");
        let election = election(client);
        let work = std::future::pending::<()>();
        let term = Term::default();
        let run = election.run(&metrics, &term, work);
        let answers = async {
            // Won, and held after another look.
            server.answer_until(|_| term.has_begun()).await;
            server.lease = Some(lease_of(THEM));
            server.answer().await;
        };
        let (outcome, ()) = tokio::join!(run, answers);
        assert_eq!(outcome, Outcome::Lost);
        assert!(!leads(&metrics));
    }

    #[tokio::test]
    async fn a_standby_told_to_stop_never_works_and_leaves_the_lease_alone() {
        let (client, mut server) = api_server(Some(THEM));
        let metrics = Metrics::new("test");
        let stop = CancellationToken::new();
        let election = election(client);
        let term = Term::default();
        let run = election.run(&metrics, &term, stop.clone().cancelled_owned());
        let answers = async {
            assert_eq!(server.answer().await, Method::GET);
            stop.cancel();
            assert_eq!(
                server.answer().await,
                Method::GET,
                "the release looks first"
            );
        };
        let (outcome, ()) = tokio::join!(run, answers);
        assert_eq!(outcome, Outcome::NeverLed);
        assert!(!term.has_begun());
        assert_eq!(server.holder(), Some(THEM));
    }

    #[test]
    fn a_call_that_hangs_leaves_time_to_renew() {
        let config = bounded(Config::new("https://cluster".parse().unwrap()));
        let timings = Timings::default();
        let call = config.connect_timeout.unwrap() + config.read_timeout.unwrap();
        assert!(call + timings.retry < timings.renew_deadline);
        assert!(!config.default_retry);
    }

    #[test]
    fn the_default_timings_are_valid_and_a_standby_sees_in_time_that_it_may_lead() {
        let timings = Timings::default();
        assert_eq!(timings.check(), Ok(()));
        let look = timings.look.mul_f64(1.5);
        assert!(look < Duration::from_secs(1), "given back");
        assert!(timings.lease + look * 2 < Duration::from_secs(17), "killed");
    }

    #[test]
    fn timings_that_contradict_each_other_are_refused() {
        use InvalidElection::{DeadlineTooLong, NotWholeSeconds, RetryTooLong};
        let changed = |change: fn(&mut Timings)| {
            let mut timings = Timings::default();
            change(&mut timings);
            timings.check().unwrap_err()
        };
        assert_eq!(changed(|t| t.lease = Duration::ZERO), NotWholeSeconds);
        assert_eq!(changed(|t| t.lease = Duration::MAX), NotWholeSeconds);
        assert_eq!(changed(|t| t.lease /= 2), NotWholeSeconds);
        assert_eq!(changed(|t| t.renew_deadline = t.lease), DeadlineTooLong);
        assert_eq!(changed(|t| t.retry = t.renew_deadline), RetryTooLong);
        assert_eq!(changed(|t| t.retry = Duration::ZERO), RetryTooLong);
        assert_eq!(changed(|t| t.look = t.renew_deadline), RetryTooLong);
        assert_eq!(changed(|t| t.look = Duration::ZERO), RetryTooLong);
    }

    #[tokio::test]
    async fn a_replica_without_a_name_is_refused() {
        let (client, _server) = api_server(None);
        let election = Election::new(client, "system", "operator", "", quick());
        assert_eq!(election.err(), Some(InvalidElection::NoIdentity));
    }
}
