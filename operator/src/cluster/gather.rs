//! Reads what the spec refers to and makes random values. What the cache knows is not read again.
//!
//! Invariant: judges nothing and writes nothing. What is absent is left out of the `Inputs`; `check` says so.

mod certificate;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service};
use k8s_openapi::api::networking::v1::IngressClass;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt as _};
use rand::Rng as _;
use rand::distr::Alphanumeric;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use self::records::{kept, parsed};
use crate::api::AppStack;
use crate::check;
use crate::cluster::cache::{Content, KeptRecord, StackCache};
use crate::cluster::call::send;
use crate::cluster::gateways::{Gateways, Kept};
use crate::error::{Error, Result};
use crate::model::child_name::ChildName;
use crate::model::fact::Record;
use crate::model::identity::{ManifestsHash, ReleaseHash, TemplateHash, VolumeUid};
use crate::model::inputs::{
    self, Inputs, RandomValues, Records, ReleaseRecord, external_database, referenced_config_maps,
    referenced_secrets, template_secrets,
};
use crate::model::kinds::{Certificate, Gateway, Middleware};
use crate::model::manifests::Manifests;
use crate::model::names::Names;
use crate::model::secret::{NoText, SecretData};
use crate::release::{history, identity, record};
use crate::runtime::kind::{Kind, kind};
use crate::runtime::optional_apis::OptionalApis;
use crate::runtime::versions::{Version, Versions};

/// Everything that a roll-out depends on beside the spec.
///
/// # Errors
/// If the API server refuses a read or cannot be reached.
pub async fn inputs(
    client: &Client,
    cache: &StackCache<'_>,
    app: &AppStack,
    (optional, known): (&OptionalApis, &Gateways),
    now: Timestamp,
) -> Result<Inputs> {
    let namespace = app.namespace().unwrap_or_default();
    let names = Names::of(&app.name_any());
    let mut records = records(client, cache, &namespace, &names, app).await?;
    let manifests = manifests(client, cache, &namespace, app, &mut records).await?;
    let wanted = wanted_secrets(app, &names, &records);
    let mut no_text = NoText::default();
    let secrets = secrets(client, cache, &namespace, &wanted, &mut no_text).await?;
    let config_maps = config_maps(client, cache, &namespace, app, &mut no_text).await?;
    let stored_certificate = certificate::stored(&names, &secrets);
    Ok(Inputs {
        now: Some(now),
        config_maps,
        no_text,
        restored: None,
        release: None,
        turned: turned(client, &namespace, &names, &records, &manifests).await?,
        manifests,
        ingress_classes: ingress_classes(client, cache).await?,
        certificate: certificate::current(
            app,
            &names,
            &secrets,
            &records,
            stored_certificate.as_ref(),
            now,
        )?,
        page_answers: page_answers(client, &namespace, &names, app).await?,
        volume: volume(client, cache, &namespace, app, &names, &records).await?,
        random: draw(),
        stored_certificate,
        gateways: gateways(client, known, app, &records, &names, optional).await?,
        traefik_kinds: optional.serves(Kind::of::<Middleware>()),
        certificates: optional.serves(Kind::of::<Certificate>()),
        records,
        secrets,
    })
}

/// The Secrets that the spec refers to, our own, and the values of the releases that may be restored: the one that
/// serves and the one that is asked for.
fn wanted_secrets(app: &AppStack, names: &Names, records: &Records) -> BTreeSet<String> {
    let own = [
        names.generated(),
        names.database_admin(),
        names.authority(),
        names.certificate(),
    ];
    let kept: Vec<&ReleaseRecord> = history::restorable(&app.spec, names, records).collect();
    let values = kept.iter().map(|it| names.values(&it.values));
    let of_templates = kept.iter().flat_map(|it| template_secrets(&it.spec));
    let specs = kept.iter().map(|it| &it.spec).chain([&app.spec]);
    let issued = specs.filter_map(|it| check::issued(names, it));
    referenced_secrets(&app.spec)
        .map(str::to_owned)
        .chain(
            own.into_iter()
                .chain(values)
                .chain(issued)
                .map(String::from),
        )
        .chain(template_secrets(&app.spec))
        .chain(of_templates)
        .collect()
}

