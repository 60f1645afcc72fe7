//! What serves is remembered as it was rendered: what says how the operator works, or how its templates look by now, takes
//! nothing away.

use crate::support::{SOON, World, condition, release, story, uid};

#[test]
fn how_a_release_is_rolled_out_is_changed_under_visitors_and_no_pod_is_replaced() {
    story("remembered", async |world| {
        let (stack, visitor) = world.fated().await;
        let served = release(&world.stack("shop").await).to_owned();
        let pods = pods(world).await;
        let asker = visitor.keeps_asking();
        for rollout in [
            "{progressDeadline: 20m, soak: 3s, history: 3}",
            "{progressDeadline: 1m, soak: 3s, onFailure: Hold}",
            "{}",
        ] {
            world
                .apply(&stack.with(&format!("spec: {{rollout: {rollout}}}")))
                .await;
            let now = world.ready("shop").await;
            assert_eq!(release(&now), served, "{rollout}");
            world
                .stays("no pod is replaced", SOON, async || {
                    self::pods(world).await == pods
                })
                .await;
        }
        asker.was_always_answered().await;
    });
}

#[test]
fn templates_of_now_are_taken_on_request_by_a_release_with_gates() {
    story("remembered-renewed", async |world| {
        let (_, visitor) = world.fated().await;
        let served = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        world
            .kubectl(&["annotate", "aps", "shop", "appstack.dev/renew=once"])
            .await;
        let renewed = world.ready_with_release_other_than("shop", &served).await;
        let current = condition(&renewed, "TemplatesCurrent").unwrap();
        assert_eq!(current.status, "True", "{current:?}");

        // The request was followed: that it is taken away is none.
        let pods = pods(world).await;
        world
            .kubectl(&["annotate", "aps", "shop", "appstack.dev/renew-"])
            .await;
        world
            .stays("nothing is released", SOON, async || {
                let now = world.stack("shop").await;
                release(&now) == release(&renewed) && self::pods(world).await == pods
            })
            .await;
        asker.was_always_answered().await;
    });
}

/// The UIDs of the pods that serve.
async fn pods(world: &World) -> Vec<String> {
    let mut all = world.pods("shop", "backend").await;
    all.extend(world.pods("shop", "frontend").await);
    let mut uids: Vec<String> = all.iter().map(uid).collect();
    uids.sort_unstable();
    uids
}
