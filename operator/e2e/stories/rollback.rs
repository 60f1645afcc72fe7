//! A release that fails takes nothing away: the old one serves, says what happened, and there is one way out.

use appstack_operator::api::AppStack;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use crate::support::{SOON, World, condition, names, release, story};

/// How a release fares: what is changed, the reason that is told, and words of its message.
struct Fate {
    change: &'static str,
    reason: &'static str,
    words: &'static [&'static str],
}

const FATES: [Fate; 5] = [
    Fate {
        change: "{image: 'docker.io/library/postgres:missing'}",
        reason: "ProgressDeadlineExceeded",
        words: &["backend", "cannot pull", "postgres:missing"],
    },
    Fate {
        change: "{env: [{name: FATE, value: exits}]}",
        reason: "ContainerCrashing",
        words: &["exit code 3", "cannot find the soul of ***"],
    },
    Fate {
        change: "{env: [{name: FATE, value: unready}]}",
        reason: "ProgressDeadlineExceeded",
        words: &["did not become ready within rollout.progressDeadline"],
    },
    Fate {
        change: "{env: [{name: FATE, value: crashes}]}",
        reason: "ContainerCrashing",
        words: &["exit code 4", "out of luck"],
    },
    // Well by its own address, and not by the public one.
    Fate {
        change: "{env: [{name: FATE, value: lost}]}",
        reason: "PublicCheckFailed",
        words: &["3 bad answers in a row", "500"],
    },
];

#[test]
fn a_bad_release_never_takes_the_good_one_down() {
    story("rollback", async |world| {
        let (stack, visitor) = world.fated().await;
        let good = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        for fate in FATES {
            world
                .apply(&stack.with(&format!("spec: {{backend: {}}}", fate.change)))
                .await;
            world.rolled_back("shop", fate.reason, fate.words).await;
            let found = world.stack("shop").await;
            assert_eq!(release(&found), good);
            assert_ne!(target(&found), good);
            visitor.hears(world, "one first").await;
            only_pods_of(world, &good_revision(world).await).await;
        }
        // It stays so: what failed is not tried again by itself.
        world
            .stays("no pod is made for what failed", SOON, async || {
                world.deployments("shop", "backend").await.len() == 1
            })
            .await;
        asker.was_always_answered().await;

        // The way out: another release.
        world
            .apply(&stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}"))
            .await;
        let ready = world.ready("shop").await;
        assert_eq!(condition(&ready, "RolledBack").unwrap().status, "False");
        visitor.hears(world, "two first").await;
    });
}

#[test]
fn a_release_that_is_bad_only_for_visitors_is_taken_back() {
    story("rollback-edge", async |world| {
        let (stack, visitor) = world.fated().await;
        let good = release(&world.stack("shop").await).to_owned();
        // Bad behind the ingress controller alone; and well for the first two that come that way.
        for fate in ["astray", "weary"] {
            let bad = format!("spec: {{backend: {{env: [{{name: FATE, value: {fate}}}]}}}}");
            world.apply(&stack.with(&bad)).await;
            let words = ["failed at the edge", "3 bad answers in a row", "500"];
            world.rolled_back("shop", "PublicCheckFailed", &words).await;
            assert_eq!(release(&world.stack("shop").await), good);
            visitor.hears(world, "one first").await;
            only_pods_of(world, &good_revision(world).await).await;
        }
    });
}

#[test]
fn a_failed_release_is_tried_again_on_request_and_held_where_that_is_asked_for() {
    story("rollback-retry", async |world| {
        let (stack, _) = world.fated().await;
        let bad = stack.with("spec: {backend: {env: [{name: FATE, value: exits}]}}");
        world.apply(&bad).await;
        world.rolled_back("shop", "ContainerCrashing", &[]).await;
        let again = "metadata: {annotations: {appstack.dev/retry: please}}";
        world.patch::<AppStack>("shop", again).await;
        world
            .says("shop", "RolledBack", "NotNeeded", &[], SOON)
            .await;
        world.rolled_back("shop", "ContainerCrashing", &[]).await;

        world
            .apply(&bad.with("spec: {rollout: {onFailure: Hold}}"))
            .await;
        // That alone is no other release, so it is not tried again for it.
        let again = "metadata: {annotations: {appstack.dev/retry: once more}}";
        world.patch::<AppStack>("shop", again).await;
        let words = ["backend of 18", "ContainerCrashing"];
        world
            .says("shop", "Ready", "StageFailed", &words, SOON * 12)
            .await;
        world
            .stays("the failed pods stay to be looked at", SOON, async || {
                world.deployments("shop", "backend").await.len() == 2
            })
            .await;
    });
}

#[test]
fn the_newest_release_wins_also_during_a_rollback() {
    story("rollback-newest", async |world| {
        let (stack, visitor) = world.fated().await;
        let asker = visitor.keeps_asking();
        let word = |word: &str| {
            stack.with(&format!(
                "spec: {{backend: {{env: [{{name: WORD, value: {word}}}]}}}}"
            ))
        };
        world.apply(&word("two")).await;
        world.apply(&word("three")).await;
        world.ready("shop").await;
        visitor.hears(world, "three first").await;

        world
            .apply(&stack.with("spec: {backend: {env: [{name: FATE, value: exits}]}}"))
            .await;
        world
            .until("the bad release has failed", SOON * 12, async || {
                let found = world.stack("shop").await;
                let it = condition(&found, "RolledBack")?;
                (it.status == "True").then_some(())
            })
            .await;
        world.apply(&word("four")).await;
        world.ready("shop").await;
        visitor.hears(world, "four first").await;
        asker.was_always_answered().await;
        only_pods_of(world, &good_revision(world).await).await;
    });
}

