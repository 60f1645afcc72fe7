//! A new release takes over without a request lost, and what it no longer has is removed.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use crate::support::{Child, SHOP, SOON, World, story};

#[test]
fn a_new_release_loses_no_request() {
    story("release", async |world| {
        let stack = world.document(SHOP).with("spec: {backend: {seed: null}}");
        world.apply(&stack).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;

        let asker = visitor.keeps_asking();
        for round in ["one", "two"] {
            let backend = format!("spec: {{backend: {{env: [{{name: ROUND, value: {round}}}]}}}}");
            let frontend = format!("spec: {{frontend: {{config: {{round: {round}}}}}}}");
            world.apply(&stack.with(&backend).with(&frontend)).await;
            world.ready("shop").await;
            // Traefik learns of a pod that goes a moment after it was told to.
            world
                .until("the site has the new config", SOON, async || {
                    let url = format!("{}/config.json", visitor.site);
                    let config = visitor.ask(&url).await.ok()?.text().await.ok()?;
                    config.contains(round).then_some(())
                })
                .await;
        }
        asker.was_always_answered().await;
        // Each config has a name of its own; those of the past go.
        let configs = world
            .list::<ConfigMap>("appstack.dev/stack=shop")
            .await
            .len();
        assert_eq!(configs, 1);
    });
}

#[test]
fn what_a_stack_no_longer_has_is_removed() {
    story("release-smaller", async |world| {
        let stack = world.document(SHOP);
        world.apply(&stack).await;
        world.ready("shop").await;
        assert!(!of_frontend(world).await.is_empty());

        world.apply(&stack.with("spec: {frontend: null}")).await;
        world.ready("shop").await;
        // What the way in led to goes once the ingress controller knows that it leads elsewhere.
        world
            .until("nothing of the site is left", SOON * 2, async || {
                of_frontend(world).await.is_empty().then_some(())
            })
            .await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
    });
}

async fn of_frontend(world: &World) -> Vec<String> {
    let children = world.children("shop").await;
    let frontend = children
        .iter()
        .filter(|it| it.object.labels()["app.kubernetes.io/component"] == "frontend");
    frontend.map(Child::title).collect()
}
