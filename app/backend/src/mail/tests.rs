//! Letters on their way: to a mail server that is one, as far as a client can tell.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::tests::config;

const DEADLINE: Duration = Duration::from_secs(20);

/// A mail server. What it takes comes out at the other end.
struct Server {
    port: u16,
    taken: mpsc::UnboundedReceiver<Taken>,
    /// The certificate that it shows.
    authority: CertificateDer<'static>,
    conversations: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Taken {
    commands: Vec<String>,
    mail: String,
}

/// How the server is.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// Speaks TLS from the first byte.
    tls: bool,
    /// Knows STARTTLS, and takes letters on no other connection.
    start_tls: bool,
    /// Answers this to so many first letters.
    refuses: Option<(usize, &'static str)>,
}

async fn server(manner: Manner) -> Server {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let authority = key.cert.der().clone();
    let secret = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![authority.clone()], secret)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (take, taken) = mpsc::unbounded_channel();
    let conversations = Arc::new(AtomicUsize::new(0));
    let counted = conversations.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let before = counted.fetch_add(1, Relaxed);
            let conversation = converse(stream, manner, before, tls.clone(), take.clone());
            tokio::spawn(conversation);
        }
    });
    Server {
        port,
        taken,
        authority,
        conversations,
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn converse(
    stream: tokio::net::TcpStream,
    manner: Manner,
    before: usize,
    tls: TlsAcceptor,
    take: mpsc::UnboundedSender<Taken>,
) -> io::Result<()> {
    let mut secure = manner.tls;
    let stream: Box<dyn Stream> = if manner.tls {
        Box::new(tls.accept(stream).await?)
    } else {
        Box::new(stream)
    };
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 localhost\r\n").await?;
    let mut commands = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        commands.push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        let answer: String = match verb {
            "EHLO" if manner.start_tls && !secure => "250-localhost\r\n250 STARTTLS\r\n".into(),
            "EHLO" => "250-localhost\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n".into(),
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await?;
                stream = BufReader::new(Box::new(tls.accept(stream.into_inner()).await?));
                secure = true;
                continue;
            }
            "AUTH" => "235 welcome\r\n".into(),
            "MAIL" if manner.start_tls && !secure => "530 not in the open\r\n".into(),
            "RCPT" => match manner.refuses {
                Some((times, answer)) if before < times => format!("{answer} <{line}>\r\n"),
                _ => "250 ok\r\n".into(),
            },
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut mail).await?;
                }
                let commands = commands.clone();
                take.send(Taken { commands, mail }).unwrap();
                "250 taken\r\n".into()
            }
            _ => "250 ok\r\n".into(),
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

impl Server {
    fn config(&self, settings: &[(&str, &str)]) -> Config {
        let ours = [
            ("PROJECT_NAME", "Bärs Laden"),
            ("SMTP_HOST", "localhost"),
            ("SMTP_PORT", &self.port.to_string()),
            ("EMAILS_FROM_EMAIL", "noreply@example.com"),
        ];
        let mut config = config(&[&ours, settings].concat());
        config.authorities = Some(vec![self.authority.clone()]);
        config
    }

    async fn taken(&mut self) -> Taken {
        let taken = timeout(DEADLINE, self.taken.recv()).await;
        taken.expect("no letter came in time").unwrap()
    }
}

const OPEN: [(&str, &str); 1] = [("SMTP_TLS", "false")];

fn letter(config: &Config) -> Letter {
    letters::reset_password(config, "me@example.com", "t0ken")
}

fn counts(mailer: &Mailer) -> [u64; 2] {
    ["sent", "failed"].map(|outcome| {
        mailer
            .outcomes()
            .get_or_create(&[("outcome", outcome)])
            .get()
    })
}

#[tokio::test]
async fn a_letter_arrives_as_text_and_html() {
    let mut server = server(Manner::default()).await;
    let config = server.config(&OPEN);
    let mailer = Mailer::new(&config).unwrap();
    mailer.deliver(letter(&config)).await.unwrap();

    let Taken { commands, mail } = server.taken().await;
    assert!(
        commands.contains(&"EHLO example.com".to_owned()),
        "{commands:?}"
    );
    assert!(
        commands
            .iter()
            .any(|line| line.starts_with("MAIL FROM:<noreply@example.com>"))
    );
    assert!(
        commands.contains(&"RCPT TO:<me@example.com>".to_owned()),
        "{commands:?}"
    );
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    for line in [
        "To: me@example.com",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.lines().any(|l| l == line), "{line} is not in {head}");
    }
    assert!(
        head.contains("<noreply@example.com>") && head.contains("@example.com>"),
        "{head}"
    );
    assert!(
        head.contains("multipart/alternative") && head.contains("Date: "),
        "{head}"
    );
    // What is not ASCII goes as RFC 2047 and the like want it.
    assert!(
        mail.is_ascii() && head.contains("Subject: =?utf-8?"),
        "{head}"
    );
    let text = body.find("Content-Type: text/plain").unwrap();
    let html = body.find("Content-Type: text/html").unwrap();
    assert!(text < html, "clients show the last part that they can");
    assert_eq!(counts(&mailer), [1, 0]);
}

