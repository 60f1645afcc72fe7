//! What the service counts, and the page that Prometheus reads.
//!
//! Every label value comes from a closed set: paths appear as the routes that they matched, unknown
//! methods as one word. Nothing here decides anything.

use std::{fmt, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};
use sqlx::PgPool;

use crate::{config::Config, mail::Outcomes};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route of a path that none of ours matches.
const UNMATCHED: &str = "unmatched";

/// The status of a request whose client went away before the answer; proxies use the same number.
const CLIENT_GONE: u16 = 499;

/// In seconds, up to the timeout of a request.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// All metrics of the service. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Matched, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Matched {
    route: String,
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new(config: &Config, db: PgPool, letters: Outcomes) -> Self {
        let mut inner = Inner {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
        };
        inner.register();
        let version = [("version", config.version.clone())];
        let registry = &mut inner.registry;
        registry.register("build", "The release that runs here", Info::new(version));
        registry.register("mails", "Letters by what became of them", letters);
        registry.register_collector(Box::new(Pool(db)));
        Self(Arc::new(inner))
    }

    /// The service with its requests counted and timed.
    pub fn observe(&self, service: Router) -> Router {
        service.layer(from_fn_with_state(self.clone(), observe))
    }

    /// The page at `/metrics`. It is for a port of its own: the numbers are not for everybody.
    pub fn page(&self) -> Router {
        Router::new()
            .route("/metrics", get(page))
            .with_state(self.clone())
    }
}

impl Inner {
    fn register(&mut self) {
        self.registry.register(
            "http_requests",
            "Requests by method, route and status",
            self.requests.clone(),
        );
        self.registry.register_with_unit(
            "http_request_duration",
            "Time until the answer began",
            Unit::Seconds,
            self.seconds.clone(),
        );
        self.registry.register(
            "http_requests_in_flight",
            "Requests that wait for their answer",
            self.in_flight.clone(),
        );
    }
}

async fn page(State(metrics): State<Metrics>) -> Response {
    let mut page = String::new();
    match text::encode(&mut page, &metrics.0.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let mut observation = Observation::begin(metrics, &request);
    let response = next.run(request).await;
    observation.status = response.status().as_u16();
    response
}

/// One request. Counted when it is dropped, which it also is when the client goes away.
struct Observation {
    metrics: Metrics,
    method: &'static str,
    route: String,
    status: u16,
    start: Instant,
}

impl Observation {
    fn begin(metrics: Metrics, request: &Request) -> Self {
        metrics.0.in_flight.inc();
        let route = request.extensions().get::<MatchedPath>();
        Self {
            metrics,
            method: known(request.method()),
            route: route.map_or(UNMATCHED, MatchedPath::as_str).to_owned(),
            status: CLIENT_GONE,
            start: Instant::now(),
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let Inner {
            requests,
            seconds,
            in_flight,
            ..
        } = &*self.metrics.0;
        in_flight.dec();
        let route = std::mem::take(&mut self.route);
        seconds
            .get_or_create(&Matched {
                route: route.clone(),
            })
            .observe(self.start.elapsed().as_secs_f64());
        let answered = Answered {
            method: self.method,
            route,
            status: self.status,
        };
        requests.get_or_create(&answered).inc();
    }
}

/// Clients may make up methods.
fn known(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let place = KNOWN.iter().position(|known| known == method);
    place.map_or("other", |place| NAMES[place])
}

/// The pool of connections, looked at when somebody asks.
struct Pool(PgPool);

impl Collector for Pool {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let idle = i64::try_from(self.0.num_idle()).unwrap_or(i64::MAX);
        for (name, help, value) in [
            (
                "db_pool_connections",
                "Connections to the database",
                i64::from(self.0.size()),
            ),
            (
                "db_pool_idle_connections",
                "Connections to the database that nobody uses",
                idle,
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

#[cfg(test)]
mod tests;
