//! When a replica is ready.

use std::time::{Duration, Instant};

use appstack_operator::controller::{self, Controllers};
use appstack_operator::runtime::admin::Readiness;
use appstack_operator::runtime::leader::Term;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{CONCURRENCY, NAMESPACE, Server, context, stack};

#[tokio::test]
async fn a_replica_is_ready_once_it_knows_the_stacks_of_each_of_its_namespaces() {
    let server = Server::new();
    server.release();
    server.put("appstacks", stack("shop"));
    server.refuse("other/appstacks", 403);
    let (ctx, stop) = (context(server.client()), CancellationToken::new());
    let term = Term::default();
    term.begin();
    let how = Controllers {
        namespaces: vec![NAMESPACE.into(), "other".into()],
        concurrency: CONCURRENCY,
        term,
    };
    let is_ready = || ctx.progress.judge(Instant::now()) == Readiness::Ready;
    let story = async {
        server.reports("shop", 1).await;
        server.refuses(1).await;
        assert!(!is_ready(), "nobody knows what is in the other namespace");
        server.relent();
        let ready = async {
            while !is_ready() {
                yield_now().await;
            }
        };
        let ready = timeout(Duration::from_secs(30), ready).await;
        assert!(ready.is_ok(), "all is known, and it is not ready");
        stop.cancel();
    };
    tokio::join!(controller::run(ctx.clone(), how, stop.clone()), story);
}
