//! What happens beside the operator: others write and delete, and watches tell of it late, twice, or not at all.

use std::collections::VecDeque;
use std::sync::Arc;

use appstack_operator::api::{MANAGER, label};
use appstack_operator::runtime::versions::{KindVersions, WatchedVersions};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::PartialObjectMetaExt as _;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::STACK;
use crate::cache::MONITORED;
use crate::server::{NAMESPACE, Server};

/// What the spec may refer to.
pub(super) const REFERRED: [&str; 3] =
    ["secrets/users-a", "secrets/users-b", "configmaps/settings"];

/// Something that happens beside the operator. Numbers pick among what is there.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Somebody changes an object of ours.
    Change(usize, Change),
    /// Somebody deletes an object of ours.
    Delete(usize),
    /// Somebody changes what the spec refers to, or deletes it.
    Refer(usize, bool),
    /// A user changes the spec.
    Ask(usize),
    /// A watch tells so many events.
    Deliver(usize, usize),
    /// A watch tells its last event again.
    Repeat(usize),
    /// A watch fails, with a gap or without; while it is down already, it is refused once more.
    Interrupt(usize, bool),
    /// A watch is taken up from where it was.
    Resume(usize),
    /// A watch lists so many objects; its list begins if it must, and ends when there are no more.
    List(usize, usize),
    /// The controllers of Kubernetes do what they are told.
    Run,
}

/// What is changed of an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Spec,
    Label,
    Unlabel,
    Status,
    /// It is deleted and made again with another spec.
    Replace,
}

/// The watch of a kind, and where what it sees goes.
struct Watch {
    kind: &'static str,
    watched: Arc<KindVersions>,
    /// How far it came in the log.
    at: usize,
    state: State,
    last: Option<ObjectMeta>,
}

enum State {
    Following,
    /// It is down and will go on from where it was.
    Interrupted,
    /// It is down and has to list.
    Broken,
    Listing(VecDeque<ObjectMeta>),
}

/// The cluster, but for the operator.
pub(super) struct Cluster {
    pub(super) server: Server,
    watches: Vec<Watch>,
    /// Whether a watch has woken the stack.
    pub(super) woken: bool,
    /// Whether the operator has applied everything since it started, and so knows what is its own without labels.
    pub(super) claimed: bool,
    /// Makes each change another one.
    count: u64,
    /// What happened, for whoever reads a failure.
    pub(super) story: Vec<String>,
}

impl Cluster {
    pub(super) fn new(server: Server, versions: &WatchedVersions) -> Self {
        let mut cluster = Self {
            server,
            watches: Vec::new(),
            woken: true,
            claimed: false,
            count: 0,
            story: Vec::new(),
        };
        cluster.restarted(versions);
        cluster
    }

    /// The operator starts anew, and all its watches with it. It knows what is its own by the labels alone, so that somebody
    /// has put those right before.
    pub(super) fn restarted(&mut self, versions: &WatchedVersions) {
        for (at, kind) in self.server.addresses() {
            let Some(mut object) = self.server.get(&at).filter(|_| kind != "AppStack") else {
                continue;
            };
            if object["metadata"]["labels"][label::MANAGED_BY] == MANAGER {
                object["metadata"]["labels"][label::STACK] = json!("shop");
                self.server.put(&at, object);
            }
        }
        let watch = |kind| Watch {
            kind,
            watched: versions.watch(kind, None, &[label::STACK, label::MANAGED_BY]),
            at: 0,
            state: State::Broken,
            last: None,
        };
        self.watches = MONITORED.into_iter().map(watch).collect();
        self.woken = true;
        self.claimed = false;
    }

    pub(super) fn happen(&mut self, it: &Happening) {
        let what = match *it {
            Happening::Change(pick, change) => self.change(pick, change),
            Happening::Delete(pick) => self.pick(pick, false).inspect(|at| self.server.remove(at)),
            Happening::Refer(pick, there) => self.refer(pick, there),
            Happening::Ask(pick) => self.ask(pick),
            Happening::Deliver(watch, count) => self.deliver(watch, count),
            Happening::Repeat(watch) => self.repeat(watch),
            Happening::Interrupt(watch, gap) => self.interrupt(watch, gap),
            Happening::Resume(watch) => self.resume(watch),
            Happening::List(watch, count) => self.list(watch, count),
            Happening::Run => self.server.complete_all().ok().map(|()| String::new()),
        };
        if let Some(what) = what {
            self.story.push(format!("{it:?}: {what}"));
        }
    }

