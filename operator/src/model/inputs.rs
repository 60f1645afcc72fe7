//! What a roll-out depends on beside the spec: values of Secrets, classes, records, and what chance gives.
//!
//! Invariant: data only. `gather` fills it from the cluster, `Inputs::offline` without one.

mod gateways;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::EnvVarSource;
use k8s_openapi::api::networking::v1::IngressClass;
use kube::api::ObjectMeta;
use kube::core::object::HasSpec as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::api::{AppStack, AppStackSpec, ExternalDatabase};
use crate::model::fact::{Failure, Hold, Keeper, Login};
use crate::model::identity::{
    DataId, DatabaseHash, ManifestsHash, MigrationHash, PullHash, ReleaseHash, TemplateHash,
    ValuesHash, VolumeUid,
};
use crate::model::manifests::Manifests;
use crate::model::names::Names;
use crate::model::secret::{NoText, SecretData};
use crate::model::self_signed::Certificate;
use crate::settings::Ports;

pub use self::gateways::{GatewayKey, Gateways, asked_gateway, gateway};

/// What a roll-out depends on beside the spec.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// When they were gathered. `None` without a cluster, where values only stand for real ones and are not looked into.
    pub now: Option<Timestamp>,
    /// What is there of `secrets` and `config_maps` beside their texts.
    pub no_text: NoText,
    /// Every Secret that the spec or the serving release refers to and those that we generate, by name; absent ones are
    /// left out.
    pub secrets: BTreeMap<String, SecretData>,
    /// Every ConfigMap that the spec refers to, by name; absent ones are left out.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// What a kept release read; these values take the place of all others. `None` for a release of now, or if they are
    /// lost.
    pub restored: Option<SecretData>,
    /// The hash of a kept release; `None` for a release of now.
    pub release: Option<ReleaseHash>,
    /// The objects of kept releases as they were rendered, by the hash of the release: of the one that serves, and of those that
    /// may be asked for.
    pub manifests: BTreeMap<ReleaseHash, Arc<Manifests>>,
    /// The revision of the pods to which each Service of the stack turns requests, by the Service's name. Read only where it is
    /// not written down what serves.
    pub turned: BTreeMap<String, TemplateHash>,
    /// The IngressClasses of the cluster.
    pub ingress_classes: Vec<IngressClass>,
    /// The Gateways of the cluster.
    pub gateways: Gateways,
    /// The UID of the embedded database's volume claim. A claim that was deleted and made again holds none of the data
    /// that migrations and the seed made.
    pub volume: Option<VolumeUid>,
    /// Whether Traefik's own kinds are served here, so that a redirect can be made.
    pub traefik_kinds: bool,
    /// Whether cert-manager's certificates are.
    pub certificates: bool,
    /// Whether what shows the page of maintenance answers, or visitors are led to it already.
    pub page_answers: bool,
    /// What is recorded of the past.
    pub records: Records,
    /// Fresh random values; used only where a value is not there yet.
    pub random: RandomValues,
    /// The stored self-signed certificate if it is still good for the hosts of the spec and of what serves, else a new one;
    /// `None` where the spec wants none.
    pub certificate: Option<Certificate>,
    /// The stored self-signed certificate, whatever it is good for.
    pub stored_certificate: Option<Certificate>,
}

/// Facts of the past that outlive the objects they are about.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Releases whose gates were all open, oldest first.
    pub releases: Vec<ReleaseRecord>,
    /// The embedded database as it was rendered, by the hash of what the user chose.
    pub databases: BTreeMap<DatabaseHash, Arc<StatefulSet>>,
    /// Releases that failed.
    pub failures: Vec<Failure>,
    /// Migrations that succeeded, in the order in which they did.
    pub migrations: Vec<MigrationRecord>,
    /// Roles that were made for the application.
    pub roles: Vec<Login>,
    /// Roles that are on their way out, together as they go.
    pub revocations: Vec<Vec<Login>>,
    /// Which data were seeded; see `release::data`.
    pub seeds: Vec<Option<DataId>>,
    /// Who has the data just now.
    pub hold: Option<Hold>,
    /// Hashes of the pulls of images that came to their end; see `build::Pull`.
    pub pulled: BTreeSet<PullHash>,
    /// The names of records that do not go with what they should go with, and that.
    pub misplaced: Vec<(String, Keeper)>,
    /// Names of records that cannot be read, each with the reason. What they say is not known, which is never the same as
    /// that it did not happen.
    pub unreadable: Vec<String>,
}

