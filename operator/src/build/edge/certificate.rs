//! The Secrets of a self-signed certificate: the authority that people trust, and what it signed.

use k8s_openapi::api::core::v1::Secret;
use secrecy::{ExposeSecret as _, SecretString};

use crate::build::meta::{self, Component};
use crate::build::workload::pod;
use crate::model::child_name::ChildName;
use crate::model::object::Object;
use crate::model::self_signed::Certificate;
use crate::model::stack::Stack;

pub(super) fn self_signed(stack: &Stack, certificate: &Certificate) -> [Object; 2] {
    let pair = |name: &ChildName, crt: &str, key: &SecretString| Secret {
        metadata: meta::object(stack, name, Component::Edge),
        type_: Some("kubernetes.io/tls".into()),
        data: Some(pod::string_data([
            ("tls.crt", crt.to_owned()),
            ("tls.key", key.expose_secret().to_owned()),
            ("ca.crt", certificate.authority.clone()),
        ])),
        ..Secret::default()
    };
    let names = &stack.names;
    [
        pair(
            &names.authority(),
            &certificate.authority,
            &certificate.authority_key,
        ),
        pair(
            &names.certificate(),
            &certificate.certificate,
            &certificate.key,
        ),
    ]
    .map(|secret| Object::Secret(Box::new(secret)))
}
