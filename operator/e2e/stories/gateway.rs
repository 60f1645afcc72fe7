//! Visitors come in by a Gateway of somebody else's, who says which hosts and namespaces it takes.

use appstack_operator::model::kinds::{Gateway, HTTPRoute};
use reqwest::StatusCode;
use reqwest::header::LOCATION;

use crate::support::{API, Document, ROLL_OUT, SHOP, SOON, World, condition, release, story};

const VERSION: &str = "/api/v1/version";

/// The platform's Gateway of Traefik. The ports are those of its entry points.
const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec:
  gatewayClassName: traefik
  listeners:
    - name: https
      protocol: HTTPS
      port: 8443
      hostname: '*.$domain'
      tls: {certificateRefs: [{name: web}]}
      allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {gateway: web}}}}
    - {name: http, protocol: HTTP, port: 8000, allowedRoutes: {namespaces: {from: All}}}
";

impl World {
    /// The namespace of the platform, with a Gateway and its certificate, and that certificate.
    async fn platform(&self) -> (Self, String) {
        let platform = self.beside().await;
        let host = format!("*.{}", self.domain());
        let own = rcgen::generate_simple_self_signed([host]).unwrap();
        let certificate = own.cert.pem();
        platform
            .apply(&Document(serde_json::json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "type": "kubernetes.io/tls",
                "stringData": {"tls.crt": certificate, "tls.key": own.signing_key.serialize_pem()},
            })))
            .await;
        platform.apply(&self.document(GATEWAY)).await;
        (platform, certificate)
    }

    /// Whether the platform lets the story's namespace in.
    async fn lets_in(&self, are: bool) {
        let label = if are { "gateway=web" } else { "gateway-" };
        let words = ["label", "namespace", &self.namespace, label];
        self.kubectl(&words).await;
    }

    /// A stack behind the platform's Gateway.
    fn behind(&self, platform: &Self, yaml: &str) -> Document {
        let gateway = format!(
            "spec: {{environment: staging, edge: {{gateway: {{name: web, namespace: {}}}}}}}",
            platform.namespace
        );
        self.document(yaml).with(&gateway)
    }
}

#[test]
fn a_gateway_leads_visitors_here_with_all_that_it_can_be_told() {
    story("gateway", async |world| {
        let (platform, certificate) = world.platform().await;
        world.lets_in(true).await;
        let stack = world.behind(&platform, SHOP);
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        assert!(
            world
                .kubectl(&["get", "ingress", "--output=name"])
                .await
                .is_empty()
        );
        // Nobody but the Gateway has this certificate.
        let visitor = world.visitor_trusting("shop", Some(&certificate)).await;
        let (site, api) = (
            format!("{}/items?page=2", visitor.site),
            format!("{}{VERSION}", visitor.api),
        );
        visitor.reads(world, &site).await;
        visitor.reads(world, &api).await;
        let plain = visitor
            .ask(&format!("{}{VERSION}", visitor.plain_api))
            .await
            .unwrap();
        assert_eq!(plain.status(), StatusCode::MOVED_PERMANENTLY);
        assert_eq!(plain.headers()[LOCATION], api);

        let asker = visitor.keeps_asking();
        let next = stack.with("spec: {projectName: Next}");
        world.apply(&next).await;
        world.ready_with_release_other_than("shop", &first).await;
        asker.was_always_answered().await;

        world
            .patch::<HTTPRoute>("shop-edge-api", "spec: {hostnames: [elsewhere.test]}")
            .await;
        world
            .until("a changed route is put right", SOON, async || {
                let route = world.api::<HTTPRoute>().get("shop-edge-api").await.ok()?;
                (route.spec.hostnames != ["elsewhere.test"]).then_some(())
            })
            .await;
        visitor.reads(world, &api).await;

        let elsewhere = next.with("spec: {edge: {access: {allow: ['192.0.2.0/24']}}}");
        world.apply(&elsewhere).await;
        for url in [&site, &api] {
            visitor.answers(world, url, StatusCode::FORBIDDEN).await;
        }
        world
            .apply(&next.with("spec: {edge: {maintenance: true}}"))
            .await;
        visitor
            .answers(world, &site, StatusCode::SERVICE_UNAVAILABLE)
            .await;
        world.apply(&next).await;
        for url in [&site, &api] {
            visitor.answers(world, url, StatusCode::OK).await;
        }
    });
}

#[test]
fn what_a_gateway_refuses_is_told_and_no_release_fails_by_it() {
    story("gateway-refused", async |world| {
        let (platform, certificate) = world.platform().await;
        let stack = world.behind(&platform, API);
        world
            .apply(&stack.with("spec: {edge: {gateway: {sectionName: tcp}}}"))
            .await;
        let words = [
            "edge.gateway.sectionName",
            "has no such listener; it has: https (HTTPS",
        ];
        world.refuses("shop", &words).await;
        world.apply(&stack).await;
        let words = [
            "listener https of Gateway",
            "does not let in routes of namespace",
        ];
        world
            .says("shop", "EdgeReady", "RouteRefused", &words, ROLL_OUT)
            .await;

        world.lets_in(true).await;
        world.ready("shop").await;
        let visitor = world.visitor_trusting("shop", Some(&certificate)).await;
        visitor
            .reads(world, &format!("{}{VERSION}", visitor.api))
            .await;

        world.lets_in(false).await;
        world
            .until(
                "the stack says that the Gateway shuts it out",
                SOON,
                async || {
                    let stack = world.stack("shop").await;
                    let edge = condition(&stack, "EdgeReady")?;
                    let is_told = edge.message.contains("does not let in routes of namespace");
                    (edge.status == "True" && is_told).then_some(())
                },
            )
            .await;
        world.lets_in(true).await;
        visitor
            .reads(world, &format!("{}{VERSION}", visitor.api))
            .await;

        platform.delete::<Gateway>("web").await;
        let words = ["edge.gateway: there is no Gateway"];
        world.refuses("shop", &words).await;
        platform.apply(&world.document(GATEWAY)).await;
        world.ready("shop").await;
        visitor
            .reads(world, &format!("{}{VERSION}", visitor.api))
            .await;
    });
}
