//! What the API server in memory keeps, and what becomes of it with each request.
//!
//! It watches over the operator as well: what no reconciliation may ever do is noted as a breach.

use std::collections::BTreeMap;

use appstack_operator::api::MANAGER;
use axum::body::Body as Answer;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{address, invalid, is_merge, parameter, refusal, response};
use super::{Moved, Reach};

/// Kinds whose state the operator tells by who wrote them and when; see `runtime::versions`.
const RESTLESS: [&str; 1] = ["HorizontalPodAutoscaler"];
#[derive(Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Value>,
    /// What containers printed, by addresses such as `pods/shop-backend/log`.
    pub(super) logs: BTreeMap<String, Vec<u8>>,
    /// Refuses writes to these addresses with this code.
    pub(super) refused: BTreeMap<String, u16>,
    /// Every request since the last `forget`, such as `PATCH services/shop-backend`.
    pub(super) requests: Vec<String>,
    /// The addresses of the objects that those requests changed.
    pub(super) changed: Vec<String>,
    /// Every Event that was made.
    pub(super) events: Vec<Value>,
    /// Every number of pods that a Deployment had, one after the other.
    pub(super) numbers: BTreeMap<String, Vec<Value>>,
    /// What no reconciliation may ever do, and one did: see [`Server::breaches`].
    pub(super) breaches: Vec<String>,
    /// Counts changes; gives resource versions and UIDs.
    pub(super) version: u64,
    /// All that ever moved.
    pub(super) log: Vec<Moved>,
    pub(super) reach: Reach,
    /// What happened before this version is told to no watch any more.
    pub(super) forgotten: u64,
}

impl State {
    pub(super) fn answer(&mut self, head: &http::request::Parts, body: &[u8]) -> Response<Answer> {
        let at = address(head.uri.path());
        let is_trial = parameter(head, "dryRun").is_some();
        if !is_trial {
            self.requests.push(format!("{} {at}", head.method));
        }
        if let Some(code) = self.refused(&at).filter(|_| head.method != Method::GET) {
            return refusal(code);
        }
        if is_trial {
            let sent = serde_json::from_slice(body).unwrap_or(Value::Null);
            return response(StatusCode::OK, &sent);
        }
        if let Some(log) = self.logs.get(&at) {
            return Response::new(Answer::from(log.clone()));
        }
        let body = || serde_json::from_slice(body).unwrap_or(Value::Null);
        if let Some(field) = self
            .lasting(&at, &body())
            .filter(|_| head.method == Method::PATCH && !is_merge(head))
        {
            return invalid(field);
        }
        if head.method == Method::DELETE && self.has_moved(&at, &body()["preconditions"]) {
            return refusal(409);
        }
        let answer = match head.method {
            Method::GET if at.contains('/') => self.objects.get(&at).cloned(),
            Method::GET => Some(self.list(&at, parameter(head, "labelSelector").as_deref())),
            Method::PATCH if is_merge(head) => self.merge(&at, &body()),
            Method::PATCH => {
                let manager = parameter(head, "fieldManager").unwrap_or_default();
                self.apply(&at, &manager, body())
            }
            Method::POST => Some(self.note(&at, body())),
            Method::DELETE => self.delete(&at),
            _ => None,
        };
        answer.map_or_else(|| refusal(404), |it| response(StatusCode::OK, &it))
    }

    /// With which code writes to an address are refused. One that ends in `-` means all that begin so.
    fn refused(&self, at: &str) -> Option<u16> {
        let mut all = self.refused.iter();
        let found = all.find(|(it, _)| *it == at || (it.ends_with('-') && at.starts_with(*it)));
        found.map(|(_, code)| *code)
    }

