//! Certificates that cert-manager looks after: visitors are led to new hosts once theirs is there, and those of before keep theirs.

use anyhow::{Context as _, Result, ensure};
use appstack_operator::model::kinds::Certificate;
use appstack_operator::runtime::kind::Kind;
use appstack_operator::runtime::optional_apis::Definition;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::starts::now;
use super::{EDGE, NAMESPACE, STACK, World, users_secret};

const ISSUER: &str = "clusterissuers/letsencrypt";

impl World {
    /// A stack whose certificate an issuer is to issue, as far as its edge.
    async fn with_issuer() -> Result<Self> {
        let world = Self::new();
        world.server.put(ISSUER, json!({
            "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "letsencrypt"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        let issuer = json!({"name": "letsencrypt", "kind": "ClusterIssuer"});
        let edge = json!({"tls": {"issuer": issuer}});
        world.server.set(STACK, "edge", edge)?;
        world.asks().await?;
        Ok(world)
    }

    /// Comes to rest, a moment after a certificate was asked for.
    async fn asks(&self) -> Result<()> {
        self.settle().await?;
        self.age_objects(&now().to_string())?;
        self.reconcile().await??;
        Ok(())
    }

    /// The same once it serves.
    async fn with_certificate() -> Result<Self> {
        let world = Self::with_issuer().await?;
        world.issue(&world.certificate(&[])?, "2099-01-01T00:00:00Z")?;
        world.settle().await?;
        world.server.forget();
        Ok(world)
    }

    /// Does what cert-manager does when all goes well.
    fn issue(&self, at: &str, not_after: &str) -> Result<()> {
        let certificate = self.server.get(at).context("no Certificate")?;
        let hosts = certificate["spec"]["dnsNames"].as_array().cloned();
        let hosts: Vec<String> = hosts
            .unwrap_or_default()
            .iter()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect();
        let made = rcgen::generate_simple_self_signed(hosts)?;
        let bytes = |text: String| ByteString(text.into_bytes());
        let data = json!({"tls.crt": bytes(made.cert.pem()), "tls.key": bytes(made.signing_key.serialize_pem())});
        let secret = certificate["spec"]["secretName"].as_str();
        users_secret(self, secret.context("no name")?, data);
        self.tell(at, &json!({
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": certificate["metadata"]["generation"]}],
            "notAfter": not_after, "renewalTime": "2098-12-01T00:00:00Z", "revision": 1,
        }))
    }

    fn tell(&self, at: &str, status: &Value) -> Result<()> {
        let mut object = self.server.get(at).context("no such object")?;
        object["status"] = status.clone();
        self.server.put(at, object);
        Ok(())
    }

    /// An object of cert-manager's that belongs to the one at another address.
    fn owned(
        &self,
        at: &str,
        (group, kind): (&str, &str),
        owner: &str,
        more: &Value,
    ) -> Result<()> {
        let mut owner = self.server.get(owner).context("no owner")?;
        let uid = owner["metadata"]["uid"].take();
        let mut object = json!({
            "apiVersion": format!("{group}/v1"), "kind": kind,
            "metadata": {"name": at.rsplit('/').next(), "namespace": NAMESPACE,
                         "ownerReferences": [{"apiVersion": "cert-manager.io/v1", "kind": "x", "name": "x", "uid": uid}]},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        self.server.put(at, object);
        Ok(())
    }

    /// The Secret that the way in names.
    fn served(&self) -> Option<Value> {
        let mut ingress = self.server.get(EDGE)?;
        Some(ingress["spec"]["tls"][0]["secretName"].take())
    }

    /// The address of the Certificate that is none of these.
    fn certificate(&self, others: &[String]) -> Result<String> {
        let all = self.certificates();
        let found = all.iter().find(|it| !others.contains(it));
        Ok(format!("certificates/{}", found.context("no Certificate")?))
    }

    fn certificates(&self) -> Vec<String> {
        let all = self.server.all("Certificate");
        let name = |it: &Value| {
            it["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        all.iter().map(name).collect()
    }
}

#[tokio::test]
async fn the_way_in_opens_once_the_certificate_is_there() -> Result<()> {
    let world = World::with_issuer().await?;
    assert_eq!(world.condition("EdgeReady"), "False CertificatePending");
    ensure!(world.server.get(EDGE).is_none());
    let at = world.certificate(&[])?;
    let spec = world.server.get(&at).context("none")?["spec"].take();
    assert_eq!(
        spec,
        json!({
            "secretName": at.rsplit('/').next(), "dnsNames": ["api.localhost", "dashboard.localhost"],
            "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer", "group": "cert-manager.io"},
            "privateKey": {"rotationPolicy": "Always"},
        })
    );
    world.issue(&at, "2099-01-01T00:00:00Z")?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.served(), Some(spec["secretName"].clone()));
    let status = world.server.get(STACK).context("none")?["status"].take();
    assert_eq!(
        status["certificate"],
        json!({"name": spec["secretName"], "expiresAt": "2099-01-01T00:00:00Z", "renewsAt": "2098-12-01T00:00:00Z", "issued": 1, "failed": 0})
    );
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_added_takes_nothing_from_those_that_serve() -> Result<()> {
    let world = World::with_certificate().await?;
    let (old, served) = (world.certificates(), world.server.get(EDGE));
    world.patch(&json!({"spec": {"domain": "shop.test"}}))?;
    world.asks().await?;
    assert_eq!(world.condition("EdgeReady"), "False CertificatePending");
    let spec = |it: Option<Value>| it.map(|mut it| it["spec"].take());
    assert_eq!(spec(world.server.get(EDGE)), spec(served.clone()));
    assert_eq!(world.certificates().len(), 2);
    // What is changed of the way in meanwhile comes back.
    world.server.remove(EDGE);
    world.settle().await?;
    assert_eq!(spec(world.server.get(EDGE)), spec(served));

    let new = world.certificate(&old)?;
    world.issue(&new, "2099-01-01T00:00:00Z")?;
    world.settle().await?;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    assert_eq!(world.certificates().len(), 1);
    ensure!(world.certificates() != old);
    // What was issued stays: a release that comes back finds it.
    ensure!(world.server.get(&format!("secrets/{}", old[0])).is_some());
    Ok(())
}

#[tokio::test]
async fn one_order_waits_for_the_other() -> Result<()> {
    let world = World::with_certificate().await?;
    let old = world.certificate(&[])?;
    let mut status = world.server.get(&old).context("none")?["status"].take();
    let issuing = json!({"type": "Issuing", "status": "True", "lastTransitionTime": now()});
    let conditions = status["conditions"].as_array_mut().context("none")?;
    conditions.push(issuing);
    world.tell(&old, &status)?;
    world.patch(&json!({"spec": {"domain": "shop.test"}}))?;
    world.settle().await?;
    assert_eq!(world.certificates().len(), 1);
    assert_eq!(world.condition("EdgeReady"), "False CertificatePending");
    ensure!(
        world.message("EdgeReady").contains("once no other one"),
        "{}",
        world.message("EdgeReady")
    );
    // One that hangs holds nothing up for ever.
    let conditions = status["conditions"].as_array_mut().context("none")?;
    conditions[1]["lastTransitionTime"] = json!("2026-01-01T00:00:00Z");
    world.tell(&old, &status)?;
    world.settle().await?;
    assert_eq!(world.certificates().len(), 2);
    Ok(())
}

impl World {
    /// What the condition of the edge says has this in it.
    fn says(&self, what: &str) -> Result<()> {
        let message = self.message("EdgeReady");
        ensure!(message.contains(what), "{message}");
        Ok(())
    }
}

#[tokio::test]
async fn an_issuer_that_is_missing_or_not_ready_is_told() -> Result<()> {
    let world = World::with_issuer().await?;
    world.server.remove(ISSUER);
    world.reconcile().await??;
    assert_eq!(world.condition("EdgeReady"), "False CertificateNotIssued");
    world.says("there is no ClusterIssuer letsencrypt; make it")?;
    world.server.put(ISSUER, json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "letsencrypt"},
        "spec": {"acme": {"server": "https://acme-v02.api.letsencrypt.org/directory"}},
        "status": {"conditions": [{"type": "Ready", "status": "False", "message": "no such account"}]},
    }));
    world.reconcile().await??;
    world.says("ClusterIssuer letsencrypt is not ready: no such account")?;
    world.says("this stack is not production: Let's Encrypt has a staging authority")
}

const REQUEST: &str = "certificaterequests/shop-1";
const ORDER: &str = "orders/shop-1";
const CHALLENGE: &str = "challenges/shop-1";

impl World {
    /// Gives all of cert-manager's objects this age.
    fn age_objects(&self, made: &str) -> Result<()> {
        let all = self.server.addresses().into_iter();
        let kinds = ["Certificate", "CertificateRequest", "Order"];
        for (at, _) in all.filter(|(_, kind)| kinds.contains(&kind.as_str())) {
            let mut object = self.server.get(&at).context("it is gone")?;
            object["metadata"]["creationTimestamp"] = json!(made);
            self.server.put(&at, object);
        }
        Ok(())
    }

    fn request(&self) -> Result<()> {
        let kind = ("cert-manager.io", "CertificateRequest");
        self.owned(REQUEST, kind, &self.certificate(&[])?, &json!({}))
    }

    fn order(&self, status: &Value) -> Result<()> {
        let kind = ("acme.cert-manager.io", "Order");
        self.owned(ORDER, kind, REQUEST, &json!({"status": status}))
    }

    fn challenge(&self, reason: &str) -> Result<()> {
        let kind = ("acme.cert-manager.io", "Challenge");
        let body = json!({"spec": {"dnsName": "api.localhost"}, "status": {"state": "pending", "reason": reason}});
        self.owned(CHALLENGE, kind, ORDER, &body)
    }
}

#[tokio::test]
async fn that_nobody_answers_is_told_though_no_object_says_so() -> Result<()> {
    let world = World::with_issuer().await?;
    world.reconcile().await??;
    assert_eq!(world.condition("EdgeReady"), "False CertificatePending");
    world.age_objects("2026-01-01T00:00:00Z")?;
    world.reconcile().await??;
    world.says("cert-manager does not look at it: does it run?")?;
    world.request()?;
    world.order(&json!({}))?;
    world.age_objects("2026-01-01T00:00:00Z")?;
    world.reconcile().await??;
    world.says("the authority of ClusterIssuer letsencrypt has not taken the order: it is away")
}

#[tokio::test]
async fn what_is_in_the_way_is_told_in_the_words_of_who_knows() -> Result<()> {
    let world = World::with_issuer().await?;
    world.request()?;
    world.order(&json!({"state": "pending"}))?;
    world.challenge("lookup api.localhost: no such host")?;
    world.reconcile().await??;
    world.says(
        "the challenge for api.localhost is pending: lookup api.localhost: no such host; make a DNS record",
    )?;
    world.challenge("wrong status code '404', expected '200'")?;
    world.reconcile().await??;
    world.says("allowacmebypass=true")
}

#[tokio::test]
async fn an_authority_that_has_had_enough_says_when_it_may_be_asked_again() -> Result<()> {
    let world = World::with_issuer().await?;
    world.request()?;
    world.order(&json!({"state": "errored", "reason": "429 urn:ietf:params:acme:error:rateLimited: retry after 2026-12-01 10:00:00 UTC"}))?;
    world.tell(&world.certificate(&[])?, &json!({
        "conditions": [{"type": "Issuing", "status": "False", "reason": "Failed", "message": "the order failed"}],
        "lastFailureTime": "2026-11-30T10:00:00Z", "failedIssuanceAttempts": 2,
    }))?;
    world.reconcile().await??;
    world.says("retry after 2026-12-01 10:00:00 UTC; the authority has limits")?;
    world.says("cert-manager tries again at about 2026-11-30T12:00:00Z")?;
    let status = world.server.get(STACK).context("none")?["status"].take();
    assert_eq!(status["certificate"]["lastError"], "the order failed");
    assert_eq!(status["certificate"]["nextTryAt"], "2026-11-30T12:00:00Z");
    let metrics = world.context.metrics.encode();
    let count = "appstack_certificate_orders_total{result=\"failed\"} 2";
    ensure!(metrics.contains(count), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn a_renewal_that_fails_is_told_while_the_old_certificate_serves() -> Result<()> {
    let world = World::with_certificate().await?;
    let at = world.certificate(&[])?;
    let mut status = world.server.get(&at).context("none")?["status"].take();
    let conditions = status["conditions"].as_array_mut().context("none")?;
    conditions.push(json!({"type": "Issuing", "status": "False", "reason": "Failed", "message": "the authority is away"}));
    status["lastFailureTime"] = json!("2026-11-30T10:00:00Z");
    status["failedIssuanceAttempts"] = json!(1);
    world.tell(&at, &status)?;
    world.reconcile().await??;
    assert_eq!(world.condition("Ready"), "True RolledOut");
    let message = world.message("EdgeReady");
    ensure!(message.contains("could not be renewed: the authority is away; cert-manager tries again at about 2026-11-30T11:00:00Z"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_is_lost_takes_no_way_in_with_it() -> Result<()> {
    let world = World::with_certificate().await?;
    let served = world.served().context("none")?;
    let served = served.as_str().context("no name")?;
    world.server.remove(&format!("secrets/{served}"));
    world.reconcile().await??;
    assert_eq!(world.condition("EdgeReady"), "False CertificatePending");
    ensure!(world.server.get(EDGE).is_some());
    Ok(())
}

#[tokio::test]
async fn without_cert_manager_it_is_refused_before_anything_is_rolled_out() -> Result<()> {
    let world = World::serving().await?;
    let definition = Definition::of(Kind::of::<Certificate>());
    world.context.optional.note(&definition, false);
    let issuer = json!({"tls": {"issuer": {"name": "letsencrypt"}}});
    world.server.set(STACK, "edge", issuer)?;
    world.fail().await?;
    assert_eq!(world.condition("Accepted"), "False Invalid");
    ensure!(
        world
            .message("Accepted")
            .contains("spec.edge.tls.issuer: cert-manager is not installed here")
    );
    ensure!(world.server.get(EDGE).is_some());
    Ok(())
}
