//! Where an approval is required, a release waits for one of exactly its own, and is prepared meanwhile.

use appstack_operator::api::AppStack;

use crate::support::{FATED, NOWHERE, SOON, World, condition, release, story};

const REQUIRED: &str = "spec: {rollout: {approval: Required}}";

#[test]
fn a_release_waits_for_an_approval_of_exactly_it() {
    story("approval", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world.document(FATED).with(REQUIRED);
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

#[test]
fn images_are_pulled_before_anybody_approves_them() {
    story("approval-images", async |world| {
        let (stack, visitor) = world.fated_with(REQUIRED).await;
        let first = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();

        let missing = "spec: {backend: {image: 'docker.io/library/postgres:missing'}}";
        world.apply(&stack.with(missing)).await;
        let words = ["cannot pull", "postgres:missing"];
        let bad = awaited_with(world, &first, &words).await;
        // Whoever approves it all the same has approved it for when its images are there.
        approve(world, &bad).await;
        world
            .says("shop", "Ready", "ImagePullFailed", &words, SOON)
            .await;
        world
            .stays("the first release serves alone", SOON, async || {
                let one = world.deployments("shop", "backend").await.len() == 1;
                one && release(&world.stack("shop").await) == first
            })
            .await;

        // The way out: another release. Its site is an image that the stack did not have.
        let good = "spec: {backend: {env: [{name: WORD, value: two}]},
            frontend: {image: 'ghcr.io/appstack-dev/demo-frontend:dev'}}";
        world.apply(&stack.with(good)).await;
        let two = awaited_with(world, &bad, &["its images are pulled"]).await;
        world
            .until("nothing is left that pulls", SOON, async || {
                world.pods("shop", "images").await.is_empty().then_some(())
            })
            .await;
        visitor.hears(world, "one first").await;
        approve(world, &two).await;
        assert_eq!(release(&world.ready("shop").await), two);
        visitor.hears(world, "two first").await;
        asker.was_always_answered().await;
    });
}

/// The release that waits, which says what it would change.
async fn awaited(world: &World) -> String {
    awaited_other_than(world, "").await
}

async fn awaited_other_than(world: &World, other: &str) -> String {
    awaited_with(world, other, &["new pods: backend"]).await
}

/// Waits until a release waits for its approval, and says all of `words`.
async fn awaited_with(world: &World, other: &str, words: &[&str]) -> String {
    let what = format!("a release waits for its approval: {words:?}");
    world
        .until(&what, SOON * 6, async || {
            let found = world.stack("shop").await;
            let it = condition(&found, "AwaitingApproval")?;
            let told = words.iter().all(|word| it.message.contains(word));
            let name = &found.status.as_ref()?.target.as_ref()?.name;
            (it.status == "True" && told && name != other).then(|| name.clone())
        })
        .await
}

async fn approve(world: &World, release: &str) {
    let approved = format!("metadata: {{annotations: {{appstack.dev/approve: {release}}}}}");
    world.patch::<AppStack>("shop", &approved).await;
}
