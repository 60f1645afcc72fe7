//! An API server in memory, as much of it as a reconciliation needs: one namespace, no watches, and other managers of the
//! numbers of pods alone.
//!
//! An object's address is its plural and its name, such as `services/shop-backend`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// The namespace of everything.
pub(crate) const NAMESPACE: &str = "demo";

/// An API server in memory. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

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
    /// Counts changes; gives resource versions and UIDs.
    version: u64,
}

impl Server {
    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let server = self.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let (head, body) = request.into_parts();
                match body.collect_bytes().await {
                    Ok(body) => answer.send_response(server.state().answer(&head, &body)),
                    Err(error) => answer.send_error(error),
                }
            }
        });
        Client::new(service, NAMESPACE)
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

    /// Puts an object there, as somebody else would.
    pub(crate) fn put(&self, at: &str, object: Value) {
        self.state().store(at, object);
    }

    /// Takes an object away, as somebody else would.
    pub(crate) fn remove(&self, at: &str) {
        self.state().objects.remove(at);
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
            self.put(&format!("pods/{name}"), pod(name, &object));
        }
        self.put(at, object);
        Ok(())
    }

    /// Lets the deadline of a Deployment pass.
    pub(crate) fn fail(&self, at: &str) -> Result<()> {
        let mut object = self.get(at).with_context(|| format!("there is no {at}"))?;
        object["status"] = json!({
            "observedGeneration": object["metadata"]["generation"], "conditions": [
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
            ],
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&mut self, head: &http::request::Parts, body: &[u8]) -> Response<Body> {
        let at = address(head.uri.path());
        self.requests.push(format!("{} {at}", head.method));
        if let Some(code) = self.refused.get(&at).filter(|_| head.method != Method::GET) {
            return refusal(*code);
        }
        let body = || serde_json::from_slice(body).unwrap_or(Value::Null);
        if let Some(field) = self
            .lasting(&at, &body())
            .filter(|_| head.method == Method::PATCH)
        {
            return invalid(field);
        }
        let answer = match head.method {
            Method::GET if at.contains('/') => self.objects.get(&at).cloned(),
            Method::GET => Some(self.list(&at, parameter(head, "labelSelector").as_deref())),
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
        let selected = |object: &Value| {
            let mut parts = selector.into_iter().flat_map(|it| it.split(','));
            parts.all(|part| {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                let label = &object["metadata"]["labels"][key];
                label == value || (!part.contains('=') && label.is_string())
            })
        };
        let prefix = format!("{plural}/");
        let all = self
            .objects
            .iter()
            .filter(|(at, _)| at.starts_with(&prefix));
        let items: Vec<_> = all
            .map(|(_, object)| object)
            .filter(|it| selected(it))
            .collect();
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
    }

    /// Server-side apply: what is said is what there will be, and a number of pods that is not said is left to others. An
    /// object and its status leave each other alone.
    fn apply(&mut self, at: &str, manager: &str, mut applied: Value) -> Option<Value> {
        let at = if let Some(at) = at.strip_suffix("/status") {
            let status = applied["status"].take();
            applied = self.objects.get(at)?.clone();
            applied["status"] = status;
            at
        } else {
            let before = self.objects.get(at).cloned().unwrap_or_default();
            applied["status"] = before["status"].clone();
            if at.starts_with("deployments/") {
                share_number(&before, manager, &mut applied);
            }
            at
        };
        if self.store(at, applied) {
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
        let is_lasting = before["immutable"] == true && before["data"] != applied["data"];
        is_lasting.then_some("data")
    }

    /// An Event; nobody reads it.
    fn note(&mut self, at: &str, object: Value) -> Value {
        self.changed.push(at.to_owned());
        object
    }

    fn delete(&mut self, at: &str) -> Option<Value> {
        self.objects.remove(at)?;
        self.changed.push(at.to_owned());
        Some(json!({"apiVersion": "v1", "kind": "Status", "status": "Success"}))
    }

    /// Stores an object with what the server adds to it. Says whether that changed anything.
    fn store(&mut self, at: &str, mut object: Value) -> bool {
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
        if object == before {
            return false;
        }
        self.version = version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let count = &object["spec"]["replicas"];
        let numbers = self.numbers.entry(at.to_owned()).or_default();
        if numbers.last() != Some(count) {
            numbers.push(count.clone());
        }
        self.objects.insert(at.to_owned(), object);
        true
    }
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

/// A parameter of a request.
fn parameter(head: &http::request::Parts, name: &str) -> Option<String> {
    let mut pairs = head.uri.query()?.split('&');
    let value = pairs.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn refusal(code: u16) -> Response<Body> {
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
fn invalid(field: &str) -> Response<Body> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": 422, "reason": "Invalid", "message": "field is immutable",
        "details": {"causes": [{"field": field, "reason": "FieldValueForbidden", "message": "field is immutable"}]},
    });
    response(StatusCode::UNPROCESSABLE_ENTITY, &status)
}

fn response(code: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string().into_bytes()));
    *response.status_mut() = code;
    response
}
