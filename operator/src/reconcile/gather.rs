//! Reads what the spec refers to and draws what chance gives.
//!
//! Invariant: judges nothing and writes nothing. What is absent is left out of the `Inputs`; `check` says so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use k8s_openapi::api::networking::v1::IngressClass;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use rand::Rng as _;
use rand::distr::Alphanumeric;
use secrecy::SecretString;

use super::certificate::{self, Certificate, SecretData};
use super::check;
use super::inputs::{
    Drawn, Inputs, MigrationRecord, Records, ReleaseRecord, external_database,
    referenced_config_maps, referenced_secrets,
};
use super::names::Names;
use super::record::{self, Record};
use super::release;
use super::request::send;
use crate::api::AppStack;
use crate::error::{Error, Result};

/// Everything that a roll-out depends on beside the spec.
///
/// # Errors
/// If the API server refuses a read or cannot be reached.
pub async fn inputs(
    client: &Client,
    app: &AppStack,
    traefik_kinds: bool,
    now: Timestamp,
) -> Result<Inputs> {
    let namespace = app.namespace().unwrap_or_default();
    let names = Names::of(&app.name_any());
    let records = records(client, &namespace, &names).await?;
    let secrets = secrets(client, &namespace, &wanted_secrets(app, &names, &records)).await?;
    let stored_certificate = stored_certificate(&names, &secrets);
    Ok(Inputs {
        config_maps: config_maps(client, &namespace, app).await?,
        restored: None,
        ingress_classes: ingress_classes(client).await?,
        certificate: self_signed(app, &names, &secrets, stored_certificate.as_ref(), now)?,
        volume: volume(client, &namespace, app, &names).await?,
        drawn: draw(),
        stored_certificate,
        traefik_kinds,
        records,
        secrets,
    })
}

/// The Secrets that the spec refers to, our own, and the values of the releases that may be restored: the one that
/// serves and the one that is asked for.
fn wanted_secrets(app: &AppStack, names: &Names, records: &Records) -> BTreeSet<String> {
    let own = [names.generated(), names.authority(), names.certificate()];
    let kept = [
        release::serving(records),
        release::pinned(&app.spec, names, records),
    ];
    let values = kept
        .into_iter()
        .flatten()
        .map(|it| names.values(&it.values));
    referenced_secrets(&app.spec)
        .map(str::to_owned)
        .chain(own.into_iter().chain(values).map(String::from))
        .collect()
}

async fn config_maps(
    client: &Client,
    namespace: &str,
    app: &AppStack,
) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let names: BTreeSet<&str> = referenced_config_maps(&app.spec)
        .map(|(name, _)| name)
        .collect();
    let mut found = BTreeMap::new();
    for name in names {
        let map = send(api.get_opt(name))
            .await
            .map_err(|source| Error::Read {
                what: format!("ConfigMap {name}"),
                source,
            })?;
        found.extend(map.map(|it| (name.to_owned(), it.data.unwrap_or_default())));
    }
    Ok(found)
}

async fn secrets(
    client: &Client,
    namespace: &str,
    wanted: &BTreeSet<String>,
) -> Result<BTreeMap<String, SecretData>> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in wanted {
        let secret = send(api.get_opt(name))
            .await
            .map_err(|source| Error::Read {
                what: format!("Secret {name}"),
                source,
            })?;
        found.extend(secret.map(|secret| (name.clone(), data(secret))));
    }
    Ok(found)
}

/// Values that are no text are left out: none of ours is binary.
fn data(secret: Secret) -> SecretData {
    let text = |bytes| String::from_utf8(bytes).ok().map(SecretString::from);
    secret
        .data
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(key, value)| Some((key, text(value.0)?)))
        .collect()
}

fn stored_certificate(
    names: &Names,
    secrets: &BTreeMap<String, SecretData>,
) -> Option<Certificate> {
    let authority = secrets.get(names.authority().as_str());
    let stored = secrets.get(names.certificate().as_str());
    certificate::stored(authority, stored)
}

fn self_signed(
    app: &AppStack,
    names: &Names,
    secrets: &BTreeMap<String, SecretData>,
    stored: Option<&Certificate>,
    now: Timestamp,
) -> Result<Option<Certificate>> {
    let tls = app.spec.edge.as_ref().and_then(|it| it.tls.as_ref());
    if tls.is_some_and(|it| it.self_signed.is_none()) {
        return Ok(None);
    }
    let (dashboard, api) = check::hosts(&app.spec);
    let hosts: Vec<String> = dashboard.into_iter().chain([api]).collect();
    if let Some(current) = stored.filter(|it| certificate::is_current(it, &hosts, now)) {
        return Ok(Some(current.clone()));
    }
    let authority = secrets.get(names.authority().as_str());
    certificate::issue(authority, &hosts, now)
        .map(Some)
        .map_err(Error::Certificate)
}

/// The UID of the embedded database's volume claim, if there is one.
async fn volume(
    client: &Client,
    namespace: &str,
    app: &AppStack,
    names: &Names,
) -> Result<Option<String>> {
    if external_database(&app.spec).is_some() {
        return Ok(None);
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let name = names.database_volume();
    let claim = send(api.get_metadata_opt(name.as_str())).await;
    let claim = claim.map_err(|source| Error::Read {
        what: format!("PersistentVolumeClaim {name}"),
        source,
    })?;
    Ok(claim.and_then(|it| it.metadata.uid))
}

async fn ingress_classes(client: &Client) -> Result<Vec<IngressClass>> {
    let api: Api<IngressClass> = Api::all(client.clone());
    let list = send(api.list(&ListParams::default())).await;
    Ok(list
        .map_err(|source| Error::Read {
            what: "IngressClasses".into(),
            source,
        })?
        .items)
}

async fn records(client: &Client, namespace: &str, names: &Names) -> Result<Records> {
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    let list = send(api.list(&ListParams::default().labels(&record::selector(names)))).await;
    let list = list.map_err(|source| Error::Read {
        what: "the records of releases".into(),
        source,
    })?;
    let mut list = list.items;
    list.sort_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let mut records = Records::default();
    for revision in list {
        let verified_at = revision
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        match record::parse(&revision) {
            Some(Record::Release {
                hash,
                spec,
                values,
                migration,
            }) => records.releases.push(ReleaseRecord {
                revision: revision.revision,
                verified_at,
                hash,
                spec: *spec,
                values,
                migration,
            }),
            Some(Record::Failure(failure)) => records.failures.push(failure),
            Some(Record::Migration { hash, volume, head }) => {
                records
                    .migrations
                    .push(MigrationRecord { hash, volume, head });
            }
            Some(Record::Seed { volume }) => records.seeds.push(volume),
            // Of a future version of this operator; nothing to us.
            None => {}
        }
    }
    Ok(records)
}

/// Long enough that nobody guesses them, and of letters and digits alone, so that they need no quoting anywhere.
fn draw() -> Drawn {
    let text = |length: usize| -> SecretString {
        let letters = rand::rng().sample_iter(&Alphanumeric).take(length);
        letters.map(char::from).collect::<String>().into()
    };
    Drawn {
        secret_key: text(48),
        superuser_password: text(24),
        database_password: text(32),
    }
}