/// A release whose gates were all open.
#[derive(Clone, Debug)]
pub struct ReleaseRecord {
    /// Its hash; see `release::identity`.
    pub hash: ReleaseHash,
    /// The order of verification; the highest one serves.
    pub revision: i64,
    /// When it was first verified.
    pub verified_at: Option<Timestamp>,
    /// The spec it was made from.
    pub spec: AppStackSpec,
    /// The hash of the values that its pods read; it names the Secret that keeps them.
    pub values: ValuesHash,
    /// The hash of its migration, where it has one.
    pub migration: Option<MigrationHash>,
    /// The settings of the operator that reach its pods or its edge; `None` if nobody wrote them down.
    pub ports: Option<Ports>,
    /// Which request to take the templates of its time it followed.
    pub renewal: Option<String>,
    /// The hash of its objects as they were rendered; `None` if nobody wrote them down.
    pub manifests: Option<ManifestsHash>,
    /// The images whose assets it serves beside its own, oldest first; see `bridge::images`.
    pub assets: Vec<String>,
}

/// A migration that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationRecord {
    /// Its hash; see `release::identity`.
    pub hash: MigrationHash,
    /// Which data it changed; see `release::data`.
    pub data: Option<DataId>,
    /// Which schema the database had then, where that was told.
    pub head: Option<String>,
}

/// Fresh random values.
#[derive(Clone, Debug)]
pub struct RandomValues {
    /// For SECRET_KEY.
    pub secret_key: SecretString,
    /// For FIRST_SUPERUSER_PASSWORD.
    pub superuser_password: SecretString,
    /// For POSTGRES_PASSWORD.
    pub database_password: SecretString,
    /// For the superuser of the embedded database.
    pub admin_password: SecretString,
    /// For Adminer's role in the embedded database.
    pub adminer_password: SecretString,
}

impl Inputs {
    /// The inputs of a kept release: it has the values that it had, and the certificate of now, which is for its hosts as
    /// well; where the spec wants none any more, the one that is there.
    #[must_use]
    pub fn of_kept(&self, names: &Names, release: &ReleaseRecord) -> Self {
        let values = self.values_of(names, release);
        let stored = self.stored_certificate.as_ref();
        Self {
            restored: values.cloned(),
            release: Some(release.hash.clone()),
            certificate: self.certificate.as_ref().or(stored).cloned(),
            ..self.clone()
        }
    }

    /// The values that a kept release reads; `None` if they are lost, or their Secret holds others than its name says.
    #[must_use]
    pub fn values_of(&self, names: &Names, release: &ReleaseRecord) -> Option<&SecretData> {
        let values = self.secrets.get(names.values(&release.values).as_str())?;
        (values_hash(values) == release.values).then_some(values)
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
            now: None,
            no_text: NoText::default(),
            secrets: referenced_secrets(app.spec())
                .map(|name| (name.to_owned(), offline_secret(app.spec())))
                .collect(),
            config_maps: config_map_values(app.spec())
                .map(|(name, key)| {
                    let value = format!("({key})");
                    (name.to_owned(), BTreeMap::from([(key.to_owned(), value)]))
                })
                .collect(),
            restored: None,
            release: None,
            manifests: BTreeMap::new(),
            turned: BTreeMap::new(),
            ingress_classes: vec![offline_class(class)],
            gateways: Gateways::offline(app),
            traefik_kinds: true,
            certificates: true,
            page_answers: true,
            volume: None,
            records: Records::default(),
            random: RandomValues {
                secret_key: generated(names.stack(), "secret-key"),
                superuser_password: generated(names.stack(), "superuser-password"),
                database_password: generated(names.stack(), "database-password"),
                admin_password: generated(names.stack(), "admin-password"),
                adminer_password: generated(names.stack(), "adminer-password"),
            },
            stored_certificate: None,
            certificate: Some(certificate),
        }
    }
}

/// The hash of values that pods read: it names the Secret that keeps them.
#[must_use]
pub fn values_hash(values: &SecretData) -> ValuesHash {
    let parts: Vec<&str> = values
        .iter()
        .flat_map(|(key, value)| [key.as_str(), value.expose_secret()])
        .collect();
    ValuesHash::of(&parts)
}

/// The names of the Secrets that a spec refers to.
pub fn referenced_secrets(spec: &AppStackSpec) -> impl Iterator<Item = &str> {
    let optional = sources(spec).filter_map(|it| Some(it.secret_key_ref.as_ref()?.name.as_str()));
    secret_references(spec)
        .map(|(_, name)| name)
        .chain(optional)
        .chain(users_secret(spec))
}

