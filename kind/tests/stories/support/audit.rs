//! Who wrote what: read from the API server's audit log.

use serde_json::Value;

use super::World;

/// The operator's user.
const OPERATOR: &str = "system:serviceaccount:appstack-system:appstack-operator";

/// A write of the operator in the namespace of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) verb: String,
    /// The plural of the kind, with a subresource after a slash.
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) code: u64,
}

impl World {
    /// Every write of the operator in this namespace so far, in its order. Events do not count.
    pub(crate) fn writes(&self) -> Vec<Write> {
        let log = std::fs::read_to_string(self.cluster.audit_log()).unwrap();
        log.lines()
            // The last line may be half written.
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|it| it["user"]["username"] == OPERATOR)
            .filter(|it| it["objectRef"]["namespace"] == self.namespace.as_str())
            .filter(|it| it["objectRef"]["resource"] != "events")
            .map(|it| write(&it))
            .collect()
    }
}

fn write(line: &Value) -> Write {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &line["objectRef"];
    let resource = text(&object["resource"]);
    Write {
        verb: text(&line["verb"]),
        resource: match object["subresource"].as_str() {
            Some(part) => format!("{resource}/{part}"),
            None => resource,
        },
        name: text(&object["name"]),
        code: line["responseStatus"]["code"].as_u64().unwrap_or_default(),
    }
}
