//! What keeps cert-manager from issuing a certificate. It knows, and says so at five kinds of objects: the issuer, the Certificate,
//! its request, the order at the authority, and the challenge by which a host is proven.
//!
//! Invariant: reads, and judges nothing. Of a certificate that is there nothing is read but itself. That another object cannot be
//! read is no reason to stop: they are only there to help.

use jiff::SignedDuration;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::Observer;
use crate::api::IssuerKind;
use crate::cluster::call::send;
use crate::error::CallError;
use crate::model::kinds::certificate::GROUP;
use crate::model::kinds::{Certificate, CertificateStatus, IssuerRef};
use crate::model::observed::Issuance;

/// The API group of orders and challenges.
const ACME: &str = "acme.cert-manager.io";

/// How long an object is given before it is taken for trouble that it is not done. At first nobody has looked at it, and of a challenge the
/// ingress controller does not know yet: cert-manager looks every ten seconds whether it does.
const FIRST: SignedDuration = SignedDuration::from_secs(25);

/// What authorities and resolvers say, and what it means.
const HINTS: [(&[&str], &str); 4] = [
    (
        &[
            "no such host",
            "NXDOMAIN",
            "DNS problem",
            "no valid A records",
        ],
        "make a DNS record for it that leads to the ingress controller",
    ),
    (
        &["429", "rateLimited", "too many"],
        "the authority has limits, which a try more does not help; for stacks that are not production Let's Encrypt has a staging authority (https://acme-staging-v02.api.letsencrypt.org/directory)",
    ),
    (
        &[
            "status code '4",
            "status code '5",
            "did not get expected response",
            "Invalid response",
        ],
        "who answers there does not know of the challenge: the name leads elsewhere, or Traefik has an ACME resolver with httpChallenge of its own and needs `--entrypoints.<name>.allowacmebypass=true`",
    ),
    (
        &["connection refused", "timeout", "Timeout"],
        "the authority must reach port 80 of it",
    ),
];

impl Observer<'_> {
    /// How far a certificate is.
    pub(super) async fn issuance(&self, it: &Certificate) -> Issuance {
        let status = it.status.clone().unwrap_or_default();
        let generation = it.metadata.generation;
        let ready = status.condition("Ready");
        let issued = ready.is_some_and(|it| it.holds(generation));
        let mut found = Issuance {
            name: it.name_any(),
            requested: it.metadata.uid.is_some(),
            issued,
            cause: None,
            authority: None,
            last_error: last_error(&status).map(|it| self.redactor.redact(&it)),
            next_try: status.next_try(),
            expires: status.not_after,
            renews: status.renewal_time,
            times: status.revision.unwrap_or_default(),
            failed: status.failed_issuance_attempts.unwrap_or_default(),
        };
        if !issued {
            let asked = self.issuer(&it.spec.issuer_ref).await;
            found.authority = asked.as_ref().ok().and_then(authority);
            let cause = match trouble_of_issuer(&it.spec.issuer_ref, &asked) {
                Some(trouble) => Some(trouble),
                None => self.obstacle(it).await,
            };
            found.cause = cause.map(|it| self.redactor.redact(&it));
        }
        found
    }

    /// What is in the way of a certificate, as far as any object says.
    async fn obstacle(&self, it: &Certificate) -> Option<String> {
        let uid = it.metadata.uid.as_deref()?;
        let requests = self.of_owner(GROUP, "CertificateRequest", uid).await;
        let Some(request) = newest(requests) else {
            let is_failing = it.status.as_ref().is_some_and(is_failing);
            let is_idle = !is_failing && !self.is_new(it);
            return is_idle.then(|| "cert-manager does not look at it: does it run?".into());
        };
        if let Some(refused) = refused(&request) {
            return Some(format!("{} was refused: {refused}", request.name_any()));
        }
        let orders = self.of_owner(ACME, "Order", &request.uid()?).await;
        let order = newest(orders)?;
        if text(&order, "state").is_empty() {
            return (!self.is_new(&order)).then(|| unanswered(&it.spec.issuer_ref));
        }
        let challenges = self.of_owner(ACME, "Challenge", &order.uid()?).await;
        let open = challenges.iter().filter(|it| text(it, "state") != "valid");
        let open = open.filter(|it| text(it, "state") == "invalid" || !self.is_new(*it));
        let mut told: Vec<String> = open.filter_map(of_challenge).collect();
        told.sort();
        told.into_iter().next().or_else(|| of_order(&order))
    }

    /// Whether an object may not have been looked at yet.
    fn is_new(&self, it: &impl ResourceExt) -> bool {
        let made = it.creation_timestamp();
        made.is_none_or(|it| self.now.duration_since(it.0) < FIRST)
    }

    async fn issuer(&self, issuer: &IssuerRef) -> Result<DynamicObject, CallError> {
        let IssuerRef { name, kind, group } = issuer;
        let resource = resource(group, kind);
        let api: Api<DynamicObject> = if is_of_namespace(issuer) {
            Api::namespaced_with(self.client.clone(), self.namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        };
        send(api.get(name)).await
    }

    /// The objects of a kind that another one owns.
    async fn of_owner(&self, group: &str, kind: &str, uid: &str) -> Vec<DynamicObject> {
        let resource = resource(group, kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), self.namespace, &resource);
        let all: Result<_, CallError> = send(api.list(&ListParams::default())).await;
        let mut all = all.map(|it| it.items).unwrap_or_default();
        all.retain(|it| it.owner_references().iter().any(|it| it.uid == uid));
        all
    }
}

