//! `cargo xtask demo`: from nothing to a web application over HTTPS on a local cluster, proved by using it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use appstack_operator::api::{AppStack, AppStackStatus, ConditionType};
use clap::Args;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use local_cluster::{Cluster, Options, Progress, folders};
use serde_json::{Value, json};

use crate::{Named, images, install};

/// Where the demo lives.
const NAMESPACE: &str = "shop";
const STACK: &str = "shop";
/// How long the stack may take to become ready: several times what it takes on two cores.
const DEADLINE: Duration = Duration::from_mins(5);
/// How often the stack is looked at while it rolls out.
const LOOK: Duration = Duration::from_millis(200);

/// Show one AppStack become a running application
#[derive(Args, Debug)]
pub(crate) struct Demo {
    #[command(flatten)]
    cluster: Named,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<()> {
        let progress = Progress::new();
        let cluster = self.cluster.open()?;
        cluster.up(Options::default(), &progress).await?;
        let operator = images::provide(&cluster, &progress).await?;
        install::operator(&cluster, &operator, &progress).await?;
        apply(&cluster, &progress).await?;
        let status = ready(&cluster, &progress).await?;
        prove(&cluster, &status, &progress).await?;
        tell(&cluster, &status, &progress)
    }
}

async fn apply(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let kubectl = async |words: &[&str]| -> Result<()> {
        let output = cluster.kubectl()?.args(words).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success() || said.contains("AlreadyExists"),
            "`kubectl {}` failed: {said}",
            words.join(" ")
        );
        Ok(())
    };
    kubectl(&["create", "namespace", NAMESPACE]).await?;
    for file in ["manifests/local-ports.yaml", "stack-local.yaml"] {
        let file = folders::in_kind(file).display().to_string();
        kubectl(&["apply", "--namespace", NAMESPACE, "--filename", &file]).await?;
    }
    progress.say("kubectl apply -f kind/stack-local.yaml");
    Ok(())
}

/// Waits until the stack is ready, and shows each stage as it is done.
async fn ready(cluster: &Cluster, progress: &Progress) -> Result<AppStackStatus> {
    let stacks: Api<AppStack> = Api::namespaced(cluster.client().await?, NAMESPACE);
    let started = Instant::now();
    let mut shown = String::new();
    let mut part = None;
    loop {
        let stack = stacks.get(STACK).await?;
        let status = stack.status.unwrap_or_default();
        let stage = status.stage.clone().unwrap_or_default();
        let current = status.observed_generation == stack.metadata.generation;
        if current && condition(&status, ConditionType::Ready) == Some("True") {
            finish(part);
            return Ok(status);
        }
        if stage != shown && !stage.is_empty() && stage != "done" {
            finish(part.take());
            part = Some(progress.part(format!("stage {stage}")));
            shown = stage;
        }
        let message = status.conditions.iter().find(|it| it.type_ == "Ready");
        if started.elapsed() > DEADLINE {
            bail!(
                "the stack is not ready after {} s: {}",
                DEADLINE.as_secs(),
                message.map_or("the operator has not looked at it", |it| it
                    .message
                    .as_str())
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn finish(part: Option<local_cluster::progress::Part>) {
    if let Some(part) = part {
        part.done("");
    }
}

fn condition(status: &AppStackStatus, type_: ConditionType) -> Option<&str> {
    let found = status
        .conditions
        .iter()
        .find(|it| it.type_ == type_.as_str())?;
    Some(found.status.as_str())
}

/// Writes a row and reads it through the public address, with the certificate checked.
async fn prove(cluster: &Cluster, status: &AppStackStatus, progress: &Progress) -> Result<()> {
    let part = progress.part("write and read a row over HTTPS");
    let urls = status.urls.clone().context("the stack has no address")?;
    let client = client(cluster).await?;
    let items = format!("{}/api/v1/items/", urls.api);
    let title = format!("Made by the demo at {}", std::process::id());
    // The ingress controller learns of a new route a moment after it was made.
    let site = answered(|| client.get(&urls.dashboard).send()).await?;
    ensure!(
        site.contains("<div id=\"root\">"),
        "{} does not serve the site",
        urls.dashboard
    );
    let config: Value = client
        .get(format!("{}/config.json", urls.dashboard))
        .send()
        .await?
        .json()
        .await?;
    ensure!(
        config["apiUrl"] == json!(urls.api),
        "/config.json names another API: {config}"
    );
    answered(|| client.post(&items).json(&json!({"title": title})).send()).await?;
    let listed = answered(|| client.get(&items).send()).await?;
    ensure!(
        listed.contains(&title),
        "the row that was written is not there: {listed}"
    );
    part.done(&items);
    Ok(())
}

/// A client that trusts the stack's own authority, and finds its host names on this machine.
async fn client(cluster: &Cluster) -> Result<reqwest::Client> {
    let secrets: Api<Secret> = Api::namespaced(cluster.client().await?, NAMESPACE);
    let secret = secrets
        .get("shop-edge-ca")
        .await
        .context("the stack has no certificate authority")?;
    let authority = secret
        .data
        .and_then(|mut it| it.remove("tls.crt"))
        .context("shop-edge-ca holds no certificate")?;
    let port = cluster.https_port()?;
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&authority.0)?])
        .no_proxy()
        .resolve("dashboard.localhost", here)
        .resolve("api.localhost", here)
        .timeout(Duration::from_secs(5))
        .build()?)
}

/// The text of a good answer; a bad one is asked for again for a while.
async fn answered<F>(ask: impl Fn() -> F) -> Result<String>
where
    F: Future<Output = reqwest::Result<reqwest::Response>>,
{
    let started = Instant::now();
    loop {
        let answer = async { ask().await?.error_for_status()?.text().await }.await;
        match answer {
            Ok(text) => return Ok(text),
            Err(error) if started.elapsed() > Duration::from_secs(20) => return Err(error.into()),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn tell(cluster: &Cluster, status: &AppStackStatus, progress: &Progress) -> Result<()> {
    let urls = status.urls.clone().unwrap_or_default();
    let ports = cluster.ports()?;
    let name = cluster.name();
    let named = if name == local_cluster::DEFAULT_NAME {
        String::new()
    } else {
        format!(" --name {name}")
    };
    progress.say(&format!(
        "
Ready after {}. It goes on running:

  site                 {}
  API                  {}
  its documentation    {}
  without TLS          http://localhost:{} and http://localhost:{}
  Traefik              http://localhost:{}/api/overview

The certificate is self-signed: the browser asks once, or import the authority:
  kubectl -n {NAMESPACE} get secret shop-edge-ca -o jsonpath='{{.data.ca\\.crt}}' | base64 -d > ca.crt

Look around:   eval \"$(cargo xtask env{named})\" && kubectl -n {NAMESPACE} get aps,pods
Remove it:     cargo xtask down{named}",
        local_cluster::progress::seconds(progress.elapsed()),
        urls.dashboard,
        urls.api,
        urls.docs,
        ports.frontend,
        ports.backend,
        ports.traefik,
    ));
    Ok(())
}
