//! The questions, asked of real servers on loopback.

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::model::observed::Answer;
use crate::model::self_signed::{Certificate, issue};

const HOST: &str = "api.shop.example.com";
const URL: &str = "https://api.shop.example.com:8443/health?deep=1";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BAD: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 14\r\n\r\nno such column";
const AWAY: &str =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 19\r\n\r\nno available server";
/// Long enough for a busy machine; what is to time out has a limit of its own.
const LONG: Duration = Duration::from_secs(20);

/// Something on loopback that answers one connection, and tells what it was asked and for which name.
struct Server {
    place: String,
    seen: JoinHandle<(String, Option<String>)>,
}

impl Server {
    async fn start(tls: Option<ServerConfig>, says: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let seen = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Some(config) = tls else {
                return (talk(stream, says).await, None);
            };
            let acceptor = TlsAcceptor::from(Arc::new(config));
            match acceptor.accept(stream).await {
                Ok(stream) => {
                    let name = stream.get_ref().1.server_name().map(ToOwned::to_owned);
                    (talk(stream, says).await, name)
                }
                // Whoever asks did not like the certificate, which is what some tests are about.
                Err(_) => (String::new(), None),
            }
        });
        Self { place, seen }
    }

    /// What comes back for `URL`, asked here, when `certificate` must be served.
    async fn answer(&self, certificate: &str) -> Answer {
        let question = Question {
            url: URL,
            served: &this(certificate),
            connect_to: Some(&self.place),
            pod: None,
        };
        ask_within(&question, LONG).await
    }
}

/// Reads the head of a request and answers it. The other side may go at any time.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, says: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    if stream.write_all(says.as_bytes()).await.is_ok() {
        let _ = stream.shutdown().await;
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_pod_is_asked_as_an_edge_asks_it() {
    let server = Server::start(None, OK).await;
    let question = Question {
        url: URL,
        served: &this(&issued().certificate),
        connect_to: Some("nowhere.example.com:443"),
        pod: Some(&server.place),
    };
    assert_eq!(ask_within(&question, LONG).await, Answer::Good);
    let (asked, _) = server.seen.await.unwrap();
    assert!(
        asked.contains("host: api.shop.example.com:8443\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-forwarded-proto: https\r\n"), "{asked}");
}

fn this(pem: &str) -> Served {
    Served::This(pem.to_owned())
}

fn issued() -> Certificate {
    issue(
        None,
        &[HOST.into()],
        "2026-01-31T00:00:00Z".parse().unwrap(),
    )
    .unwrap()
}

/// The time by which TLS judges certificates.
fn now() -> Timestamp {
    let seconds = UnixTime::now().as_secs();
    Timestamp::from_second(seconds.try_into().unwrap()).unwrap()
}

/// A server that shows `shown` and signs with the key of `signs`.
fn serving(
    shown: &Certificate,
    signs: &Certificate,
    version: &'static rustls::SupportedProtocolVersion,
) -> ServerConfig {
    let chain = CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signs.key.expose_secret().as_bytes()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let resolver = SingleCertAndKey::from(CertifiedKey::new(vec![chain], key));
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver))
}

async fn secure(certificate: &Certificate, says: &'static str) -> Server {
    Server::start(Some(serving(certificate, certificate, &TLS13)), says).await
}

async fn plain(url: &str, limit: Duration) -> Answer {
    let question = Question {
        url,
        served: &Served::None,
        connect_to: None,
        pod: None,
    };
    ask_within(&question, limit).await
}

fn why(answer: Answer) -> String {
    match answer {
        Answer::Infrastructure { why, .. } => why,
        other => panic!("it is no trouble on the way: {other:?}"),
    }
}

