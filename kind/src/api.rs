//! Speaks to the API server of a cluster: a client, and the few conditions that `up` waits for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::conditions::is_deployment_completed;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Config};

/// A client by a kubeconfig file.
///
/// # Errors
/// When the file cannot be read or means nothing.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    // Refused when the process has chosen its cryptography already, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// Whether the API server says that it is ready.
pub async fn is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), client.request_text(request)).await;
    answer.is_ok_and(|answer| answer.is_ok())
}

/// A text value of a Secret.
///
/// # Errors
/// When it cannot be read, or holds no such text.
pub async fn secret(client: &Client, namespace: &str, name: &str, key: &str) -> Result<String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get(name).await;
    let secret = secret.with_context(|| format!("there is no Secret {name} in {namespace}"))?;
    let mut data = secret.data.unwrap_or_default();
    let value = data.remove(key);
    let value = value.with_context(|| format!("Secret {name} has no {key}"))?;
    Ok(String::from_utf8(value.0)?)
}

/// Waits until a Deployment has all its replicas.
///
/// # Errors
/// When it has not in time.
pub(crate) async fn deployment_is_up(
    client: &Client,
    namespace: &str,
    name: &str,
    patience: Duration,
) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    tokio::time::timeout(
        patience,
        await_condition(deployments, name, is_deployment_completed()),
    )
    .await
    .with_context(|| {
        format!(
            "{name} was not up within {} s: see `kubectl -n {namespace} describe pods`",
            patience.as_secs()
        )
    })??;
    Ok(())
}

/// Waits until a Service answers through the API server. After a node was started again, the status of its pods is that
/// of before for a while; what answers is there.
///
/// # Errors
/// When it does not answer in time.
pub(crate) async fn service_answers(client: &Client, path: &str, patience: Duration) -> Result<()> {
    let answers = async {
        loop {
            let request = http::Request::get(path).body(Vec::new())?;
            if client.request_text(request).await.is_ok() {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(patience, answers)
        .await
        .with_context(|| format!("nothing answered at {path} within {} s", patience.as_secs()))?
}

/// Waits until the only node is ready.
///
/// # Errors
/// When it is not in time.
pub(crate) async fn node_is_ready(client: &Client, name: &str, patience: Duration) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    tokio::time::timeout(patience, await_condition(nodes, name, is_node_ready()))
        .await
        .with_context(|| format!("the node was not ready within {} s", patience.as_secs()))??;
    Ok(())
}

fn is_node_ready() -> impl Condition<Node> {
    |node: Option<&Node>| {
        let conditions = node.and_then(|node| node.status.as_ref()?.conditions.as_ref());
        conditions.is_some_and(|all| {
            all.iter()
                .any(|one| one.type_ == "Ready" && one.status == "True")
        })
    }
}
