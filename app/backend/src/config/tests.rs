//! What is refused, and in which words.

use super::{reader::LOG_FILTER, *};
use secrecy::ExposeSecret;

const GOOD: [(&str, &str); 9] = [
    ("ENVIRONMENT", "staging"),
    ("FRONTEND_HOST", "https://dashboard.example.com"),
    ("SECRET_KEY", "s3cret"),
    ("FIRST_SUPERUSER", " Admin@Example.com"),
    ("FIRST_SUPERUSER_PASSWORD", "hunter22"),
    ("POSTGRES_SERVER", "db"),
    ("POSTGRES_DB", "app"),
    ("POSTGRES_USER", "me"),
    ("POSTGRES_PASSWORD", "pa:ss@w/rd"),
];

const MAIL: [(&str, &str); 6] = [
    ("SMTP_HOST", "smtp.example.com"),
    ("SMTP_TLS", "True"),
    ("SMTP_SSL", "False"),
    ("SMTP_USER", "mailer"),
    ("SMTP_PASSWORD", "l3tters"),
    ("EMAILS_FROM_EMAIL", "noreply@example.com"),
];

const DSN: &str = "https://k3y@sentry.example.com/42";

/// Good settings with changes, for the tests of other modules.
pub(crate) fn config(changes: &[(&str, &str)]) -> Config {
    read(changes).unwrap()
}

fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
    let find = |name: &str, pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .rfind(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::read(|name| find(name, changes).or_else(|| find(name, &GOOD)))
        .map_err(|faults| faults.to_string())
}

fn read_mail(changes: &[(&str, &str)]) -> Result<Option<Email>, String> {
    read(&[&MAIL, changes].concat()).map(|config| config.email)
}

#[track_caller]
fn assert_faults(message: &str, faults: &[&str]) {
    let told: Vec<_> = message.lines().skip(1).collect();
    assert_eq!(told.len(), faults.len(), "{message}");
    for (told, fault) in told.iter().zip(faults) {
        assert!(told.contains(fault), "{fault:?} is not in {told:?}");
    }
}

#[test]
fn what_is_not_set_has_a_default() {
    let config = read(&[]).unwrap();
    assert_eq!((config.workers, config.database.port), (1, 5432));
    assert_eq!(
        (config.log_format, config.log_filter.as_str()),
        (LogFormat::Json, LOG_FILTER)
    );
    assert!(config.cors_origins.is_empty() && config.secret_key_previous.is_none());
    assert!(config.email.is_none() && config.sentry_dsn.is_none() && config.authorities.is_none());
    assert_eq!(config.first_superuser, "admin@example.com");
}

