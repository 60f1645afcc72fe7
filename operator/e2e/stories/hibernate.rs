//! A stack that hibernates runs nothing, keeps its data, and comes back as it was.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use crate::support::{API, CLEAN_UP, World, condition, release, story};

#[test]
fn a_stack_falls_asleep_in_order_and_comes_back_with_its_data() {
    story("hibernate", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        let served = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Precious").await;

        // A new release waits until the stack is awake.
        let asleep = stack.with("spec: {hibernate: true, backend: {workers: 2}}");
        world.apply(&asleep).await;
        world
            .until("nothing runs any more", CLEAN_UP, async || {
                let backend = pods(world, "backend").await;
                let database = pods(world, "database").await;
                assert!(
                    backend == 0 || database == 1,
                    "the database went before the backend"
                );
                let found = world.stack("shop").await;
                let reason = &condition(&found, "Ready")?.reason;
                (backend + database == 0 && reason == "Hibernated").then_some(())
            })
            .await;
        world
            .stays("nothing is started", Duration::from_secs(5), async || {
                pods(world, "backend").await + pods(world, "database").await == 0
            })
            .await;
        assert_eq!(release(&world.stack("shop").await), served);

        world.apply(&asleep.with("spec: {hibernate: false}")).await;
        world.ready_with_release_other_than("shop", &served).await;
        assert_eq!(visitor.items(world).await, ["Precious"]);
    });
}

/// How many pods of a part there are, those included that are about to go.
async fn pods(world: &World, component: &str) -> usize {
    let ours = format!("app.kubernetes.io/component={component}");
    world.list::<Pod>(&ours).await.len()
}
