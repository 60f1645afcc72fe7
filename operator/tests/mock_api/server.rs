//! An API server in memory, as much of it as a reconciliation needs: one namespace, and other managers of the numbers of pods
//! alone. It keeps a log of all that moves; watches tell of it, or tests make events from it.
//!
//! An object's address is its plural and its name, such as `services/shop-backend`.

#[path = "server/answer.rs"]
mod answer;
#[path = "server/state.rs"]
mod state;
#[path = "server/watch.rs"]
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use appstack_operator::api::MANAGER;
use axum::body::Body as Answer;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use answer::{address, refusal};
use state::{State, share_number};
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

/// Who changes what a test puts.
const OTHERS: &str = "kubectl";

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

    /// Every Event that was made.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.state().events.clone()
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

    /// Puts what the container of a pod printed there.
    pub(crate) fn print(&self, pod: &str, log: &[u8]) {
        let at = format!("pods/{pod}/log");
        self.state().logs.insert(at, log.to_owned());
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
