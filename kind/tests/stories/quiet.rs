//! A stack at rest is left at rest: the operator writes nothing, and no object moves.

use std::time::{Duration, Instant};

use crate::support::{CLEAN_UP, Child, SHOP, SOON, World, story};

/// How long nothing may happen.
const A_WHILE: Duration = Duration::from_mins(1);

#[test]
fn a_stack_at_rest_causes_no_write() {
    story("quiet", async |world| {
        world.apply(&world.document(SHOP)).await;
        world.ready("shop").await;
        // Kubernetes itself has the last word on a roll-out: it notes the time, or takes a moment to remove a pod.
        let before = settled(world).await;
        let writes = world.writes();
        assert!(!writes.is_empty(), "the audit log knows of no write at all");

        world
            .stays("no child of the stack moves", A_WHILE, async || {
                let now = fingerprints(world).await;
                assert_eq!(now, before);
                true
            })
            .await;
        let more: Vec<_> = world.writes().into_iter().skip(writes.len()).collect();
        assert!(more.is_empty(), "the operator wrote: {more:#?}");
    });
}

type Fingerprint = (String, Option<String>, Option<String>, Option<i64>);

/// The children once they did not move for a few seconds.
async fn settled(world: &World) -> Vec<Fingerprint> {
    let mut last = fingerprints(world).await;
    let mut since = Instant::now();
    world
        .until("the children come to rest", CLEAN_UP, async || {
            let now = fingerprints(world).await;
            if now != last {
                last.clone_from(&now);
                since = Instant::now();
            }
            (since.elapsed() > SOON).then_some(now)
        })
        .await
}

async fn fingerprints(world: &World) -> Vec<Fingerprint> {
    let children = world.children("shop").await;
    children.iter().map(Child::fingerprint).collect()
}
