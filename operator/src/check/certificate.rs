//! A certificate that the user brings: whether a visitor can trust it now, and for the hosts of the stack.
//!
//! Invariant: reads no clock. Who signed it is not looked at: a company's own authority is as good as a public one.

use jiff::Timestamp;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::model::stack::Validity;

/// The fewest bits of an RSA key that browsers take (CA/Browser Forum, Baseline Requirements 6.1.5).
const LEAST_RSA_BITS: usize = 2048;
/// P-256 and P-384 (RFC 5480 2.1.1.1). Chrome offers no signature of P-521, and no browser one of Ed25519.
const CURVES: [&str; 2] = ["1.2.840.10045.3.1.7", "1.3.132.0.34"];
/// What to take in place of a key that browsers do not know.
const TAKE: &str = "take P-256, P-384 or 2048 bits of RSA";

/// Everything that keeps a certificate from serving `hosts` at `now`. `key` is the private key, where there is one.
pub(super) fn problems(
    certificate: &str,
    key: Option<&SecretString>,
    hosts: &[&str],
    now: Timestamp,
) -> Vec<String> {
    let der = first(certificate);
    let parsed = der
        .as_ref()
        .and_then(|it| X509Certificate::from_der(it).ok());
    let Some((_, parsed)) = parsed else {
        let mut problems = vec!["tls.crt is no certificate in PEM".to_owned()];
        problems.extend(key.and_then(|it| private(it).err()));
        return problems;
    };
    let key = key.and_then(|it| fault_of_key(it, parsed.public_key().raw));
    let time = fault_of_time(&parsed, now);
    let names = fault_of_names(&names(&parsed), hosts);
    let kind = fault_of_kind(&parsed);
    let purpose = fault_of_purpose(&parsed);
    let all = time.into_iter().chain(names).chain(kind).chain(purpose);
    let all = all.chain(key);
    all.collect()
}

/// When a certificate is good; `None` of what is none.
pub(super) fn validity(certificate: &str) -> Option<Validity> {
    validity_of(&first(certificate)?)
}

/// The same of one that is no text.
#[must_use]
pub fn validity_of(der: &CertificateDer<'_>) -> Option<Validity> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let validity = parsed.validity();
    Some(Validity {
        from: date(&validity.not_before),
        until: date(&validity.not_after),
    })
}

/// The certificate that is served first of a chain, which is the stack's own.
fn first(chain: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(chain.as_bytes())
        .next()?
        .ok()
}

fn date(time: &ASN1Time) -> Timestamp {
    Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX)
}

fn fault_of_time(certificate: &X509Certificate<'_>, now: Timestamp) -> Option<String> {
    let validity = certificate.validity();
    let (from, until) = (date(&validity.not_before), date(&validity.not_after));
    if now > until {
        return Some(format!("its certificate expired at {until}; renew it"));
    }
    (now < from).then(|| format!("its certificate is not valid before {from}"))
}

/// Whether it says what it is for, and that is not to serve.
fn fault_of_purpose(certificate: &X509Certificate<'_>) -> Option<String> {
    let usage = certificate.extended_key_usage().ok()??.value;
    let serves = usage.server_auth || usage.any;
    (!serves).then(|| {
        "its certificate is not for servers (extendedKeyUsage lacks serverAuth); have one issued that is"
            .to_owned()
    })
}

/// What browsers would refuse of the key, or the ingress controller before them.
fn fault_of_kind(certificate: &X509Certificate<'_>) -> Option<String> {
    let key = certificate.public_key();
    let Ok(parsed) = key.parsed() else {
        return Some(format!(
            "its key is of a kind that browsers do not know; {TAKE}"
        ));
    };
    match parsed {
        PublicKey::RSA(rsa) => {
            let bits = rsa.key_size();
            (bits < LEAST_RSA_BITS).then(|| {
                format!("its key has {bits} bits of RSA, which nobody trusts any more; take {LEAST_RSA_BITS} or more, or P-256")
            })
        }
        PublicKey::EC(_) => {
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
            let is_known = CURVES.contains(&curve.to_id_string().as_str());
            (!is_known).then(|| {
                format!("its key is of an elliptic curve that browsers do not know; {TAKE}")
            })
        }
        _ => Some(format!(
            "its key is of a kind that browsers do not know; {TAKE}"
        )),
    }
}

