//! Two stacks of two namespaces want the same hosts: whoever serves them goes on to do so, and the other one waits.

use appstack_operator::api::AppStack;

use crate::support::{API, ROLL_OUT, SOON, story};

/// What the API answers to everybody.
const PATH: &str = "/api/v1/version";

#[test]
fn a_host_stays_with_the_stack_that_serves_it_until_that_is_gone() {
    story("hosts", async |world| {
        let beside = world.beside().await;
        let stack = world.document(API);
        world.apply(&stack).await;
        let first = world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        // The first answers come a moment after the route was made.
        visitor
            .reads(world, &format!("{}{PATH}", visitor.api))
            .await;
        let asker = visitor.keeps_asking();

        beside.apply(&stack).await;
        let host = format!("api.{}", world.domain());
        let whose = format!("{host} belongs to AppStack {}/shop", world.namespace);
        let words = [whose.as_str()];
        beside
            .says("shop", "Accepted", "HostConflict", &words, SOON)
            .await;
        beside
            .stays("nothing is made of it", SOON * 2, async || {
                beside.pods("shop", "database").await.is_empty()
            })
            .await;
        // By the first one's certificate: the visitor trusts no other.
        asker.was_always_answered().await;
        assert_eq!(first.status.unwrap().hosts, [host]);

        world.delete::<AppStack>("shop").await;
        beside
            .until("the host is taken over", ROLL_OUT, async || {
                let stack = beside.stack("shop").await;
                (!stack.status?.hosts.is_empty()).then_some(())
            })
            .await;
        beside.ready("shop").await;
        let visitor = beside.visitor("shop").await;
        visitor
            .reads(&beside, &format!("{}{PATH}", visitor.api))
            .await;
    });
}
