//! What a roll-out depends on beside the spec: values of Secrets, classes, records, and what chance gives.
//!
//! Invariant: data only. `gather` fills it from the cluster, `Inputs::offline` without one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::IngressClass;
use kube::api::ObjectMeta;
use kube::core::object::HasSpec as _;
use secrecy::SecretString;

use super::certificate::{Certificate, SecretData};
use super::names::Names;
use crate::api::{AppStack, AppStackSpec, ExternalDatabase};

/// What a roll-out depends on beside the spec.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Every Secret that the spec or the serving release refers to and those that we generate, by name; absent ones are
    /// left out.
    pub secrets: BTreeMap<String, SecretData>,
    /// The IngressClasses of the cluster.
    pub ingress_classes: Vec<IngressClass>,
    /// The UID of the embedded database's volume claim. A claim that was deleted and made again holds none of the data
    /// that migrations and the seed made.
    pub volume: Option<String>,
    /// Whether Traefik's own kinds are served here, so that a redirect can be made.
    pub traefik_kinds: bool,
    /// What is recorded of the past.
    pub records: Records,
    /// Fresh random values; used only where a value is not there yet.
    pub drawn: Drawn,
    /// The stored self-signed certificate if it is still good for the spec, else a new one; `None` where the spec wants
    /// none.
    pub certificate: Option<Certificate>,
    /// The stored self-signed certificate, whatever it is good for.
    pub stored_certificate: Option<Certificate>,
}

/// Facts of the past that outlive the objects they are about.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Releases whose gates were all open, oldest first.
    pub releases: Vec<ReleaseRecord>,
    /// Hashes of the migrations that succeeded, each with the UID of the volume claim that it changed.
    pub migrations: Vec<(String, Option<String>)>,
    /// UIDs of the volume claims that were seeded.
    pub seeds: Vec<Option<String>>,
}

/// A release whose gates were all open.
#[derive(Clone, Debug)]
pub struct ReleaseRecord {
    /// Its hash; see `release::hash`.
    pub hash: String,
    /// The order of verification; the highest one serves.
    pub revision: i64,
    /// When it was first verified.
    pub verified_at: Option<Timestamp>,
    /// The spec it was made from.
    pub spec: AppStackSpec,
    /// The hash of the secret values it was made from.
    pub secrets_hash: String,
}

/// Fresh random values.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// For SECRET_KEY.
    pub secret_key: SecretString,
    /// For FIRST_SUPERUSER_PASSWORD.
    pub superuser_password: SecretString,
    /// For POSTGRES_PASSWORD.
    pub database_password: SecretString,
}

impl Inputs {
    /// The inputs of the release that serves: it keeps the certificate that is there.
    #[must_use]
    pub fn of_serving(&self) -> Self {
        Self {
            certificate: self.stored_certificate.clone(),
            ..self.clone()
        }
    }

    /// Inputs as a cluster would give them, without one: for `render` and for tests. Everything that the spec
    /// refers to is taken to be there, with values that say so.
    #[must_use]
    pub fn offline(app: &AppStack) -> Self {
        let names = Names::of(app.metadata.name.as_deref().unwrap_or_default());
        let class = class_name(app.spec()).unwrap_or("traefik");
        let certificate = Certificate {
            authority: "(made by the operator)".into(),
            authority_key: "(made by the operator)".into(),
            certificate: "(made by the operator)".into(),
            key: "(made by the operator)".into(),
        };
        Self {
            secrets: referenced_secrets(app.spec())
                .map(|name| (name.to_owned(), offline_secret()))
                .collect(),
            ingress_classes: vec![offline_class(class)],
            traefik_kinds: true,
            volume: None,
            records: Records::default(),
            drawn: Drawn {
                secret_key: generated(names.stack(), "secret-key"),
                superuser_password: generated(names.stack(), "superuser-password"),
                database_password: generated(names.stack(), "database-password"),
            },
            stored_certificate: None,
            certificate: Some(certificate),
        }
    }
}

/// The names of the Secrets that a spec refers to.
pub fn referenced_secrets(spec: &AppStackSpec) -> impl Iterator<Item = &str> {
    secret_references(spec).map(|(_, name)| name)
}

/// The fields of a spec that refer to a Secret, and the Secrets' names.
pub fn secret_references(spec: &AppStackSpec) -> impl Iterator<Item = (&'static str, &str)> {
    let from = spec.secrets.iter().flat_map(|it| &it.from);
    let external = external_database(spec);
    let tls = spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    from.map(|it| ("secrets.from", it.name.as_str()))
        .chain(external.map(|it| ("database.external.secretName", it.secret_name.as_str())))
        .chain(tls.and_then(|it| Some(("edge.tls.secretName", it.secret_name.as_deref()?))))
}

/// The database of a spec, where it is run elsewhere.
#[must_use]
pub fn external_database(spec: &AppStackSpec) -> Option<&ExternalDatabase> {
    spec.database.as_ref()?.external.as_ref()
}

/// The IngressClass that a spec asks for.
#[must_use]
pub fn class_name(spec: &AppStackSpec) -> Option<&str> {
    spec.edge.as_ref()?.class_name.as_deref()
}

fn generated(stack: &str, what: &str) -> SecretString {
    format!("(generated {what} of {stack})").into()
}

/// Every key that any reference may ask for.
fn offline_secret() -> SecretData {
    ["host", "dbname", "user", "password", "tls.crt", "tls.key"]
        .map(|key| (key.to_owned(), SecretString::from(format!("({key})"))))
        .into()
}

fn offline_class(name: &str) -> IngressClass {
    let controller = match name {
        _ if name.contains("traefik") => "traefik.io/ingress-controller",
        _ if name.contains("nginx") => "k8s.io/ingress-nginx",
        _ => "(known to the cluster)",
    };
    IngressClass {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..ObjectMeta::default()
        },
        spec: Some(k8s_openapi::api::networking::v1::IngressClassSpec {
            controller: Some(controller.into()),
            parameters: None,
        }),
    }
}
