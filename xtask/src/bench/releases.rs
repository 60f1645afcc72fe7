//! Releases under load: good ones, bad ones and ways back, while visitors ask without a pause.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use appstack_operator::api::{AppStack, AppStackStatus};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use local_cluster::{Cluster, Progress, folders};
use serde_json::{Value, json};

use super::visitors::{Place, Visitors};
use super::{DEADLINE, PodWatch, middle};
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
    let stack = Stack::install(cluster.client().await?).await?;
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

/// The stack that is released.
struct Stack {
    client: Client,
    api: Api<AppStack>,
    domain: String,
}

impl Stack {
    /// Makes the stack of the demo in a namespace of its own.
    async fn install(client: Client) -> Result<Self> {
        let metadata = ObjectMeta {
            name: Some(NAMESPACE.into()),
            ..ObjectMeta::default()
        };
        let namespace = Namespace {
            metadata,
            ..Namespace::default()
        };
        Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await?;
        let api: Api<AppStack> = Api::namespaced(client.clone(), NAMESPACE);
        let text = std::fs::read_to_string(folders::in_kind("stack-local.yaml"))?;
        let mut app: AppStack = serde_saphyr::from_str(&text)?;
        let domain = format!("{NAMESPACE}.localhost");
        app.spec.domain.clone_from(&domain);
        app.spec.rollout = Some(serde_json::from_value(json!({
            "soak": format!("{SOAK}s"), "progressDeadline": "15s", "publicCheck": {},
        }))?);
        api.create(&PostParams::default(), &app).await?;
        let stack = Self {
            client,
            api,
            domain,
        };
        stack.is_ready().await?;
        Ok(stack)
    }

    async fn place(&self, cluster: &Cluster) -> Result<Place> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
        let secret = secrets.get("shop-edge-ca").await?;
        let data = secret.data.unwrap_or_default();
        let authority = data.get("tls.crt").context("there is no authority")?;
        Ok(Place {
            domain: self.domain.clone(),
            port: cluster.https_port()?,
            authority: String::from_utf8(authority.0.clone())?,
        })
    }

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

    async fn change(&self, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let params = PatchParams::default();
        self.api.patch("shop", &params, &patch).await?;
        Ok(())
    }

    async fn is_ready(&self) -> Result<()> {
        let generation = self.api.get("shop").await?.metadata.generation;
        self.until("the release is ready", |status| {
            let current = status.observed_generation == generation;
            current && reason(status, "Ready") == Some("RolledOut")
        })
        .await
    }

    async fn until(&self, what: &str, holds: impl Fn(&AppStackStatus) -> bool) -> Result<()> {
        let holds = |stack: Option<&AppStack>| {
            let status = stack.and_then(|it| it.status.as_ref());
            status.is_some_and(&holds)
        };
        let waiting = await_condition(self.api.clone(), "shop", holds);
        tokio::time::timeout(DEADLINE, waiting)
            .await
            .with_context(|| format!("waited in vain: {what}"))??;
        Ok(())
    }

    async fn remove(&self) -> Result<()> {
        let params = DeleteParams::default();
        self.api.delete("shop", &params).await?;
        Api::<Namespace>::all(self.client.clone())
            .delete(NAMESPACE, &params)
            .await?;
        // The next run needs the name.
        let gone = Instant::now() + Duration::from_mins(2);
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        while namespaces.get_opt(NAMESPACE).await?.is_some() && Instant::now() < gone {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}

fn reason<'a>(status: &'a AppStackStatus, type_: &str) -> Option<&'a str> {
    let found = status.conditions.iter().find(|it| it.type_ == type_)?;
    Some(&found.reason)
}
