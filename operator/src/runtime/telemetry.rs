//! Logs and traces: where they go and in which form.
//!
//! Called once, by the start of the program. Nothing here reads the environment; the settings come
//! from the command line. What is logged is decided where it happens, and is never a secret.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result, ensure};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

const SERVICE: &str = "appstack-operator";
/// Where the OTLP specification puts traces below an endpoint.
const TRACES: &str = "v1/traces";

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for collectors.
    #[default]
    Json,
    /// Text for people.
    Text,
}

/// Keeps the traces flowing; [`Telemetry::shutdown`] sends what is left.
#[derive(Debug)]
#[must_use = "without a shutdown the last spans are lost"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Sets up logs on standard error, and traces to the OpenTelemetry collector at `otlp_endpoint`
/// (OTLP over HTTP, such as `http://collector:4318`) when there is one.
///
/// `filter` is a list of directives such as `info,kube=warn`; it holds for both.
///
/// # Errors
///
/// When the filter or the endpoint cannot be understood, or when this was called before.
pub fn init(format: LogFormat, filter: &str, otlp_endpoint: Option<&str>) -> Result<Telemetry> {
    let (subscriber, telemetry) = build(format, filter, otlp_endpoint)?;
    subscriber.try_init().context("logs are set up already")?;
    Ok(telemetry)
}

impl Telemetry {
    /// Sends what is left and stops. It blocks for up to five seconds, so it comes last.
    ///
    /// # Errors
    ///
    /// When the collector did not take the last spans.
    pub fn shutdown(self) -> Result<()> {
        self.traces.map_or(Ok(()), |traces| {
            traces.shutdown().context("the last spans were not sent")
        })
    }
}

fn build(
    format: LogFormat,
    filter: &str,
    otlp_endpoint: Option<&str>,
) -> Result<(impl Subscriber + Send + Sync, Telemetry)> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("{filter:?} is not a list of log directives"))?;
    let traces = otlp_endpoint.map(tracer_provider).transpose()?;
    let spans = traces.as_ref().map(|traces| {
        tracing_opentelemetry::layer()
            // Source lines and thread names are noise in a trace of an operator.
            .with_location(false)
            .with_threads(false)
            .with_tracer(traces.tracer(SERVICE))
    });
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(lines(format))
        .with(spans);
    Ok((subscriber, Telemetry { traces }))
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // Standard output belongs to the commands that print something.
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => lines.boxed(),
    }
}

fn tracer_provider(endpoint: &str) -> Result<SdkTracerProvider> {
    // The exporter carries no TLS: a collector sits in the cluster and speaks TLS outwards. To
    // refuse here beats to lose every span in silence.
    ensure!(
        endpoint.starts_with("http://"),
        "the OTLP endpoint {endpoint:?} must begin with http://"
    );
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/{TRACES}", endpoint.trim_end_matches('/')))
        .build()
        .with_context(|| format!("cannot send traces to {endpoint:?}"))?;
    let resource = Resource::builder().with_service_name(SERVICE).build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A collector that takes one request and gives back its head and body.
    fn collector() -> (SocketAddr, JoinHandle<(String, Vec<u8>)>) {
        // As the start of the program does: with another crate of the workspace in the build, the
        // HTTP client may have TLS and then wants its provider, although no test uses it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let request = thread::spawn(move || take_request(listener.accept().unwrap().0));
        (address, request)
    }

    fn take_request(mut stream: TcpStream) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        (head, body)
    }

    fn has(body: &[u8], text: &str) -> bool {
        body.windows(text.len()).any(|part| part == text.as_bytes())
    }

    #[test]
    fn a_span_arrives_at_the_collector() {
        let (address, request) = collector();
        let endpoint = format!("http://{address}/");
        let (subscriber, telemetry) = build(LogFormat::Json, "info", Some(&endpoint)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("reconcile", stack = "shop").in_scope(|| ());
        });
        telemetry.shutdown().unwrap();

        let (head, body) = request.join().unwrap();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(has(&body, SERVICE) && has(&body, "reconcile") && has(&body, "shop"));
    }

    #[test]
    fn spans_below_the_filter_are_not_sent() {
        let (address, request) = collector();
        let endpoint = format!("http://{address}");
        let (subscriber, telemetry) = build(LogFormat::Json, "warn", Some(&endpoint)).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("quiet").in_scope(|| ());
            tracing::warn_span!("loud").in_scope(|| ());
        });
        telemetry.shutdown().unwrap();

        let (_, body) = request.join().unwrap();
        assert!(has(&body, "loud") && !has(&body, "quiet"));
    }

    #[test]
    fn without_an_endpoint_nothing_is_exported() {
        let (_, telemetry) = build(LogFormat::Text, "info", None).unwrap();
        assert!(telemetry.traces.is_none());
        telemetry.shutdown().unwrap();
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_refused() {
        let error = init(LogFormat::Text, "loud=very", None).unwrap_err();
        assert!(error.to_string().contains("loud=very"));
    }

    #[test]
    fn an_endpoint_that_could_not_be_reached_is_refused_at_once() {
        let refused = |endpoint| build(LogFormat::Json, "info", Some(endpoint)).is_err();
        assert!(refused("https://collector:4318"));
        assert!(refused("collector:4318"));
        assert!(refused("http://not a host"));
    }
}
