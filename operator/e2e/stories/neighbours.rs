//! Stacks in trouble do not slow down the others.

use k8s_openapi::api::core::v1::Service;

use crate::support::{API, NOWHERE, ROLL_OUT, SCRIPTED, SOON, World, story, uid};

/// Stacks that cannot become ready: name, change of the spec, and the condition and reason that show it.
const TROUBLE: [(&str, &str, &str, &str); 5] = [
    (
        "no-image",
        "backend: {migrate: null, image: 'localhost:9/nothing:v1'}",
        "BackendReady",
        "ImagePullFailed",
    ),
    (
        "no-image-to-migrate",
        "backend: {image: 'localhost:9/nothing:v1'}",
        "MigrationReady",
        "ImagePullFailed",
    ),
    (
        "failing",
        "backend: {migrate: {command: [sh, -c, exit 1]}}",
        "MigrationReady",
        "JobRetrying",
    ),
    (
        "invalid",
        "database: {external: {secretName: not-there}}",
        "Accepted",
        "Invalid",
    ),
    (
        "root",
        "backend: {image: 'docker.io/library/traefik:v3.6.12', migrate: null, podTemplate: null}",
        "BackendReady",
        "ImageRunsAsRoot",
    ),
];

#[test]
fn a_healthy_stack_does_not_feel_its_neighbours() {
    story("neighbours", async |world| {
        world.apply(&world.document(API)).await;
        world.ready("shop").await;
        trouble(world).await;

        let services = world.api::<Service>();
        for _ in 0..3 {
            let before = services.get("shop-backend").await.unwrap();
            world.delete::<Service>("shop-backend").await;
            world
                .until(
                    "the Service of the healthy stack is back",
                    SOON,
                    async || {
                        let now = services.get_opt("shop-backend").await.unwrap()?;
                        (uid(&now) != uid(&before)).then_some(())
                    },
                )
                .await;
        }
        world.apply(&world.document(API).named("second")).await;
        world.ready("second").await;
    });
}

/// Makes them all, and waits until each is in its trouble.
async fn trouble(world: &World) {
    world.apply_secret("nowhere", NOWHERE).await;
    let base = world.document(SCRIPTED);
    for (name, change, ..) in TROUBLE {
        let stack = base.named(name).with(&format!("spec: {{{change}}}"));
        world.apply(&stack).await;
    }
    for (name, _, condition, reason) in TROUBLE {
        world.says(name, condition, reason, &[], ROLL_OUT).await;
    }
}
