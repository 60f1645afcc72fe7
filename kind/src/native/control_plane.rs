//! What the programs of the control plane are told: etcd, the API server, the controller manager and the scheduler.
//! Starts none of them.

use anyhow::Result;

use crate::native::component::Component;
use crate::native::network;
use crate::state::Home;
use crate::tools;

const ETCD_URL: &str = "http://127.0.0.1:2379";
/// The issuer in the tokens of service accounts.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Which requests the API server writes down: every write but the heartbeats of the node.
const AUDIT_POLICY: &str = include_str!("../../native/audit-policy.yaml");

/// Writes the files that the control plane reads.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write_files(home: &Home) -> Result<()> {
    home.write("audit-policy.yaml", AUDIT_POLICY)
}

/// The store. It never waits for the disk: after a crash of the machine the cluster is made anew, and tests are faster.
pub(super) fn etcd(home: &Home) -> Result<Component> {
    let data = home.path("etcd").display().to_string();
    Ok(Component {
        name: "etcd",
        program: tools::ETCD.folder()?.join("server"),
        args: args(&[
            "--name=node",
            &format!("--data-dir={data}"),
            "--unsafe-no-fsync",
            &format!("--listen-client-urls={ETCD_URL}"),
            &format!("--advertise-client-urls={ETCD_URL}"),
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
        ]),
    })
}

/// The API server.
pub(super) fn api_server(home: &Home) -> Result<Component> {
    let pki = |file: &str| home.path(&format!("pki/{file}")).display().to_string();
    Ok(Component {
        name: "kube-apiserver",
        program: tools::KUBERNETES.folder()?.join("kube-apiserver"),
        args: args(&[
            &format!("--etcd-servers={ETCD_URL}"),
            &format!("--secure-port={}", network::API_PORT),
            &format!("--advertise-address={}", network::NODE),
            &format!("--service-cluster-ip-range={}", network::SERVICES),
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--kubelet-preferred-address-types=InternalIP",
            &format!("--client-ca-file={}", pki("ca.crt")),
            &format!("--tls-cert-file={}", pki("apiserver.crt")),
            &format!("--tls-private-key-file={}", pki("apiserver.key")),
            &format!("--kubelet-certificate-authority={}", pki("ca.crt")),
            &format!("--kubelet-client-certificate={}", pki("kubelet-client.crt")),
            &format!("--kubelet-client-key={}", pki("kubelet-client.key")),
            &format!("--service-account-issuer={ISSUER}"),
            &format!("--service-account-key-file={}", pki("service-accounts.pub")),
            &format!(
                "--service-account-signing-key-file={}",
                pki("service-accounts.key")
            ),
            &format!(
                "--audit-policy-file={}",
                home.path("audit-policy.yaml").display()
            ),
            &format!("--audit-log-path={}", home.log("audit").display()),
            "--audit-log-maxsize=200",
            "--audit-log-maxbackup=1",
            // One user on one machine: nothing to be fair between.
            "--enable-priority-and-fairness=false",
            "--profiling=false",
        ]),
    })
}

/// The controllers.
pub(super) fn controller_manager(home: &Home) -> Result<Component> {
    let pki = |file: &str| home.path(&format!("pki/{file}")).display().to_string();
    let kubeconfig = pki("controller-manager.kubeconfig");
    Ok(Component {
        name: "kube-controller-manager",
        program: tools::KUBERNETES.folder()?.join("kube-controller-manager"),
        args: args(&[
            &format!("--kubeconfig={kubeconfig}"),
            &format!("--authentication-kubeconfig={kubeconfig}"),
            &format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            // Each controller fetches a token of its own when it starts; the usual limits make that seconds.
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            &format!(
                "--service-account-private-key-file={}",
                pki("service-accounts.key")
            ),
            &format!("--root-ca-file={}", pki("ca.crt")),
            &format!("--cluster-signing-cert-file={}", pki("ca.crt")),
            &format!("--cluster-signing-key-file={}", pki("ca.key")),
            "--profiling=false",
        ]),
    })
}

/// The scheduler.
pub(super) fn scheduler(home: &Home) -> Result<Component> {
    let kubeconfig = home.path("pki/scheduler.kubeconfig").display().to_string();
    Ok(Component {
        name: "kube-scheduler",
        program: tools::KUBERNETES.folder()?.join("kube-scheduler"),
        args: args(&[
            &format!("--kubeconfig={kubeconfig}"),
            &format!("--authentication-kubeconfig={kubeconfig}"),
            &format!("--authorization-kubeconfig={kubeconfig}"),
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--profiling=false",
        ]),
    })
}

fn args(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