#[tokio::test]
async fn the_stack_is_asked_by_its_name_wherever_its_edge_is() {
    for version in [&TLS12, &TLS13] {
        let it = issued();
        let server = Server::start(Some(serving(&it, &it, version)), OK).await;
        assert_eq!(server.answer(&it.certificate).await, Answer::Good);
        let (request, name) = server.seen.await.unwrap();
        assert_eq!(name.as_deref(), Some(HOST));
        assert!(
            request.starts_with("GET /health?deep=1 HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(
            request.contains("\r\nhost: api.shop.example.com:8443\r\n"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn the_first_certificate_of_a_chain_is_the_one_that_must_be_served() {
    let it = issued();
    let chain = format!("{}{}", it.certificate, it.authority);
    let server = secure(&it, OK).await;
    assert_eq!(server.answer(&chain).await, Answer::Good);
    let chain = format!("{}{}", it.authority, it.certificate);
    let server = secure(&it, OK).await;
    assert!(why(server.answer(&chain).await).contains("another certificate"));
}

#[tokio::test]
async fn another_certificate_for_the_same_name_is_refused_before_anything_is_asked() {
    let server = secure(&issued(), OK).await;
    let why = why(server.answer(&issued().certificate).await);
    let expected = format!(
        "no TLS with {}: another certificate is served than that of the stack: CN={HOST}",
        server.place
    );
    assert_eq!(why, expected);
    assert_eq!(server.seen.await.unwrap().0, "");
}

#[tokio::test]
async fn where_somebody_else_has_the_certificate_any_one_will_do_that_is_for_the_host_and_good() {
    let asked = async |it: &Certificate| {
        let server = secure(it, OK).await;
        let question = Question {
            url: URL,
            served: &Served::AnyOfHost,
            connect_to: Some(&server.place),
            pod: None,
        };
        (
            ask_within(&question, LONG).await,
            server.seen.await.unwrap(),
        )
    };
    let of = |host: &str, at: Timestamp| issue(None, &[host.into()], at).unwrap();
    let now = now();
    assert_eq!(asked(&of(HOST, now)).await.0, Answer::Good);
    let wildcard = of("*.shop.example.com", now);
    assert_eq!(asked(&wildcard).await.0, Answer::Good);

    let refused = async |it: &Certificate| {
        let (answer, (request, _)) = asked(it).await;
        assert_eq!(request, "");
        why(answer)
    };
    let other = refused(&of("other.example.com", now)).await;
    let expected = "another certificate is served than one for the host: CN=other.example.com";
    assert!(other.ends_with(expected), "{other}");
    let long_ago = "2001-01-31T00:00:00Z".parse().unwrap();
    let expired = refused(&of(HOST, long_ago)).await;
    assert!(
        expired.contains("than one that is good now: CN="),
        "{expired}"
    );
}

#[tokio::test]
async fn when_the_certificate_is_good_that_is_served_is_known_without_a_request() {
    let it = issue(None, &[HOST.into()], now()).unwrap();
    let server = secure(&it, OK).await;
    let question = Question {
        url: URL,
        served: &Served::AnyOfHost,
        connect_to: Some(&server.place),
        pod: None,
    };
    let found = validity(&question).await.unwrap();
    assert!(found.until > now() && found.from < now());
    assert_eq!(server.seen.await.unwrap().0, "");
}

#[tokio::test]
async fn the_right_certificate_without_its_key_is_refused() {
    for version in [&TLS12, &TLS13] {
        let (shown, other) = (issued(), issued());
        let server = Server::start(Some(serving(&shown, &other, version)), OK).await;
        let why = why(server.answer(&shown.certificate).await);
        assert!(why.contains("BadSignature"), "{why}");
    }
}

#[tokio::test]
async fn a_bad_answer_of_the_application_is_told_with_what_it_says() {
    let it = issued();
    let server = secure(&it, BAD).await;
    let expected = Answer::Application {
        status: 500,
        said: "no such column".into(),
    };
    assert_eq!(server.answer(&it.certificate).await, expected);
}

#[tokio::test]
async fn a_controller_that_reaches_no_pod_is_trouble_on_the_way() {
    let it = issued();
    let server = secure(&it, AWAY).await;
    let why = why(server.answer(&it.certificate).await);
    assert!(why.starts_with("503 Service Unavailable: "), "{why}");
}

#[tokio::test]
async fn plain_http_is_asked_where_the_url_says() {
    let server = Server::start(None, OK).await;
    let url = format!("http://{}", server.place);
    assert_eq!(plain(&url, LONG).await, Answer::Good);
    let (request, _) = server.seen.await.unwrap();
    assert!(request.starts_with("GET / HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_answer_to_https() {
    let server = Server::start(None, OK).await;
    let question = Question {
        url: URL,
        served: &this(&issued().certificate),
        connect_to: Some(&server.place),
        pod: None,
    };
    let why = why(ask_within(&question, Duration::from_millis(300)).await);
    assert!(why.starts_with("no TLS with 127.0.0.1:"), "{why}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    // Bound, so that nobody else takes it, and never listened on.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let place = socket.local_addr().unwrap();
    let why = why(plain(&format!("http://{place}/"), LONG).await);
    let expected = format!("cannot connect to {place}: Connection refused");
    assert!(why.starts_with(&expected), "{why}");
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_told() {
    // Longer than a label may be, so that no name server has to be asked.
    let place = format!("{}.example.com:80", "a".repeat(64));
    let question = Question {
        url: "http://api.shop.example.com/",
        served: &Served::None,
        connect_to: Some(&place),
        pod: None,
    };
    let why = why(ask_within(&question, LONG).await);
    assert!(
        why.starts_with(&format!("cannot resolve {place}: ")),
        "{why}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_no_longer_than_the_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let limit = Duration::from_millis(200);
    let answer = plain(&format!("http://{place}/"), limit).await;
    let expected = format!("no answer from {place}: timed out after 200ms");
    assert_eq!(why(answer), expected);
    let question = Question {
        url: URL,
        served: &this(&issued().certificate),
        connect_to: Some(&place),
        pod: None,
    };
    let expected = format!("no TLS with {place}: timed out after 200ms");
    assert_eq!(why(ask_within(&question, limit).await), expected);
}

#[tokio::test]
async fn a_url_that_cannot_be_asked_is_not_repeated() {
    let wrong = [
        "http://shop:correct-horse@127.0.0.1/",
        "ftp://127.0.0.1/correct-horse",
        "/correct-horse",
        "https://127.0.0.1/correct-horse",
        "http://correct horse/",
    ];
    for url in wrong {
        let why = why(plain(url, LONG).await);
        assert!(!why.contains("correct"), "{why}");
    }
}
