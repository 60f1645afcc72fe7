//! What an outage of the API server costs: the whole controller, whose watches fail and come back one by one.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use appstack_operator::controller::{self, Controllers};
use appstack_operator::runtime::leader::Term;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::server::Reach;
use super::{STACK, World};

/// How many objects and lists a look at this stack reads at most when it sees nothing.
const READS: usize = 60;

/// Longer than any watch waits after a failure.
const QUIET: Duration = Duration::from_mins(3);

/// Numbers from 0 to 1 that are far apart, so that the watches come back one by one.
fn spread_out() -> f64 {
    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(0) };
    }
    let count = COUNT.replace(COUNT.get() + 1);
    f64::from(count * 37 % 100) / 100.0
}

/// What the operator sends, but for its watches, after ten seconds without an API server.
async fn after_an_outage(forgets: bool) -> Result<Vec<String>> {
    let mut world = World::serving().await?;
    let ctx = Arc::get_mut(&mut world.context).context("it is at work")?;
    ctx.jitter = spread_out;
    let definition = "middlewares.traefik.io";
    world.server.put(
        &format!("customresourcedefinitions/{definition}"),
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": definition},
        }),
    );
    let how = Controllers {
        namespaces: Vec::new(),
        concurrency: 8,
        term: Term::default(),
    };
    how.term.begin();
    let stop = CancellationToken::new();
    let mut work = Box::pin(controller::run(world.context.clone(), how, stop));
    goes_on(&mut work, QUIET).await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");

    world.server.reached(Reach::Nobody);
    goes_on(&mut work, Duration::from_secs(10)).await?;
    world.server.forget();
    if forgets {
        world.server.lose_history();
    }
    // Somebody looks after the stack before the watches are back.
    world.server.reached(Reach::Requests);
    let mut app = world.server.get(STACK).context("no AppStack")?;
    app["metadata"]["annotations"]["note"] = json!("all well?");
    world.server.put(STACK, app);
    goes_on(&mut work, QUIET).await?;
    assert!(!world.server.requests().is_empty(), "nobody looked");

    world.server.reached(Reach::Everybody);
    goes_on(&mut work, QUIET).await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    Ok(world.server.requests())
}

/// Lets the controller work for a time. None of it passes while somebody can run, so what has not happened then does not happen.
async fn goes_on(work: &mut (impl Future<Output = ()> + Unpin), time: Duration) -> Result<()> {
    let ended = timeout(time, work).await;
    ensure!(ended.is_err(), "the controller ended");
    Ok(())
}

fn check(requests: &[String]) {
    let writes: Vec<_> = requests
        .iter()
        .filter(|it| !it.starts_with("GET "))
        .collect();
    assert!(
        writes.is_empty(),
        "it writes what changes nothing: {writes:?}"
    );
    assert!(
        requests.len() <= READS,
        "it reads {}: {requests:?}",
        requests.len()
    );
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_nothing_is_written_and_everything_is_read_once() -> Result<()> {
    check(&after_an_outage(false).await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nor_is_it_where_the_watches_have_to_list_everything_again() -> Result<()> {
    check(&after_an_outage(true).await?);
    Ok(())
}
