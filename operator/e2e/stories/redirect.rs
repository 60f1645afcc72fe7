//! How a stack is reached: redirects, HSTS, a certificate of one's own, and plain HTTP.

use kube::ResourceExt as _;
use reqwest::Response;

use crate::support::{API, Child, SOON, Visitor, World, story};

const PATH: &str = "/api/v1/version";

#[test]
fn staging_redirects_to_https() {
    story("redirect-staging", async |world| {
        let staging = "spec: {environment: staging, edge: {tls: {selfSigned: {}}}}";
        world.apply(&world.document(API).with(staging)).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor
            .reads(world, &format!("{}{PATH}", visitor.api))
            .await;
        redirects(world, &visitor).await;
        let answer = visitor
            .ask(&format!("{}{PATH}", visitor.api))
            .await
            .unwrap();
        assert_eq!(header(&answer, "strict-transport-security"), None);
    });
}

#[test]
fn production_redirects_and_adds_hsts() {
    story("redirect-production", async |world| {
        let production = "spec: {environment: production, edge: {tls: {selfSigned: {}}}}";
        world.apply(&world.document(API).with(production)).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor
            .reads(world, &format!("{}{PATH}", visitor.api))
            .await;
        redirects(world, &visitor).await;
        let hsts = world
            .until("the answer has HSTS", SOON, async || {
                let answer = visitor.ask(&format!("{}{PATH}", visitor.api)).await.ok()?;
                header(&answer, "strict-transport-security")
            })
            .await;
        assert_eq!(hsts, "max-age=31536000");
    });
}

#[test]
fn a_stack_serves_a_certificate_of_ones_own_or_plain_http() {
    story("redirect-tls", async |world| {
        let host = format!("api.{}", world.domain());
        let own = rcgen::generate_simple_self_signed([host]).unwrap();
        let certificate = own.cert.pem();
        world
            .apply(&tls_secret(&certificate, &own.signing_key.serialize_pem()))
            .await;
        let stack = world
            .document(API)
            .with("spec: {environment: staging, edge: {tls: {secretName: own}}}");
        world.apply(&stack).await;
        world.ready("shop").await;
        // It trusts this certificate and no other, so an answer shows that it is the one that is served.
        let visitor = world.visitor_trusting("shop", Some(&certificate)).await;
        visitor
            .reads(world, &format!("{}{PATH}", visitor.api))
            .await;
        redirects(world, &visitor).await;

        let plain = "spec: {edge: {tls: {secretName: null, disabled: {}}}}";
        world.apply(&stack.with(plain)).await;
        world.ready("shop").await;
        visitor
            .reads(world, &format!("{}{PATH}", visitor.plain_api))
            .await;
        // The ingress controller is given the time to learn that no Ingress names them.
        world
            .until("nothing is left over from HTTPS", SOON, async || {
                let children = world.children("shop").await;
                let is_left =
                    |it: &Child| it.kind == "Middleware" || it.object.name_any().ends_with("-tls");
                (!children.iter().any(is_left)).then_some(())
            })
            .await;
    });
}

/// Plain HTTP leads to the same page over HTTPS, at the port where that is served.
async fn redirects(world: &World, visitor: &Visitor) {
    let answer = world
        .until("plain HTTP redirects", SOON, async || {
            let answer = visitor
                .ask(&format!("{}{PATH}", visitor.plain_api))
                .await
                .ok()?;
            answer.status().is_redirection().then_some(answer)
        })
        .await;
    let status = answer.status().as_u16();
    assert!([301, 308].contains(&status), "{status} does not last");
    let location = header(&answer, "location");
    assert_eq!(location, Some(format!("{}{PATH}", visitor.api)));
}

fn header(answer: &Response, name: &str) -> Option<String> {
    let value = answer.headers().get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

fn tls_secret(certificate: &str, key: &str) -> crate::support::Document {
    crate::support::Document(serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "own"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key},
    }))
}
