//! The operator has the rights of its chart and needs no others; what it makes has none at all.

use k8s_openapi::api::core::v1::Pod;

use crate::support::{SHOP, story};

#[test]
fn the_rights_of_the_chart_are_enough_and_not_too_many() {
    story("privileges", async |world| {
        world.apply(&world.document(SHOP)).await;
        world.ready("shop").await;

        let refused: Vec<_> = world
            .writes()
            .into_iter()
            .filter(|it| it.code == 403)
            .collect();
        assert!(refused.is_empty(), "{refused:?}");
        let log = world
            .kubectl(&[
                "--namespace",
                "appstack-system",
                "logs",
                "deployment/appstack-operator",
            ])
            .await;
        // A namespace that is on its way out takes nothing new from anybody.
        let forbidden: Vec<&str> = log
            .lines()
            .filter(|it| it.contains("orbidden") && !it.contains("is being terminated"))
            .collect();
        assert!(forbidden.is_empty(), "{forbidden:#?}");

        for (right, has) in [
            ("create deployments.apps", "yes"),
            ("delete persistentvolumeclaims", "no"),
            ("create pods", "no"),
            ("patch pods", "no"),
            ("create pods --subresource=exec", "no"),
            ("create roles.rbac.authorization.k8s.io", "no"),
            // A finalizer while something changes the data, and nothing else.
            ("patch appstacks.appstack.dev", "yes"),
            ("update appstacks.appstack.dev", "no"),
            ("delete appstacks.appstack.dev", "no"),
        ] {
            assert_eq!(may(world, right).await, has, "{right}");
        }
    });
}

#[test]
fn pods_of_a_stack_carry_no_token() {
    story("privileges-pods", async |world| {
        world.apply(&world.document(SHOP)).await;
        world.ready("shop").await;
        let pods = world.list::<Pod>("appstack.dev/stack=shop").await;
        assert!(pods.len() >= 3, "{pods:?}");
        for pod in pods {
            let spec = pod.spec.unwrap();
            assert_eq!(spec.service_account_name.as_deref(), Some("shop-app"));
            let volumes = serde_json::json!(spec.volumes).to_string();
            assert!(!volumes.contains("serviceAccountToken"), "{volumes}");
        }
    });
}

/// Whether the operator may do something in the namespace of the story.
async fn may(world: &crate::support::World, right: &str) -> String {
    let mut kubectl = world.cluster.kubectl().unwrap();
    kubectl
        .args(["--namespace", &world.namespace, "auth", "can-i"])
        .args([
            "--as",
            "system:serviceaccount:appstack-system:appstack-operator",
        ])
        .args(right.split(' '));
    // It ends with 1 when the answer is no.
    let output = kubectl.output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
