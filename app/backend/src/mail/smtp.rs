//! The conversation with the mail server.

use std::{
    error::Error as _,
    io::{self, ErrorKind},
    time::Duration,
};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::ExposeSecret;
use tokio::time::timeout;
use uuid::Uuid;

use super::Letter;
use crate::config::{Config, Email, Encryption};

/// One attempt, from the connection to the last word. Less than a request may take, since one waits for it.
const WITHIN: Duration = Duration::from_secs(8);

/// Why a letter was not sent. Holds no word of the letter, and none of what a server said: servers
/// like to repeat the address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no mail server.
    #[error("no mail server is set up")]
    NotSetUp,
    /// The address is none, or the letter has a part that no mail may have.
    #[error("the letter can't be written as a mail")]
    Malformed,
    /// The server does not take the letter: not now with 4xx, never with 5xx.
    #[error("the mail server refused with code {0}")]
    Refused(u16),
    /// No TLS as the settings ask for it.
    #[error("no TLS with the mail server: {0}")]
    Tls(String),
    /// The server can't be reached, or hangs up.
    #[error("the mail server can't be reached: {0}")]
    Unreachable(String),
    /// The server takes too long.
    #[error("the mail server did not answer in time")]
    Late,
    /// The server says what no mail server says, or lacks what the settings ask for.
    #[error("the mail server does not speak as it should, or has no STARTTLS")]
    Babble,
}

impl Error {
    /// Whether another attempt can help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused(code) => (400..500).contains(code),
            Self::Unreachable(_) | Self::Late => true,
            Self::NotSetUp | Self::Malformed | Self::Tls(_) | Self::Babble => false,
        }
    }
}

impl From<lettre::transport::smtp::Error> for Error {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        let network = network_error(&error);
        if let Some(code) = error.status() {
            Self::Refused(code.into())
        } else if network.is_some_and(|cause| cause.kind() == ErrorKind::TimedOut) {
            Self::Late
        } else if let Some(cause) = network.filter(|cause| cause.kind() == ErrorKind::InvalidData) {
            Self::Tls(cause.to_string()) // as tokio-rustls tells of a certificate that isn't trusted
        } else if let Some(cause) = network {
            Self::Unreachable(cause.to_string())
        } else if error.is_tls() {
            Self::Tls("the settings of TLS can't be used".into())
        } else {
            Self::Babble
        }
    }
}

fn network_error(error: &lettre::transport::smtp::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// The mail server, and who we are to it.
#[derive(Debug)]
pub(super) struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Post {
    pub(super) fn new(email: &Email, config: &Config) -> Result<Self, Error> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&email.host)
            .port(email.port)
            .tls(tls(email, config)?)
            .timeout(Some(WITHIN))
            // Servers refuse names that aren't complete, such as that of a pod.
            .hello_name(ClientId::Domain(email.from.domain().to_owned()));
        if let Some(login) = &email.login {
            let password = login.password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(login.user.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: Mailbox::new(Some(config.project_name.clone()), email.from.clone()),
        })
    }

    pub(super) fn message(&self, letter: &Letter) -> Result<Message, Error> {
        let to: Address = letter.to.parse().map_err(|_| Error::Malformed)?;
        let id = format!("<{}@{}>", Uuid::new_v4(), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            .message_id(Some(id))
            // Keeps answering machines quiet (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(
                letter.text.clone(),
                letter.html.clone(),
            ))
            .map_err(|_| Error::Malformed)
    }

    pub(super) async fn hand_over(&self, message: Message) -> Result<(), Error> {
        // The timeout of the transport is for each step; a slow server has many.
        let sent = timeout(WITHIN, self.transport.send(message));
        sent.await.map_err(|_| Error::Late)??;
        Ok(())
    }
}

fn tls(email: &Email, config: &Config) -> Result<Tls, Error> {
    let parameters = || {
        let mut builder = TlsParameters::builder(email.host.clone());
        if let Some(authorities) = &config.authorities {
            builder = builder.certificate_store(CertificateStore::None);
            for authority in authorities {
                builder = builder.add_root_certificate(Certificate::from_der(authority.to_vec())?);
            }
        }
        builder.build()
    };
    Ok(match email.encryption {
        Encryption::None => Tls::None,
        Encryption::StartTls => Tls::Required(parameters()?),
        Encryption::Tls => Tls::Wrapper(parameters()?),
    })
}
