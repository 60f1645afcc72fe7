//! What the operator asked and wrote: read from the API server's audit log.

use serde_json::Value;

use super::World;

/// The operator's user.
const OPERATOR: &str = "system:serviceaccount:appstack-system:appstack-operator";

/// A request of the operator about the namespace of a story, or about what all namespaces share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) verb: String,
    /// The plural of the kind, with a subresource after a slash.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u64,
}

impl World {
    /// Every write of the operator in this namespace so far, in its order. Events do not count.
    pub(crate) fn writes(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|it| !["get", "list"].contains(&&*it.verb));
        requests
    }

    /// Every read and write of the operator in this namespace so far, and every list of IngressClasses, in their order.
    /// Watches and Events do not count.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let log = std::fs::read_to_string(self.cluster.audit_log()).unwrap();
        log.lines()
            // The last line may be half written.
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|it| it["user"]["username"] == OPERATOR)
            .filter(|it| {
                it["objectRef"]["namespace"] == self.namespace.as_str()
                    || it["objectRef"]["resource"] == "ingressclasses"
            })
            .filter(|it| it["objectRef"]["resource"] != "events")
            .map(|it| request(&it))
            .collect()
    }
}

fn request(line: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &line["objectRef"];
    let resource = text(&object["resource"]);
    Request {
        verb: text(&line["verb"]),
        resource: match object["subresource"].as_str() {
            Some(part) => format!("{resource}/{part}"),
            None => resource,
        },
        name: text(&object["name"]),
        code: line["responseStatus"]["code"].as_u64().unwrap_or_default(),
    }
}
