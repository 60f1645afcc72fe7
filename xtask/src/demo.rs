//! `cargo xtask demo`: from nothing to a web application over HTTPS on a local cluster, proved by using it.

mod proof;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use appstack_operator::api::{AppStack, AppStackStatus, ConditionType};
use clap::Args;
use kube::Api;
use local_cluster::{Cluster, Progress, demo, folders};

use crate::{Named, start};

/// Where the demo lives.
pub(crate) const NAMESPACE: &str = "shop";
/// What it is called.
pub(crate) const STACK: &str = "shop";
/// Who may do everything in it, as `kind/stack-local.yaml` says.
const SUPERUSER: &str = "admin@example.com";
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
        // A fresh machine has no browser: it gets one, or is told now that there is none, and not after all the work.
        let browser = async { Ok(proof::browser(&progress).await) };
        let start = start::cluster_with_operator(&cluster, &progress);
        let (browser, ()) = tokio::try_join!(browser, start)?;
        apply(&cluster, &progress).await?;
        let status = ready(&cluster, &progress).await?;
        proof::prove(&cluster, &status, browser.as_deref(), &progress).await?;
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
    for file in demo::FILES {
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

fn tell(cluster: &Cluster, status: &AppStackStatus, progress: &Progress) -> Result<()> {
    let urls = status.urls.clone().unwrap_or_default();
    let name = cluster.name();
    let named = if name == local_cluster::DEFAULT_NAME {
        String::new()
    } else {
        format!(" --name {name}")
    };
    let addresses: Vec<String> = cluster
        .addresses()?
        .iter()
        .map(|it| format!("  {:<20} {}", it.what, it.url))
        .collect();
    progress.say(&format!(
        "
Ready after {}. It goes on running:

{}

Log in as {SUPERUSER}, with the password that was generated:
  kubectl -n {NAMESPACE} get secret shop-generated -o jsonpath='{{.data.FIRST_SUPERUSER_PASSWORD}}' | base64 -d

The certificate of https:// is self-signed: the browser asks once, and not at all after `cargo xtask trust{named}`. Programs trust its authority:
  kubectl -n {NAMESPACE} get secret shop-edge-ca -o jsonpath='{{.data.ca\\.crt}}' | base64 -d > ca.crt
  curl --cacert ca.crt {}/api/v1/version

Look around:   eval \"$(cargo xtask env{named})\" && kubectl -n {NAMESPACE} get aps,pods
Remove it:     cargo xtask down{named}",
        local_cluster::progress::seconds(progress.elapsed()),
        addresses.join("\n"),
        urls.api,
    ));
    Ok(())
}
