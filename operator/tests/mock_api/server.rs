//! An API server in memory, as much of it as a reconciliation needs: one namespace, and other managers of the numbers of pods
//! alone. It keeps a log of all that moves; watches tell of it, or tests make events from it.
//!
//! An object's address is its plural and its name, such as `services/shop-backend`.

#[path = "server/watch.rs"]
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use appstack_operator::api::MANAGER;
use axum::body::Body as Answer;

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub(crate) use watch::Reach;

/// The namespace of everything.
pub(crate) const NAMESPACE: &str = "demo";

/// An API server in memory. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Server {
    state: Arc<Mutex<State>>,
    hook: Arc<Mutex<Option<Hook>>>,
    /// Tells the watches that something happened.
    bell: tokio::sync::watch::Sender<()>,
}

/// What happens when a request comes, such as `PATCH services/shop-backend`, and what becomes of the request.
type Hook = Box<dyn FnMut(&str) -> Fate + Send>;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done and answered.
    Answered,
    /// It is not done, and fails.
    Lost,
    /// It is done, and fails all the same: whoever sent it cannot know.
    Unanswered,
}

/// An object was made, changed or deleted: its metadata before and after.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    at: String,
    /// Who did it.
    by: String,
    version: u64,
    pub(crate) kind: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Kinds whose state the operator tells by who wrote them and when; see `runtime::versions`.
const RESTLESS: [&str; 2] = ["CronJob", "HorizontalPodAutoscaler"];
/// Who changes what a test puts.
const OTHERS: &str = "kubectl";

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    /// Refuses writes to these addresses with this code.
    refused: BTreeMap<String, u16>,
    /// Every request since the last `forget`, such as `PATCH services/shop-backend`.
    requests: Vec<String>,
    /// The addresses of the objects that those requests changed.
    changed: Vec<String>,
    /// Every number of pods that a Deployment had, one after the other.
    numbers: BTreeMap<String, Vec<Value>>,
    /// What no reconciliation may ever do, and one did: see [`Server::breaches`].
    breaches: Vec<String>,
    /// Counts changes; gives resource versions and UIDs.
    version: u64,
    /// All that ever moved.
    log: Vec<Moved>,
    reach: Reach,
    /// What happened before this version is told to no watch any more.
    forgotten: u64,
}

