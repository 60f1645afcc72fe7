//! What people do to the pods that serve, `kubectl rollout restart` above all, is theirs: it takes no request away, and
//! nobody undoes it.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;

use crate::support::{CLEAN_UP, SOON, World, release, story, uid};

const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

#[test]
fn a_restart_by_hand_survives_reconciliation() {
    story("restart-release", async |world| {
        let (stack, visitor) = world.fated().await;
        let served = release(&world.stack("shop").await).to_owned();
        let asker = visitor.keeps_asking();
        let name = world.deployments("shop", "backend").await[0].name_any();
        let old = uid(&world.pods("shop", "backend").await[0]);
        let deployment = format!("deployment/{name}");
        world
            .kubectl(&["annotate", &deployment, "example.com/note=ours"])
            .await;
        world.kubectl(&["rollout", "restart", &deployment]).await;
        let new = only_pod_other_than(world, &old).await;

        // The Deployment is applied as a whole once more.
        let nobody = "metadata: {labels: {app.kubernetes.io/instance: nobody}}";
        world.patch::<Deployment>(&name, nobody).await;
        let found = world
            .until("what is ours is put right", SOON, async || {
                let found = world.api::<Deployment>().get(&name).await.unwrap();
                (found.labels()["app.kubernetes.io/instance"] == "shop").then_some(found)
            })
            .await;
        assert_eq!(found.annotations()["example.com/note"], "ours");
        assert!(is_restarted(&found), "{found:?}");
        assert_eq!(release(&world.ready("shop").await), served);
        world
            .stays("the restart is not undone", SOON, async || {
                let pods = world.pods("shop", "backend").await;
                pods.len() == 1 && uid(&pods[0]) == new
            })
            .await;

        // The next release has pods of its own, which nobody has restarted.
        world
            .apply(&stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}"))
            .await;
        world.ready("shop").await;
        visitor.hears(world, "two first").await;
        assert!(!is_restarted(
            &world.deployments("shop", "backend").await[0]
        ));
        asker.was_always_answered().await;
    });
}

/// The UID of the backend's only pod, once it is another one.
async fn only_pod_other_than(world: &World, old: &str) -> String {
    world
        .until("the pod is replaced", CLEAN_UP, async || {
            let pods = world.pods("shop", "backend").await;
            let new = uid(pods.last()?);
            (pods.len() == 1 && new != old).then_some(new)
        })
        .await
}

fn is_restarted(deployment: &Deployment) -> bool {
    let spec = deployment.spec.as_ref();
    let template = spec.and_then(|it| it.template.metadata.as_ref());
    let annotations = template.and_then(|it| it.annotations.as_ref());
    annotations.is_some_and(|it| it.contains_key(RESTARTED))
}