    pub(super) fn list(&self, plural: &str, selector: Option<&str>) -> Value {
        let prefix = format!("{plural}/");
        let all = self
            .objects
            .iter()
            .filter(|(at, _)| at.starts_with(&prefix));
        let items: Vec<_> = all
            .map(|(_, object)| object)
            .filter(|it| is_selected(&it["metadata"], selector))
            .collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items})
    }

    /// Server-side apply: what is said is what there will be, and a number of pods that is not said is left to others. An
    /// object and its status leave each other alone.
    pub(super) fn apply(&mut self, at: &str, manager: &str, mut applied: Value) -> Option<Value> {
        let at = if let Some(at) = at.strip_suffix("/status") {
            let status = applied["status"].take();
            applied = self.objects.get(at)?.clone();
            applied["status"] = status;
            at
        } else if at.starts_with("appstacks/") {
            let finalizers = applied["metadata"]["finalizers"].take();
            let mut rest = applied["metadata"].clone();
            if let Some(rest) = rest.as_object_mut() {
                rest.retain(|key, value| key != "uid" && !value.is_null());
            }
            if !applied["spec"].is_null() || rest != json!({}) {
                self.breaches
                    .push(format!("more than finalizers of {at}: {applied}"));
            }
            applied = self.objects.get(at)?.clone();
            applied["metadata"]["finalizers"] = finalizers;
            at
        } else {
            let before = self.objects.get(at).cloned().unwrap_or_default();
            applied["status"] = before["status"].clone();
            if at.starts_with("deployments/") {
                share_number(&before, manager, &mut applied);
            }
            at
        };
        if at.starts_with("services/") {
            self.look_before_turning(at, &applied);
        }
        if self.store(at, applied, manager) {
            self.changed.push(at.to_owned());
        }
        self.objects.get(at).cloned()
    }

    /// Notes a Service that turns to pods which are not there.
    pub(super) fn look_before_turning(&mut self, at: &str, applied: &Value) {
        let before = self.objects.get(at).map(|it| &it["spec"]["selector"]);
        let selector = &applied["spec"]["selector"];
        if before == Some(selector) || selector["appstack.dev/revision"].is_null() {
            return;
        }
        let is_ready = self.deployments().any(|(_, it)| {
            let wanted = it["spec"]["replicas"].as_i64().unwrap_or(1);
            let available = it["status"]["availableReplicas"].as_i64().unwrap_or(0);
            selects(selector, it) && available >= wanted.min(1)
        });
        if !is_ready {
            let breach = format!("{at} turned to {selector}, none of whose pods is available");
            self.breaches.push(breach);
        }
    }

    /// Notes a Deployment that is deleted while it serves.
    pub(super) fn look_before_deleting(&mut self, at: &str) {
        let Some(deleted) = self.objects.get(at) else {
            return;
        };
        let services = self.objects.iter();
        let mut services = services.filter(|(at, _)| at.starts_with("services/"));
        if let Some((service, _)) =
            services.find(|(_, it)| selects(&it["spec"]["selector"], deleted))
        {
            let breach = format!("{at} was deleted while {service} turned requests to it");
            self.breaches.push(breach);
        } else if self
            .recorded()
            .any(|name| at == format!("deployments/{name}"))
        {
            let breach = format!("{at} was deleted while it was recorded as what serves");
            self.breaches.push(breach);
        }
    }

    /// The names of the Deployments of the release that is recorded as the one that serves.
    pub(super) fn recorded(&self) -> impl Iterator<Item = String> {
        let records = self.objects.values();
        let releases = records.filter(|it| it["data"]["record"] == "release");
        let serving = releases.max_by_key(|it| it["revision"].as_i64());
        let hash =
            serving.and_then(|it| it["metadata"]["annotations"]["appstack.dev/manifests"].as_str());
        let kept = hash.and_then(|it| {
            self.objects
                .get(&format!("controllerrevisions/shop-manifests-{it}"))
        });
        let manifests = kept
            .map(|it| it["data"]["manifests"].clone())
            .unwrap_or_default();
        let parts = ["backend", "frontend"].map(|it| manifests[it]["objects"].clone());
        let objects = parts
            .into_iter()
            .flat_map(|it| it.as_array().cloned().unwrap_or_default());
        let names = objects.filter(|it| it["kind"] == "Deployment");
        names
            .filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
            .into_iter()
    }

    pub(super) fn deployments(&self) -> impl Iterator<Item = (&String, &Value)> {
        let all = self.objects.iter();
        all.filter(|(at, _)| at.starts_with("deployments/"))
    }

    /// A merge patch of an object that is there.
    pub(super) fn merge(&mut self, at: &str, patch: &Value) -> Option<Value> {
        let mut object = self.objects.get(at).cloned()?;
        json_patch::merge(&mut object, patch);
        if self.store(at, object, MANAGER) {
            self.changed.push(at.to_owned());
        }
        self.objects.get(at).cloned()
    }

    /// The field that the object at an address will not let go of for what is applied to it.
    pub(super) fn lasting(&self, at: &str, applied: &Value) -> Option<&'static str> {
        let before = self.objects.get(at)?;
        let uid = &applied["metadata"]["uid"];
        if uid.is_string() && *uid != before["metadata"]["uid"] {
            return Some("metadata.uid");
        }
        let is_lasting = before["immutable"] == true || before["kind"] == "ControllerRevision";
        let is_lasting = is_lasting && before["data"] != applied["data"];
        is_lasting.then_some("data")
    }

    /// An Event.
    pub(super) fn note(&mut self, at: &str, object: Value) -> Value {
        self.changed.push(at.to_owned());
        self.events.push(object.clone());
        object
    }

    /// Whether an object is not as a deletion wants it to be.
    fn has_moved(&self, at: &str, wanted: &Value) -> bool {
        let found = self.objects.get(at);
        let differs =
            |it: &Value, key: &str| !wanted[key].is_null() && it["metadata"][key] != wanted[key];
        found.is_some_and(|it| {
            ["uid", "resourceVersion"]
                .iter()
                .any(|key| differs(it, key))
        })
    }

    pub(super) fn delete(&mut self, at: &str) -> Option<Value> {
        if at.starts_with("deployments/") {
            self.look_before_deleting(at);
        }
        self.take(at, MANAGER)?;
        self.changed.push(at.to_owned());
        Some(json!({"apiVersion": "v1", "kind": "Status", "status": "Success"}))
    }

    pub(super) fn take(&mut self, at: &str, by: &str) -> Option<()> {
        let before = self.objects.remove(at)?;
        self.version += 1;
        self.note_move(at, by, Some(&before), None);
        Some(())
    }

    pub(super) fn note_move(
        &mut self,
        at: &str,
        by: &str,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        let kind = after.or(before).and_then(|it| it["kind"].as_str());
        self.log.push(Moved {
            at: at.to_owned(),
            by: by.to_owned(),
            version: self.version,
            kind: kind.unwrap_or_default().to_owned(),
            before: before.map(|it| it["metadata"].clone()),
            after: after.map(|it| it["metadata"].clone()),
        });
    }

    /// Stores an object with what the server adds to it. Says whether that changed anything.
    pub(super) fn store(&mut self, at: &str, mut object: Value, manager: &str) -> bool {
        let before = self.objects.get(at).cloned().unwrap_or_default();
        let version = self.version + 1;
        let metadata = &before["metadata"];
        let is_new = metadata.is_null();
        let is_other = before["spec"] != object["spec"];
        let generation =
            metadata["generation"].as_u64().unwrap_or(0) + u64::from(is_other || is_new);
        let kept = |key: &str, new: Value| if is_new { new } else { metadata[key].clone() };
        object["metadata"]["uid"] = kept("uid", json!(format!("uid-{version}")));
        if object["metadata"]["creationTimestamp"].is_null() {
            let new = json!("2026-01-01T00:00:00Z");
            object["metadata"]["creationTimestamp"] = kept("creationTimestamp", new);
        }
        // What is to go stays so, whatever is applied to it.
        if object["metadata"]["deletionTimestamp"].is_null()
            && metadata["deletionTimestamp"].is_string()
        {
            object["metadata"]["deletionTimestamp"] = metadata["deletionTimestamp"].clone();
        }
        object["metadata"]["generation"] = json!(generation);
        object["metadata"]["resourceVersion"] = kept("resourceVersion", json!("0"));
        // What a test says of who wrote it stays.
        if object["metadata"]["managedFields"].is_null() && metadata["managedFields"].is_array() {
            object["metadata"]["managedFields"] = metadata["managedFields"].clone();
        }
        let is_restless = RESTLESS.iter().any(|it| object["kind"] == **it);
        if is_restless {
            object["metadata"]["managedFields"] = metadata["managedFields"].clone();
        }
        if object == before {
            return false;
        }
        if is_restless {
            note_writer(&before, &mut object, manager, version);
        }
        self.version = version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let count = &object["spec"]["replicas"];
        let numbers = self.numbers.entry(at.to_owned()).or_default();
        if numbers.last() != Some(count) {
            numbers.push(count.clone());
        }
        let before = self.objects.insert(at.to_owned(), object.clone());
        self.note_move(at, manager, before.as_ref(), Some(&object));
        true
    }
}

