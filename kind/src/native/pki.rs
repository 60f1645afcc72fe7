//! The certificates of a native node: one authority, and a certificate for each part that speaks to the API server.
//! Made once per cluster; writes only into its `pki` folder and the kubeconfig files.

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use crate::native::network;
use crate::state::Home;

/// Who may speak to the API server: file name, user, group.
const CLIENTS: [(&str, &str, &str); 6] = [
    ("admin", "kubernetes-admin", "system:masters"),
    (
        "kubelet-client",
        "kube-apiserver-kubelet-client",
        "system:masters",
    ),
    (
        "controller-manager",
        "system:kube-controller-manager",
        "system:kube-controller-manager",
    ),
    (
        "scheduler",
        "system:kube-scheduler",
        "system:kube-scheduler",
    ),
    ("proxy", "system:kube-proxy", "system:node-proxier"),
    (
        "provisioner",
        "appstack:storage-provisioner",
        "system:masters",
    ),
];

/// The parts that read a kubeconfig inside the node.
const KUBECONFIGS: [&str; 5] = [
    "controller-manager",
    "scheduler",
    "proxy",
    "kubelet",
    "provisioner",
];

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Makes everything that is not there yet.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn ensure(home: &Home, node: &str, api_port: u16) -> Result<()> {
    if !home.path("pki/complete").exists() {
        make(home, node)?;
        home.write("pki/complete", "")?;
    }
    for client in KUBECONFIGS {
        write_kubeconfig(
            home,
            client,
            network::API_PORT,
            &format!("pki/{client}.kubeconfig"),
        )?;
    }
    write_kubeconfig(home, "admin", api_port, "kubeconfig")
}

fn make(home: &Home, node: &str) -> Result<()> {
    let authority = authority()?;
    home.write("pki/ca.crt", &authority.pem())?;
    write_secret(home, "pki/ca.key", &authority.key().serialize_pem())?;
    for (file, user, group) in CLIENTS {
        client(home, &authority, file, user, group)?;
    }
    client(
        home,
        &authority,
        "kubelet",
        &format!("system:node:{node}"),
        "system:nodes",
    )?;
    serving(home, &authority, "apiserver", &api_names())?;
    serving(
        home,
        &authority,
        "kubelet-serving",
        &[node.to_owned(), network::NODE.to_string()],
    )?;
    let accounts = KeyPair::generate()?;
    write_secret(home, "pki/service-accounts.key", &accounts.serialize_pem())?;
    home.write("pki/service-accounts.pub", &accounts.public_key_pem())
}

fn authority() -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn client(home: &Home, authority: &Authority, file: &str, user: &str, group: &str) -> Result<()> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, user);
    params
        .distinguished_name
        .push(DnType::OrganizationName, group);
    sign(
        home,
        authority,
        params,
        file,
        ExtendedKeyUsagePurpose::ClientAuth,
    )
}

fn serving(home: &Home, authority: &Authority, file: &str, names: &[String]) -> Result<()> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, file);
    sign(
        home,
        authority,
        params,
        file,
        ExtendedKeyUsagePurpose::ServerAuth,
    )
}

fn sign(
    home: &Home,
    authority: &Authority,
    mut params: CertificateParams,
    file: &str,
    usage: ExtendedKeyUsagePurpose,
) -> Result<()> {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    home.write(&format!("pki/{file}.crt"), &certificate.pem())?;
    write_secret(home, &format!("pki/{file}.key"), &key.serialize_pem())
}

fn api_names() -> Vec<String> {
    let names = [
        "localhost",
        "127.0.0.1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let addresses = [network::NODE, network::FIRST_SERVICE].map(|address| address.to_string());
    names
        .map(str::to_owned)
        .into_iter()
        .chain(addresses)
        .collect()
}

fn write_secret(home: &Home, name: &str, text: &str) -> Result<()> {
    home.write(name, text)?;
    Ok(std::fs::set_permissions(
        home.path(name),
        std::fs::Permissions::from_mode(0o600),
    )?)
}

/// A kubeconfig that carries its certificates, so that a copy of it works anywhere on the machine.
fn write_kubeconfig(home: &Home, client: &str, port: u16, file: &str) -> Result<()> {
    use base64::Engine;
    let read = |name: String| -> Result<String> {
        Ok(base64::engine::general_purpose::STANDARD
            .encode(std::fs::read(home.path(&format!("pki/{name}")))?))
    };
    let name = home
        .folder()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": {
            "server": format!("https://127.0.0.1:{port}"), "certificate-authority-data": read("ca.crt".into())? } }],
        "users": [{ "name": client, "user": {
            "client-certificate-data": read(format!("{client}.crt"))?,
            "client-key-data": read(format!("{client}.key"))? } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": client } }],
        "current-context": name,
    });
    write_secret(home, file, &serde_json::to_string_pretty(&config)?)
}
