//! Asks one URL of a stack the way a visitor does, and says what came back.
//!
//! Invariant: one request within one deadline, and nothing is kept of it: no connection, no cookie, no session. No proxy
//! of the environment is used and no redirect followed, so that what answers is what was asked. It tells the
//! application's own fault from trouble on the way there, and judges neither. Nothing it says repeats the URL's path,
//! and of a body only `Answer::Application` says anything, from which the caller cuts secret values
//! before it shows its `first_words`.
//!
//! This is hyper itself, without a client around it: clients connect to the port of the URL whatever address they are
//! given, and an edge that is reached by another name has another port too; and step by step it is known what failed.

mod reply;
mod tls;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use futures::future::select_ok;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::api::HostStep;
use crate::check::validity_of;
use crate::model::observed::Answer;
use crate::model::stack::{Served, Validity};

pub use self::reply::first_words;

/// How long one question may take in all. Visitors do not wait longer, and whoever asks has other stacks to look after.
const LIMIT: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Such as `https://api.shop.example.com:8443/api/v1/utils/health-check/`; without credentials.
    pub url: &'a str,
    /// The certificate that must be served.
    pub served: &'a Served,
    /// The `host:port` to connect to instead of what DNS says, for an edge that the operator reaches by another name.
    pub connect_to: Option<&'a str>,
    /// The `address:port` of a pod that is asked in place of the edge, as an edge would ask it: by plain HTTP, with the
    /// host name of the URL and with what an edge says of the visitor.
    pub pod: Option<&'a str>,
}

/// Asks, and waits for the answer for 5 seconds at most.
///
/// 502, 503 and 504 count as trouble on the way, though an application may send them too: they are what a proxy says
/// whose pods it does not reach yet, nobody can tell the two apart, and the application that sends them says itself that
/// it is only not ready. So does a 404 with a body that ingress controllers send while they have no route for the host:
/// it would blame the application for a request that it never got. Every other 4xx and 5xx is the application's own.
pub async fn ask(question: &Question<'_>) -> Answer {
    ask_within(question, LIMIT).await
}

async fn ask_within(question: &Question<'_>, limit: Duration) -> Answer {
    let deadline = Deadline::within(limit);
    match look(question, &deadline).await {
        Ok(answer) => answer,
        Err((step, why)) => Answer::Infrastructure {
            step,
            status: None,
            why,
        },
    }
}

/// When the certificate is good that is served at a URL, where it is the one that must be. No request is made.
pub async fn validity(question: &Question<'_>) -> Option<Validity> {
    let deadline = Deadline::within(LIMIT);
    let target = Target::of(question).ok()?;
    let stream = connect(&target, &deadline).await.ok()?;
    let tls = target.tls.clone()?;
    let stream = handshake(stream, tls, &target.place, &deadline)
        .await
        .ok()?;
    let (_, connection) = stream.get_ref();
    validity_of(connection.peer_certificates()?.first()?)
}

/// The step that does not work, and why.
type Trouble = (HostStep, String);

/// When the whole question must be done.
struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    fn within(limit: Duration) -> Self {
        let at = Instant::now() + limit;
        Self { at, limit }
    }

    /// The result of a step, or in one line which step failed and why.
    async fn step<T, E: Display>(
        &self,
        (step, failed): (HostStep, &str),
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Trouble> {
        let why = match timeout_at(self.at, work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => format!("{failed}: {error}"),
            Err(_) => format!("{failed}: timed out after {:?}", self.limit),
        };
        Err((step, why))
    }
}

async fn look(question: &Question<'_>, deadline: &Deadline) -> Result<Answer, Trouble> {
    let target = Target::of(question).map_err(|why| (HostStep::Route, why))?;
    let stream = connect(&target, deadline).await?;
    let Some(tls) = target.tls.clone() else {
        return exchange(stream, &target, deadline).await;
    };
    let stream = handshake(stream, tls, &target.place, deadline).await?;
    exchange(stream, &target, deadline).await
}

