//! A changed secret value reaches the pods that read it, and no others.

use appstack_operator::api::AppStack;
use kube::ResourceExt as _;

use crate::support::{API, SHOP, SOON, World, names, release, story, uid};

#[test]
fn a_changed_value_rolls_the_backend_alone() {
    story("changed-secret", async |world| {
        world
            .apply_secret("keys", "SECRET_KEY: the-first-one")
            .await;
        let stack = world
            .document(SHOP)
            .with("spec: {secrets: {from: [{name: keys}]}, backend: {seed: null}}");
        world.apply(&stack).await;
        let ready = world.ready("shop").await;
        let old = release(&ready).to_owned();
        let backend = pod(world, "backend").await;
        let frontend = pod(world, "frontend").await;
        let database = pod(world, "database").await;

        world
            .apply_secret("keys", "SECRET_KEY: the-second-one")
            .await;
        world.ready_with_release_other_than("shop", &old).await;
        assert_ne!(pod(world, "backend").await, backend);
        assert_eq!(pod(world, "frontend").await, frontend);
        assert_eq!(pod(world, "database").await, database);
        assert_eq!(world.stack("shop").await.metadata.generation, Some(1));
    });
}

#[test]
fn a_new_secret_key_logs_nobody_out_before_the_release_after_it() {
    story("changed-key", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        let token = visitor.token().await.unwrap().unwrap();
        let key = world.secret("shop-generated", "SECRET_KEY").await;

        let rotate = "metadata: {annotations: {appstack.dev/rotate-secret-key: now}}";
        world.patch::<AppStack>("shop", rotate).await;
        let ready = world.ready_with_release_other_than("shop", &first).await;
        let second = release(&ready).to_owned();
        let drawn = world.secret("shop-generated", "SECRET_KEY").await;
        assert_ne!(drawn, key);
        visitor.list_with(&token).await.unwrap();
        world
            .stays("the request is answered once", SOON, async || {
                release(&world.stack("shop").await) == second
            })
            .await;

        world
            .apply(&stack.with("spec: {projectName: Another}"))
            .await;
        world.ready_with_release_other_than("shop", &second).await;
        world
            .until("the old key is not believed any more", SOON, async || {
                let refused = visitor.list_with(&token).await.err()?;
                (refused.status()? == 403 || refused.status()? == 401).then_some(())
            })
            .await;
        let now = world.secret("shop-generated", "SECRET_KEY").await;
        assert_eq!(now, drawn);
    });
}

#[test]
fn a_changed_database_password_reaches_the_database_and_the_backend() {
    story("changed-password", async |world| {
        world
            .apply_secret("keys", "POSTGRES_PASSWORD: the-first-one")
            .await;
        let stack = world
            .document(API)
            .with("spec: {secrets: {from: [{name: keys}]}}");
        world.apply(&stack).await;
        let ready = world.ready("shop").await;
        let old = release(&ready).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Precious").await;

        world
            .apply_secret("keys", "POSTGRES_PASSWORD: \"it's the/second %41\"")
            .await;
        world.ready_with_release_other_than("shop", &old).await;
        assert_eq!(visitor.items(world).await, ["Precious"]);
    });
}

/// Name and UID of the only pod of a part.
async fn pod(world: &World, component: &str) -> (String, String) {
    let pods = world.pods("shop", component).await;
    assert_eq!(pods.len(), 1, "{:?}", names(&pods));
    (pods[0].name_any(), uid(&pods[0]))
}
