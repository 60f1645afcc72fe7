//! cert-manager in a local cluster, and a certificate authority whose certificates it asks for as it would ask Let's Encrypt. So does
//! Traefik, by a certificate resolver.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::cluster::Cluster;
use crate::images::standin;
use crate::progress::Progress;
use crate::{api, command, folders, tools};

/// The ClusterIssuer of the authority.
pub const ISSUER: &str = "pebble";
/// The certificate resolver of Traefik that asks it too.
pub const RESOLVER: &str = "pebble";
/// The namespace of the authority, and the name of its Service.
pub const NAMESPACE: &str = "pebble";

/// The version of cert-manager.
const VERSION: &str = "v1.21.2";
/// Where its source has its chart.
const CHART: &str = "deploy/charts/cert-manager";
/// How long pods may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);
/// The namespace of Traefik, and the name of its Deployment and container.
const TRAEFIK: &str = "traefik";
/// Whom Traefik trusts when it asks: a ConfigMap, and where it is mounted.
const TRUSTED: &str = "pebble-authority";

/// Installs both, and waits until certificates can be asked for.
///
/// # Errors
/// When a program or an image cannot be built, or a pod does not come up.
pub async fn install(cluster: &Cluster, progress: &Progress) -> Result<()> {
    tools::build_in_turn(&[tools::HELM, tools::CERT_MANAGER, tools::PEBBLE], progress).await?;
    let images = standin::of_the_authority().map(|it| cluster.stand_in(it, progress));
    for image in futures::future::try_join_all(images)
        .await?
        .iter()
        .flatten()
    {
        cluster.load(image).await?;
    }
    let part = progress.part("install cert-manager and a certificate authority");
    cert_manager(cluster).await?;
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["apply", "--server-side", "--force-conflicts", "--filename"]);
    kubectl.arg(folders::in_kind("manifests/pebble.yaml"));
    command::output(&mut kubectl).await?;
    for name in ["pebble", "front"] {
        let mut kubectl = cluster.kubectl()?;
        kubectl.args([
            "rollout",
            "status",
            "--namespace",
            NAMESPACE,
            "--timeout",
            &patience(),
        ]);
        kubectl.arg(format!("deployment/{name}"));
        command::output(&mut kubectl).await?;
    }
    let authority = issuer(cluster).await?;
    resolver(cluster, authority).await?;
    part.done("");
    Ok(())
}

/// The same as programs take it.
fn patience() -> String {
    format!("{}s", PATIENCE.as_secs())
}

async fn cert_manager(cluster: &Cluster) -> Result<()> {
    let source = tools::CERT_MANAGER
        .module_source("github.com/cert-manager/cert-manager")
        .await?;
    let mut helm = cluster.helm()?;
    helm.args(["upgrade", "--install", "cert-manager"])
        .arg(source.join(CHART));
    helm.args([
        "--namespace",
        "cert-manager",
        "--create-namespace",
        "--wait",
        "--timeout",
        &patience(),
    ]);
    helm.args([
        "--set",
        "crds.enabled=true",
        "--set",
        "startupapicheck.enabled=false",
    ]);
    for part in ["", "webhook.", "cainjector.", "acmesolver."] {
        helm.args(["--set", &format!("{part}image.tag={VERSION}")]);
    }
    // A try that failed is made again after an hour else, and the next one after two.
    helm.args([
        "--set",
        "extraArgs={--certificate-request-minimum-backoff-duration=10s,--certificate-request-maximum-backoff-duration=20s}",
    ]);
    command::output(&mut helm).await?;
    Ok(())
}

/// Lets Traefik ask the authority too, by a certificate resolver. It proves hosts by TLS: one that proves them by HTTP would answer
/// for cert-manager as well.
async fn resolver(cluster: &Cluster, authority: String) -> Result<()> {
    const FILE: &str = "ca.crt";
    let client = cluster.client().await?;
    let apply = PatchParams::apply("local-cluster").force();
    let trusted = ConfigMap {
        metadata: ObjectMeta {
            name: Some(TRUSTED.into()),
            ..ObjectMeta::default()
        },
        data: Some([(FILE.to_owned(), authority)].into()),
        ..ConfigMap::default()
    };
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), TRAEFIK);
    maps.patch(TRUSTED, &apply, &Patch::Apply(trusted)).await?;

    let deployments: Api<Deployment> = Api::namespaced(client.clone(), TRAEFIK);
    let deployment = deployments.get(TRAEFIK).await?;
    let containers = deployment
        .spec
        .and_then(|it| it.template.spec)
        .map(|it| it.containers);
    let args = containers.and_then(|it| it.into_iter().next()?.args);
    let mut args = args.context("Traefik has no arguments")?;
    let ours = [
        "caserver=https://pebble.pebble.svc:14000/dir".to_owned(),
        "email=ops@example.com".into(),
        "storage=/tmp/acme.json".into(),
        "tlschallenge=true".into(),
        // How long certificates are good, in hours: those of three minutes are renewed whenever it looks.
        "certificatesduration=1".into(),
        format!("cacertificates=/{TRUSTED}/{FILE}"),
    ];
    let start = format!("--certificatesresolvers.{RESOLVER}.acme.");
    args.retain(|it| !it.starts_with(&start));
    args.extend(ours.map(|it| format!("{start}{it}")));
    let patch = json!({"spec": {"template": {"spec": {
        "containers": [{
            "name": TRAEFIK, "args": args,
            "volumeMounts": [{"name": TRUSTED, "mountPath": format!("/{TRUSTED}")}],
        }],
        "volumes": [{"name": TRUSTED, "configMap": {"name": TRUSTED}}],
    }}}});
    let patch = Patch::Strategic(patch);
    let how = PatchParams::default();
    deployments.patch(TRAEFIK, &how, &patch).await?;
    api::deployment_is_up(&client, TRAEFIK, TRAEFIK, PATIENCE).await
}

/// The issuer, which knows by which certificate the authority answers; gives that.
async fn issuer(cluster: &Cluster) -> Result<String> {
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["get", "secret", "pebble", "--namespace", NAMESPACE]);
    kubectl.args(["--output", r"jsonpath={.data.ca\.crt}"]);
    let authority = command::output(&mut kubectl).await?;
    let solver = json!({"http01": {"ingress": {"ingressClassName": "traefik"}}});
    let issuer = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": ISSUER},
        "spec": {"acme": {
            "server": format!("https://pebble.{NAMESPACE}.svc:14000/dir"),
            "caBundle": authority.trim(),
            "privateKeySecretRef": {"name": "pebble-account"},
            "solvers": [solver],
        }},
    });
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["apply", "--server-side", "--filename", "-"]);
    let mut child = kubectl
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().context("kubectl takes no input")?;
    input.write_all(issuer.to_string().as_bytes()).await?;
    drop(input);
    anyhow::ensure!(
        child.wait().await?.success(),
        "kubectl does not apply the issuer"
    );
    let mut kubectl = cluster.kubectl()?;
    kubectl.args([
        "wait",
        &format!("clusterissuer/{ISSUER}"),
        "--for=condition=Ready",
        "--timeout",
        &patience(),
    ]);
    command::output(&mut kubectl).await?;
    let authority = STANDARD.decode(authority.trim())?;
    Ok(String::from_utf8(authority)?)
}
