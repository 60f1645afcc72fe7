//! What somebody else made under the name of a child is never taken over.

use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use crate::support::{API, Document, ROLL_OUT, SOON, condition, story};

#[test]
fn a_foreign_service_is_never_touched() {
    story("name-taken", async |world| {
        world.apply(&foreign()).await;
        let services = world.api::<Service>();
        let before = services.get("shop-backend").await.unwrap();

        world.apply(&world.document(API)).await;
        let patience = ROLL_OUT;
        let words = ["Service shop-backend", "does not belong to this AppStack"];
        world
            .says("shop", "Ready", "NameTaken", &words, patience)
            .await;
        let stalled = condition(&world.stack("shop").await, "Stalled")
            .unwrap()
            .clone();
        assert_eq!(stalled.status, "True", "{stalled:?}");
        world
            .stays("the foreign Service is as it was", SOON, async || {
                services.get("shop-backend").await.unwrap() == before
            })
            .await;

        world.delete::<Service>("shop-backend").await;
        world.ready("shop").await;
    });
}

#[test]
fn a_foreign_service_that_came_later_is_not_touched_either() {
    story("name-taken-later", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        world.ready("shop").await;

        world.apply(&stack.with("spec: {suspend: true}")).await;
        let words = ["suspend is true"];
        world
            .says("shop", "Reconciling", "Suspended", &words, SOON)
            .await;
        world.delete::<Service>("shop-backend").await;
        world.apply(&foreign()).await;
        let services = world.api::<Service>();
        let before = services.get("shop-backend").await.unwrap();

        world.apply(&stack).await;
        let words = ["Service shop-backend"];
        world.says("shop", "Ready", "NameTaken", &words, SOON).await;
        assert_eq!(services.get("shop-backend").await.unwrap(), before);
    });
}

/// A Service that belongs to somebody else, under the name of a child.
fn foreign() -> Document {
    Document(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-backend"},
        "spec": {"ports": [{"port": 4711}], "selector": {"app": "theirs"}},
    }))
}
