//! Certificates of an authority that speaks ACME, as Let's Encrypt does: issued, renewed, exchanged for others, and what becomes of
//! visitors when the authority is away or has had enough. It refuses every fifth nonce all the while.

use std::time::Duration;

use appstack_operator::api::{CertificateStatus, HostStep};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::networking::v1::Ingress;
use local_cluster::authority;

use crate::support::{API, Document, Visitor, World, condition, disturbing_story};

/// How long a certificate may take: cert-manager asks itself first whether the challenge is answered, every ten seconds.
const ISSUED: Duration = Duration::from_mins(3);
/// The certificates of this authority are good for three minutes, and renewed after two.
const RENEWED: Duration = Duration::from_mins(4);
/// For how long they are good.
const GOOD: SignedDuration = SignedDuration::from_mins(3);
const PATH: &str = "/api/v1/version";

#[test]
fn acme_certificates_are_issued_renewed_and_exchanged_under_visitors() {
    disturbing_story("acme-renewal", async |world| {
        let stack = stack(world);
        world.apply(&stack).await;
        let visitor = served(world, &stack).await;
        let first = certificate(world).await;
        assert_eq!((first.issued, first.failed), (1, 0), "{first:?}");
        let asker = visitor.keeps_asking();

        let renewed = world
            .until("the certificate is renewed", RENEWED, async || {
                let now = certificate(world).await;
                (now.issued > first.issued).then_some(now)
            })
            .await;
        assert_eq!(renewed.name, first.name);
        assert!(renewed.expires_at > first.expires_at);

        // Another host has another certificate, and until that is there all is as it was.
        let host = format!("www.{}", world.domain());
        let more = stack.with(&format!(
            "spec: {{edge: {{hosts: {{redirects: [{host}]}}}}}}"
        ));
        world.apply(&more).await;
        let both = served(world, &more).await;
        let port = world.cluster.https_port().unwrap();
        let answer = both
            .ask(&format!("https://{host}:{port}{PATH}"))
            .await
            .unwrap();
        assert_eq!(answer.status(), 301);
        let exchanged = certificate(world).await;
        assert_ne!(exchanged.name, first.name);
        asker.was_always_answered().await;
        let certificates = world
            .kubectl(&["get", "certificates", "--output=name"])
            .await;
        assert_eq!(certificates.lines().count(), 1, "{certificates}");

        // A stack of the same name finds what was issued, and asks for nothing.
        world
            .kubectl(&["delete", "appstack", "shop", "--wait"])
            .await;
        world.apply(&more).await;
        served(world, &more).await;
        let orders = world.kubectl(&["get", "orders", "--output=name"]).await;
        assert_eq!(
            orders.trim(),
            "",
            "a stack that was made again ordered anew"
        );
    });
}

#[test]
fn acme_authorities_that_are_away_or_have_had_enough_take_nothing_from_visitors() {
    disturbing_story("acme-away", async |world| {
        world.afterwards(|world| Box::pin(leads_to(world, AUTHORITY)));
        let stack = stack(world);
        world.apply(&stack).await;
        let visitor = served(world, &stack).await;
        let (before, asker) = (ways(world).await, visitor.keeps_asking());

        leads_to(world, AWAY).await;
        let host = |name: &str| {
            let host = format!("{name}.{}", world.domain());
            stack.with(&format!(
                "spec: {{edge: {{hosts: {{redirects: [{host}]}}}}}}"
            ))
        };
        world.apply(&host("www")).await;
        world
            .until(
                "the condition says that it does not come",
                ISSUED,
                async || {
                    let stack = world.stack("shop").await;
                    let edge = condition(&stack, "EdgeReady")?;
                    (edge.reason == "CertificateNotIssued").then_some(())
                },
            )
            .await;
        assert_eq!(ways(world).await, before);

        leads_to(world, LIMITED).await;
        world.apply(&host("web")).await;
        let words = ["too many certificates", "the authority has limits"];
        world
            .says("shop", "EdgeReady", "CertificateNotIssued", &words, ISSUED)
            .await;
        assert_eq!(ways(world).await, before);

        leads_to(world, AUTHORITY).await;
        served(world, &host("web")).await;
        asker.was_always_answered().await;
    });
}