fn fault_of_names(names: &[String], hosts: &[&str]) -> Option<String> {
    let lacks = |host: &&&str| !names.iter().any(|it| is_for(it, host));
    let missing: Vec<&str> = hosts.iter().filter(lacks).copied().collect();
    if missing.is_empty() {
        return None;
    }
    let found = if names.is_empty() {
        "no DNS name at all (subjectAltName)".to_owned()
    } else {
        names.join(", ")
    };
    let missing = missing.join(" and ");
    Some(format!("its certificate is for {found}, not for {missing}"))
}

/// The DNS names among the alternative ones. Browsers do not look at the common name.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|it| &it.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    names.collect()
}

/// Whether a name is that of a host. A wildcard stands for one label, the first one (RFC 9525).
fn is_for(name: &str, host: &str) -> bool {
    let below = |of: &str| {
        host.split_once('.')
            .is_some_and(|(_, it)| it.eq_ignore_ascii_case(of))
    };
    name.eq_ignore_ascii_case(host) || name.strip_prefix("*.").is_some_and(below)
}

fn fault_of_key(key: &SecretString, public: &[u8]) -> Option<String> {
    let key = match private(key) {
        Ok(key) => key,
        Err(problem) => return Some(problem),
    };
    // Of a kind that we do not know, such as P-521, an ingress controller may know more.
    let known = any_supported_type(&key).ok()?;
    let known = known.public_key()?;
    (known.as_ref() != public).then(|| "tls.key is not the key of the certificate".to_owned())
}

