//! The settings of the mail server. Without `SMTP_HOST` there is none, whatever the others say: templates
//! leave their defaults behind.

use lettre::Address;
use secrecy::SecretString;

use super::reader::Reader;

/// How to hand mail over.
#[derive(Clone, Debug)]
pub struct Email {
    /// `SMTP_HOST`.
    pub host: String,
    /// `SMTP_PORT`: by default the usual one for the encryption.
    pub port: u16,
    /// `SMTP_TLS` or `SMTP_SSL`.
    pub encryption: Encryption,
    /// `SMTP_USER` and `SMTP_PASSWORD`.
    pub login: Option<Login>,
    /// `EMAILS_FROM_EMAIL`: whom the mails are from.
    pub from: Address,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: for a server on the same machine or in the same cluster.
    None,
    /// It begins in the open and changes to TLS before anything is said; a server that can't is not used.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

impl Encryption {
    fn usual_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// Who we are to the mail server.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

pub(super) fn read<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<Email> {
    let host = reader.host("SMTP_HOST")?;
    let encryption = encryption(reader);
    Some(Email {
        host,
        port: reader.number("SMTP_PORT", encryption.usual_port(), 1..=u16::MAX),
        encryption,
        login: login(reader),
        from: reader.email_address("EMAILS_FROM_EMAIL"),
    })
}

/// Without a word about either the connection is protected.
fn encryption<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Encryption {
    let tls = reader.flag("SMTP_SSL").unwrap_or(false);
    let start_tls = reader.flag("SMTP_TLS");
    match (tls, start_tls) {
        (true, Some(true)) => {
            reader.fault(
                "SMTP_TLS and SMTP_SSL can't both be true: SMTP_TLS is STARTTLS, SMTP_SSL is TLS from the start",
            );
            Encryption::Tls
        }
        (true, _) => Encryption::Tls,
        (false, Some(false)) => Encryption::None,
        (false, _) => Encryption::StartTls,
    }
}

fn login<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<Login> {
    match (reader.given("SMTP_USER"), reader.given("SMTP_PASSWORD")) {
        (Some(user), Some(password)) => Some(Login {
            user,
            password: password.into(),
        }),
        (None, None) => None,
        (Some(_), None) => {
            reader.fault("SMTP_PASSWORD is missing, but SMTP_USER is set: set both or none");
            None
        }
        (None, Some(_)) => {
            reader.fault("SMTP_USER is missing, but SMTP_PASSWORD is set: set both or none");
            None
        }
    }
}