async fn config_maps(
    client: &Client,
    cache: &StackCache<'_>,
    namespace: &str,
    app: &AppStack,
    no_text: &mut NoText,
) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let wanted: BTreeSet<String> = referenced_config_maps(&app.spec)
        .map(str::to_owned)
        .collect();
    cache.read_only(kind::<ConfigMap>(), &wanted);
    let values = |map: ConfigMap| {
        let binary = map.binary_data.unwrap_or_default();
        Content::ConfigMap(map.data.unwrap_or_default(), binary.into_keys().collect())
    };
    let mut found = BTreeMap::new();
    for name in wanted {
        if let Content::ConfigMap(data, binary) = content(cache, &api, &name, values).await? {
            no_text.config_maps.insert(name.clone(), binary);
            found.insert(name, data);
        }
    }
    Ok(found)
}

async fn secrets(
    client: &Client,
    cache: &StackCache<'_>,
    namespace: &str,
    wanted: &BTreeSet<String>,
    no_text: &mut NoText,
) -> Result<BTreeMap<String, SecretData>> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    cache.read_only(kind::<Secret>(), wanted);
    let values = |secret| {
        let (texts, binary) = text_of(secret);
        Content::Secret(texts, binary)
    };
    let mut found = BTreeMap::new();
    for name in wanted {
        if let Content::Secret(data, binary) = content(cache, &api, name, values).await? {
            no_text.secrets.insert(name.clone(), binary);
            found.insert(name.clone(), data);
        }
    }
    Ok(found)
}

/// What an object holds: as it was read before if it has not moved since, else as it is.
async fn content<K>(
    cache: &StackCache<'_>,
    api: &Api<K>,
    name: &str,
    values: impl Fn(K) -> Content,
) -> Result<Content>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let kind = kind::<K>();
    if let Some(known) = cache.content(kind, name) {
        return Ok(known);
    }
    let found = send(api.get_opt(name))
        .await
        .map_err(|source| Error::Read {
            what: format!("{kind} {name}"),
            source,
        })?;
    let version = found.as_ref().and_then(|it| Version::of(kind, it.meta()));
    let content = found.map_or(Content::Absent, values);
    cache.read(kind, name, version, &content);
    Ok(content)
}

/// The values that are text, and the keys of the others.
fn text_of(secret: Secret) -> (SecretData, BTreeSet<String>) {
    let (mut texts, mut binary) = (SecretData::new(), BTreeSet::new());
    for (key, value) in secret.data.unwrap_or_default() {
        match String::from_utf8(value.0) {
            Ok(text) => {
                texts.insert(key, text.into());
            }
            Err(_) => {
                binary.insert(key);
            }
        }
    }
    (texts, binary)
}

/// Whether visitors can be led to the page of maintenance: its pods answer, or its Service is there, which it is only once they
/// did. While nothing is wanted of it nothing is asked.
async fn page_answers(
    client: &Client,
    namespace: &str,
    names: &Names,
    app: &AppStack,
) -> Result<bool> {
    let edge = app.spec.edge.as_ref();
    if edge.and_then(|it| it.maintenance) != Some(true) {
        return Ok(false);
    }
    let name: String = names.maintenance().into();
    let unread = |source| Error::Read {
        what: format!("the maintenance page {name}"),
        source,
    };
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let service = send(services.get_metadata_opt(&name)).await;
    if service.map_err(unread)?.is_some() {
        return Ok(true);
    }
    let pods: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let pods = send(pods.get_opt(&name)).await.map_err(unread)?;
    let available = pods.and_then(|it| it.status?.available_replicas);
    Ok(available.is_some_and(|it| it > 0))
}

