//! The self-signed authority and certificate of a stack: issued, read back and judged for renewal.
//!
//! Invariant: touches no cluster and reads no clock. `issue` draws keys, so it is called by `gather`, the step
//! that collects what is not determined by the spec.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::model::hash::short_hash;
use crate::model::secret::SecretData;

/// How long the authority is valid. It is what people import into a browser, so it must not change often.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// How long a certificate is valid: as long as a public authority's.
const CERTIFICATE_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Certificates are valid from this long ago, because clients' clocks are not exact.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A certificate with its key and the authority that signed it, all in PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority's certificate.
    pub authority: String,
    /// The authority's key.
    pub authority_key: SecretString,
    /// The certificate for the stack's hosts.
    pub certificate: String,
    /// Its key.
    pub key: SecretString,
}

/// The certificate that two Secrets hold, whatever it is good for.
#[must_use]
pub fn stored(
    authority: Option<&SecretData>,
    certificate: Option<&SecretData>,
) -> Option<Certificate> {
    Some(Certificate {
        authority: text(authority?, "tls.crt")?,
        authority_key: authority?.get("tls.key")?.clone(),
        certificate: text(certificate?, "tls.crt")?,
        key: certificate?.get("tls.key")?.clone(),
    })
}

/// Whether a certificate is for these hosts, signed by its authority, and less than two thirds of its life are over;
/// if not, a new one is due.
#[must_use]
pub fn is_current(certificate: &Certificate, hosts: &[String], now: Timestamp) -> bool {
    key_fits(&certificate.authority, &certificate.authority_key)
        && key_fits(&certificate.certificate, &certificate.key)
        && is_good(&certificate.authority, &certificate.certificate, hosts, now)
}

/// A new certificate for these hosts, by the stored authority if it is still good, else by a new one.
///
/// # Errors
/// Only if the random source fails, or a host is no DNS name.
pub fn issue(
    authority: Option<&SecretData>,
    hosts: &[String],
    now: Timestamp,
) -> Result<Certificate, rcgen::Error> {
    let (authority_pem, authority_key) = match authority.and_then(|it| good_authority(it, now)) {
        Some(stored) => stored,
        None => new_authority(now)?,
    };
    let issuer = Issuer::from_ca_cert_pem(&authority_pem, &authority_key)?;
    let mut params = CertificateParams::new(hosts.to_vec())?;
    params.distinguished_name = common_name(hosts.first().map_or("appstack", String::as_str));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid(&mut params, now, CERTIFICATE_LIFE);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Certificate {
        certificate: certificate.pem(),
        key: key.serialize_pem().into(),
        authority_key: authority_key.serialize_pem().into(),
        authority: authority_pem,
    })
}

fn new_authority(now: Timestamp) -> Result<(String, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    // Browsers tell authorities apart by their names: two of one name would be taken for the same.
    let which = short_hash(&[&key.public_key_pem()]);
    params.distinguished_name = common_name(&format!("AppStack self-signed authority {which}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, AUTHORITY_LIFE);
    Ok((params.self_signed(&key)?.pem(), key))
}

fn good_authority(stored: &SecretData, now: Timestamp) -> Option<(String, KeyPair)> {
    let pem = text(stored, "tls.crt")?;
    let key = KeyPair::from_pem(stored.get("tls.key")?.expose_secret()).ok()?;
    let good = with_parsed(&pem, |it| it.is_ca() && is_fresh(it, now))?;
    (good
        && with_parsed(&pem, |it| {
            it.public_key().raw == key.subject_public_key_info()
        })?)
    .then_some((pem, key))
}

fn key_fits(pem: &str, key: &SecretString) -> bool {
    let Ok(key) = KeyPair::from_pem(key.expose_secret()) else {
        return false;
    };
    with_parsed(pem, |it| {
        it.public_key().raw == key.subject_public_key_info()
    })
    .unwrap_or(false)
}

fn is_good(authority: &str, certificate: &str, hosts: &[String], now: Timestamp) -> bool {
    with_parsed(authority, |authority| {
        with_parsed(certificate, |it| {
            it.verify_signature(Some(authority.public_key())).is_ok()
                && is_fresh(authority, now)
                && is_fresh(it, now)
                && names(it) == sorted(hosts)
        })
    })
    .flatten()
    .unwrap_or(false)
}

/// Whether less than two thirds of the certificate's life are over.
fn is_fresh(certificate: &X509Certificate<'_>, now: Timestamp) -> bool {
    let validity = certificate.validity();
    let (from, until) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    let renewal = from + (until - from) / 3 * 2;
    (from..renewal).contains(&now.as_second())
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|it| &it.value.general_names);
    sorted(
        &names
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                // `issue` makes one of a host that is an address; unread, a new certificate would be due each time.
                GeneralName::IPAddress(bytes) => address(bytes),
                _ => None,
            })
            .collect::<Vec<_>>(),
    )
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|it| IpAddr::from(it).to_string());
    let v6 = <[u8; 16]>::try_from(bytes).map(|it| IpAddr::from(it).to_string());
    v4.or(v6).ok()
}