fn private(key: &SecretString) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
        .map_err(|_| "tls.key is no private key in PEM, or one with a passphrase".to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        SanType, date_time_ymd,
    };

    use super::*;

    const HOSTS: [&str; 2] = ["dashboard.shop.test", "api.shop.test"];

    /// Certificate and key for these names, valid for the year 2026.
    fn issued(names: &[&str]) -> (String, SecretString) {
        let key = KeyPair::generate().unwrap();
        (signed(names, &key), key.serialize_pem().into())
    }

    fn signed(names: &[&str], key: &KeyPair) -> String {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        params.self_signed(key).unwrap().pem()
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn summer() -> Timestamp {
        at("2026-07-01T00:00:00Z")
    }

    fn judged(pair: &(String, SecretString), hosts: &[&str], now: Timestamp) -> Vec<String> {
        problems(&pair.0, Some(&pair.1), hosts, now)
    }

    #[test]
    fn a_certificate_is_good_within_its_dates() {
        let pair = issued(&HOSTS);
        for good in ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"] {
            assert_eq!(judged(&pair, &HOSTS, at(good)), [""; 0], "{good}");
        }
        assert_eq!(
            judged(&pair, &HOSTS, at("2027-01-01T00:00:01Z")),
            ["its certificate expired at 2027-01-01T00:00:00Z; renew it"]
        );
        assert_eq!(
            judged(&pair, &HOSTS, at("2025-12-31T23:59:59Z")),
            ["its certificate is not valid before 2026-01-01T00:00:00Z"]
        );
    }

    #[test]
    fn a_certificate_is_for_every_host_and_a_wildcard_for_one_label() {
        for names in [
            &["*.shop.test"][..],
            &["*.SHOP.test"],
            &["a.test", "*.shop.test"],
        ] {
            assert_eq!(
                judged(&issued(names), &HOSTS, summer()),
                [""; 0],
                "{names:?}"
            );
        }
        for (names, missing) in [
            (&["api.shop.test"][..], "dashboard.shop.test"),
            (&["shop.test"], "dashboard.shop.test and api.shop.test"),
            (&["*.test"], "dashboard.shop.test and api.shop.test"),
            (
                &["*.api.shop.test"],
                "dashboard.shop.test and api.shop.test",
            ),
            (&["*"], "dashboard.shop.test and api.shop.test"),
            (&["a.test", "api.shop.test"], "dashboard.shop.test"),
        ] {
            assert_eq!(
                judged(&issued(names), &HOSTS, summer()),
                [format!(
                    "its certificate is for {}, not for {missing}",
                    names.join(", ")
                )]
            );
        }
        assert_eq!(
            judged(&issued(&[]), &["api.shop.test"], summer()),
            ["its certificate is for no DNS name at all (subjectAltName), not for api.shop.test"]
        );
    }

    /// A name that is an address is no DNS name, whatever the common name says.
    #[test]
    fn an_address_in_a_certificate_is_no_host() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2027, 1, 1);
        params.subject_alt_names = vec![SanType::IpAddress([10, 0, 0, 1].into())];
        let pair = (
            params.self_signed(&key).unwrap().pem(),
            key.serialize_pem().into(),
        );
        assert_eq!(judged(&pair, &HOSTS, summer()).len(), 1);
    }

    #[test]
    fn a_key_is_that_of_the_certificate_in_whatever_form_it_is() {
        let (certificate, _) = issued(&HOSTS);
        let (_, other) = issued(&HOSTS);
        assert_eq!(
            problems(&certificate, Some(&other), &HOSTS, summer()),
            ["tls.key is not the key of the certificate"]
        );
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let pair = (signed(&HOSTS, &other), other.serialize_pem().into());
        assert_eq!(judged(&pair, &HOSTS, summer()), [""; 0]);
    }

    #[test]
    fn what_is_no_pem_is_said_of_both() {
        let (certificate, key) = issued(&HOSTS);
        let encrypted = SecretString::from(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let no_key = "tls.key is no private key in PEM, or one with a passphrase";
        for bad in ["", "x", certificate.as_str()] {
            assert_eq!(
                problems(&certificate, Some(&bad.into()), &HOSTS, summer()),
                [no_key],
                "{bad}"
            );
        }
        assert_eq!(
            problems(&certificate, Some(&encrypted), &HOSTS, summer()),
            [no_key]
        );
        let damaged = certificate.replace("MII", "AAA");
        for bad in ["", "x", key.expose_secret(), damaged.as_str()] {
            assert_eq!(
                problems(bad, Some(&"x".into()), &HOSTS, summer()),
                ["tls.crt is no certificate in PEM", no_key],
                "{bad}"
            );
        }
    }

    /// The one that serves comes first; what follows leads to its authority.
    #[test]
    fn the_first_certificate_of_a_chain_counts() {
        let (certificate, key) = issued(&HOSTS);
        let (authority, _) = issued(&["authority.test"]);
        let judged = |chain: &str| problems(chain, Some(&key), &HOSTS, summer());
        assert_eq!(judged(&format!("{certificate}{authority}")), [""; 0]);
        assert_eq!(judged(&format!("{authority}{certificate}")).len(), 2);
    }

    #[test]
    fn what_is_not_for_servers_or_of_a_key_that_browsers_do_not_know_is_told() {
        let of = |key: &KeyPair, usages: &[ExtendedKeyUsagePurpose]| {
            let mut params = CertificateParams::new(HOSTS.map(str::to_owned)).unwrap();
            params.not_before = date_time_ymd(2026, 1, 1);
            params.extended_key_usages = usages.to_vec();
            let certificate = params.self_signed(key).unwrap().pem();
            problems(&certificate, None, &HOSTS, summer())
        };
        let (p256, client) = (
            KeyPair::generate().unwrap(),
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        assert_eq!(
            of(&p256, std::slice::from_ref(&client)),
            [
                "its certificate is not for servers (extendedKeyUsage lacks serverAuth); have one issued that is"
            ]
        );
        let both = [client, ExtendedKeyUsagePurpose::ServerAuth];
        assert_eq!(of(&p256, &both), [""; 0]);
        let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        assert_eq!(
            of(&ed25519, &[]),
            [
                "its key is of a kind that browsers do not know; take P-256, P-384 or 2048 bits of RSA"
            ]
        );
    }

    #[test]
    fn it_is_known_when_a_certificate_expires() {
        let (certificate, _) = issued(&HOSTS);
        let found = validity(&certificate).unwrap();
        assert_eq!(found.until, at("2027-01-01T00:00:00Z"));
        assert!(found.from < found.until);
        assert_eq!(validity("no certificate"), None);
    }

    #[test]
    fn a_key_that_browsers_refuse_is_named() {
        let judged = |certificate| problems(certificate, None, &HOSTS, at("2027-01-01T00:00:00Z"));
        assert_eq!(
            judged(include_str!("certificate/rsa-1024.pem")),
            [
                "its key has 1024 bits of RSA, which nobody trusts any more; take 2048 or more, or P-256"
            ]
        );
        assert_eq!(
            judged(include_str!("certificate/secp256k1.pem")),
            [
                "its key is of an elliptic curve that browsers do not know; take P-256, P-384 or 2048 bits of RSA"
            ]
        );
    }
}
