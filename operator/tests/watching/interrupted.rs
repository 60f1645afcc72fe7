//! What a watch saw is not known while it is interrupted, and a watch that fails waits by itself.

use std::time::Duration;

use appstack_operator::context::Context;
use appstack_operator::runtime::versions::Known;
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{NAMESPACE, Server, context, run};

pub(crate) fn put(server: &Server, plural: &str, kind: &str) {
    let object = json!({
        "apiVersion": "v1", "kind": kind, "metadata": {"name": "one", "namespace": NAMESPACE},
    });
    server.put(plural, object);
}

/// Waits until what is seen of the object of a kind is as wanted.
pub(crate) async fn seen(ctx: &Context, kind: &'static str, wanted: impl Fn(&Known) -> bool) {
    // No time passes while somebody can run: the number of looks is the deadline.
    let sight = || ctx.versions.of(kind, NAMESPACE, "one");
    for _ in 0..100_000 {
        if wanted(&sight()) {
            return;
        }
        yield_now().await;
    }
    assert!(wanted(&sight()), "{:?}", sight());
}

pub(crate) fn is_there(known: &Known) -> bool {
    matches!(known, Known::At(_))
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_refused_watch_is_unknown_until_the_watch_is_taken_up() {
    let server = Server::new();
    put(&server, "secrets", "Secret");
    put(&server, "configmaps", "ConfigMap");
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        server.watched("secrets", 1).await;
        seen(&ctx, "Secret", is_there).await;

        server.refuse("secrets", 403);
        server.refuses(1).await;
        seen(&ctx, "Secret", |it| *it == Known::Unknown).await;
        seen(&ctx, "ConfigMap", is_there).await;

        // Nothing happens to Secrets, so nothing but the answer shows that the watch goes on.
        server.relent();
        server.watched("secrets", 2).await;
        seen(&ctx, "Secret", is_there).await;
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), story);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_refused_is_asked_for_ever_more_rarely_and_holds_nobody_back() {
    let server = Server::new();
    server.refuse("secrets", 403);
    put(&server, "configmaps", "ConfigMap");
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let a_while = timeout(Duration::from_mins(10), run(&ctx, &stop));
    assert!(a_while.await.is_err(), "it ended");
    // Every 15 to 30 seconds once it has failed for long.
    let refusals = server.refusals();
    assert!((20..50).contains(&refusals), "{refusals}");
    seen(&ctx, "ConfigMap", is_there).await;
}
