//! What serves is remembered as it was rendered: what says how the operator works, or how its templates look by now, takes
//! nothing away.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;

use crate::support::{SOON, World, condition, disturbing_story, release, story, uid};

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

#[test]
fn a_setting_that_reaches_pods_is_a_release_under_visitors() {
    disturbing_story("remembered-setting", async |world| {
        let (_, visitor) = world.fated().await;
        let served = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        let usual = set_https_port(world, "9443").await;
        let moved = world.ready_with_release_other_than("shop", &served).await;
        let urls = moved.status.clone().unwrap().urls.unwrap();
        assert!(urls.api.ends_with(":9443"), "{urls:?}");

        set_https_port(world, &usual).await;
        let back = world
            .ready_with_release_other_than("shop", release(&moved))
            .await;
        let urls = back.status.clone().unwrap().urls.unwrap();
        assert!(!urls.api.ends_with(":9443"), "{urls:?}");
        asker.was_always_answered().await;
    });
}

/// Tells the operator another port, as its chart does, and gives the one before.
async fn set_https_port(world: &World, port: &str) -> String {
    const FLAG: &str = "--public-https-port=";
    let operators: Api<Deployment> = Api::namespaced(world.client.clone(), "appstack-system");
    let mut operator = operators.get("appstack-operator").await.unwrap();
    let pod = operator
        .spec
        .as_mut()
        .and_then(|it| it.template.spec.as_mut());
    let arguments = pod.unwrap().containers[0].args.iter_mut().flatten();
    let argument = arguments
        .into_iter()
        .find(|it| it.starts_with(FLAG))
        .expect("the flag");
    let before = argument.trim_start_matches(FLAG).to_owned();
    *argument = format!("{FLAG}{port}");
    let params = PostParams::default();
    operators
        .replace("appstack-operator", &params, &operator)
        .await
        .unwrap();
    before
}

/// The UIDs of the pods that serve.
async fn pods(world: &World) -> Vec<String> {
    let mut all = world.pods("shop", "backend").await;
    all.extend(world.pods("shop", "frontend").await);
    let mut uids: Vec<String> = all.iter().map(uid).collect();
    uids.sort_unstable();
    uids
}
