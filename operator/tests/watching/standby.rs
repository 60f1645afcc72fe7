//! A standby watches and does nothing else, and works at once when its turn comes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use appstack_operator::context::Context;
use appstack_operator::runtime::admin::Readiness;
use appstack_operator::runtime::leader::{Election, Outcome, Term, Timings};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{NAMESPACE, Server, context, run_in, stack};

/// How many plurals are watched, of which none is optional.
const WATCHED: usize = 18;
/// Within this time a standby takes over.
const TAKEOVER: Duration = Duration::from_secs(2);

/// An operator that takes part in the election.
#[derive(Clone)]
struct Replica {
    ctx: Arc<Context>,
    election: Election,
    term: Term,
    stop: CancellationToken,
}

impl Replica {
    fn new(server: &Server, who: &'static str, timings: Timings) -> Result<Self> {
        let client = server.of(who).client();
        let ctx = context(client.clone());
        ctx.progress.standby();
        Ok(Self {
            ctx,
            election: Election::new(client, NAMESPACE, "operator", who, timings)?,
            term: Term::default(),
            stop: CancellationToken::new(),
        })
    }

    async fn run(self) -> Outcome<()> {
        let work = run_in(&self.ctx, &self.term, &self.stop);
        let metrics = &self.ctx.metrics;
        self.election.run(metrics, &self.term, work).await
    }

    fn leads(&self) -> bool {
        let told = self.ctx.metrics.encode();
        told.contains(r#"leader_election_master_status{name="test"} 1"#)
    }

    fn readiness(&self) -> Readiness {
        self.ctx.progress.judge(std::time::Instant::now())
    }
}

/// A server with a stack, and two replicas that may work on it.
fn both(timings: Timings) -> Result<(Server, Replica, Replica)> {
    let server = Server::new();
    server.put("appstacks", stack("shop"));
    server.release();
    let first = Replica::new(&server, "first", timings)?;
    let second = Replica::new(&server, "second", timings)?;
    Ok((server, first, second))
}

/// Waits until the first replica works and the second one watches, which then is nothing but a standby.
async fn stands_by(server: &Server, second: &Replica) {
    server.reports_of("first", "shop").await;
    server.watches("second", WATCHED).await;
    assert_eq!(server.writes("second"), [""; 0], "a standby only reads");
    assert_eq!(second.readiness(), Readiness::Standby);
    assert!(second.ctx.progress.is_alive(std::time::Instant::now()));
    assert!(!second.leads());
}

/// Waits until the second replica works, with the watches that it had.
async fn takes_over(server: &Server, second: &Replica) {
    let looks = server.looks("second");
    server.reports_of("second", "shop").await;
    assert_eq!(server.looks("second"), looks, "it has watched before");
    assert_eq!(second.readiness(), Readiness::Ready);
    assert!(second.leads());
}

#[tokio::test]
async fn a_standby_works_within_two_seconds_after_its_leader_was_told_to_stop() {
    let (server, first, second) = both(Timings::default()).unwrap();
    let story = async {
        server.is_led_by("first").await;
        let other = tokio::spawn(second.clone().run());
        stands_by(&server, &second).await;

        first.stop.cancel();
        let since = Instant::now();
        takes_over(&server, &second).await;
        assert!(since.elapsed() <= TAKEOVER, "{:?}", since.elapsed());
        second.stop.cancel();
        assert_eq!(other.await.unwrap(), Outcome::Finished(()));
    };
    let (outcome, ()) = tokio::join!(first.clone().run(), story);
    assert_eq!(outcome, Outcome::Finished(()));
    assert_eq!(server.leader(), None);
}

#[tokio::test]
async fn a_standby_works_within_two_seconds_after_the_lease_of_a_killed_leader_ran_out() {
    let timings = Timings {
        lease: Duration::from_secs(1),
        renew_deadline: Duration::from_millis(800),
        retry: Duration::from_millis(200),
        ..Timings::default()
    };
    let (server, first, second) = both(timings).unwrap();
    let leader = tokio::spawn(first.run());
    server.is_led_by("first").await;
    let other = tokio::spawn(second.clone().run());
    stands_by(&server, &second).await;

    leader.abort();
    let since = Instant::now();
    takes_over(&server, &second).await;
    let limit = timings.lease + TAKEOVER;
    assert!(since.elapsed() <= limit, "{:?}", since.elapsed());
    assert_eq!(server.leader().as_deref(), Some("second"));
    second.stop.cancel();
    assert_eq!(other.await.unwrap(), Outcome::Finished(()));
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_it_stands_by_wakes_nobody_and_is_known_when_its_turn_comes() {
    let server = Server::new();
    server.release();
    let (ctx, stop, term) = (
        context(server.client()),
        CancellationToken::new(),
        Term::default(),
    );
    let story = async {
        server.watches("operator", WATCHED).await;
        for number in 0..20 {
            server.put("appstacks", stack(&format!("stack-{number}")));
        }
        server.remove("appstacks", "stack-0");
        server.put("appstacks", crate::unreadable::broken("last"));
        crate::unreadable::counted(&ctx, 1).await;
        assert!(server.reported().is_empty());
        term.begin();
        server.first_observed(19).await;
        assert!(!server.reported().contains("stack-0"));
        stop.cancel();
    };
    tokio::join!(run_in(&ctx, &term, &stop), story);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_told_to_stop_ends_at_once_whatever_it_waits_for() {
    let server = Server::new();
    server.fall_silent();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    stop.cancel();
    let term = Term::default();
    let ended = timeout(TAKEOVER, run_in(&ctx, &term, &stop));
    assert!(ended.await.is_ok(), "it waits");
}
