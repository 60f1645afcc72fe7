//! Where an approval is required, a release waits for one of exactly its own.

use appstack_operator::api::AppStack;

use crate::support::{FATED, NOWHERE, SOON, World, condition, release, story};

#[test]
fn a_release_waits_for_an_approval_of_exactly_it() {
    story("approval", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world
            .document(FATED)
            .with("spec: {rollout: {approval: Required}}");
        // The first release has nothing to wait for.
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        let word = |word: &str| {
            stack.with(&format!(
                "spec: {{backend: {{env: [{{name: WORD, value: {word}}}]}}}}"
            ))
        };

        world.apply(&word("two")).await;
        let two = awaited(world).await;
        world
            .stays("the first release serves alone", SOON, async || {
                let one = world.deployments("shop", "backend").await.len() == 1;
                one && release(&world.stack("shop").await) == first
            })
            .await;

        // An approval that comes too late is for nothing.
        world.apply(&word("three")).await;
        let three = awaited_other_than(world, &two).await;
        approve(world, &two).await;
        world
            .stays("the first release serves", SOON, async || {
                release(&world.stack("shop").await) == first
            })
            .await;

        approve(world, &three).await;
        let ready = world.ready("shop").await;
        assert_eq!(release(&ready), three);
        let approved = condition(&ready, "AwaitingApproval").unwrap();
        assert_eq!(approved.status, "False");
        assert!(
            approved.message.contains("approved by a-user"),
            "{approved:?}"
        );
    });
}

/// The release that waits, which says what it would change.
async fn awaited(world: &World) -> String {
    awaited_other_than(world, "").await
}

async fn awaited_other_than(world: &World, other: &str) -> String {
    world
        .until("a release waits for its approval", SOON, async || {
            let found = world.stack("shop").await;
            let it = condition(&found, "AwaitingApproval")?;
            let told = it.message.contains("new pods: backend");
            let name = &found.status.as_ref()?.target.as_ref()?.name;
            (it.status == "True" && told && name != other).then(|| name.clone())
        })
        .await
}

async fn approve(world: &World, release: &str) {
    let approved = format!("metadata: {{annotations: {{appstack.dev/approve: {release}}}}}");
    world.patch::<AppStack>("shop", &approved).await;
}
