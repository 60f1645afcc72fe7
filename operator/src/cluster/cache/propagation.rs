//! Since when an ingress controller knows of the last changes of the edge.
//!
//! Traefik reads Ingresses, HTTPRoutes and Middlewares by watches of their own and takes up the changes of each at most every two seconds (its
//! `providersThrottleDuration`), without regard to the other. A route that names a middleware which it has not taken up, or which
//! it has forgotten already, is not served at all. So one of the two changes only when it knows of the other.
//!
//! Invariant: pure. What is noted comes from answers of the API server, so that a new process learns the same from its own.

use jiff::{SignedDuration, Timestamp};
use kube::api::ObjectMeta;

use crate::api::MANAGER;
use crate::model::object::Object;

/// How long it takes at most until a change is taken up: the two seconds, and one for the way.
const DELAY: SignedDuration = SignedDuration::from_secs(3);

/// More than that ahead is no time that was noted by the same clock, nor what a look took that began before.
const APART: SignedDuration = SignedDuration::from_secs(30);

/// When the last changes of a stack's edge are taken up.
#[derive(Debug, Default)]
pub struct Propagation {
    middlewares: Option<Timestamp>,
    transports: Option<Timestamp>,
    ingresses: Option<Timestamp>,
    services: Option<Timestamp>,
    postponed: Option<Timestamp>,
}

impl Propagation {
    /// Notes what the API server answered to an object.
    pub fn note(&mut self, answer: &Object) {
        let metadata = answer.metadata();
        match answer {
            Object::Middleware(_) => self.middlewares = self.middlewares.max(made(metadata)),
            Object::ServersTransport(_) => self.transports = self.transports.max(made(metadata)),
            Object::Ingress(_) | Object::HTTPRoute(_) => {
                self.ingresses = self.ingresses.max(changed(metadata));
            }
            Object::Service(_) => self.services = self.services.max(changed(metadata)),
            _ => {}
        }
    }

    /// Whether the ingress controller may not know how it is to ask pods. Then no Service is to say so; it is postponed.
    pub fn awaits_transports(&mut self, now: Timestamp) -> bool {
        self.postpone(self.transports, now)
    }

    /// Whether the ingress controller may not know of every change of a Service. Then how it asks pods is not to be deleted; it
    /// is postponed.
    pub fn awaits_services(&mut self, now: Timestamp) -> bool {
        self.postpone(self.services, now)
    }

    /// Whether the ingress controller may not know of every middleware. Then no Ingress is to be changed, and
    /// nothing deleted that one may need; it is postponed.
    pub fn awaits_middlewares(&mut self, now: Timestamp) -> bool {
        self.postpone(self.middlewares, now)
    }

    /// Whether the ingress controller may not know of every change of an Ingress. Then a middleware is not to be deleted; it is
    /// postponed.
    pub fn awaits_ingresses(&mut self, now: Timestamp) -> bool {
        self.postpone(self.ingresses, now)
    }

    /// When that is to be done which was postponed.
    #[must_use]
    pub fn postponed(&self, now: Timestamp) -> Option<Timestamp> {
        self.postponed.filter(|it| *it > now)
    }

    /// Where the clocks are apart nothing is known of the time, and nothing waits for it.
    fn postpone(&mut self, until: Option<Timestamp>, now: Timestamp) -> bool {
        let until = until.filter(|it| *it > now && it.duration_since(now) <= APART);
        self.postponed = self.postponed.max(until);
        until.is_some()
    }
}

/// When what was made is taken up.
fn made(metadata: Option<&ObjectMeta>) -> Option<Timestamp> {
    let made = metadata?.creation_timestamp.as_ref()?;
    Some(made.0 + DELAY)
}

/// When what we changed last is taken up.
fn changed(metadata: Option<&ObjectMeta>) -> Option<Timestamp> {
    let managers = metadata?.managed_fields.iter().flatten();
    let ours =
        managers.filter(|it| it.manager.as_deref() == Some(MANAGER) && it.subresource.is_none());
    let changed = ours.filter_map(|it| it.time.as_ref()).map(|it| it.0).max();
    changed.map(|it| it + DELAY)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, metadata: &Value) -> Object {
        Object::parse(kind, json!({"metadata": metadata, "spec": {}})).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn an_ingress_waits_for_the_newest_middleware() {
        let mut it = Propagation::default();
        assert!(!it.awaits_middlewares(at(0)));
        for second in [20, 10] {
            let made = at(second).to_string();
            it.note(&object("Middleware", &json!({"creationTimestamp": made})));
        }
        assert!(it.awaits_middlewares(at(22)));
        assert_eq!(it.postponed(at(22)), Some(at(23)));
        assert!(!it.awaits_middlewares(at(23)));
        assert_eq!(it.postponed(at(23)), None);
        assert!(!it.awaits_ingresses(at(22)));
        assert!(it.awaits_middlewares(at(10)), "the look began before");
        assert!(!it.awaits_middlewares(at(-10)), "the clocks are apart");
    }

    #[test]
    fn a_middleware_waits_for_what_we_changed_of_an_ingress_and_for_nobody_else() {
        let mut it = Propagation::default();
        let entry = |manager: &str, second: i64| json!({"manager": manager, "time": at(second).to_string()});
        let mut status = entry(MANAGER, 40);
        status["subresource"] = json!("status");
        let managers = json!([entry(MANAGER, 10), entry("traefik", 30), status]);
        it.note(&object("Ingress", &json!({"managedFields": managers})));
        assert!(it.awaits_ingresses(at(12)));
        assert!(!it.awaits_ingresses(at(13)));
        assert!(!it.awaits_middlewares(at(12)));
    }
}
