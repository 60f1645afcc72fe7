//! `cargo xtask bench`: measures what the documentation promises, on the local cluster of the demo, and prints a table.

mod edge;
mod releases;
mod stack;
mod visitors;

use std::collections::{HashMap, HashSet};
use std::future::ready;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use appstack_operator::api::AppStack;
use clap::Args;
use futures::{Stream, TryStreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use local_cluster::{Cluster, Progress, operator};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::images::{self, Profile};
use crate::{Named, install, tell};

/// How long one roll-out may take.
const DEADLINE: Duration = Duration::from_mins(3);
/// For how long an idle stack is watched.
const IDLE: Duration = Duration::from_mins(1);
/// The parts whose pods follow each other on the way to Ready.
const PATH: [&str; 6] = [
    "database",
    "role",
    "migration",
    "seed",
    "backend",
    "frontend",
];

/// Measure what the documentation promises
#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(flatten)]
    cluster: Named,
    /// How many roll-outs are measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure releases under load instead: 20 good ones, 10 bad ones and 10 ways back
    #[arg(long)]
    releases: bool,
    /// Measure the edge instead: requests a second beside an Ingress made by hand, a limit of requests, a changed certificate
    #[arg(long, conflicts_with = "releases")]
    edge: bool,
}

impl Bench {
    pub(crate) async fn run(self) -> Result<()> {
        let cluster = self.cluster.open()?;
        ensure!(
            cluster.is_up().await,
            "there is no cluster to measure on: run `cargo xtask demo` first"
        );
        let client = cluster.client().await?;
        let progress = Progress::new();
        // What the demo runs was compiled to be there soon.
        let made = images::make(&cluster, Profile::Release, &progress).await?;
        cluster.load(&made.operator).await?;
        images::load(&cluster, &made.others, &progress).await?;
        install::operator(&cluster, &made.operator.key, &progress).await?;
        if self.releases {
            return Box::pin(releases::measure(&cluster, &progress)).await;
        }
        if self.edge {
            return Box::pin(edge::measure(&cluster, &progress)).await;
        }
        let mut rounds = Vec::new();
        for round in 1..=self.rounds {
            let part = progress.part(format!("roll-out {round} of {}", self.rounds));
            let measured = roll_out(&client, &format!("bench-{round}")).await?;
            part.done(&format!(
                "{:.1} s, of which pods {:.1} s",
                measured.total, measured.pods
            ));
            rounds.push(measured);
        }
        let part = progress.part("memory, image and writes at rest");
        let memory = memory(&client).await?;
        let image = image_size(&client).await?;
        let writes = idle_writes(&cluster).await?;
        part.done("");
        let median = |of: fn(&RollOut) -> f64| middle(rounds.iter().map(of).collect());
        tell(&format!(
            "
| what | measured | goal |
|---|---|---|
| from apply to Ready, median of {} | {:.1} s | |
| the pods' own time on the way, median | {:.1} s | |
| what is left for the operator, median | {:.1} s | <= 2 s |
| memory of the operator, as `kubectl top` counts it | {:.1} MiB | <= 20 MiB |
| image of the operator | {:.1} MiB | <= 25 MiB |
| writes of the operator in {} s at rest, the Lease apart | {writes} | 0 |",
            self.rounds,
            median(|it| it.total),
            median(|it| it.pods),
            median(|it| it.total - it.pods),
            mib(memory),
            mib(image),
            IDLE.as_secs(),
        ));
        Ok(())
    }
}

/// One roll-out, in seconds.
struct RollOut {
    /// From the creation of the AppStack to Ready, as a client sees it.
    total: f64,
    /// The sum of what each pod on the way took.
    pods: f64,
}

async fn roll_out(client: &Client, namespace: &str) -> Result<RollOut> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let metadata = ObjectMeta {
        name: Some(namespace.into()),
        ..ObjectMeta::default()
    };
    let made = Namespace {
        metadata,
        ..Namespace::default()
    };
    namespaces.create(&PostParams::default(), &made).await?;
    let stacks: Api<AppStack> = Api::namespaced(client.clone(), namespace);
    let stack = stack::demo(namespace, &json!({}))?;
    let watch = PodWatch::begin(Api::namespaced(client.clone(), namespace), &PATH).await?;
    let started = Instant::now();
    stacks.create(&PostParams::default(), &stack).await?;
    let is_ready =
        kube::runtime::wait::await_condition(stacks.clone(), "shop", |stack: Option<&AppStack>| {
            let status = stack.and_then(|it| it.status.as_ref());
            status.is_some_and(|it| {
                it.conditions
                    .iter()
                    .any(|it| it.type_ == "Ready" && it.status == "True")
            })
        });
    tokio::time::timeout(DEADLINE, is_ready)
        .await
        .context("the roll-out took too long")??;
    let total = started.elapsed().as_secs_f64();
    let pods = watch.took().await?;
    stacks.delete("shop", &DeleteParams::default()).await?;
    namespaces
        .delete(namespace, &DeleteParams::default())
        .await?;
    Ok(RollOut { total, pods })
}