impl Server {
    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Answer>>();
        let server = self.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let (head, body) = request.into_parts();
                match body.collect_bytes().await {
                    Ok(_) if !server.state().reach.is_for(&head) => {
                        answer.send_error(watch::Unreached);
                    }
                    Ok(_) if watch::is_of_watch(&head) => {
                        answer.send_response(server.watch(&head));
                    }
                    Ok(body) => {
                        answer.send_response(server.answer(&head, &body));
                        server.bell.send_replace(());
                    }
                    Err(error) => answer.send_error(error),
                }
            }
        });
        Client::new(service, NAMESPACE)
    }

    /// Another server with the same objects.
    pub(crate) fn copy(&self) -> Self {
        let (objects, version) = {
            let state = self.state();
            (state.objects.clone(), state.version)
        };
        let state = State {
            objects,
            version,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            ..Self::default()
        }
    }

    /// Does something whenever a request comes, from now on.
    pub(crate) fn on_request(&self, hook: Option<Hook>) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// The next entry of the log about a kind from a place on, and its place.
    pub(crate) fn next_move(&self, kind: &str, from: usize) -> Option<(usize, Moved)> {
        let state = self.state();
        let mut entries = state.log.iter().enumerate().skip(from);
        let (at, found) = entries.find(|(_, it)| it.kind == kind)?;
        Some((at, found.clone()))
    }

    /// Whether the operator was the last to make, change or delete an object, as far as the log goes.
    pub(crate) fn is_as_operator_left(&self, at: &str) -> bool {
        let state = self.state();
        let last = state.log.iter().rfind(|it| it.at == at);
        last.is_some_and(|it| it.by == MANAGER)
    }

    /// How many entries the log has.
    pub(crate) fn moves(&self) -> usize {
        self.state().log.len()
    }

    /// The address and the kind of every object.
    pub(crate) fn addresses(&self) -> Vec<(String, String)> {
        let state = self.state();
        let all = state.objects.iter();
        all.map(|(at, it)| {
            (
                at.clone(),
                it["kind"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
    }

    fn answer(&self, head: &http::request::Parts, body: &[u8]) -> Response<Answer> {
        let request = format!("{} {}", head.method, address(head.uri.path()));
        let fate = {
            let mut hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner);
            hook.as_mut().map_or(Fate::Answered, |it| it(&request))
        };
        if fate == Fate::Lost {
            self.state().requests.push(request);
            return refusal(500);
        }
        let answer = self.state().answer(head, body);
        if fate == Fate::Unanswered {
            return refusal(500);
        }
        answer
    }

    /// The object at an address.
    pub(crate) fn get(&self, at: &str) -> Option<Value> {
        self.state().objects.get(at).cloned()
    }

    /// Every object of a kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let state = self.state();
        let all = state.objects.values().filter(|it| it["kind"] == kind);
        all.cloned().collect()
    }

    /// Every object, by its address.
    pub(crate) fn everything(&self) -> BTreeMap<String, Value> {
        self.state().objects.clone()
    }

    /// Puts an object there, as somebody else would.
    pub(crate) fn put(&self, at: &str, object: Value) {
        self.state().store(at, object, OTHERS);
        self.bell.send_replace(());
    }

    /// Takes an object away, as somebody else would.
    pub(crate) fn remove(&self, at: &str) {
        self.state().take(at, OTHERS);
        self.bell.send_replace(());
    }

    /// Changes a field of an object's spec, as somebody else would.
    pub(crate) fn set(&self, at: &str, field: &str, value: Value) -> Result<()> {
        let mut object = self.get(at).with_context(|| format!("there is no {at}"))?;
        object["spec"][field] = value;
        self.put(at, object);
        Ok(())
    }

    /// Changes the number of pods of a Deployment, as an autoscaler would.
    pub(crate) fn scale(&self, at: &str, count: i64) -> Result<()> {
        let before = self.get(at).with_context(|| format!("there is no {at}"))?;
        let mut scaled = json!({"spec": {"replicas": count}});
        share_number(&before, "kube-controller-manager", &mut scaled);
        self.put(at, scaled);
        Ok(())
    }

    /// Every number of pods that a Deployment had since the last `forget`, one after the other.
    pub(crate) fn numbers(&self, at: &str) -> Vec<Value> {
        self.state().numbers.get(at).cloned().unwrap_or_default()
    }

    /// Does what the controllers of Kubernetes would: what is to run runs, and what is to end has ended.
    pub(crate) fn complete(&self, at: &str) -> Result<()> {
        let mut object = self.get(at).with_context(|| format!("there is no {at}"))?;
        let wanted = object["spec"]["replicas"].clone();
        object["status"] = match at.split('/').next() {
            Some("jobs") => json!({"conditions": [{"type": "Complete", "status": "True"}]}),
            _ => json!({
                "observedGeneration": object["metadata"]["generation"], "replicas": wanted,
                "updatedReplicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted,
            }),
        };
        if let Some(name) = at.strip_prefix("deployments/") {
            let at = format!("pods/{name}");
            if wanted == 0 {
                self.remove(&at);
            } else {
                self.put(&at, pod(name, &object));
            }
        }
        self.put(at, object);
        Ok(())
    }

    /// The same of all that is to run.
    pub(crate) fn complete_all(&self) -> Result<()> {
        let all = self.addresses().into_iter();
        let run = ["Job", "Deployment", "StatefulSet"];
        for (at, _) in all.filter(|(_, kind)| run.contains(&kind.as_str())) {
            self.complete(&at)?;
        }
        Ok(())
    }

    /// Lets the deadline of a Deployment pass, or the last attempt of a Job fail.
    pub(crate) fn fail(&self, at: &str) -> Result<()> {
        let mut object = self.get(at).with_context(|| format!("there is no {at}"))?;
        let condition = match at.split('/').next() {
            Some("jobs") => {
                json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"})
            }
            _ => {
                json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"})
            }
        };
        object["status"] = json!({
            "observedGeneration": object["metadata"]["generation"], "conditions": [condition],
        });
        self.put(at, object);
        Ok(())
    }

    /// Refuses every write to an address from now on.
    pub(crate) fn refuse(&self, at: &str, code: u16) {
        self.state().refused.insert(at.to_owned(), code);
    }

    /// Forgets the requests and changes that were noted so far.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.requests.clear();
        state.changed.clear();
        state.numbers.clear();
    }

    /// Every request since the last `forget`, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The addresses of what was applied since the last `forget`, in order.
    pub(crate) fn applied(&self) -> Vec<String> {
        let requests = self.requests();
        requests
            .iter()
            .filter_map(|it| it.strip_prefix("PATCH "))
            .map(str::to_owned)
            .collect()
    }

    /// The addresses of what was changed by requests since the last `forget`, in order.
    pub(crate) fn changed(&self) -> Vec<String> {
        self.state().changed.clone()
    }

    /// How what serves was harmed by requests. **Nothing that serves is deleted, and no Service turned, before what takes its
    /// place has passed its gates and that is written down**: a Deployment is not deleted while a Service turns requests to it or the
    /// newest record of a release names it, and a Service turns only to a Deployment that has pods which are available.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.state().breaches.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&mut self, head: &http::request::Parts, body: &[u8]) -> Response<Answer> {
        let at = address(head.uri.path());
        self.requests.push(format!("{} {at}", head.method));
        if let Some(code) = self.refused.get(&at).filter(|_| head.method != Method::GET) {
            return refusal(*code);
        }
        let body = || serde_json::from_slice(body).unwrap_or(Value::Null);
        if let Some(field) = self
            .lasting(&at, &body())
            .filter(|_| head.method == Method::PATCH && !is_merge(head))
        {
            return invalid(field);
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

    fn list(&self, plural: &str, selector: Option<&str>) -> Value {
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
    fn apply(&mut self, at: &str, manager: &str, mut applied: Value) -> Option<Value> {
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
    fn look_before_turning(&mut self, at: &str, applied: &Value) {
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
    fn look_before_deleting(&mut self, at: &str) {
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
    fn recorded(&self) -> impl Iterator<Item = String> {
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

    fn deployments(&self) -> impl Iterator<Item = (&String, &Value)> {
        let all = self.objects.iter();
        all.filter(|(at, _)| at.starts_with("deployments/"))
    }

    /// A merge patch of an object that is there.
    fn merge(&mut self, at: &str, patch: &Value) -> Option<Value> {
        let mut object = self.objects.get(at).cloned()?;
        json_patch::merge(&mut object, patch);
        if self.store(at, object, MANAGER) {
            self.changed.push(at.to_owned());
        }
        self.objects.get(at).cloned()
    }

    /// The field that the object at an address will not let go of for what is applied to it.
    fn lasting(&self, at: &str, applied: &Value) -> Option<&'static str> {
        let before = self.objects.get(at)?;
        let uid = &applied["metadata"]["uid"];
        if uid.is_string() && *uid != before["metadata"]["uid"] {
            return Some("metadata.uid");
        }
        let is_lasting = before["immutable"] == true || before["kind"] == "ControllerRevision";
        let is_lasting = is_lasting && before["data"] != applied["data"];
        is_lasting.then_some("data")
    }

    /// An Event; nobody reads it.
    fn note(&mut self, at: &str, object: Value) -> Value {
        self.changed.push(at.to_owned());
        object
    }

    fn delete(&mut self, at: &str) -> Option<Value> {
        if at.starts_with("deployments/") {
            self.look_before_deleting(at);
        }
        self.take(at, MANAGER)?;
        self.changed.push(at.to_owned());
        Some(json!({"apiVersion": "v1", "kind": "Status", "status": "Success"}))
    }

    fn take(&mut self, at: &str, by: &str) -> Option<()> {
        let before = self.objects.remove(at)?;
        self.version += 1;
        self.note_move(at, by, Some(&before), None);
        Some(())
    }

    fn note_move(&mut self, at: &str, by: &str, before: Option<&Value>, after: Option<&Value>) {
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
    fn store(&mut self, at: &str, mut object: Value, manager: &str) -> bool {
        let before = self.objects.get(at).cloned().unwrap_or_default();
        let version = self.version + 1;
        let metadata = &before["metadata"];
        let is_new = metadata.is_null();
        let is_other = before["spec"] != object["spec"];
        let generation =
            metadata["generation"].as_u64().unwrap_or(0) + u64::from(is_other || is_new);
        let kept = |key: &str, new: Value| if is_new { new } else { metadata[key].clone() };
        object["metadata"]["uid"] = kept("uid", json!(format!("uid-{version}")));
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["metadata"]["generation"] = json!(generation);
        object["metadata"]["resourceVersion"] = kept("resourceVersion", json!("0"));
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
fn share_number(before: &Value, manager: &str, applied: &mut Value) {
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

/// A pod of a Deployment that has been ready for long; it stands for all of them.
fn pod(name: &str, deployment: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": deployment["spec"]["template"]["metadata"]["labels"]},
        "status": {"conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2000-01-01T00:00:00Z"},
        ]},
    })
}

/// The address in a path such as `/apis/apps/v1/namespaces/demo/deployments/shop-backend`.
fn address(path: &str) -> String {
    let namespaced = path
        .split_once(&format!("/namespaces/{NAMESPACE}/"))
        .map(|it| it.1);
    let whole = path.trim_start_matches("/apis/").splitn(3, '/').nth(2);
    namespaced.or(whole).unwrap_or(path).to_owned()
}

/// Whether an object with this metadata has the labels of a selector.
fn is_selected(metadata: &Value, selector: Option<&str>) -> bool {
    let mut parts = selector.into_iter().flat_map(|it| it.split(','));
    parts.all(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let label = &metadata["labels"][key];
        label == value || (!part.contains('=') && label.is_string())
    })
}

/// Whether a request is a merge patch.
fn is_merge(head: &http::request::Parts) -> bool {
    let kind = head.headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|it| it == "application/merge-patch+json")
}

/// A parameter of a request.
fn parameter(head: &http::request::Parts, name: &str) -> Option<String> {
    let mut pairs = head.uri.query()?.split('&');
    let value = pairs.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn refusal(code: u16) -> Response<Answer> {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": reason,
    });
    response(
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        &status,
    )
}

/// The refusal of an object for one of its fields.
fn invalid(field: &str) -> Response<Answer> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": 422, "reason": "Invalid", "message": "field is immutable",
        "details": {"causes": [{"field": field, "reason": "FieldValueForbidden", "message": "field is immutable"}]},
    });
    response(StatusCode::UNPROCESSABLE_ENTITY, &status)
}

fn response(code: StatusCode, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Answer::from(body.to_string().into_bytes()));
    *response.status_mut() = code;
    response
}
