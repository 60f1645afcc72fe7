//! The storage provisioner of a native node: gives each claim of its class a folder, as a `local` volume, and removes both
//! when the claim is gone. Local volumes, unlike host paths, honour the group that a pod asks for.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// What the storage class names as its provisioner; the manifest has the same.
const PROVISIONER: &str = "appstack.dev/local";
/// Which provisioner a claim waits for, written by the controller manager.
const CLAIM_WAITS_FOR: &str = "volume.kubernetes.io/storage-provisioner";
/// Set by the scheduler when the first pod that uses the claim has a node.
const NODE_CHOSEN: &str = "volume.kubernetes.io/selected-node";
/// Tells the controller manager that the volume is somebody else's to delete.
const MADE_BY: &str = "pv.kubernetes.io/provisioned-by";

/// Provisions and removes volumes until the node ends.
pub(super) async fn provision(client: Client, folder: PathBuf, node: String) {
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    futures::join!(
        bind_claims(Api::all(client), &volumes, &folder, &node),
        release_volumes(&volumes)
    );
}

async fn bind_claims(
    claims: Api<PersistentVolumeClaim>,
    volumes: &Api<PersistentVolume>,
    folder: &Path,
    node: &str,
) {
    let seen = watcher(claims, watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let mut seen = std::pin::pin!(seen);
    while let Some(claim) = seen.next().await {
        match claim {
            Ok(claim) => report(
                bind(volumes, folder, node, &claim).await,
                "provision",
                &claim.name_any(),
            ),
            Err(error) => tracing::warn!(%error, "cannot watch claims"),
        }
    }
}

async fn release_volumes(volumes: &Api<PersistentVolume>) {
    let seen = watcher(volumes.clone(), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let mut seen = std::pin::pin!(seen);
    while let Some(volume) = seen.next().await {
        match volume {
            Ok(volume) => report(
                release(volumes, &volume).await,
                "remove",
                &volume.name_any(),
            ),
            Err(error) => tracing::warn!(%error, "cannot watch volumes"),
        }
    }
}

async fn bind(
    volumes: &Api<PersistentVolume>,
    folder: &Path,
    node: &str,
    claim: &PersistentVolumeClaim,
) -> Result<()> {
    if !waits_for_us(claim) {
        return Ok(());
    }
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let path = folder.join(&name);
    std::fs::create_dir_all(&path)?;
    // A pod that asks for no group may run as any user, and nobody but root could write otherwise.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))?;
    match volumes
        .create(&PostParams::default(), &volume(&name, &path, node, claim)?)
        .await
    {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

async fn release(volumes: &Api<PersistentVolume>, volume: &PersistentVolume) -> Result<()> {
    if !is_ours_to_remove(volume) {
        return Ok(());
    }
    let spec = volume.spec.as_ref();
    if let Some(local) = spec.and_then(|spec| spec.local.as_ref())
        && Path::new(&local.path).exists()
    {
        std::fs::remove_dir_all(&local.path)?;
    }
    volumes
        .delete(&volume.name_any(), &DeleteParams::default())
        .await?;
    Ok(())
}

fn waits_for_us(claim: &PersistentVolumeClaim) -> bool {
    let pending = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        == Some("Pending");
    let annotations = claim.annotations();
    pending
        && claim.metadata.deletion_timestamp.is_none()
        && annotations
            .get(CLAIM_WAITS_FOR)
            .is_some_and(|name| name == PROVISIONER)
        && annotations.contains_key(NODE_CHOSEN)
}

fn is_ours_to_remove(volume: &PersistentVolume) -> bool {
    let phase = volume
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    phase == Some("Released")
        && policy == Some("Delete")
        && volume.metadata.deletion_timestamp.is_none()
        && volume
            .annotations()
            .get(MADE_BY)
            .is_some_and(|name| name == PROVISIONER)
}

fn volume(
    name: &str,
    path: &Path,
    node: &str,
    claim: &PersistentVolumeClaim,
) -> Result<PersistentVolume> {
    let spec = claim.spec.as_ref();
    let requests = spec.and_then(|spec| spec.resources.as_ref()?.requests.clone());
    Ok(serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name, "annotations": { MADE_BY: PROVISIONER } },
        "spec": {
            "capacity": requests,
            "accessModes": spec.and_then(|spec| spec.access_modes.clone()),
            "volumeMode": "Filesystem",
            "storageClassName": spec.and_then(|spec| spec.storage_class_name.clone()),
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": claim.uid(),
            },
            "local": { "path": path },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [node] },
            ] }] } },
        },
    }))?)
}

fn report(outcome: Result<()>, verb: &str, name: &str) {
    if let Err(error) = outcome {
        tracing::warn!("cannot {verb} {name}: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(node_chosen: bool) -> PersistentVolumeClaim {
        let mut annotations = serde_json::Map::new();
        annotations.insert(CLAIM_WAITS_FOR.into(), PROVISIONER.into());
        if node_chosen {
            annotations.insert(NODE_CHOSEN.into(), "a".into());
        }
        serde_json::from_value(json!({
            "metadata": { "name": "data", "namespace": "shop", "uid": "u-1", "annotations": annotations },
            "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                      "resources": { "requests": { "storage": "1Gi" } } },
            "status": { "phase": "Pending" },
        }))
        .unwrap()
    }

    #[test]
    fn a_claim_waits_until_its_first_pod_has_a_node() {
        assert!(!waits_for_us(&claim(false)));
        assert!(waits_for_us(&claim(true)));
    }

    #[test]
    fn a_volume_is_the_claims_alone_and_kept_until_released() {
        let mut made = volume("pvc-u-1", Path::new("/data/pvc-u-1"), "a", &claim(true)).unwrap();
        let claim_ref = made.spec.as_ref().unwrap().claim_ref.clone().unwrap();
        assert_eq!(claim_ref.uid.as_deref(), Some("u-1"));
        assert!(!is_ours_to_remove(&made));
        made.status = Some(serde_json::from_value(json!({ "phase": "Released" })).unwrap());
        assert!(is_ours_to_remove(&made));
        made.spec.as_mut().unwrap().persistent_volume_reclaim_policy = Some("Retain".into());
        assert!(!is_ours_to_remove(&made));
    }
}
