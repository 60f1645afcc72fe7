//! What the edge costs: requests a second through the edge of a stack, beside an Ingress for the same Service that was made by
//! hand, without and with a limit of requests; and how soon a changed certificate is served.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use appstack_operator::model::secret::SecretData;
use appstack_operator::model::self_signed::{self, Certificate};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use local_cluster::{Cluster, Progress};
use reqwest::Client;
use reqwest::tls::TlsInfo;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::middle;
use super::stack::Stack;
use super::visitors::{Place, Visitors};
use crate::tell;

const NAMESPACE: &str = "bench-edge";
/// The Secret of the certificate.
const SECRET: &str = "own";
/// The field manager of a person.
const USER: &str = "bench";
/// How often each of two is measured, in turns, and for how long: what else the machine does meets both.
const ROUNDS: usize = 8;
const SPAN: Duration = Duration::from_secs(4);
/// How many clients ask without a pause, each on a connection of its own.
const CLIENTS: usize = 16;
/// What is asked: an answer that costs the application next to nothing.
const PATH: &str = "/api/v1/version";
/// How long Traefik may take to learn of what was changed.
const LEARNT: Duration = Duration::from_secs(5);
/// How often a certificate is changed.
const CHANGES: usize = 5;
/// How often it is looked which one is served.
const LOOK: Duration = Duration::from_millis(50);

/// Measures on a stack of its own, and prints a table.
pub(super) async fn measure(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let hosts = ["api", "dashboard"].map(|it| format!("{it}.{NAMESPACE}.localhost"));
    let own = issued(None, &hosts)?;
    let client = cluster.client().await?;
    let spec = json!({"edge": {"tls": {"secretName": SECRET}}});
    let stack = Box::pin(Stack::install(client, NAMESPACE, spec, Some(&secret(&own)))).await?;
    let edge = Edge::new(&stack, cluster.https_port()?).await?;
    let plain = edge.shares(progress, "without a limit").await?;
    let many = json!({"average": 100_000, "burst": 200_000});
    stack.change(json!({"edge": {"rateLimit": many}})).await?;
    stack.is_ready().await?;
    tokio::time::sleep(LEARNT).await;
    let limited = edge.shares(progress, "with a limit").await?;
    let (changed, asked, failed) = certificates(&stack, &edge, &own, &hosts, progress).await?;
    stack.remove().await?;
    let less = |share: f64| (1.0 - share) * 100.0;
    tell(&format!(
        "
| what | measured | goal |
|---|---|---|
| requests a second through a stack's edge ({CLIENTS} clients, HTTPS, connections kept), median | {:.0} | |
| fewer than by an Ingress made by hand for the same Service | {:.1} % | <= 10 % |
| fewer with a limit of requests than without one | {:.1} % | < 5 % |
| from a changed certificate in its Secret until it is served, median of {CHANGES} | {:.1} s | <= 5 s |
| requests without a good answer meanwhile, of {asked} | {failed} | 0 |",
        plain.requests,
        less(plain.share),
        less(limited.share / plain.share),
        middle(changed),
    ));
    ensure!(failed == 0, "requests were lost");
    Ok(())
}

/// The way into a stack, and one beside it.
struct Edge {
    client: Client,
    port: u16,
    stack: String,
    by_hand: String,
}

/// What came through.
struct Share {
    /// Requests a second through the stack's edge.
    requests: f64,
    /// How many of what came through the other way that is.
    share: f64,
}