#[tokio::test]
async fn the_connection_is_protected_before_anything_is_said() {
    for (manner, settings) in [
        (
            Manner {
                start_tls: true,
                ..Manner::default()
            },
            [("SMTP_TLS", "true"), ("SMTP_SSL", "false")],
        ),
        (
            Manner {
                tls: true,
                ..Manner::default()
            },
            [("SMTP_TLS", "false"), ("SMTP_SSL", "true")],
        ),
    ] {
        let mut server = server(manner).await;
        let login = [("SMTP_USER", "mailer"), ("SMTP_PASSWORD", "l3tters")];
        let config = server.config(&[settings, login].concat());
        Mailer::new(&config)
            .unwrap()
            .deliver(letter(&config))
            .await
            .unwrap();

        let commands = server.taken().await.commands;
        let place = |verb| commands.iter().position(|line| line.starts_with(verb));
        let auth = place("AUTH PLAIN").unwrap();
        assert!(auth < place("MAIL").unwrap(), "{commands:?}");
        assert!(
            place("STARTTLS").is_none_or(|start| start < auth),
            "{commands:?}"
        );
        assert_eq!(place("STARTTLS").is_some(), manner.start_tls);
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_no_letter_unless_it_is_meant() {
    let server = server(Manner::default()).await;
    let config = server.config(&[]);
    let error = Mailer::new(&config)
        .unwrap()
        .deliver(letter(&config))
        .await
        .unwrap_err();
    assert!(!error.may_pass(), "{error}");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_letter() {
    let [server, other] = [
        server(Manner {
            tls: true,
            ..Manner::default()
        })
        .await,
        self::server(Manner::default()).await,
    ];
    let mut config = server.config(&[("SMTP_SSL", "true")]);
    for authorities in [None, Some(vec![other.authority])] {
        config.authorities = authorities;
        let error = Mailer::new(&config)
            .unwrap()
            .deliver(letter(&config))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Tls(_)) && !error.may_pass(),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_letter_in_the_background_is_tried_again_when_that_can_help() {
    let mut server = server(Manner {
        refuses: Some((1, "451 later")),
        ..Manner::default()
    })
    .await;
    let config = server.config(&OPEN);
    let mailer = Mailer::new(&config).unwrap();
    mailer.send(letter(&config));
    server.taken().await;
    mailer.finish().await;
    assert_eq!(counts(&mailer), [1, 0]);
    assert_eq!(server.conversations.load(Relaxed), 2);
}

#[tokio::test]
async fn a_letter_that_is_refused_is_given_up_and_the_error_names_nobody() {
    let server = server(Manner {
        refuses: Some((9, "550 no such user")),
        ..Manner::default()
    })
    .await;
    let config = server.config(&OPEN);
    let mailer = Mailer::new(&config).unwrap();
    let error = mailer.deliver(letter(&config)).await.unwrap_err();
    assert_eq!(error.to_string(), "the mail server refused with code 550");
    assert!(!format!("{error:?}").contains("me@example.com"));
    mailer.send(letter(&config));
    mailer.finish().await;
    assert_eq!(counts(&mailer), [0, 2]);
    assert_eq!(server.conversations.load(Relaxed), 2);
}

#[tokio::test]
async fn the_end_cuts_the_pauses_short() {
    let server = server(Manner {
        refuses: Some((9, "451 later")),
        ..Manner::default()
    })
    .await;
    let config = server.config(&OPEN);
    let mailer = Mailer::new(&config).unwrap();
    mailer.send(letter(&config));
    let start = Instant::now();
    mailer.finish().await;
    assert!(start.elapsed() < PAUSES[0], "{:?}", start.elapsed());
    assert_eq!(counts(&mailer), [0, 1]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_may_pass() {
    let mut server = server(Manner::default()).await;
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    server.port = gone.local_addr().unwrap().port();
    drop(gone);
    let config = server.config(&OPEN);
    let outcome = Mailer::new(&config).unwrap().deliver(letter(&config)).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable(_)) && error.may_pass(),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_an_error_in_time() {
    let mut server = server(Manner::default()).await;
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    server.port = silent.local_addr().unwrap().port();
    let config = server.config(&OPEN);
    let outcome = Mailer::new(&config).unwrap().deliver(letter(&config)).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, Error::Late) && error.may_pass(),
        "{error:?}"
    );
}

#[tokio::test]
async fn no_address_gets_a_line_into_the_mail() {
    let server = server(Manner::default()).await;
    let config = server.config(&OPEN);
    let mailer = Mailer::new(&config).unwrap();
    for to in [
        "me@example.com\r\nBcc: all@example.com",
        "me@example.com, all@example.com",
        "me@example.com> <all@example.com",
        "nobody",
        "",
    ] {
        let letter = letters::test(&config, to);
        let error = mailer.deliver(letter).await.unwrap_err();
        assert!(matches!(error, Error::Malformed), "{to:?}: {error:?}");
    }
    assert_eq!(server.conversations.load(Relaxed), 0);
}

#[tokio::test]
async fn without_a_mail_server_no_letter_is_sent() {
    let server = server(Manner::default()).await;
    let mut config = server.config(&OPEN);
    config.email = None;
    let mailer = Mailer::new(&config).unwrap();
    assert!(!mailer.is_set_up());
    let error = mailer.deliver(letter(&config)).await.unwrap_err();
    assert!(matches!(error, Error::NotSetUp));
    mailer.send(letter(&config));
    mailer.finish().await;
    assert_eq!(counts(&mailer), [0, 2]);
}
