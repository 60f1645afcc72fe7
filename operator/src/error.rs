//! What can go wrong, what to call it, and how soon to try again.
//!
//! An error is "could not do", never "not yet" (that is a `Gate`) and never "done". Display says what was tried;
//! the cause is the source.

use std::fmt;

use crate::api::Reason;

/// The fields of a Secret or a ConfigMap that never change once it is immutable.
const CONTENT: [&str; 4] = ["binaryData", "data", "immutable", "type"];

/// Something that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec, or something it refers to, has faults.
    #[error("the AppStack is not acceptable")]
    Invalid(#[source] Invalid),
    /// Hosts of the stack belong to others.
    #[error(
        "{}; nothing of this spec is rolled out until it has other hosts (`domain`, `edge.hosts`), or that AppStack has", listed(.0)
    )]
    HostConflict(Vec<TakenHost>),
    /// Something that the spec depends on could not be read.
    #[error("cannot read {what}")]
    Read {
        /// What was read: a kind and a name.
        what: String,
        /// Why not.
        source: CallError,
    },
    /// An object could not be applied.
    #[error("cannot apply {kind} {name}")]
    Apply {
        /// The kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why not.
        source: CallError,
    },
    /// An object could not be deleted.
    #[error("cannot delete {kind} {name}")]
    Delete {
        /// The kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why not.
        source: CallError,
    },
    /// The status could not be written.
    #[error("cannot write the status")]
    Status(#[source] CallError),
    /// An object of that name is there and is not ours.
    #[error(
        "{kind} {name} exists and does not belong to this AppStack; rename or delete it, or name the AppStack otherwise"
    )]
    NameTaken {
        /// The kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// What was written down of the stack cannot be read.
    #[error(
        "what was written down of this stack cannot be read, so nothing is changed and nothing is deleted; run the version of the operator that wrote it, or delete the record once you know that it is not needed"
    )]
    Unreadable(#[source] Unreadable),
    /// No certificate could be issued.
    #[error("cannot issue a certificate")]
    Certificate(#[source] rcgen::Error),
}

/// Why a request to the API server came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server refused it, or could not be reached. kube's own text says the answer twice, once as a dump of Rust,
    /// so the words are ours, and there is no source that would say them again.
    #[error("{}", words(.0))]
    Kube(Box<kube::Error>),
    /// The same, in other words. It may work the next time.
    #[error("{0}")]
    Retold(String),
    /// There was no answer in time.
    #[error("the API server did not answer within {0} seconds")]
    TimedOut(u64),
}

/// Everything that is wrong with a spec, each with the path of its field and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// One sentence for each fault.
    pub faults: Vec<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("; "))
    }
}

impl std::error::Error for Invalid {}

/// A host that belongs to another AppStack. Who reads of it may have no right to see that one, so this is all that is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakenHost {
    /// The host.
    pub host: String,
    /// The namespace of the other AppStack.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for TakenHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            namespace,
            name,
        } = self;
        write!(f, "{host} belongs to AppStack {namespace}/{name}")
    }
}

fn listed(taken: &[TakenHost]) -> String {
    let taken: Vec<_> = taken.iter().map(ToString::to_string).collect();
    taken.join(", ")
}

/// Records that cannot be read, each with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .records.join("; "))]
pub struct Unreadable {
    /// The name of each, and why.
    pub records: Vec<String>,
}

/// How soon to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The user has to change something: trying again the same would fail the same.
    User,
    /// Somebody else has to free a name.
    Taken,
    /// The namespace is being deleted; nothing can be made in it.
    Ending,
    /// Somebody else wrote at the same time.
    Conflict,
    /// It may work the next time.
    Transient,
}