impl Edge {
    async fn new(stack: &Stack, port: u16) -> Result<Self> {
        let [api, other] = ["api", "by-hand"].map(|it| format!("{it}.{}", stack.domain));
        let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "shop-backend", "port": {"name": "http"}}}});
        let ingress: Ingress = serde_json::from_value(json!({
            "metadata": {"name": "by-hand", "annotations": {"traefik.ingress.kubernetes.io/router.entrypoints": "websecure"}},
            "spec": {"ingressClassName": "traefik", "rules": [{"host": other, "http": {"paths": [path]}}]},
        }))?;
        let ingresses: Api<Ingress> = Api::namespaced(stack.client.clone(), stack.namespace);
        ingresses.create(&PostParams::default(), &ingress).await?;
        tokio::time::sleep(LEARNT).await;
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let client = Client::builder()
            // The one made by hand has Traefik's own certificate; which one it is costs no request anything.
            .tls_danger_accept_invalid_certs(true)
            .tls_info(true)
            .no_proxy()
            .resolve(&api, here)
            .resolve(&other, here)
            .build()?;
        let url = |host: &str| format!("https://{host}:{port}{PATH}");
        Ok(Self {
            client,
            port,
            stack: url(&api),
            by_hand: url(&other),
        })
    }

    /// Measures both in turns.
    async fn shares(&self, progress: &Progress, what: &str) -> Result<Share> {
        let part = progress.part(format!("requests {what}"));
        let (mut own, mut shares) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let other = self.requests(&self.by_hand).await?;
            let stack = self.requests(&self.stack).await?;
            own.push(stack);
            shares.push(stack / other);
        }
        let share = Share {
            requests: middle(own),
            share: middle(shares),
        };
        part.done(&format!(
            "{:.0} a second, {:.3}",
            share.requests, share.share
        ));
        Ok(share)
    }

    /// Good answers a second.
    async fn requests(&self, url: &str) -> Result<f64> {
        let mut clients = JoinSet::new();
        let until = Instant::now() + SPAN;
        for _ in 0..CLIENTS {
            let (client, url) = (self.client.clone(), url.to_owned());
            clients.spawn(async move {
                let mut count = 0_u32;
                while Instant::now() < until {
                    let answer = client.get(&url).send().await?.error_for_status()?;
                    answer.bytes().await?;
                    count += 1;
                }
                anyhow::Ok(count)
            });
        }
        let mut all = 0;
        while let Some(count) = clients.join_next().await {
            all += count??;
        }
        Ok(f64::from(all) / SPAN.as_secs_f64())
    }

    /// The certificate that is served to who comes anew.
    async fn served(&self) -> Result<Vec<u8>> {
        let anew = self.client.get(&self.stack).header("Connection", "close");
        let answer = anew.send().await?.error_for_status()?;
        let info = answer.extensions().get::<TlsInfo>();
        let certificate = info.and_then(TlsInfo::peer_certificate);
        Ok(certificate.context("no certificate was seen")?.to_vec())
    }
}

/// Changes the certificate again and again under visitors: how long each took until it was served, how many questions were asked
/// meanwhile, and how many had no good answer.
async fn certificates(
    stack: &Stack,
    edge: &Edge,
    first: &Certificate,
    hosts: &[String],
    progress: &Progress,
) -> Result<(Vec<f64>, usize, usize)> {
    let part = progress.part("change the certificate");
    let visitors = Visitors::send(&Place {
        domain: stack.domain.clone(),
        port: edge.port,
        authority: first.authority.clone(),
    })?;
    let secrets: Api<Secret> = Api::namespaced(stack.client.clone(), stack.namespace);
    let mut took = Vec::new();
    for _ in 0..CHANGES {
        let before = edge.served().await?;
        let next = issued(Some(first), hosts)?;
        let params = PatchParams::apply(USER).force();
        let changed = Instant::now();
        secrets
            .patch(SECRET, &params, &Patch::Apply(secret(&next)))
            .await?;
        while edge.served().await? == before {
            ensure!(
                changed.elapsed() < Duration::from_mins(1),
                "the old certificate is served on"
            );
            tokio::time::sleep(LOOK).await;
        }
        took.push(changed.elapsed().as_secs_f64());
    }
    let count = visitors.count().await;
    for failed in &count.failed {
        tell(failed);
    }
    part.done("");
    Ok((took, count.asked, count.failed.len()))
}

/// A certificate for these hosts, by an authority that is there or a new one.
fn issued(authority: Option<&Certificate>, hosts: &[String]) -> Result<Certificate> {
    let authority = authority.map(|it| {
        let pair = [
            ("tls.crt".to_owned(), it.authority.clone().into()),
            ("tls.key".to_owned(), it.authority_key.clone()),
        ];
        SecretData::from(pair)
    });
    let now = jiff::Timestamp::now();
    Ok(self_signed::issue(authority.as_ref(), hosts, now)?)
}

/// The Secret of a certificate, as a user makes it.
fn secret(it: &Certificate) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": it.certificate, "tls.key": it.key.expose_secret()},
    })
}
