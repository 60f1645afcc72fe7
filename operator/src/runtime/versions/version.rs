//! One state of one object, told by what the API server says of it.
//!
//! Invariant: equal versions are the same state, but for a status that nobody asks for.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use kube::api::ObjectMeta;

/// Kinds whose status moves by itself, and says nothing that anybody asks for: it is no part of the state of theirs.
const RESTLESS: [&str; 1] = ["HorizontalPodAutoscaler"];

/// One state of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The object's UID.
    pub uid: Box<str>,
    /// The object's resourceVersion; of restless kinds what all but their status was last written by.
    pub resource_version: Box<str>,
}

impl Version {
    /// The state that metadata of a kind are of; `None` for what no API server answered.
    #[must_use]
    pub fn of(kind: &str, metadata: &ObjectMeta) -> Option<Self> {
        let resource_version = metadata.resource_version.as_deref()?;
        Some(Self {
            uid: metadata.uid.as_deref()?.into(),
            resource_version: if RESTLESS.contains(&kind) {
                writers(metadata).into()
            } else {
                resource_version.into()
            },
        })
    }
}

/// Who wrote which fields beside the status, and when. A write that puts right what somebody else wrote takes that from
/// them, so that the same write of theirs shows again.
fn writers(metadata: &ObjectMeta) -> String {
    let managers = metadata.managed_fields.iter().flatten();
    let mut hasher = DefaultHasher::new();
    for it in managers.filter(|it| it.subresource.as_deref() != Some("status")) {
        let fields = it.fields_v1.as_ref().map(|it| it.0.to_string());
        (&it.manager, &it.operation, fields).hash(&mut hasher);
        it.time
            .as_ref()
            .map(|it| it.0.as_second())
            .hash(&mut hasher);
    }
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