/// What pods on the way took.
struct PodWatch(JoinHandle<Result<f64>>);

impl PodWatch {
    /// Watches for one new pod of each part, from now on. A client sees a pod come and be ready as it happens; the times
    /// in the pods themselves are whole seconds, and the end of a Job's container is told a second late.
    async fn begin(pods: Api<Pod>, parts: &'static [&'static str]) -> Result<Self> {
        let changes = watcher(pods, watcher::Config::default()).default_backoff();
        let mut changes = Box::pin(changes);
        let mut old = HashSet::new();
        while let Some(change) = changes.try_next().await? {
            match change {
                Event::InitApply(pod) => _ = old.insert(pod.uid()),
                Event::InitDone => break,
                Event::Init | Event::Apply(_) | Event::Delete(_) => {}
            }
        }
        let new = changes
            .touched_objects()
            .try_filter(move |pod| ready(!old.contains(&pod.uid())));
        Ok(Self(tokio::spawn(follow(new, parts))))
    }

    /// From its creation to being ready or done, in seconds, summed up over the pods.
    async fn took(self) -> Result<f64> {
        tokio::time::timeout(DEADLINE, self.0)
            .await
            .context("a pod of the path was not seen")??
    }
}

async fn follow(
    pods: impl Stream<Item = Result<Pod, watcher::Error>>,
    parts: &[&str],
) -> Result<f64> {
    let mut pods = pin!(pods);
    let mut starts: HashMap<String, Instant> = HashMap::new();
    let mut took: HashMap<String, f64> = HashMap::new();
    while took.len() < parts.len() {
        let pod = pods.try_next().await?.context("the watch ended")?;
        let component = pod
            .labels()
            .get("app.kubernetes.io/component")
            .cloned()
            .unwrap_or_default();
        if !parts.contains(&component.as_str()) {
            continue;
        }
        let start = *starts.entry(component.clone()).or_insert_with(Instant::now);
        if is_done(&pod) {
            took.entry(component)
                .or_insert_with(|| start.elapsed().as_secs_f64());
        }
    }
    Ok(took.values().sum())
}

/// Whether a pod has done what is waited for. One of a Job is Ready too while it works.
fn is_done(pod: &Pod) -> bool {
    let Some(status) = &pod.status else {
        return false;
    };
    if pod.owner_references().iter().any(|it| it.kind == "Job") {
        return status.phase.as_deref() == Some("Succeeded");
    }
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|it| it.type_ == "Ready" && it.status == "True")
}

/// The operator's memory in bytes, as the kubelet counts it.
async fn memory(client: &Client) -> Result<f64> {
    let node = node(client).await?.metadata.name.unwrap_or_default();
    let request =
        http::Request::get(format!("/api/v1/nodes/{node}/proxy/stats/summary")).body(Vec::new())?;
    let summary: Value = client.request(request).await?;
    let pods = summary["pods"]
        .as_array()
        .context("the kubelet tells of no pods")?;
    let operator = pods
        .iter()
        .find(|it| it["podRef"]["namespace"] == operator::NAMESPACE)
        .context("the operator does not run; run `cargo xtask demo` first")?;
    operator["containers"][0]["memory"]["workingSetBytes"]
        .as_f64()
        .context("the kubelet tells of no memory")
}

/// The size of the operator's image in bytes, as the node has it.
async fn image_size(client: &Client) -> Result<f64> {
    let images = node(client)
        .await?
        .status
        .and_then(|it| it.images)
        .unwrap_or_default();
    let found = images.into_iter().find(|it| {
        it.names
            .iter()
            .flatten()
            .any(|name| name.contains("appstack-operator"))
    });
    let size = found
        .and_then(|it| it.size_bytes)
        .context("the node does not have the operator's image")?;
    #[expect(clippy::cast_precision_loss, reason = "a size in MiB with one digit")]
    Ok(size as f64)
}

async fn node(client: &Client) -> Result<Node> {
    let nodes: Api<Node> = Api::all(client.clone());
    let list = nodes.list(&ListParams::default()).await?;
    list.items
        .into_iter()
        .next()
        .context("the cluster has no node")
}

/// How many writes the operator sent in a while in which nobody changed anything.
async fn idle_writes(cluster: &Cluster) -> Result<usize> {
    let before = writes(cluster)?;
    tokio::time::sleep(IDLE).await;
    Ok(writes(cluster)? - before)
}

fn writes(cluster: &Cluster) -> Result<usize> {
    let file = cluster.audit_log();
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    let user = format!(
        "system:serviceaccount:{}:appstack-operator",
        operator::NAMESPACE
    );
    let is_write = |line: &&str| {
        serde_json::from_str::<Value>(line).is_ok_and(|it| {
            it["user"]["username"] == user.as_str()
                && it["objectRef"]["resource"] != "leases"
                && matches!(
                    it["verb"].as_str(),
                    Some("create" | "update" | "patch" | "delete")
                )
        })
    };
    Ok(text.lines().filter(is_write).count())
}

fn middle(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or_default()
}

fn mib(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}
