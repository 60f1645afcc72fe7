//! An AppStack that cannot be read stalls itself alone, and is counted for as long as it is there.

use std::time::Duration;

use appstack_operator::context::Context;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Server, context, run, stack};

/// An AppStack whose spec is none.
pub(crate) fn broken(name: &str) -> Value {
    let mut stack = stack(name);
    stack["spec"]["backend"] = json!("a word");
    stack
}

/// Waits until so many are counted.
pub(crate) async fn counted(ctx: &Context, count: usize) {
    let line = format!("appstack_unreadable_stacks {count}");
    let is_told = async {
        while !ctx.metrics.encode().lines().any(|it| it == line) {
            yield_now().await;
        }
    };
    let told = timeout(Duration::from_secs(10), is_told).await;
    assert!(told.is_ok(), "it was never so: {line}");
}

#[tokio::test]
async fn what_cannot_be_read_stalls_nobody_else_and_is_counted_while_it_is_there() {
    let server = Server::new();
    server.release();
    server.put("appstacks", broken("listed"));
    server.put("appstacks", stack("good"));
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        server.reports("good", 1).await;
        counted(&ctx, 1).await;

        server.put("appstacks", broken("later"));
        counted(&ctx, 2).await;
        server.put("appstacks", stack("new"));
        server.reports("new", 1).await;

        server.put("appstacks", stack("listed"));
        server.reports("listed", 1).await;
        counted(&ctx, 1).await;
        server.remove("appstacks", "later");
        counted(&ctx, 0).await;

        server.put("appstacks", broken("good"));
        counted(&ctx, 1).await;
        server.put("appstacks", stack("good"));
        server.reports("good", 2).await;
        counted(&ctx, 0).await;
        assert!(!server.reported().contains("later"));
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), story);
}

#[tokio::test(start_paused = true)]
async fn who_wants_a_host_of_one_that_changes_or_cannot_be_read_any_more_is_worked_on_at_once() {
    /// Sooner than an AppStack would be tried again by itself.
    const SOON: Duration = Duration::from_secs(45);
    let wants = |name: &str, domain: &str| {
        let mut stack = stack(name);
        stack["spec"]["domain"] = json!(domain);
        stack
    };
    let server = Server::new();
    server.release();
    for (name, domain) in [("one", "a.test"), ("two", "a.test"), ("other", "b.test")] {
        server.put("appstacks", wants(name, domain));
    }
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        for name in ["one", "two", "other"] {
            server.reports(name, 1).await;
        }
        let changes = [wants("one", "a.test"), broken("one")];
        for (change, times) in changes.into_iter().zip(2..) {
            server.put("appstacks", change);
            let woken = timeout(SOON, server.reports("two", times)).await;
            assert!(woken.is_ok(), "not worked on {times} times");
        }
        assert_eq!(server.times("other"), 1, "it is none of its business");
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), story);
}