/// What is expected of a certificate, and the name that is asked for.
type Tls = (Arc<rustls::ClientConfig>, ServerName<'static>);

/// A question that was understood.
struct Target {
    url: Uri,
    /// Whether a pod is asked, as an edge asks it.
    forwarded: bool,
    /// Whether the host of the URL is looked up.
    by_name: bool,
    /// The `host:port` to connect to.
    place: String,
    tls: Option<Tls>,
}

impl Target {
    fn of(question: &Question<'_>) -> Result<Self, String> {
        // It is not repeated: what is wrong with it may be a password.
        let wrong = "the URL is not one with http or https, a host and no credentials";
        let url: Uri = question.url.parse().map_err(|_| wrong)?;
        let host = url.host().ok_or(wrong)?;
        if url.authority().is_none_or(|it| it.as_str().contains('@')) {
            return Err(wrong.into());
        }
        let (port, tls) = match (url.scheme_str(), question.served) {
            (Some("http" | "https"), _) if question.pod.is_some() => (80, None),
            (Some("http"), Served::None) => (80, None),
            (Some("http"), _) | (Some("https"), Served::None) => {
                return Err("a certificate belongs to https, and to it alone".into());
            }
            (Some("https"), served) => {
                let name = host.trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(name).map_err(|_| wrong)?;
                (443, Some((Arc::new(tls::config(served)?), name)))
            }
            _ => return Err(wrong.into()),
        };
        let port = url.port_u16().unwrap_or(port);
        let place = question
            .pod
            .or(question.connect_to)
            .map_or_else(|| format!("{host}:{port}"), ToOwned::to_owned);
        Ok(Self {
            forwarded: question.pod.is_some(),
            by_name: question.pod.or(question.connect_to).is_none(),
            url,
            place,
            tls,
        })
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        let host = self.url.authority().map_or("", |it| it.as_str());
        let mut request = Request::get(self.url.path_and_query().map_or("/", |it| it.as_str()))
            .header(header::HOST, host)
            .header(header::USER_AGENT, "appstack-operator")
            .header(header::CONNECTION, "close");
        if self.forwarded {
            request = request
                .header("x-forwarded-host", host)
                .header("x-forwarded-proto", self.url.scheme_str().unwrap_or("http"));
        }
        request.body(Empty::new())
    }
}

/// Connects to whichever address of a place answers first: one that leads nowhere must not use up the time.
async fn connect(target: &Target, deadline: &Deadline) -> Result<TcpStream, Trouble> {
    let place = &target.place;
    let failed = format!("cannot resolve {place}");
    let step = if target.by_name {
        HostStep::Dns
    } else {
        HostStep::Connection
    };
    let addresses = deadline.step((step, &failed), lookup_host(place)).await?;
    let attempts: Vec<_> = addresses
        .map(|it| Box::pin(TcpStream::connect(it)))
        .collect();
    if attempts.is_empty() {
        return Err((step, format!("{failed}: it has no address")));
    }
    let failed = format!("cannot connect to {place}");
    let attempts = select_ok(attempts);
    let (stream, _) = deadline
        .step((HostStep::Connection, &failed), attempts)
        .await?;
    Ok(stream)
}

async fn handshake(
    stream: TcpStream,
    (config, name): Tls,
    place: &str,
    deadline: &Deadline,
) -> Result<TlsStream<TcpStream>, Trouble> {
    let handshake = TlsConnector::from(config).connect(name, stream);
    let failed = format!("no TLS with {place}");
    let explained = handshake.map_err(|error| tls::explain(&error));
    deadline
        .step((HostStep::Certificate, &failed), explained)
        .await
}

async fn exchange<S>(stream: S, target: &Target, deadline: &Deadline) -> Result<Answer, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    const STEP: HostStep = HostStep::Route;
    let request = target
        .request()
        .map_err(|error| (STEP, error.to_string()))?;
    let failed = format!("no answer from {}", target.place);
    let handshake = http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = deadline.step((STEP, &failed), handshake).await?;
    // The set ends the connection when it is dropped, whatever the peer does.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let response = sender.send_request(request);
    let response = deadline.step((STEP, &failed), response).await?;
    Ok(reply::read(response, &target.url, deadline.at).await)
}

#[cfg(test)]
mod tests;
