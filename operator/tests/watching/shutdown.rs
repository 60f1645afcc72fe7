//! The operator ends in time, whatever waits and whatever hangs, and gives the Lease back.

use std::time::Duration;

use appstack_operator::runtime::leader::{Election, Outcome, Term, Timings};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::unreadable::{broken, counted};
use crate::{CONCURRENCY, NAMESPACE, Server, context, run, run_in, stack};

/// Kubernetes kills a pod that has not ended after 30 seconds.
const KILLED: Duration = Duration::from_secs(30);

/// A server with so many stacks that most of them wait.
fn crowded() -> Server {
    let server = Server::new();
    for number in 0..500 {
        server.put("appstacks", stack(&format!("stack-{number}")));
    }
    server
}

#[tokio::test]
async fn stacks_that_wait_when_the_operator_is_told_to_stop_are_never_begun() {
    let server = crowded();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let told = async {
        server.holds(CONCURRENCY.into()).await;
        stop.cancel();
        server.release();
    };
    let ended = timeout(KILLED, async { tokio::join!(run(&ctx, &stop), told) });
    assert!(ended.await.is_ok(), "it went on");
    assert_eq!(server.reported().len(), usize::from(CONCURRENCY));
}

#[tokio::test]
async fn a_stack_that_waited_is_worked_on_as_it_is_when_its_turn_comes() {
    const STACKS: u64 = 20;
    let server = Server::new();
    let put_all = || {
        for number in 0..STACKS {
            server.put("appstacks", stack(&format!("stack-{number}")));
        }
    };
    put_all();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        server.holds(CONCURRENCY.into()).await;
        put_all();
        // Once this is told, all before it is.
        server.put("appstacks", broken("last"));
        counted(&ctx, 1).await;
        server.release();
        let first = server.first_observed(20).await;
        let old = first.values().filter(|it| **it <= STACKS).count();
        assert_eq!(old, usize::from(CONCURRENCY), "{first:?}");
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), story);
}

#[tokio::test(start_paused = true)]
async fn work_that_hangs_is_given_up_and_the_lease_given_back() {
    let server = crowded();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let election = Election::new(
        server.client(),
        NAMESPACE,
        "operator",
        "us",
        Timings::default(),
    );
    let election = election.unwrap();
    let told = async {
        server.holds(CONCURRENCY.into()).await;
        assert_eq!(server.leader().as_deref(), Some("us"));
        stop.cancel();
        Instant::now()
    };
    let term = Term::default();
    let work = election.run(&ctx.metrics, &term, run_in(&ctx, &term, &stop));
    let both = Box::pin(async { tokio::join!(work, told) });
    let ended = timeout(KILLED * 2, both);
    let (outcome, told) = ended.await.unwrap();
    assert_eq!(outcome, Outcome::Finished(()));
    assert!(told.elapsed() < KILLED, "{:?}", told.elapsed());
    assert_eq!(server.leader(), None);
}

#[tokio::test]
async fn the_process_is_beyond_hope_once_all_that_may_be_under_way_hangs_for_long() {
    let server = crowded();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let long_after = || std::time::Instant::now() + Duration::from_mins(1);
    let story = async {
        server.holds(CONCURRENCY.into()).await;
        assert!(!ctx.progress.is_alive(long_after()));
        assert!(ctx.progress.is_alive(std::time::Instant::now()));
        stop.cancel();
        server.release();
    };
    tokio::join!(run(&ctx, &stop), story);
    assert!(ctx.progress.is_alive(long_after()), "all of it has ended");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_never_answers_keeps_nobody_from_ending() {
    let server = Server::new();
    server.fall_silent();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    stop.cancel();
    let ended = timeout(KILLED, run(&ctx, &stop));
    assert!(ended.await.is_ok(), "it waits for a list");
}