#[test]
fn one_message_lists_every_fault() {
    let message = read(&[
        ("ENVIRONMENT", "prod"),
        ("PROJECT_NAME", "Shop\r\nBcc: all@example.com"),
        ("FRONTEND_HOST", "dashboard.example.com"),
        ("BACKEND_CORS_ORIGINS", "https://ok.example.com, *"),
        ("SECRET_KEY", "changethis"),
        ("SECRET_KEY_PREVIOUS", "changethis"),
        ("FIRST_SUPERUSER", "admin"),
        ("FIRST_SUPERUSER_PASSWORD", "2short"),
        ("SMTP_HOST", "smtp example"),
        ("SMTP_TLS", "yes, please"),
        ("SMTP_PORT", "mail"),
        ("SMTP_USER", "mailer"),
        ("SENTRY_DSN", "https://sentry.example.com/42"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("POSTGRES_SERVER", ""),
        ("POSTGRES_PORT", "0"),
        ("PGSSLMODE", "maybe"),
        ("WEB_CONCURRENCY", "many"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "loud=very"),
    ])
    .unwrap_err();
    assert_faults(
        &message,
        &[
            "ENVIRONMENT must be local, staging or production",
            "PROJECT_NAME must be one line",
            "FRONTEND_HOST must be an address such as https://dashboard.example.com",
            "BACKEND_CORS_ORIGINS must list",
            "SECRET_KEY must be set",
            "SECRET_KEY_PREVIOUS must be set",
            "FIRST_SUPERUSER must be an email address such as",
            "FIRST_SUPERUSER_PASSWORD must have 8 to 128 characters",
            "SMTP_HOST must be a host name such as",
            "SMTP_TLS must be true or false",
            "SMTP_PORT must be 1 to 65535",
            "SMTP_PASSWORD is missing, but SMTP_USER is set",
            "EMAILS_FROM_EMAIL is missing",
            "SENTRY_DSN must be the DSN that Sentry shows",
            "SSL_CERT_FILE names \"/nowhere.pem\", which can't be read",
            "POSTGRES_SERVER is missing",
            "POSTGRES_PORT must be 1 to 65535",
            "PGSSLMODE must be",
            "WEB_CONCURRENCY must be 1 to 64",
            "LOG_FORMAT must be json or text",
            "RUST_LOG is no log filter",
        ],
    );
}

#[test]
fn placeholders_for_secrets_pass_only_on_a_developers_machine() {
    const SECRETS: [&str; 3] = [
        "SECRET_KEY",
        "FIRST_SUPERUSER_PASSWORD",
        "POSTGRES_PASSWORD",
    ];
    for value in ["", "changethis"] {
        let secrets = SECRETS.map(|name| (name, value));
        assert_faults(&read(&secrets).unwrap_err(), &SECRETS);
        let local = [&secrets[..], &[("ENVIRONMENT", "local")]].concat();
        assert!(read(&local).is_ok());
    }
}

#[test]
fn nothing_of_a_secret_is_shown() {
    let given = [("SECRET_KEY_PREVIOUS", "0ld"), ("SENTRY_DSN", DSN)];
    let config = read(&[&MAIL[..], &given].concat()).unwrap();
    let shown = format!("{config:?}");
    for secret in ["s3cret", "0ld", "hunter22", "pa:ss", "l3tters", "k3y"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    let faulty =
        ["SENTRY_DSN", "FIRST_SUPERUSER_PASSWORD", "SECRET_KEY"].map(|name| (name, "s3c:"));
    let message = read(&faulty).unwrap_err();
    assert!(!message.contains("s3c:"), "{message}");
}

#[test]
fn an_origin_is_a_scheme_and_a_host() {
    let list = "http://localhost:5173/, https://dashboard.example.com";
    let origins = read(&[("BACKEND_CORS_ORIGINS", list)])
        .unwrap()
        .cors_origins;
    assert_eq!(
        origins,
        ["http://localhost:5173", "https://dashboard.example.com"]
    );
    for wrong in [
        "dashboard.example.com",
        "ftp://host",
        "https://",
        "https://host/path",
    ] {
        assert!(read(&[("BACKEND_CORS_ORIGINS", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn links_begin_with_the_address_of_the_pages() {
    for (given, kept) in [
        ("https://example.com/", "https://example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://example.com/shop/", "https://example.com/shop"),
    ] {
        let config = read(&[("FRONTEND_HOST", given)]).unwrap();
        assert_eq!(config.frontend_host, kept);
    }
    for wrong in [
        "example.com",
        "ftp://example.com",
        "https://",
        "https://me@example.com",
        "https://example.com/?a",
        "https://example.com/#a",
        "javascript:alert(1)",
        "https://exa mple.com",
    ] {
        assert!(read(&[("FRONTEND_HOST", wrong)]).is_err(), "{wrong}");
    }
    assert_faults(
        &read(&[("FRONTEND_HOST", "")]).unwrap_err(),
        &["FRONTEND_HOST is missing"],
    );
}

#[test]
fn without_a_mail_server_the_other_mail_settings_mean_nothing() {
    for changes in [
        [("SMTP_HOST", ""), ("SMTP_PORT", "")],
        [("SMTP_HOST", ""), ("SMTP_PORT", "587")],
    ] {
        assert!(read_mail(&changes).unwrap().is_none());
    }
}

#[test]
fn mail_is_encrypted_unless_it_is_said_otherwise() {
    for (tls, ssl, encryption, port) in [
        ("", "", Encryption::StartTls, 587),
        ("true", "false", Encryption::StartTls, 587),
        ("false", "true", Encryption::Tls, 465),
        ("", "1", Encryption::Tls, 465),
        ("0", "", Encryption::None, 25),
        ("FALSE", "False", Encryption::None, 25),
    ] {
        let email = read_mail(&[("SMTP_TLS", tls), ("SMTP_SSL", ssl)]);
        let email = email.unwrap().unwrap();
        assert_eq!((email.encryption, email.port), (encryption, port));
    }
    let both = read_mail(&[("SMTP_TLS", "true"), ("SMTP_SSL", "true")]);
    assert_faults(&both.unwrap_err(), &["SMTP_TLS and SMTP_SSL can't both"]);
}

#[test]
fn the_mail_server_may_want_to_know_who_we_are() {
    let login = read_mail(&[]).unwrap().unwrap().login.unwrap();
    assert_eq!(
        (login.user.as_str(), login.password.expose_secret()),
        ("mailer", "l3tters")
    );
    let nobody = [("SMTP_USER", ""), ("SMTP_PASSWORD", "")];
    assert!(read_mail(&nobody).unwrap().unwrap().login.is_none());
    assert_faults(
        &read_mail(&nobody[..1]).unwrap_err(),
        &["SMTP_USER is missing"],
    );
}

#[test]
fn authorities_come_from_a_file() {
    let folder = std::env::temp_dir().join(format!("appstack-authorities-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ca.pem");
    let read_file = |content: &str| {
        std::fs::write(&path, content).unwrap();
        read(&[("SSL_CERT_FILE", path.to_str().unwrap())])
    };
    let authority = rcgen::generate_simple_self_signed(["smtp.example.com".to_owned()]).unwrap();
    let twice = authority.cert.pem().repeat(2);
    assert_eq!(read_file(&twice).unwrap().authorities.unwrap().len(), 2);
    for wrong in ["", "no certificate", &twice[..twice.len() / 2 + 100]] {
        assert_faults(&read_file(wrong).unwrap_err(), &["SSL_CERT_FILE names"]);
    }
    std::fs::remove_dir_all(folder).unwrap();
}
