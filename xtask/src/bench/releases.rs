//! Releases under load: good ones, bad ones and ways back, while visitors ask without a pause.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kube::Api;
use local_cluster::{Cluster, Progress};
use serde_json::json;

use super::stack::{Stack, reason};
use super::visitors::Visitors;
use super::{PodWatch, middle};
use crate::tell;

const NAMESPACE: &str = "bench-releases";
/// The number of good releases, of bad ones and of ways back.
const ROUNDS: (usize, usize, usize) = (20, 10, 10);
/// How long new pods must be ready before they get requests, in seconds.
const SOAK: u32 = 2;

/// How long the public address must answer well before a release is verified, in seconds. Like the soak it is asked for,
/// and no work of the operator.
const STEADY: f64 = appstack_operator::model::stack::STEADY.as_secs_f64();

/// Measures on a stack of its own, and prints a table.
pub(super) async fn measure(cluster: &Cluster, progress: &Progress) -> Result<()> {
    let rollout = json!({
        "soak": format!("{SOAK}s"), "progressDeadline": "15s", "publicCheck": {},
    });
    let spec = json!({"rollout": rollout});
    let stack = Box::pin(Stack::install(
        cluster.client().await?,
        NAMESPACE,
        spec,
        None,
    ))
    .await?;
    let visitors = Visitors::send(&stack.place(cluster).await?)?;
    let measured = stack.releases(progress).await;
    let count = visitors.count().await;
    stack.remove().await?;
    for failed in &count.failed {
        tell(failed);
    }
    let (overheads, backs) = measured?;
    let (good, bad, back) = ROUNDS;
    tell(&format!(
        "
| what | measured | goal |
|---|---|---|
| requests without a good answer over {good} good releases, {bad} bad ones and {back} ways back, of {} | {} | 0 |
| what the operator adds to a good release, beside its pods, the soak and the public check, median | {:.1} s | <= 1 s |
| from the pin of a kept release to Ready, median | {:.1} s | |",
        count.asked,
        count.failed.len(),
        middle(overheads),
        middle(backs),
    ));
    ensure!(count.failed.is_empty(), "requests were lost");
    Ok(())
}

impl Stack {
    /// What the operator added to each good release, and what each way back took, in seconds.
    async fn releases(&self, progress: &Progress) -> Result<(Vec<f64>, Vec<f64>)> {
        let (good, bad, back) = ROUNDS;
        let mut overheads = Vec::new();
        for round in 1..=good {
            let part = progress.part(format!("good release {round} of {good}"));
            let overhead = self.good_release(round).await?;
            part.done(&format!("{overhead:.1} s beside its pods"));
            overheads.push(overhead);
        }
        for round in 1..=bad {
            let part = progress.part(format!("bad release {round} of {bad}"));
            self.bad_release(round).await?;
            part.done("");
        }
        let mut backs = Vec::new();
        for round in 1..=back {
            let part = progress.part(format!("way back {round} of {back}"));
            let took = self.way_back().await?;
            part.done(&format!("{took:.1} s"));
            backs.push(took);
        }
        Ok((overheads, backs))
    }

    async fn good_release(&self, round: usize) -> Result<f64> {
        let pods = Api::namespaced(self.client.clone(), NAMESPACE);
        let watch = PodWatch::begin(pods, &["backend", "frontend"]).await?;
        let started = Instant::now();
        let env = json!([{"name": "ROUND", "value": round.to_string()}]);
        self.change(json!({"backend": {"env": env}, "frontend": {"config": {"round": round}}}))
            .await?;
        self.is_ready().await?;
        let total = started.elapsed().as_secs_f64();
        let asked_for = f64::from(2 * SOAK) + STEADY;
        Ok(total - watch.took().await? - asked_for)
    }

    /// Odd ones end at once, even ones have an image that is not there.
    async fn bad_release(&self, round: usize) -> Result<()> {
        let bad = if round % 2 == 1 {
            json!({"backend": {"env": [{"name": "WEB_CONCURRENCY", "value": "nonsense"}]}})
        } else {
            json!({"frontend": {"image": format!("ghcr.io/appstack-dev/missing:{round}")}})
        };
        let good = self.api.get("shop").await?;
        self.change(bad).await?;
        self.until("the bad release is rolled back", |status| {
            reason(status, "Ready") == Some("RolledBack")
        })
        .await?;
        let good =
            json!({"env": good.spec.backend.env, "image": good.spec.frontend.map(|it| it.image)});
        self.change(json!({"backend": {"env": good["env"]}, "frontend": {"image": good["image"]}}))
            .await?;
        self.is_ready().await
    }

    /// Goes to the release that served before.
    async fn way_back(&self) -> Result<f64> {
        let status = self.api.get("shop").await?.status.unwrap_or_default();
        let previous = status.previous.context("nothing served before")?.name;
        let started = Instant::now();
        self.change(json!({"rollout": {"pin": previous}})).await?;
        self.until("the pinned release serves", |status| {
            let serves = status
                .release
                .as_ref()
                .is_some_and(|it| it.name == previous);
            serves && reason(status, "Ready") == Some("RolledOut")
        })
        .await?;
        Ok(started.elapsed().as_secs_f64())
    }
}