fn with_parsed<T>(pem: &str, read: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(read(&certificate))
}

fn valid(params: &mut CertificateParams, now: Timestamp, life: SignedDuration) {
    let date = |at: Timestamp| {
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(
            i32::from(at.year()),
            at.month().unsigned_abs(),
            at.day().unsigned_abs(),
        ) + std::time::Duration::from_secs(
            u64::from(at.hour().unsigned_abs()) * 3600
                + u64::from(at.minute().unsigned_abs()) * 60
                + u64::from(at.second().unsigned_abs()),
        )
    };
    params.not_before = date(now.saturating_sub(CLOCK_SKEW).unwrap_or(now));
    params.not_after = date(now.saturating_add(life).unwrap_or(now));
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    // A common name holds at most 64 characters (RFC 5280); what counts are the alternative names.
    names.push(
        DnType::CommonName,
        name.chars().take(64).collect::<String>(),
    );
    names
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

fn text(data: &SecretData, key: &str) -> Option<String> {
    Some(data.get(key)?.expose_secret().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(issued: &Certificate) -> (SecretData, SecretData) {
        let pair = |certificate: &str, key: &SecretString| {
            SecretData::from([
                ("tls.crt".to_owned(), certificate.to_owned().into()),
                ("tls.key".to_owned(), key.clone()),
            ])
        };
        (
            pair(&issued.authority, &issued.authority_key),
            pair(&issued.certificate, &issued.key),
        )
    }

    fn is_kept(
        authority: &SecretData,
        certificate: &SecretData,
        hosts: &[String],
        at: Timestamp,
    ) -> bool {
        let stored = super::stored(Some(authority), Some(certificate));
        stored.is_some_and(|it| is_current(&it, hosts, at))
    }

    fn hosts() -> Vec<String> {
        vec!["dashboard.localhost".into(), "api.localhost".into()]
    }

    fn start() -> Timestamp {
        "2026-01-31T23:59:58Z".parse().unwrap()
    }

    fn days(days: i64) -> Timestamp {
        start() + SignedDuration::from_hours(days * 24)
    }

    fn check(hosts: &[String], at: Timestamp, kept: bool) {
        let (authority, certificate) =
            stored(&issue(None, &crate::model::self_signed::tests::hosts(), start()).unwrap());
        let found = is_kept(&authority, &certificate, hosts, at);
        assert_eq!(found, kept, "{hosts:?} at {at}");
    }

    #[test]
    fn a_new_certificate_is_kept_for_two_thirds_of_its_life() {
        check(&hosts(), start(), true);
        check(&hosts(), days(59), true);
        check(&hosts(), days(61), false);
    }

    /// A certificate that is never good enough would be made anew, and written, with every look.
    #[test]
    fn a_new_certificate_is_kept_whatever_it_is_for() {
        for host in ["10.0.0.1", "fd00::1", "*.shop.test", "shop.test"] {
            let hosts = vec![host.to_owned(), "api.localhost".to_owned()];
            let issued = issue(None, &hosts, start()).unwrap();
            assert!(is_current(&issued, &hosts, start()), "{host}");
        }
    }

    #[test]
    fn a_certificate_for_other_hosts_is_replaced() {
        check(&["api.localhost".into()], start(), false);
    }

    #[test]
    fn a_renewed_certificate_comes_from_the_same_authority() {
        let first = issue(None, &hosts(), start()).unwrap();
        let (authority, _) = stored(&first);
        let second = issue(Some(&authority), &hosts(), days(61)).unwrap();
        assert_eq!(first.authority, second.authority);
        assert_ne!(first.certificate, second.certificate);
        let (authority, certificate) = stored(&second);
        assert!(is_kept(&authority, &certificate, &hosts(), days(61)));
    }

    #[test]
    fn a_certificate_whose_key_was_edited_is_replaced() {
        let issued = issue(None, &hosts(), start()).unwrap();
        let (authority, mut certificate) = stored(&issued);
        certificate.insert("tls.key".into(), issued.authority_key.clone());
        assert!(!is_kept(&authority, &certificate, &hosts(), start()));
    }

    #[test]
    fn text_that_is_no_certificate_is_replaced_and_not_trusted() {
        let (authority, _) = stored(&issue(None, &hosts(), start()).unwrap());
        let garbage = SecretData::from([
            ("tls.crt".to_owned(), "x".to_owned().into()),
            ("tls.key".to_owned(), "y".to_owned().into()),
        ]);
        assert!(!is_kept(&authority, &garbage, &hosts(), start()));
        assert!(issue(Some(&garbage), &hosts(), start()).is_ok());
    }
}