#[test]
fn a_secret_that_is_deleted_during_a_roll_out_holds_it_and_takes_nothing_away() {
    story("rollback-secret", async |world| {
        let (stack, visitor) = world.fated().await;
        let good = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        world
            .apply(&stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}"))
            .await;
        world
            .until("the new pods are there", SOON * 2, async || {
                (world.pods("shop", "backend").await.len() == 2).then_some(())
            })
            .await;
        world.delete::<Secret>("keys").await;
        world.refuses("shop", &["there is no Secret keys"]).await;
        world
            .stays("the old release serves", SOON * 2, async || {
                release(&world.stack("shop").await) == good
            })
            .await;
        visitor.hears(world, "one first").await;

        // The way out: the Secret. The release goes on where it was.
        world.apply_secret("keys", "SECRET_KEY: first").await;
        world.ready_with_release_other_than("shop", &good).await;
        visitor.hears(world, "two first").await;
        asker.was_always_answered().await;
    });
}

#[test]
fn a_kept_release_comes_back_with_every_byte_that_it_had() {
    story("rollback-pin", async |world| {
        let (stack, visitor) = world.fated().await;
        let stack = stack.with("spec: {rollout: {history: 2}}");
        let first = release(&world.stack("shop").await).to_owned();
        let values = values(world).await;
        world.apply_secret("keys", "SECRET_KEY: second").await;
        world
            .apply(&stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}"))
            .await;
        world.ready_with_release_other_than("shop", &first).await;
        visitor.hears(world, "two second").await;
        let asker = visitor.keeps_asking();

        let pinned = stack.with(&format!("spec: {{rollout: {{pin: {first}}}}}"));
        world
            .apply(&pinned.with("spec: {rollout: {pin: shop-unknown}}"))
            .await;
        world.refuses("shop", &["spec.rollout.pin", &first]).await;
        world.apply(&pinned).await;
        let ready = world.ready("shop").await;
        assert_eq!(release(&ready), first);
        visitor.hears(world, "one first").await;
        assert_eq!(self::values(world).await, values);

        // Not even without the Secret that it was made from.
        world.delete::<Secret>("keys").await;
        world
            .stays("the pinned release is ready", SOON, async || {
                let found = world.stack("shop").await;
                condition(&found, "Ready").is_some_and(|it| it.status == "True")
            })
            .await;
        world
            .apply(&stack.with("spec: {rollout: {pin: null}}"))
            .await;
        world.refuses("shop", &["there is no Secret keys"]).await;
        visitor.hears(world, "one first").await;

        // No more are kept than are asked for, nor what they alone needed.
        world.apply_secret("keys", "SECRET_KEY: third").await;
        world.ready_with_release_other_than("shop", &first).await;
        visitor.hears(world, "one third").await;
        world
            .until("two releases are kept", SOON, async || {
                (kept(world).await == (2, 2)).then_some(())
            })
            .await;
        asker.was_always_answered().await;
    });
}

fn target(stack: &AppStack) -> &str {
    let status = stack.status.as_ref().unwrap();
    &status.target.as_ref().unwrap().name
}

/// The revision that gets the requests.
async fn good_revision(world: &World) -> String {
    let services = world.api::<k8s_openapi::api::core::v1::Service>();
    let service = services.get("shop-backend").await.unwrap();
    service.spec.unwrap().selector.unwrap()["appstack.dev/revision"].clone()
}

/// What failed is taken away: it pulls no image and takes no room.
async fn only_pods_of(world: &World, revision: &str) {
    world
        .until("only pods of the good release are left", SOON, async || {
            let pods = world.pods("shop", "backend").await;
            let good = |it: &k8s_openapi::api::core::v1::Pod| {
                it.labels()["appstack.dev/revision"] == revision
            };
            let all = pods.iter().all(good) && !pods.is_empty();
            all.then_some(names(&pods).len())
        })
        .await;
}

/// How many releases are kept, and how many Secrets with values.
async fn kept(world: &World) -> (usize, usize) {
    let releases = world
        .list::<ControllerRevision>("appstack.dev/stack=shop,appstack.dev/record=release")
        .await;
    let mut secrets = world.list::<Secret>("appstack.dev/stack=shop").await;
    secrets.retain(|it| it.name_any().starts_with("shop-values-"));
    (releases.len(), secrets.len())
}

/// The Secret that the serving pods read.
async fn values(world: &World) -> (String, Vec<(String, Vec<u8>)>) {
    let deployment = &world.deployments("shop", "backend").await[0];
    let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref();
    let env = pod.unwrap().containers[0].env.as_ref().unwrap();
    let key = env.iter().find(|it| it.name == "SECRET_KEY").unwrap();
    let source = key.value_from.as_ref().unwrap();
    let name = &source.secret_key_ref.as_ref().unwrap().name;
    let secret = world.api::<Secret>().get(name).await.unwrap();
    let data = secret.data.unwrap().into_iter();
    let data = data.map(|(key, value)| (key, value.0)).collect();
    (name.clone(), data)
}