/// The UID of the embedded database's volume claim, if there is one and the spec or the release that serves has such a database.
/// That there is none is believed of the API server alone: a migration and a seed would run again.
async fn volume(
    client: &Client,
    cache: &StackCache<'_>,
    namespace: &str,
    app: &AppStack,
    names: &Names,
    records: &Records,
) -> Result<Option<VolumeUid>> {
    let serving = history::serving(records).map(|it| &it.spec);
    let mut specs = [Some(&app.spec), serving].into_iter().flatten();
    if specs.all(|it| external_database(it).is_some()) {
        return Ok(None);
    }
    let name = names.database_volume();
    if let Some(uid) = cache.still_there(kind::<PersistentVolumeClaim>(), name.as_str()) {
        return Ok(Some(VolumeUid::of_claim(uid)));
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let claim = send(api.get_metadata_opt(name.as_str())).await;
    let claim = claim.map_err(|source| Error::Read {
        what: format!("PersistentVolumeClaim {name}"),
        source,
    })?;
    let uid = claim.and_then(|it| it.metadata.uid);
    Ok(uid.map(VolumeUid::of_claim))
}

async fn ingress_classes(client: &Client, cache: &StackCache<'_>) -> Result<Vec<IngressClass>> {
    if let Some(known) = cache.ingress_classes() {
        return Ok(known.to_vec());
    }
    let api: Api<IngressClass> = Api::all(client.clone());
    let list = send(api.list(&ListParams::default())).await;
    let mut classes = list
        .map_err(|source| Error::Read {
            what: "IngressClasses".into(),
            source,
        })?
        .items;
    for class in &mut classes {
        class.metadata.managed_fields = None;
    }
    cache.listed_ingress_classes(versions(&classes), Arc::new(classes.clone()));
    Ok(classes)
}

/// The Gateways of the cluster, where the spec or a release that may be restored asks for one: as the watches see them, else as
/// they are.
async fn gateways(
    client: &Client,
    known: &Gateways,
    app: &AppStack,
    records: &Records,
    names: &Names,
    optional: &OptionalApis,
) -> Result<inputs::Gateways> {
    let kept = history::restorable(&app.spec, names, records);
    let mut specs = kept.map(|it| &it.spec).chain([&app.spec]);
    let served = optional.serves(Kind::of::<Gateway>());
    if !served || specs.all(|it| inputs::asked_gateway(it).is_none()) {
        return Ok(inputs::Gateways {
            served,
            ..inputs::Gateways::default()
        });
    }
    Ok(inputs::Gateways {
        served,
        all: kept_or_listed(client, known.gateways()).await?,
        classes: kept_or_listed(client, known.classes()).await?,
    })
}

async fn kept_or_listed<K>(client: &Client, kept: &Kept<K>) -> Result<Vec<Arc<K>>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    if let Some(known) = kept.all() {
        return Ok(known);
    }
    let api: Api<K> = Api::all(client.clone());
    let list = send(api.list(&ListParams::default())).await;
    let list = list.map_err(|source| Error::Read {
        what: format!("the list of kind {}", kind::<K>()),
        source,
    })?;
    Ok(list.into_iter().map(Arc::new).collect())
}

async fn records(
    client: &Client,
    cache: &StackCache<'_>,
    namespace: &str,
    names: &Names,
    app: &AppStack,
) -> Result<Records> {
    if let Some(known) = cache.records() {
        return Ok(parsed(&known, app));
    }
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    let list = send(api.list(&ListParams::default().labels(&record::selector(names)))).await;
    let mut revisions = list
        .map_err(|source| Error::Read {
            what: "the records of releases".into(),
            source,
        })?
        .items;
    revisions.sort_by_key(|it| it.creation_timestamp().map(|time| time.0));
    let kept: Vec<KeptRecord> = revisions.iter().map(kept).collect();
    let records = parsed(&kept, app);
    cache.listed_records(versions(&revisions), kept);
    Ok(records)
}

