//! What the operator asked and wrote since the story began: read from the API server's audit log.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use jiff::Timestamp;
use local_cluster::operator;
use serde_json::Value;

use super::World;

/// The operator's user.
const OPERATOR: &str = "system:serviceaccount:appstack-system:appstack-operator";
/// What the API server knows of a user who came by a token of a pod.
const POD: &str = "authentication.kubernetes.io/pod-name";

/// A request of the operator about the namespace of a story, or about what all namespaces share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The pod that sent it.
    pub(crate) pod: String,
    /// When it was answered.
    pub(crate) at: Timestamp,
    pub(crate) verb: String,
    /// The plural of the kind, with a subresource after a slash.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u64,
    /// Whether it asked what would become of it, and no more.
    pub(crate) is_trial: bool,
}

impl World {
    /// Every write of the operator in this namespace so far, in its order. Events do not count, and trials write nothing.
    pub(crate) fn writes(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|it| !it.is_trial && !["get", "list"].contains(&&*it.verb));
        requests
    }

    /// Every read and write of the operator in this namespace so far, and every list of IngressClasses, in their order.
    /// Watches and Events do not count.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests_where(|object| {
            let ours = object["namespace"] == self.namespace.as_str()
                || object["resource"] == "ingressclasses";
            ours && object["resource"] != "events"
        })
    }

    /// Every write of the Lease by the operator so far, whichever pod leads.
    pub(crate) fn lease_writes(&self) -> Vec<Request> {
        let mut requests = self.requests_where(|object| {
            object["namespace"] == operator::NAMESPACE && object["resource"] == "leases"
        });
        requests.retain(|it| it.verb != "get");
        requests
    }

    /// The requests of the operator about some objects.
    fn requests_where(&self, about: impl Fn(&Value) -> bool) -> Vec<Request> {
        let mut log = File::open(self.cluster.audit_log()).unwrap();
        // What was written before the story began is most of it, and takes long to read.
        log.seek(SeekFrom::Start(self.logged)).unwrap();
        let mut lines = String::new();
        log.read_to_string(&mut lines).unwrap();
        lines
            .lines()
            // The last line may be half written, and the first may have been.
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|it| it["user"]["username"] == OPERATOR && about(&it["objectRef"]))
            .map(|it| request(&it))
            .collect()
    }
}

fn request(line: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &line["objectRef"];
    let resource = text(&object["resource"]);
    Request {
        pod: text(&line["user"]["extra"][POD][0]),
        at: text(&line["stageTimestamp"]).parse().unwrap(),
        verb: text(&line["verb"]),
        resource: match object["subresource"].as_str() {
            Some(part) => format!("{resource}/{part}"),
            None => resource,
        },
        name: text(&object["name"]),
        code: line["responseStatus"]["code"].as_u64().unwrap_or_default(),
        is_trial: text(&line["requestURI"]).contains("dryRun="),
    }
}
