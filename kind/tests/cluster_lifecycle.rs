//! The life of a cluster: one comes up beside another, a second `up` changes nothing, two runs that meet make one
//! cluster, a volume comes and goes, and `down` leaves nothing of it on the machine.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{
    Namespace, PersistentVolume, PersistentVolumeClaim, Pod, ServiceAccount,
};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::conditions::{is_deleted, is_pod_running};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, ResourceExt};
use local_cluster::images::standin;
use local_cluster::{Cluster, Options, Progress, machine};
use serde_json::json;

/// How long a single wait may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Removes the cluster however the test ends.
struct Removed(Cluster);

impl Drop for Removed {
    fn drop(&mut self) {
        let cluster = self.0.clone();
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(cluster.down(&Progress::new()))
        });
        if !matches!(ended.join(), Ok(Ok(()))) {
            eprintln!("cluster {} could not be removed", self.0.name());
        }
    }
}

/// Whether the test runs here; on a machine that can hold no cluster it says so and passes, but not where that would
/// hide that nothing was tested.
async fn runs_here() -> bool {
    match machine::can_hold_a_cluster().await {
        Ok(()) => true,
        Err(why) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            panic!("CI has to hold a cluster: {why:#}")
        }
        Err(why) => {
            eprintln!("skipped: {why:#}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_up_beside_another_and_leaves_nothing() -> Result<()> {
    if !runs_here().await {
        return Ok(());
    }
    let (first, second) = (Cluster::open("life-one")?, Cluster::open("life-two")?);
    let _removed = (Removed(first.clone()), Removed(second.clone()));

    first.up(Options::default(), &Progress::new()).await?;
    two_runs_that_meet_make_one_cluster(&second).await?;
    ensure!(first.is_up().await, "the first cluster did not survive the second");
    ensure!(first.ports()? != second.ports()?, "two clusters publish the same ports");

    a_second_up_changes_nothing(&first).await?;
    every_published_port_answers(&first).await?;
    a_volume_comes_and_goes(&first).await?;
    the_audit_log_names_writes(&first)?;

    let seen = Traces::of(&first);
    ensure!(!seen.processes.is_empty(), "a running cluster was not seen: {seen:?}");
    first.down(&Progress::new()).await?;
    let left = Traces::of(&first);
    ensure!(left.is_empty(), "`down` left something: {left:?}");
    ensure!(second.is_up().await, "the end of the first cluster touched the second");
    first.down(&Progress::new()).await.context("a second `down` has nothing to do")
}

async fn two_runs_that_meet_make_one_cluster(cluster: &Cluster) -> Result<()> {
    let (one, other) = (Progress::new(), Progress::new());
    let (left, right) =
        tokio::join!(cluster.up(Options::default(), &one), cluster.up(Options::default(), &other));
    left.and(right)?;
    ensure!(cluster.is_up().await, "two runs that met left no cluster");
    Ok(())
}

async fn a_second_up_changes_nothing(cluster: &Cluster) -> Result<()> {
    let before = std::fs::read(cluster.home().path("state.json"))?;
    let started = Instant::now();
    cluster.up(Options::default(), &Progress::new()).await?;
    let took = started.elapsed();
    ensure!(took < Duration::from_secs(2), "`up` took {took:?} where nothing was to do");
    ensure!(before == std::fs::read(cluster.home().path("state.json"))?, "a second `up` wrote its state anew");
    Ok(())
}

async fn every_published_port_answers(cluster: &Cluster) -> Result<()> {
    let ports = cluster.ports()?;
    // The other two belong to Services that the demo brings.
    for port in [ports.https, ports.http, ports.traefik] {
        let answer = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        answer.with_context(|| format!("nothing listens on port {port}"))?;
    }
    let api = format!("http://127.0.0.1:{}/api/version", ports.traefik);
    // Chooses the cryptography that the HTTP client was built without.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let version: serde_json::Value = reqwest::get(api).await?.json().await?;
    ensure!(version["Version"].is_string(), "Traefik's API says {version}");
    Ok(())
}

/// A database that is not root can write into a volume, and when its claim is gone so is the data.
async fn a_volume_comes_and_goes(cluster: &Cluster) -> Result<()> {
    cluster.provide(standin::POSTGRES_TAG, &Progress::new()).await?;
    let client = cluster.client().await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &object(json!({ "metadata": { "name": "volume" } }))?).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "volume");
    wait_for(&client, accounts, "default", is_there()).await?;

    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), "volume");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "volume");
    claims.create(&PostParams::default(), &object(claim())?).await?;
    let pod = pods.create(&PostParams::default(), &object(database())?).await?;
    wait_for(&client, pods.clone(), "database", is_pod_running()).await?;
    wait_for(&client, pods.clone(), "database", is_ready()).await?;

    let claim = claims.get("data").await?;
    let name = claim.spec.and_then(|spec| spec.volume_name).context("the claim has no volume")?;
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let volume = volumes.get(&name).await?;
    let local = volume.spec.as_ref().and_then(|spec| spec.local.as_ref());
    let folder = local.map(|local| PathBuf::from(&local.path));

    pods.delete("database", &DeleteParams::default().grace_period(1)).await?;
    wait_for(&client, pods, "database", is_deleted(&pod.uid().unwrap_or_default())).await?;
    claims.delete("data", &DeleteParams::default()).await?;
    wait_for(&client, volumes, &name, is_deleted(&volume.uid().unwrap_or_default())).await?;
    // With Docker the folder lies in the node, where its own provisioner removes it.
    if let Some(folder) = folder {
        ensure!(!folder.exists(), "{} is left of a volume that is gone", folder.display());
    }
    Ok(())
}