    /// An object that the operator made.
    fn pick(&self, pick: usize, changed: bool) -> Option<String> {
        let all = self.server.addresses().into_iter();
        let ours: Vec<String> = all
            .filter(|(at, kind)| {
                let lasts = ["ControllerRevision", "PersistentVolumeClaim", "Job"];
                // What is written down never changes; passwords that change are another story.
                let may = !(changed && kind == "ControllerRevision")
                    && at != "secrets/shop-generated"
                    && !(self.is_whole() && lasts.contains(&kind.as_str()));
                may && kind != "AppStack" && kind != "Pod" && kind != "IngressClass"
            })
            .map(|(at, _)| at)
            .filter(|at| !REFERRED.contains(&at.as_str()))
            .collect();
        let pick = pick.checked_rem(ours.len())?;
        ours.get(pick).cloned()
    }

    /// Whether there is a whole stack, with a database that holds data.
    fn is_whole(&self) -> bool {
        self.server.get("statefulsets/shop-db").is_some()
    }

    fn change(&mut self, pick: usize, change: Change) -> Option<String> {
        let at = self.pick(pick, true)?;
        let mut object = self.server.get(&at)?;
        self.count += 1;
        let new = json!(self.count.to_string());
        match change {
            Change::Label => object["metadata"]["labels"]["theirs"] = new,
            Change::Unlabel if !self.claimed || self.is_whole() => return None,
            Change::Unlabel => {
                let labels = object["metadata"]["labels"].as_object_mut()?;
                labels.remove(label::STACK)?;
            }
            Change::Status => {
                if object["status"].is_null() {
                    return None;
                }
                object["status"]["theirs"] = new;
            }
            Change::Spec if object["immutable"] == true => return None,
            Change::Spec => alter(&mut object, &new),
            Change::Replace => {
                self.server.remove(&at);
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.remove("uid");
                }
                if self.count.is_multiple_of(2) {
                    alter(&mut object, &new);
                }
            }
        }
        self.server.put(&at, object);
        Some(at)
    }

    fn refer(&mut self, pick: usize, there: bool) -> Option<String> {
        let at = REFERRED.get(pick % REFERRED.len())?;
        self.count += 1;
        if there {
            put_referred(&self.server, at, self.count);
        } else {
            self.server.remove(at);
        }
        Some((*at).to_owned())
    }

    fn ask(&mut self, pick: usize) -> Option<String> {
        let (field, value) = match pick % 5 {
            it @ 0..3 => ("version", json!(format!("v{it}"))),
            3 => ("secrets", json!({"from": [{"name": "users-a"}]})),
            _ => ("secrets", json!({"from": [{"name": "users-b"}]})),
        };
        self.server.set(STACK, field, value.clone()).ok()?;
        self.woken = true;
        Some(format!("{field} {value}"))
    }

    fn deliver(&mut self, watch: usize, count: usize) -> Option<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.extend(self.next(watch));
        }
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// Tells the next event of a watch.
    fn next(&mut self, watch: usize) -> Option<String> {
        let len = self.watches.len();
        let it = self.watches.get_mut(watch % len)?;
        if !matches!(it.state, State::Following) {
            return None;
        }
        loop {
            let Some((at, moved)) = self.server.next_move(it.kind, it.at) else {
                it.at = self.server.moves();
                return None;
            };
            it.at = at + 1;
            let selected = |them: Option<Value>| them.filter(|them| selects(it.kind, them));
            let event = match (selected(moved.before), selected(moved.after)) {
                (_, Some(after)) => {
                    let after = metadata(&after);
                    it.last = Some(after.clone());
                    Event::Apply(after.into_response_partial())
                }
                // The server tells of it as it was when it was still selected.
                (Some(before), None) => {
                    it.last = None;
                    Event::Delete(metadata(&before).into_response_partial())
                }
                (None, None) => continue,
            };
            let what = named(&event);
            let told = it.watched.note(event);
            let kind = it.kind;
            self.wake(kind, &told);
            return Some(what);
        }
    }

    fn repeat(&mut self, watch: usize) -> Option<String> {
        let len = self.watches.len();
        let it = self.watches.get(watch % len)?;
        if !matches!(it.state, State::Following) {
            return None;
        }
        let event = Event::Apply(it.last.clone()?.into_response_partial());
        let what = named(&event);
        let told = it.watched.note(event);
        let kind = it.kind;
        self.wake(kind, &told);
        Some(what)
    }

    fn interrupt(&mut self, watch: usize, gap: bool) -> Option<String> {
        let len = self.watches.len();
        let it = self.watches.get_mut(watch % len)?;
        // A list that fails leaves a gap always.
        let gap = gap || !matches!(it.state, State::Following | State::Interrupted);
        it.watched.interrupted(gap);
        it.state = if gap {
            State::Broken
        } else {
            State::Interrupted
        };
        Some(it.kind.to_owned())
    }

    fn resume(&mut self, watch: usize) -> Option<String> {
        let len = self.watches.len();
        let it = self.watches.get_mut(watch % len)?;
        // One that follows ends by itself after a while, and goes on.
        if !matches!(it.state, State::Following | State::Interrupted) {
            return None;
        }
        it.watched.resumed();
        it.state = State::Following;
        Some(it.kind.to_owned())
    }

    fn list(&mut self, watch: usize, count: usize) -> Option<String> {
        let len = self.watches.len();
        let it = self.watches.get_mut(watch % len)?;
        let kind = it.kind;
        let mut told = Vec::new();
        if matches!(it.state, State::Broken) {
            let all = self.server.all(kind).into_iter();
            let all = all.map(|it| it["metadata"].clone());
            let listed = all.filter(|it| selects(kind, it));
            it.at = self.server.moves();
            it.last = None;
            it.state = State::Listing(listed.map(|it| metadata(&it)).collect());
            told.extend(it.watched.note::<ConfigMap>(Event::Init));
        }
        let State::Listing(rest) = &mut it.state else {
            return None;
        };
        for _ in 0..count {
            let Some(next) = rest.pop_front() else {
                it.state = State::Following;
                told.extend(it.watched.note::<ConfigMap>(Event::InitDone));
                break;
            };
            let next = Event::InitApply(next.into_response_partial());
            told.extend(it.watched.note::<ConfigMap>(next));
        }
        self.wake(kind, &told);
        Some(kind.to_owned())
    }

    /// Lets every watch come back and tell all that it has not told.
    pub(super) fn catch_up(&mut self) {
        for watch in 0..self.watches.len() {
            self.come_back(watch);
        }
    }

    pub(super) fn come_back(&mut self, watch: usize) {
        self.resume(watch);
        while matches!(
            self.watches.get(watch).map(|it| &it.state),
            Some(State::Broken | State::Listing(_))
        ) {
            self.list(watch, 8);
        }
        while self.next(watch).is_some() {}
    }

    /// Whether the watch of a kind is down.
    pub(super) fn is_down(&self, kind: &str) -> bool {
        let mut watches = self.watches.iter();
        watches.any(|it| it.kind == kind && !matches!(it.state, State::Following))
    }

    /// How many watches there are.
    pub(super) const fn watches(&self) -> usize {
        self.watches.len()
    }

    /// Wakes the stack if one of these is of it or is referred to, as the controller does.
    fn wake(&mut self, kind: &str, told: &[PartialObjectMeta<ConfigMap>]) {
        self.woken |= told.iter().any(|it| {
            let is_ours = it
                .labels()
                .get(label::MANAGED_BY)
                .is_some_and(|it| it == MANAGER)
                && it.labels().contains_key(label::STACK);
            let plural = format!("{}s/{}", kind.to_lowercase(), it.name_any());
            is_ours || kind == "IngressClass" || REFERRED.contains(&plural.as_str())
        });
    }
}