impl Error {
    /// The word for it in conditions, Events and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Invalid(_) => Reason::Invalid,
            Self::HostConflict(_) => Reason::HostConflict,
            Self::NameTaken { .. } => Reason::NameTaken,
            Self::Unreadable(_) => Reason::RecordUnreadable,
            Self::Read { .. }
            | Self::Apply { .. }
            | Self::Delete { .. }
            | Self::Status(_)
            | Self::Certificate(_) => Reason::ApiError,
        }
    }

    /// How soon to try again.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Invalid(_) | Self::HostConflict(_) | Self::Unreadable(_) => Class::User,
            Self::NameTaken { .. } => Class::Taken,
            Self::Apply { source, .. } => source.class_of_apply(),
            Self::Read { source, .. } | Self::Delete { source, .. } | Self::Status(source) => {
                source.class()
            }
            Self::Certificate(_) => Class::Transient,
        }
    }

    /// Whether the API server refused to change what an object holds, because that was made to last.
    #[must_use]
    pub fn is_of_lasting_content(&self) -> bool {
        match self {
            Self::Apply {
                source: CallError::Kube(error),
                ..
            } => match error.as_ref() {
                kube::Error::Api(status) => status.is_invalid() && is_of_content(status),
                _ => false,
            },
            _ => false,
        }
    }

    /// The same error, with what the API server said of it in other words: it quotes what it refuses, and that may be a secret.
    #[must_use]
    pub fn retold(mut self, tell: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Read { source, .. }
            | Self::Apply { source, .. }
            | Self::Delete { source, .. }
            | Self::Status(source) => source.retell(tell),
            Self::Invalid(_)
            | Self::HostConflict(_)
            | Self::NameTaken { .. }
            | Self::Unreadable(_)
            | Self::Certificate(_) => {}
        }
        self
    }

    /// What was tried and the whole chain of causes, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chained(self)
    }
}

/// An error and its causes in one line. Many say their cause themselves; it is not said again.
fn chained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// What the API server said, in its own words and once; or why it said nothing.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => match (status.message.as_str(), status.reason.as_str()) {
            ("", "") => format!("the API server answered {}", status.code),
            ("", reason) => reason.into(),
            (message, _) => message.into(),
        },
        kube::Error::Service(cause) => {
            format!("the API server cannot be reached: {}", chained(&**cause))
        }
        other => chained(other),
    }
}

impl CallError {
    /// Whether the API server said that there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Kube(error) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_not_found()))
    }

    /// The same, with what the API server says told otherwise.
    #[must_use]
    pub fn in_words(mut self, tell: impl FnOnce(&str) -> String) -> Self {
        if let Self::Kube(error) = &mut self
            && let kube::Error::Api(status) = error.as_mut()
        {
            status.message = tell(&status.message);
        }
        self
    }

    /// The class where an object was sent. What the API server, a quota or a policy refuses to take stays refused until
    /// somebody changes the one or the other: trying sooner only makes noise.
    #[must_use]
    pub fn class_of_apply(&self) -> Class {
        const FOR_GOOD: [u16; 4] = [400, 403, 413, 422];
        match (self.class(), self) {
            (Class::Transient, Self::Kube(error)) => match error.as_ref() {
                kube::Error::Api(status) if FOR_GOOD.contains(&status.code) => Class::User,
                _ => Class::Transient,
            },
            (class, _) => class,
        }
    }

    fn retell(&mut self, tell: impl Fn(&str) -> String) {
        let Self::Kube(error) = self else { return };
        if let kube::Error::Api(status) = error.as_mut() {
            status.message = tell(&status.message);
            let causes = status.details.iter_mut().flat_map(|it| &mut it.causes);
            causes.for_each(|it| it.message = tell(&it.message));
            return;
        }
        let said = chained(error.as_ref());
        let told = tell(&said);
        if told != said {
            *self = Self::Retold(told);
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Kube(error) => match error.as_ref() {
                kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => {
                    Class::Conflict
                }
                kube::Error::Api(status) if is_another_object(status) => Class::Conflict,
                // The object is one that the API server will never take; only another spec can help.
                kube::Error::Api(status) if status.is_invalid() => Class::User,
                kube::Error::Api(status) if is_ending(status) => Class::Ending,
                _ => Class::Transient,
            },
            Self::Retold(_) | Self::TimedOut(_) => Class::Transient,
        }
    }
}