/// The Secrets that pods read by the templates of a spec alone. Nothing is asked of them, and no release is made of what they
/// hold; but what they hold must not be seen.
#[must_use]
pub fn template_secrets(spec: &AppStackSpec) -> BTreeSet<String> {
    let jobs = spec.jobs.iter().map(|it| it.pod_template.as_ref());
    let frontend = spec.frontend.as_ref().map(|it| it.pod_template.as_ref());
    let all = [spec.backend.pod_template.as_ref()].into_iter();
    let mut found = BTreeSet::new();
    for template in all.chain(frontend).chain(jobs).flatten() {
        secrets_of(template, &mut found);
    }
    found
}

/// Every Secret that is named below a value, as environment and volumes name it.
fn secrets_of(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let named = match name.as_str() {
                    "secretRef" | "secretKeyRef" => value.get("name"),
                    "secret" => value.get("secretName").or_else(|| value.get("name")),
                    _ => None,
                };
                found.extend(named.and_then(Value::as_str).map(str::to_owned));
                secrets_of(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| secrets_of(it, found)),
        _ => {}
    }
}

/// The Secret with the names and passwords that the edge asks for. The ingress controller reads it; we judge it.
#[must_use]
pub fn users_secret(spec: &AppStackSpec) -> Option<&str> {
    let access = spec.edge.as_ref()?.access.as_ref()?;
    access.basic_auth_secret.as_deref()
}

/// The ConfigMap with the page of maintenance, if a spec names one.
#[must_use]
pub fn maintenance_page(spec: &AppStackSpec) -> Option<&str> {
    spec.edge.as_ref()?.maintenance_page.as_deref()
}

/// The ConfigMaps that a spec refers to.
pub fn referenced_config_maps(spec: &AppStackSpec) -> impl Iterator<Item = &str> {
    let values = config_map_values(spec).map(|(name, _)| name);
    values.chain(maintenance_page(spec))
}

/// The ConfigMaps that variables of a spec refer to, each with its key.
pub fn config_map_values(spec: &AppStackSpec) -> impl Iterator<Item = (&str, &str)> {
    sources(spec)
        .filter_map(|it| it.config_map_key_ref.as_ref())
        .map(|it| (it.name.as_str(), it.key.as_str()))
}

fn sources(spec: &AppStackSpec) -> impl Iterator<Item = &EnvVarSource> {
    spec.backend
        .env
        .iter()
        .filter_map(|it| it.value_from.as_ref())
}

/// The fields of a spec that refer to a Secret which must be there, and the Secrets' names.
pub fn secret_references(spec: &AppStackSpec) -> impl Iterator<Item = (&'static str, &str)> {
    let from = spec.secrets.iter().flat_map(|it| &it.from);
    let external = external_database(spec);
    let tls = spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    let env = sources(spec).filter_map(|it| {
        let reference = it.secret_key_ref.as_ref()?;
        (reference.optional != Some(true)).then_some(("backend.env", reference.name.as_str()))
    });
    let pulls = spec.image_pull_secrets.iter();
    from.map(|it| ("secrets.from", it.name.as_str()))
        .chain(pulls.map(|it| ("imagePullSecrets", it.name.as_str())))
        .chain(env)
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

const OFFLINE_KEYS: [&str; 7] = [
    "host", "dbname", "user", "password", "tls.crt", "tls.key", "users",
];

/// Every key that any reference may ask for.
fn offline_secret(spec: &AppStackSpec) -> SecretData {
    let env = sources(spec).filter_map(|it| Some(it.secret_key_ref.as_ref()?.key.as_str()));
    OFFLINE_KEYS
        .into_iter()
        .chain(env)
        .map(|key| (key.to_owned(), SecretString::from(format!("({key})"))))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_secrets_of_templates_are_found_wherever_pods_read_them() {
        let spec = fixtures::spec(
            "backend: {image: 'a/b:1', podTemplate: {spec: {
                containers: [{name: backend, envFrom: [{secretRef: {name: a}}],
                    env: [{name: E, valueFrom: {secretKeyRef: {name: b, key: k}}}]}],
                volumes: [{name: v, secret: {secretName: c}}, {name: w, projected: {sources: [{secret: {name: d}}]}}]}}},
             frontend: {image: 'a/c:1', podTemplate: {spec: {initContainers: [{name: i, envFrom: [{secretRef: {name: e}}]}]}}},
             jobs: [{name: j, args: [a], podTemplate: {spec: {volumes: [{name: v, secret: {secretName: f}}]}}}]",
        );
        let wanted = ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
        assert_eq!(template_secrets(&spec), wanted.into());
    }
}
