//! Stacks in trouble do not slow down the others.

use k8s_openapi::api::core::v1::Service;

use crate::support::{API, ROLL_OUT, SCRIPTED, SOON, World, condition, story, uid};

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

/// Five stacks that cannot become ready, each for as long as the story lasts.
async fn trouble(world: &World) {
    world
        .apply_secret(
            "nowhere",
            "{host: nowhere, dbname: d, user: u, password: secret}",
        )
        .await;
    let base = world.document(SCRIPTED);
    let cases = [
        (
            "no-image",
            "backend: {migrate: null, image: 'localhost:9/nothing:v1'}",
        ),
        (
            "no-image-to-migrate",
            "backend: {image: 'localhost:9/nothing:v1'}",
        ),
        ("failing", "backend: {migrate: {command: [sh, -c, exit 1]}}"),
        ("invalid", "database: {external: {secretName: not-there}}"),
        (
            "root",
            "backend: {image: 'docker.io/library/traefik:v3.6.0', migrate: null, podTemplate: null}",
        ),
    ];
    for (name, change) in cases {
        let stack = base.named(name).with(&format!("spec: {{{change}}}"));
        world.apply(&stack).await;
    }
    for (name, _) in cases {
        world
            .until(&format!("{name} is in trouble"), ROLL_OUT, async || {
                let stack = world.stack(name).await;
                let reason = &condition(&stack, "Ready")?.reason;
                (reason != "RolledOut").then_some(())
            })
            .await;
    }
}
