//! Kinds of other projects: what happens when the API server begins to serve one, and when it ceases to.

use std::time::Duration;

use appstack_operator::context::Context;
use appstack_operator::model::kinds::Middleware;
use appstack_operator::runtime::kind::Kind;
use appstack_operator::runtime::versions::Known;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::interrupted::{is_there, put, seen};
use crate::{NAMESPACE, Server, context, run, stack};

const DEFINITIONS: &str = "customresourcedefinitions";
const DEFINITION: &str = "middlewares.traefik.io";
/// Sooner than a stack would be tried again by itself.
const SOON: Duration = Duration::from_secs(45);

/// A server with a stack, the work on which fails at once and rests for a minute then.
fn server() -> Server {
    let server = Server::new();
    server.put("appstacks", stack("shop"));
    server.release();
    server
}

fn define(server: &Server, name: &str) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
    });
    server.put(DEFINITIONS, definition);
}

/// Waits until the stack was worked on so many times.
async fn worked(server: &Server, times: usize) {
    let worked = timeout(SOON, server.reports("shop", times)).await;
    assert!(worked.is_ok(), "not worked on {times} times");
}

fn serves(ctx: &Context) -> bool {
    ctx.optional.serves(Kind::of::<Middleware>())
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_served_later_is_watched_and_all_stacks_are_worked_on_without_a_restart() {
    let server = server();
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        worked(&server, 1).await;
        define(&server, "others.example.com");
        assert!(!serves(&ctx));
        assert_eq!(server.watches_of("middlewares"), 0);

        define(&server, DEFINITION);
        worked(&server, 2).await;
        assert!(serves(&ctx));
        server.watched("middlewares", 1).await;
        put(&server, "middlewares", "Middleware");
        seen(&ctx, "Middleware", is_there).await;
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), story);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_served_no_more_is_left_alone_and_nobody_else_is_disturbed() {
    let server = server();
    define(&server, DEFINITION);
    put(&server, "middlewares", "Middleware");
    put(&server, "configmaps", "ConfigMap");
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        worked(&server, 1).await;
        assert!(serves(&ctx));
        seen(&ctx, "Middleware", is_there).await;
        server.watched("middlewares", 1).await;
        let watches = server.watches_of("configmaps");

        server.refuse("middlewares", 404);
        server.remove(DEFINITIONS, DEFINITION);
        worked(&server, 2).await;
        assert!(!serves(&ctx));
        seen(&ctx, "Middleware", |it| *it == Known::Unknown).await;
        assert!(is_there(&ctx.versions.of("ConfigMap", NAMESPACE, "one")));
        assert_eq!(server.watches_of("configmaps"), watches, "it goes on");
    };
    let a_while = timeout(Duration::from_mins(10), async {
        tokio::join!(run(&ctx, &stop), story)
    });
    assert!(a_while.await.is_err(), "it ended");
    assert_eq!(server.refusals(), 0, "it was asked for still");

    // It comes back without its objects, and what was seen of them is not taken for what is.
    let stop = CancellationToken::new();
    let again = async {
        server.relent();
        server.remove("middlewares", "one");
        define(&server, DEFINITION);
        seen(&ctx, "Middleware", |it| *it == Known::Absent).await;
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), again);
}

#[tokio::test(start_paused = true)]
async fn where_definitions_may_not_be_read_discovery_is_asked_and_nothing_begins_before_it_answers()
{
    let server = server();
    server.refuse(DEFINITIONS, 403);
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let story = async {
        server.refuses(4).await;
        assert!(server.reported().is_empty(), "what is served is not known");

        server.tells_of(&["apps", "traefik.io"]);
        worked(&server, 1).await;
        assert!(serves(&ctx));
        server.watched("middlewares", 1).await;

        server.tells_of(&["apps"]);
        worked(&server, 2).await;
        assert!(!serves(&ctx));

        // Somebody grants the right.
        server.relent();
        define(&server, DEFINITION);
        worked(&server, 3).await;
        assert!(serves(&ctx));
        stop.cancel();
    };
    tokio::join!(run(&ctx, &stop), story);
}