fn the_audit_log_names_writes(cluster: &Cluster) -> Result<()> {
    let log = std::fs::read_to_string(cluster.audit_log())?;
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let verbs: Vec<String> = events.filter_map(|event| event["verb"].as_str().map(str::to_owned)).collect();
    ensure!(verbs.iter().any(|verb| verb == "create"), "no write is in the audit log");
    ensure!(!verbs.iter().any(|verb| verb == "list" || verb == "watch"), "reads are in the audit log");
    Ok(())
}

/// Everything that is on the machine for a cluster, by the cluster's name.
#[derive(Debug)]
struct Traces {
    processes: Vec<String>,
    mounts: Vec<String>,
    interfaces: Vec<String>,
    groups: Vec<PathBuf>,
    folder: Option<PathBuf>,
}

impl Traces {
    fn of(cluster: &Cluster) -> Self {
        let folder = cluster.home().folder().to_owned();
        Self {
            processes: processes(&folder, cluster.name()),
            mounts: mounts(&folder),
            interfaces: interfaces(cluster.name()),
            groups: groups(cluster.name()),
            folder: folder.exists().then_some(folder),
        }
    }

    fn is_empty(&self) -> bool {
        self.processes.is_empty()
            && self.mounts.is_empty()
            && self.interfaces.is_empty()
            && self.groups.is_empty()
            && self.folder.is_none()
    }
}

/// Processes whose command line holds the cluster's folder, or its name as the argument of the node.
fn processes(folder: &Path, name: &str) -> Vec<String> {
    let commands = entries("/proc").into_iter().filter_map(|path| {
        let words = std::fs::read(path.join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    });
    let (folder, node) = (folder.display().to_string(), format!("node --name {name} "));
    commands.filter(|command| command.contains(&folder) || command.contains(&node)).collect()
}

/// Mounts of any process: a namespace lives as long as a process in it does.
fn mounts(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let tables = entries("/proc").into_iter().filter_map(|path| std::fs::read_to_string(path.join("mountinfo")).ok());
    let lines = tables.flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| line.contains(&folder)).take(5).collect()
}

/// Interfaces of the host: a node's own are in its namespace, so that none of them may be here.
fn interfaces(name: &str) -> Vec<String> {
    let ours = |interface: &String| {
        interface.contains(name) || interface.starts_with("cni") || interface.starts_with("veth")
    };
    let names = entries("/sys/class/net").into_iter().filter_map(|path| {
        path.file_name().map(|name| name.to_string_lossy().into_owned())
    });
    names.filter(ours).collect()
}

fn groups(name: &str) -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let group = format!("appstack-{name}");
    let hierarchies = entries(&root).into_iter().chain([root]);
    hierarchies.map(|hierarchy| hierarchy.join(&group)).filter(|group| group.exists()).collect()
}

fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten();
    listed.filter_map(|entry| Some(entry.ok()?.path())).collect()
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
        conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
    }
}

/// Waits for a condition, and shows the pods of the cluster when it does not come.
async fn wait_for<K>(client: &Client, api: Api<K>, name: &str, condition: impl Condition<K>) -> Result<()>
where
    K: Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + kube::Resource + 'static,
    K::DynamicType: Default,
{
    match tokio::time::timeout(PATIENCE, await_condition(api, name, condition)).await {
        Ok(outcome) => Ok(outcome.map(drop)?),
        Err(_) => {
            let pods: Api<Pod> = Api::all(client.clone());
            for pod in pods.list(&kube::api::ListParams::default()).await? {
                eprintln!("{}: {}", pod.name_any(), serde_json::to_string(&pod.status)?);
            }
            anyhow::bail!("{name} was not as wanted within {} s", PATIENCE.as_secs())
        }
    }
}
