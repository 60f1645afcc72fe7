//! A suspended stack is left as it is, and is put right when it is resumed.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;

use crate::support::{API, SOON, condition, story};

#[test]
fn a_suspended_stack_is_not_changed() {
    story("suspend", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        world.ready("shop").await;

        let suspended = stack.with("spec: {suspend: true, backend: {replicas: 2}}");
        world.apply(&suspended).await;
        world
            .says(
                "shop",
                "Reconciling",
                "Suspended",
                &["suspend is true"],
                SOON,
            )
            .await;
        world.delete::<Service>("shop-backend").await;
        world
            .stays(
                "the Service stays away and one pod is wanted",
                SOON * 2,
                async || {
                    let service = world
                        .api::<Service>()
                        .get_opt("shop-backend")
                        .await
                        .unwrap();
                    let backend = world.deployments("shop", "backend").await;
                    let replicas = |it: &Deployment| it.spec.as_ref()?.replicas;
                    service.is_none() && backend.iter().map(replicas).eq([Some(1)])
                },
            )
            .await;

        world.apply(&suspended.with("spec: {suspend: null}")).await;
        world
            .until("the Service is back", SOON, async || {
                world
                    .api::<Service>()
                    .get_opt("shop-backend")
                    .await
                    .unwrap()
            })
            .await;
        let ready = world.ready("shop").await;
        assert_eq!(condition(&ready, "Ready").unwrap().reason, "RolledOut");
        assert_eq!(world.pods("shop", "backend").await.len(), 2);
    });
}