/// Whether a request was refused because the name belongs to an object with another UID than was said.
fn is_another_object(status: &kube::core::Status) -> bool {
    let mut causes = status.details.iter().flat_map(|it| &it.causes);
    causes.any(|it| it.field == "metadata.uid")
}

/// Whether a request was refused for what a Secret or a ConfigMap holds.
fn is_of_content(status: &kube::core::Status) -> bool {
    let mut causes = status.details.iter().flat_map(|it| &it.causes);
    causes.any(|it| CONTENT.contains(&it.field.as_str()))
}

/// Whether a request was refused because its namespace is being deleted.
fn is_ending(status: &kube::core::Status) -> bool {
    let mut causes = status.details.iter().flat_map(|it| &it.causes);
    causes.any(|it| it.reason == "NamespaceTerminating")
}

/// The result of a step of the reconciliation.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_what_was_tried_and_every_fault() {
        let error = Error::Invalid(Invalid {
            faults: vec!["spec.a: wrong".into(), "spec.b: wrong too".into()],
        });
        assert_eq!(
            error.chain(),
            "the AppStack is not acceptable: spec.a: wrong; spec.b: wrong too"
        );
    }

    #[test]
    fn an_object_that_will_never_be_taken_is_told_from_one_whose_name_another_has() {
        assert_eq!(refused("spec.ports").class(), Class::User);
        assert_eq!(refused("metadata.uid").class(), Class::Conflict);
    }

    #[test]
    fn what_was_made_to_last_is_told_from_other_refusals() {
        let lasts = |field: &str| {
            let error = Error::Apply {
                kind: "Secret",
                name: "s".into(),
                source: refused(field),
            };
            error.is_of_lasting_content()
        };
        assert!(lasts("data"));
        assert!(lasts("immutable"));
        assert!(!lasts("metadata.uid"));
        assert!(!lasts("metadata.labels"));
    }

    /// An answer of the API server to an apply, as it comes over the line.
    fn answered(status: &str) -> Error {
        let status: kube::core::Status = serde_json::from_str(status).unwrap();
        Error::Apply {
            kind: "Ingress",
            name: "shop-edge".into(),
            source: CallError::Kube(Box::new(kube::Error::Api(Box::new(status)))),
        }
    }

    const INVALID: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"Ingress.networking.k8s.io \"shop-edge\" is invalid: spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address",
        "reason":"Invalid","details":{"name":"shop-edge","group":"networking.k8s.io","kind":"Ingress","causes":[{"reason":"FieldValueInvalid",
        "message":"Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address","field":"spec.rules[0].host"}]},"code":422}"#;
    const QUOTA: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"deployments.apps \"shop-backend-1\" is forbidden: exceeded quota: small, requested: count/deployments.apps=1, used: count/deployments.apps=2, limited: count/deployments.apps=2",
        "reason":"Forbidden","details":{"name":"shop-backend-1","group":"apps","kind":"deployments"},"code":403}"#;
    const CONFLICT: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"Operation cannot be fulfilled on services \"shop-backend\": the object has been modified; please apply your changes to the latest version and try again",
        "reason":"Conflict","details":{"name":"shop-backend","kind":"services"},"code":409}"#;
    const ENDING: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"secrets \"s\" is forbidden: unable to create new content in namespace demo because it is being terminated",
        "reason":"Forbidden","details":{"name":"s","kind":"secrets","causes":[{"reason":"NamespaceTerminating","message":"namespace demo is being terminated","field":"metadata.namespace"}]},"code":403}"#;

    #[test]
    fn the_api_server_is_quoted_once_and_in_its_own_words() {
        for (answer, words) in [
            (
                INVALID,
                "Ingress.networking.k8s.io \"shop-edge\" is invalid: spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address",
            ),
            (
                QUOTA,
                "deployments.apps \"shop-backend-1\" is forbidden: exceeded quota: small, requested: count/deployments.apps=1, used: count/deployments.apps=2, limited: count/deployments.apps=2",
            ),
            (
                CONFLICT,
                "Operation cannot be fulfilled on services \"shop-backend\": the object has been modified; please apply your changes to the latest version and try again",
            ),
            (r#"{"reason": "Gone", "code": 410}"#, "Gone"),
            (r#"{"code": 503}"#, "the API server answered 503"),
        ] {
            let wanted = format!("cannot apply Ingress shop-edge: {words}");
            assert_eq!(answered(answer).chain(), wanted);
        }
    }

    #[test]
    fn what_kept_the_api_server_from_answering_is_said_once() {
        let status = |source| Error::Status(source).chain();
        assert_eq!(
            status(CallError::TimedOut(10)),
            "cannot write the status: the API server did not answer within 10 seconds"
        );
        let refused = std::io::Error::other("connection refused");
        let service = kube::Error::Service(Box::new(refused));
        assert_eq!(
            status(CallError::Kube(Box::new(service))),
            "cannot write the status: the API server cannot be reached: connection refused"
        );
    }

    #[test]
    fn an_object_that_is_refused_for_good_waits_for_the_user_and_a_read_does_not() {
        for (answer, class) in [
            (INVALID, Class::User),
            (QUOTA, Class::User),
            (r#"{"code": 400, "reason": "BadRequest"}"#, Class::User),
            (
                r#"{"code": 413, "reason": "RequestEntityTooLarge"}"#,
                Class::User,
            ),
            (CONFLICT, Class::Conflict),
            (ENDING, Class::Ending),
            (
                r#"{"code": 429, "reason": "TooManyRequests"}"#,
                Class::Transient,
            ),
            (
                r#"{"code": 500, "reason": "InternalError"}"#,
                Class::Transient,
            ),
        ] {
            assert_eq!(answered(answer).class(), class, "{answer}");
        }
        let Error::Apply { source, .. } = answered(QUOTA) else {
            unreachable!("it is an apply")
        };
        let what = "Secret s".into();
        let read = Error::Read { what, source };
        assert_eq!(read.class(), Class::Transient);
    }

    #[test]
    fn what_the_api_server_says_is_told_in_other_words_and_stays_what_it_is() {
        let error = Error::Apply {
            kind: "Secret",
            name: "s".into(),
            source: refused("data"),
        };
        let told = error.retold(|it| it.replace("refused", "***"));
        assert!(told.chain().contains("***"), "{}", told.chain());
        assert!(!told.chain().contains("refused"));
        assert_eq!(told.class(), Class::User);
        let source = CallError::Kube(Box::new(kube::Error::SerdeError(
            serde_json::from_str::<u8>("\"secret\"").unwrap_err(),
        )));
        let error = Error::Status(source).retold(|it| it.replace("secret", "***"));
        assert!(error.chain().contains("\"***\""), "{}", error.chain());
    }

    /// A refusal of an object for one of its fields.
    fn refused(field: &str) -> CallError {
        let status = serde_json::json!({
            "status": "Failure", "message": "refused", "reason": "Invalid", "code": 422,
            "details": {"causes": [{"field": field, "reason": "FieldValueInvalid", "message": ""}]},
        });
        let status: kube::core::Status = serde_json::from_value(status).unwrap();
        CallError::Kube(Box::new(kube::Error::Api(Box::new(status))))
    }

    #[test]
    fn a_call_that_timed_out_is_tried_again_and_a_fault_of_the_user_is_not() {
        let late = Error::Status(CallError::TimedOut(10));
        assert_eq!(late.class(), Class::Transient);
        assert_eq!(
            Error::Invalid(Invalid { faults: vec![] }).class(),
            Class::User
        );
    }
}
