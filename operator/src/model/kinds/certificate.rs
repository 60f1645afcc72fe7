//! cert-manager's certificate, as much of it as we use.
//!
//! Source: `cert-manager.io/v1`, <https://cert-manager.io/docs/reference/api-docs/>.

use jiff::{SignedDuration, Timestamp};
use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::Said;

/// The API group of certificates and of cert-manager's own issuers.
pub const GROUP: &str = "cert-manager.io";

/// How long cert-manager waits after a first failure; after each further one twice as long
/// (<https://cert-manager.io/docs/faq/#what-happens-if-issuance-fails>).
const FIRST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// How often that doubles at most: 32 hours are the longest wait.
const DOUBLINGS: i64 = 5;

/// What is to be issued.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "Certificate",
    namespaced,
    status = "CertificateStatus",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpec {
    /// The Secret that it comes into. It stays when the Certificate goes, and is taken over by the next one of its name.
    pub secret_name: String,
    /// The hosts.
    pub dns_names: Vec<String>,
    /// Who issues it.
    pub issuer_ref: IssuerRef,
    /// Its key.
    pub private_key: PrivateKey,
}

/// Who issues it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IssuerRef {
    /// Its name.
    pub name: String,
    /// `Issuer` or `ClusterIssuer`.
    pub kind: String,
    /// `cert-manager.io`.
    pub group: String,
}

/// Its key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrivateKey {
    /// `Always` makes a new one with each certificate.
    pub rotation_policy: String,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateStatus {
    /// `Ready`, and `Issuing` while one is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Said>,
    /// When the one that is there expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// When it will be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Timestamp>,
    /// When it was last asked for in vain, if it was not issued since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_time: Option<Timestamp>,
    /// How often in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_issuance_attempts: Option<i64>,
    /// How many were issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

impl CertificateStatus {
    /// A condition.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Said> {
        Said::of(&self.conditions, type_)
    }

    /// When it is asked for again after a failure.
    #[must_use]
    pub fn next_try(&self) -> Option<Timestamp> {
        let doublings = self.failed_issuance_attempts.unwrap_or(1) - 1;
        let doublings = u32::try_from(doublings.clamp(0, DOUBLINGS)).unwrap_or_default();
        let wait = FIRST_WAIT.checked_mul(1 << doublings)?;
        self.last_failure_time?.checked_add(wait).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_makes_the_wait_twice_as_long_up_to_32_hours() {
        let hours = |attempts| {
            let status = CertificateStatus {
                last_failure_time: Some(Timestamp::UNIX_EPOCH),
                failed_issuance_attempts: attempts,
                ..CertificateStatus::default()
            };
            status.next_try().unwrap().as_second() / 3600
        };
        let all = [None, Some(1), Some(2), Some(6), Some(60)].map(hours);
        assert_eq!(all, [1, 1, 2, 32, 32]);
        assert_eq!(CertificateStatus::default().next_try(), None);
    }
}