/// The objects of the releases that may be restored or are asked for again: the one that serves, the one that is pinned, and
/// those of the same spec. What is not there is left out; what cannot be read is noted as such.
async fn manifests(
    client: &Client,
    cache: &StackCache<'_>,
    namespace: &str,
    app: &AppStack,
    records: &mut Records,
) -> Result<BTreeMap<ReleaseHash, Arc<Manifests>>> {
    let names = Names::of(&app.name_any());
    let spec = identity::lasting(&app.spec);
    let kept = history::restorable(&app.spec, &names, records);
    let is_same = |it: &&ReleaseRecord| identity::lasting(&it.spec) == spec;
    let same = records.releases.iter().filter(is_same);
    let wanted: BTreeMap<ReleaseHash, ManifestsHash> = kept
        .chain(same)
        .filter_map(|it| Some((it.hash.clone(), it.manifests.clone()?)))
        .collect();
    let (mut texts, mut found) = (BTreeMap::new(), BTreeMap::new());
    for (release, hash) in wanted {
        let name = names.manifests(&hash);
        let known = cache.manifests(&hash);
        let is_read = known.is_none();
        let text = match known {
            Some(known) => Some(known),
            None => text(client, namespace, &name).await?,
        };
        let Some(text) = text else { continue };
        match record::parse(&text) {
            // What somebody put in their place is believed by nobody. What is known was looked at when it was read.
            Ok(Record::Manifests { .. })
                if is_read && record::manifests_hash(&text).as_ref() != Some(&hash) =>
            {
                continue;
            }
            Ok(Record::Manifests { manifests, .. }) => {
                found.insert(release, Arc::from(manifests));
            }
            Ok(_) => records
                .unreadable
                .push(format!("{name}: it keeps no objects")),
            Err(why) => records.unreadable.push(format!("{name}: {why}")),
        }
        texts.insert(hash, text);
    }
    cache.read_manifests(texts);
    Ok(found)
}

/// The data of a record.
async fn text(client: &Client, namespace: &str, name: &ChildName) -> Result<Option<Arc<str>>> {
    let api: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    let found = send(api.get_opt(name.as_str())).await;
    let found = found.map_err(|source| Error::Read {
        what: format!("ControllerRevision {name}"),
        source,
    })?;
    Ok(found.and_then(|it| Some(it.data?.0.to_string().into())))
}

/// To which pods the Services of the stack turn requests, where it is not written down what serves.
async fn turned(
    client: &Client,
    namespace: &str,
    names: &Names,
    records: &Records,
    manifests: &BTreeMap<ReleaseHash, Arc<Manifests>>,
) -> Result<BTreeMap<String, TemplateHash>> {
    let serving = history::serving(records);
    if serving.is_none_or(|it| manifests.contains_key(&it.hash)) {
        return Ok(BTreeMap::new());
    }
    let api: Api<Service> = Api::namespaced(client.clone(), namespace);
    let list = send(api.list(&super::ours(names.stack()))).await;
    let list = list.map_err(|source| Error::Read {
        what: "the Services of the stack".into(),
        source,
    })?;
    let revisions = list.into_iter().filter_map(|it| {
        let revision = TemplateHash::of_selector(&it.spec?.selector?)?;
        Some((it.metadata.name?, revision))
    });
    Ok(revisions.collect())
}

fn versions<K: Resource<DynamicType = ()>>(objects: &[K]) -> Versions {
    let each = objects
        .iter()
        .map(|it| Some((it.name_any(), Version::of(kind::<K>(), it.meta())?)));
    each.flatten().collect()
}

/// Long enough that nobody guesses them, and of letters and digits alone, so that they need no quoting anywhere.
fn draw() -> RandomValues {
    let text = |length: usize| -> SecretString {
        let letters = rand::rng().sample_iter(&Alphanumeric).take(length);
        letters.map(char::from).collect::<String>().into()
    };
    RandomValues {
        secret_key: text(48),
        superuser_password: text(24),
        database_password: text(32),
        admin_password: text(32),
        adminer_password: text(32),
    }
}