#[test]
fn acme_certificates_that_traefik_asks_for_are_served_renewed_and_told_where_none_comes() {
    disturbing_story("acme-resolver", async |world| {
        let resolved = |resolver: &str| {
            let fields = format!(
                "spec: {{environment: staging, rollout: {{soak: 1s}}, edge: {{tls: {{resolver: {resolver}}}}}}}"
            );
            world.document(API).with(&fields)
        };
        let stack = resolved(authority::RESOLVER);
        world.apply(&stack).await;
        let visitor = served(world, &stack).await;
        let first_ends = Timestamp::now() + GOOD;
        let asker = visitor.keeps_asking();

        let other = resolved("nowhere")
            .named("other")
            .with(&format!("spec: {{domain: other.{}}}", world.domain()));
        world.apply(&other).await;
        let unreached = world
            .until("the status says that none comes", ISSUED, async || {
                let status = world.stack("other").await.status?;
                status.unreached_hosts.into_iter().next()
            })
            .await;
        assert_eq!(unreached.step, HostStep::Certificate, "{unreached:?}");
        for words in ["than one for the host: CN=TRAEFIK", "resolver nowhere"] {
            assert!(unreached.message.contains(words), "{unreached:?}");
        }
        world
            .kubectl(&["delete", "appstack", "other", "--wait"])
            .await;

        // Whoever is served now has another certificate than the first one.
        world
            .until("the first certificate has ended", RENEWED, async || {
                (Timestamp::now() > first_ends).then_some(())
            })
            .await;
        visitor
            .reads(world, &format!("{}{PATH}", visitor.api))
            .await;
        asker.was_always_answered().await;
        let edge = world.stack("shop").await;
        let edge = condition(&edge, "EdgeReady").unwrap();
        assert!(!edge.message.contains("do not get through"), "{edge:?}");
    });
}

/// A stack whose certificate the authority issues.
fn stack(world: &World) -> Document {
    let issuer = format!("{{name: {}, kind: ClusterIssuer}}", authority::ISSUER);
    let fields = format!(
        "spec: {{environment: staging, rollout: {{soak: 1s}}, edge: {{tls: {{issuer: {issuer}}}}}}}"
    );
    world.document(API).with(&fields)
}

/// A visitor of the stack, who trusts nobody but the authority, once it is served.
async fn served(world: &World, stack: &Document) -> Visitor {
    world
        .until("the stack is ready", ISSUED, async || {
            let now = world.stack(stack.name()).await;
            let ready = condition(&now, "Ready")?;
            let is_of_now = ready.observed_generation == now.metadata.generation;
            (ready.status == "True" && is_of_now).then_some(())
        })
        .await;
    let root = "/api/v1/namespaces/pebble/services/https:pebble-itself:roots/proxy/roots/0";
    let root = world.kubectl(&["get", "--raw", root]).await;
    let visitor = world.visitor_trusting(stack.name(), Some(&root)).await;
    visitor
        .reads(world, &format!("{}{PATH}", visitor.api))
        .await;
    visitor
}

/// What the status says of the certificate.
async fn certificate(world: &World) -> CertificateStatus {
    let status = world.stack("shop").await.status.unwrap();
    status.certificate.expect("a certificate in the status")
}

/// The ways in, as they are.
async fn ways(world: &World) -> Vec<Ingress> {
    let mut ways: Vec<Ingress> = world.list("app.kubernetes.io/component=edge").await;
    for way in &mut ways {
        way.metadata.managed_fields = None;
        way.metadata.resource_version = None;
        way.status = None;
    }
    ways
}

/// The ports of the authority's front: the authority, one that has had enough, and nobody.
const AUTHORITY: u16 = 14000;
const LIMITED: u16 = 14001;
const AWAY: u16 = 9;

/// Who answers when cert-manager asks the authority.
async fn leads_to(world: &World, port: u16) {
    let patch =
        format!(r#"[{{"op": "replace", "path": "/spec/ports/0/targetPort", "value": {port}}}]"#);
    let words = [
        "patch",
        "service",
        "pebble",
        "--type=json",
        "--patch",
        &patch,
    ];
    world
        .kubectl(&[words.as_slice(), &["--namespace=pebble"]].concat())
        .await;
}