/// Notes who wrote what of an object, and when. Who applies takes all but the status from the others.
fn note_writer(before: &Value, object: &mut Value, manager: &str, version: u64) {
    let of_status = before["spec"] == object["spec"]
        && before["metadata"]["labels"] == object["metadata"]["labels"];
    let managers = before["metadata"]["managedFields"].as_array();
    let mut managers = managers.cloned().unwrap_or_default();
    let is_of_status = |it: &Value| it["subresource"] == "status";
    if of_status {
        managers.retain(|it| !is_of_status(it));
    } else if manager == MANAGER {
        managers.retain(is_of_status);
    } else {
        managers.retain(|it| it["manager"] != manager || is_of_status(it));
    }
    // Several things happen in a second.
    let time = jiff::Timestamp::UNIX_EPOCH + std::time::Duration::from_secs(version / 8);
    managers.push(json!({
        "manager": manager, "operation": "Update", "time": time.to_string(),
        "subresource": if of_status { json!("status") } else { Value::Null },
    }));
    object["metadata"]["managedFields"] = managers.into();
}

/// Whether a Service with this selector turns requests to the pods of a Deployment.
fn selects(selector: &Value, deployment: &Value) -> bool {
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    let selector = selector.as_object();
    selector.is_some_and(|it| !it.is_empty() && it.iter().all(|(key, value)| labels[key] == *value))
}