/// Puts something there that specs refer to.
pub(super) fn put_referred(server: &Server, at: &str, value: u64) {
    let name = at.rsplit('/').next().unwrap_or_default();
    let metadata = json!({"name": name, "namespace": NAMESPACE});
    let object = if at.starts_with("secrets/") {
        let text = k8s_openapi::ByteString(format!("value-{value}").into_bytes());
        let mut data = crate::certificate(&format!("value-{value}"));
        data["SMTP_USER"] = json!(text);
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    } else {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": {"key": format!("value-{value}")},
        })
    };
    server.put(at, object);
}

/// Changes what an object is about.
fn alter(object: &mut Value, new: &Value) {
    let field = match object["kind"].as_str() {
        Some("Secret" | "ConfigMap") => "data",
        Some("ServiceAccount") => "annotations",
        _ => "spec",
    };
    object[field]["theirs"] = if object["kind"] == "Secret" {
        json!(k8s_openapi::ByteString(new.to_string().into_bytes()))
    } else {
        new.clone()
    };
}

/// Whether an object of a kind is watched; see `controller::watches`.
fn selects(kind: &str, metadata: &Value) -> bool {
    let labels = &metadata["labels"];
    match kind {
        "Secret" | "ConfigMap" | "IngressClass" => true,
        "ControllerRevision" => labels[label::RECORD].is_string(),
        _ => labels[label::MANAGED_BY] == MANAGER,
    }
}

fn metadata(value: &Value) -> ObjectMeta {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn named(event: &Event<PartialObjectMeta<ConfigMap>>) -> String {
    match event {
        Event::Apply(it) | Event::InitApply(it) => {
            format!(
                "{} {}",
                it.name_any(),
                it.resource_version().unwrap_or_default()
            )
        }
        Event::Delete(it) => format!("{} gone", it.name_any()),
        Event::Init | Event::InitDone => String::new(),
    }
}
