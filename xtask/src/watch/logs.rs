//! Prints what all containers of the demo's stack print from now on, each line with the part that it is of.

use std::collections::BTreeSet;
use std::pin::pin;

use anyhow::Result;
use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;

use crate::demo::{NAMESPACE, STACK};
use crate::tell;

/// Follows them, for ever.
pub(super) async fn follow(client: &Client) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    // Adminer tells of each look whether it is there.
    let parts = format!("appstack.dev/stack={STACK},app.kubernetes.io/component notin (adminer)");
    let ours = watcher::Config::default().labels(&parts);
    let changes = watcher(pods.clone(), ours).default_backoff();
    let mut changes = pin!(changes.applied_objects());
    let begun = Timestamp::now();
    let mut followed = BTreeSet::new();
    // They end with this.
    let mut readers = JoinSet::new();
    while let Some(change) = changes.next().await {
        // One that fails is begun anew.
        let Ok(pod) = change else { continue };
        for (container, starts) in running(&pod) {
            let name = pod.name_any();
            if followed.insert((name.clone(), container.clone(), starts)) {
                let params = LogParams {
                    container: Some(container),
                    follow: true,
                    since_time: Some(begun),
                    ..LogParams::default()
                };
                readers.spawn(print(pods.clone(), name, part(&pod), params));
            }
        }
    }
    Ok(())
}

/// The containers of a pod that run, each with how often it was started again.
fn running(pod: &Pod) -> impl Iterator<Item = (String, i32)> {
    let status = pod.status.as_ref();
    let lists = status.map(|it| [&it.init_container_statuses, &it.container_statuses]);
    let all = lists.into_iter().flatten().flatten().flatten();
    let running = all.filter(|it| {
        let state = it.state.as_ref();
        state.is_some_and(|it| it.running.is_some() || it.terminated.is_some())
    });
    running.map(|it| (it.name.clone(), it.restart_count))
}

/// The part of the stack, or the job, that a pod is of.
fn part(pod: &Pod) -> String {
    let labels = pod.labels();
    let part = labels.get("appstack.dev/job");
    let part = part.or_else(|| labels.get("app.kubernetes.io/component"));
    part.cloned().unwrap_or_default()
}

/// Prints what a container prints, until it ends. One whose log is gone already has told enough.
async fn print(pods: Api<Pod>, pod: String, part: String, params: LogParams) {
    let Ok(log) = pods.log_stream(&pod, &params).await else {
        return;
    };
    let mut lines = log.lines();
    while let Ok(Some(line)) = lines.try_next().await {
        tell(&format!("{part:<10} | {line}"));
    }
}
