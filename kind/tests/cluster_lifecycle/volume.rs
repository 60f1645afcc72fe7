//! A volume comes with a claim and goes with it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{
    Namespace, PersistentVolume, PersistentVolumeClaim, Pod, ServiceAccount,
};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, ResourceExt};
use local_cluster::images::standin;
use local_cluster::{Cluster, Progress};
use serde_json::json;

use crate::say;

/// How long a single wait may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A database that is not root can write into a volume, and when its claim is gone so is the data.
pub(crate) async fn a_volume_comes_and_goes(cluster: &Cluster) -> Result<()> {
    cluster
        .provide(standin::POSTGRES_TAG, &Progress::new())
        .await?;
    let client = cluster.client().await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .create(
            &PostParams::default(),
            &object(json!({ "metadata": { "name": "volume" } }))?,
        )
        .await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "volume");
    wait_for(&client, accounts, "default", is_there()).await?;

    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "volume");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "volume");
    claims
        .create(&PostParams::default(), &object(claim())?)
        .await?;
    let pod = pods
        .create(&PostParams::default(), &object(database())?)
        .await?;
    wait_for(&client, pods.clone(), "database", is_ready()).await?;

    let claim = claims.get("data").await?;
    let name = claim
        .spec
        .and_then(|spec| spec.volume_name)
        .context("the claim has no volume")?;
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let volume = volumes.get(&name).await?;
    let local = volume.spec.as_ref().and_then(|spec| spec.local.as_ref());
    let folder = local.map(|local| PathBuf::from(&local.path));

    pods.delete("database", &DeleteParams::default().grace_period(1))
        .await?;
    wait_for(
        &client,
        pods,
        "database",
        is_deleted(&pod.uid().unwrap_or_default()),
    )
    .await?;
    claims.delete("data", &DeleteParams::default()).await?;
    wait_for(
        &client,
        volumes,
        &name,
        is_deleted(&volume.uid().unwrap_or_default()),
    )
    .await?;
    // With Docker the folder lies in the node, where its own provisioner removes it.
    if let Some(folder) = folder {
        ensure!(
            !folder.exists(),
            "{} is left of a volume that is gone",
            folder.display()
        );
    }
    Ok(())
}

fn claim() -> serde_json::Value {
    json!({
        "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    })
}

/// A database as strict as the operator runs it: not root, and nothing writable but its volumes.
fn database() -> serde_json::Value {
    json!({
        "metadata": { "name": "database" },
        "spec": {
            "securityContext": { "runAsUser": 999, "runAsGroup": 999, "fsGroup": 999, "runAsNonRoot": true },
            "containers": [{
                "name": "postgres",
                "image": standin::POSTGRES_TAG,
                "imagePullPolicy": "IfNotPresent",
                "env": [
                    { "name": "POSTGRES_USER", "value": "shop" },
                    { "name": "POSTGRES_PASSWORD", "value": "only-for-this-test" },
                    { "name": "POSTGRES_DB", "value": "shop" },
                    { "name": "PGDATA", "value": "/var/lib/postgresql/18/docker" },
                ],
                "securityContext": { "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false },
                "readinessProbe": {
                    "periodSeconds": 1,
                    "timeoutSeconds": 5,
                    "exec": { "command": ["sh", "-c", "PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U shop -d shop -c 'SELECT 1'"] },
                },
                "volumeMounts": [
                    { "name": "data", "mountPath": "/var/lib/postgresql" },
                    { "name": "tmp", "mountPath": "/tmp" },
                    { "name": "run", "mountPath": "/var/run/postgresql" },
                ],
            }],
            "volumes": [
                { "name": "data", "persistentVolumeClaim": { "claimName": "data" } },
                { "name": "tmp", "emptyDir": {} },
                { "name": "run", "emptyDir": {} },
            ],
        },
    })
}

fn object<K: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<K> {
    Ok(serde_json::from_value(value)?)
}

fn is_there<K>() -> impl Condition<K> {
    |object: Option<&K>| object.is_some()
}

fn is_ready() -> impl Condition<Pod> {
    |pod: Option<&Pod>| {
        let conditions = pod.and_then(|pod| pod.status.as_ref()?.conditions.as_ref());
        conditions.is_some_and(|all| {
            all.iter()
                .any(|one| one.type_ == "Ready" && one.status == "True")
        })
    }
}

/// Waits for a condition, and shows the pods of the cluster when it does not come.
async fn wait_for<K>(
    client: &Client,
    api: Api<K>,
    name: &str,
    condition: impl Condition<K>,
) -> Result<()>
where
    K: Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + kube::Resource + 'static,
    K::DynamicType: Default,
{
    let condition = Box::pin(await_condition(api, name, condition));
    if let Ok(outcome) = tokio::time::timeout(PATIENCE, condition).await {
        return Ok(outcome.map(drop)?);
    }
    let pods: Api<Pod> = Api::all(client.clone());
    for pod in pods.list(&ListParams::default()).await? {
        say(&format!(
            "{}: {}",
            pod.name_any(),
            serde_json::to_string(&pod.status)?
        ));
    }
    bail!("{name} was not as wanted within {} s", PATIENCE.as_secs())
}
