//! The Certificate that cert-manager looks after.

use std::collections::BTreeSet;

use crate::build::meta::{self, Component};
use crate::model::kinds::certificate::GROUP;
use crate::model::kinds::{Certificate, CertificateSpec, IssuerRef, PrivateKey};
use crate::model::object::Object;
use crate::model::stack::{Issued, Stack};

/// One for all hosts of the stack: an authority counts certificates, and one for several hosts counts once.
pub(super) fn certificate(stack: &Stack, issued: &Issued) -> Object {
    let Issued { name, issuer, .. } = issued;
    let hosts: BTreeSet<String> = stack.edge.hosts().into_iter().collect();
    let mut certificate = Certificate::new(
        name.as_str(),
        CertificateSpec {
            secret_name: name.into(),
            dns_names: hosts.into_iter().collect(),
            issuer_ref: IssuerRef {
                name: issuer.name.clone(),
                kind: issuer.kind.unwrap_or_default().as_str().into(),
                group: GROUP.into(),
            },
            private_key: PrivateKey {
                rotation_policy: "Always".into(),
            },
        },
    );
    certificate.metadata = meta::object(stack, name, Component::Edge);
    Object::Certificate(Box::new(certificate))
}
