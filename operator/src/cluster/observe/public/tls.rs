//! TLS that accepts one certificate: the one that a stack must serve, whoever signed it; or any for its host, where somebody else
//! looks after it.
//!
//! Invariant: nothing is trusted beyond that certificate, its peer proves that it has the key, and no session is kept
//! that would let a later question skip the proof.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::check::validity_of;
use crate::cluster::observe::public::reply::one_line;
use crate::model::stack::Served;

/// How many characters of the subject of a certificate are shown.
const SUBJECT_CHARACTERS: usize = 100;

/// The settings for a peer that must serve a certificate: the first one of a PEM, or any that is for its host and good.
///
/// # Errors
/// If there is none in the PEM.
pub(super) fn config(served: &Served) -> Result<ClientConfig, String> {
    let this = match served {
        Served::This(pem) => {
            let parsed = CertificateDer::from_pem_slice(pem.as_bytes());
            Some(parsed.map_err(|_| "the certificate that must be served cannot be read")?)
        }
        Served::AnyOfHost | Served::None => None,
    };
    let provider = ring::default_provider();
    let verifier = Expected {
        this,
        algorithms: provider.signature_verification_algorithms,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// What went wrong in a handshake, for people.
pub(super) fn explain(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|it| it.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(another))) => {
            another.to_string()
        }
        _ => error.to_string(),
    }
}

/// Accepts one certificate, or those of a host.
///
/// Where the operator knows what must be served, nothing about it is left to ask: names, dates and authorities were judged
/// where it was issued. Where somebody else has it, its names and dates are asked here. A visitor who trusts another authority
/// than this machine does is none of its business.
#[derive(Debug)]
struct Expected {
    this: Option<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Another certificate is served.
#[derive(Debug, thiserror::Error)]
#[error("another certificate is served than {wanted}: {subject}")]
struct Another {
    wanted: &'static str,
    subject: String,
}

impl Expected {
    /// What is wrong with a certificate that is served.
    fn fault(
        &self,
        certificate: &CertificateDer<'_>,
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<Option<&'static str>, rustls::Error> {
        if let Some(this) = &self.this {
            return Ok((certificate != this).then_some("that of the stack"));
        }
        let parsed = ParsedCertificate::try_from(certificate)?;
        if verify_server_name(&parsed, host).is_err() {
            return Ok(Some("one for the host"));
        }
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let good = validity_of(certificate);
        let is_good =
            good.is_some_and(|it| (it.from.as_second()..=it.until.as_second()).contains(&now));
        Ok((!is_good).then_some("one that is good now"))
    }
}

impl ServerCertVerifier for Expected {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(wanted) = self.fault(end_entity, server_name, now)? else {
            return Ok(ServerCertVerified::assertion());
        };
        let another = Another {
            wanted,
            subject: subject(end_entity),
        };
        Err(CertificateError::Other(OtherError(Arc::new(another))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whose certificate it is. It tells an ingress controller's own one, which is served until it has taken the stack's.
fn subject(certificate: &CertificateDer<'_>) -> String {
    X509Certificate::from_der(certificate).map_or_else(
        |_| "one that cannot be read".to_owned(),
        |(_, it)| {
            let name = one_line(&it.subject().to_string());
            name.chars().take(SUBJECT_CHARACTERS).collect()
        },
    )
}