/// Settles the number of pods, the one field that several managers say: who says none leaves it to the others, and where
/// nobody says one it is one. Who does not say the template says the number alone.
pub(super) fn share_number(before: &Value, manager: &str, applied: &mut Value) {
    let entries = before["metadata"]["managedFields"].as_array();
    let mut managers: Vec<Value> = entries.cloned().unwrap_or_default();
    managers.retain(|it| it["manager"] != manager);
    let mut count = applied["spec"]["replicas"].clone();
    if count.is_null() {
        let theirs = || before["spec"]["replicas"].clone();
        count = if managers.is_empty() {
            json!(1)
        } else {
            theirs()
        };
    } else {
        if count != before["spec"]["replicas"] {
            managers.clear();
        }
        managers.push(json!({"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}));
    }
    if applied["spec"]["template"].is_null() {
        *applied = before.clone();
    }
    applied["spec"]["replicas"] = count;
    applied["metadata"]["managedFields"] = managers.into();
}

/// Whether an object with this metadata has the labels of a selector.
pub(super) fn is_selected(metadata: &Value, selector: Option<&str>) -> bool {
    let mut parts = selector.into_iter().flat_map(|it| it.split(','));
    parts.all(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let label = &metadata["labels"][key];
        label == value || (!part.contains('=') && label.is_string())
    })
}