fn is_of_namespace(issuer: &IssuerRef) -> bool {
    issuer.kind == IssuerKind::Issuer.as_str()
}

/// What keeps an issuer from issuing anything.
fn trouble_of_issuer(
    issuer: &IssuerRef,
    found: &Result<DynamicObject, CallError>,
) -> Option<String> {
    let IssuerRef { name, kind, .. } = issuer;
    match found {
        Ok(found) => {
            let ready = condition(found, "Ready")?;
            let message = ready["message"].as_str().unwrap_or_default();
            (ready["status"] != "True").then(|| format!("{kind} {name} is not ready: {message}"))
        }
        Err(error) => error.is_not_found().then(|| {
            let place = if is_of_namespace(issuer) {
                " in this namespace"
            } else {
                ""
            };
            format!(
                "there is no {kind} {name}{place}; make it, or name another one in edge.tls.issuer"
            )
        }),
    }
}

/// The address of the authority that an issuer asks by ACME.
fn authority(issuer: &DynamicObject) -> Option<String> {
    let server = issuer.data["spec"]["acme"]["server"].as_str()?;
    Some(server.to_owned())
}

/// Of an authority that is away no object tells: cert-manager asks again and again, and says so in its log alone.
fn unanswered(issuer: &IssuerRef) -> String {
    let IssuerRef { name, kind, .. } = issuer;
    format!(
        "the authority of {kind} {name} has not taken the order: it is away, or cannot be reached from the cluster; cert-manager asks on, and its log has the error: kubectl -n cert-manager logs deploy/cert-manager"
    )
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

fn newest(mut all: Vec<DynamicObject>) -> Option<DynamicObject> {
    all.sort_by_key(|it| it.creation_timestamp().map(|it| it.0));
    all.pop()
}

/// Whether it was last asked for in vain.
fn is_failing(status: &CertificateStatus) -> bool {
    status.last_failure_time.is_some()
}

fn last_error(status: &CertificateStatus) -> Option<String> {
    let issuing = status.condition("Issuing").filter(|_| is_failing(status))?;
    (issuing.status == "False" && !issuing.message.is_empty()).then(|| issuing.message.clone())
}

/// Why a request will never be granted.
fn refused(request: &DynamicObject) -> Option<String> {
    let is_true = |type_: &str| condition(request, type_).filter(|it| it["status"] == "True");
    let failed = condition(request, "Ready").filter(|it| it["reason"] == "Failed");
    // Where an order failed, it and its challenges say more.
    let said = is_true("Denied")
        .or_else(|| is_true("InvalidRequest"))
        .or(failed)?;
    let message = said["message"].as_str()?;
    (!message.contains("order")).then(|| message.to_owned())
}

fn of_order(order: &DynamicObject) -> Option<String> {
    let (state, reason) = (text(order, "state"), text(order, "reason"));
    if !["invalid", "errored", "expired"].contains(&state) {
        return None;
    }
    Some(with_hint(format!("the order is {state}: {reason}")))
}

/// What keeps a host from being proven.
fn of_challenge(challenge: &DynamicObject) -> Option<String> {
    let host = challenge.data["spec"]["dnsName"].as_str()?;
    let (state, reason) = (text(challenge, "state"), text(challenge, "reason"));
    if reason.is_empty() {
        return None;
    }
    let state = if state.is_empty() { "pending" } else { state };
    Some(with_hint(format!(
        "the challenge for {host} is {state}: {reason}"
    )))
}

fn with_hint(said: String) -> String {
    let meant = HINTS
        .iter()
        .find(|(words, _)| words.iter().any(|it| said.contains(it)));
    match meant {
        Some((_, hint)) => format!("{said}; {hint}"),
        None => said,
    }
}

fn text<'a>(object: &'a DynamicObject, field: &str) -> &'a str {
    object.data["status"][field].as_str().unwrap_or_default()
}

fn condition<'a>(object: &'a DynamicObject, type_: &str) -> Option<&'a Value> {
    let all = object.data["status"]["conditions"].as_array()?;
    all.iter().find(|it| it["type"] == type_)
}
