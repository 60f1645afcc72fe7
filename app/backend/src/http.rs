//! What every request shares: limits, timeouts, headers, the log. Knows no domain words.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state, map_request},
    response::{IntoResponse, Response},
};
use sentry::{Hub, SentryFutureExt};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, predicate::SizeAbove},
    cors::CorsLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    timeout::{RequestBodyDeadlineLayer, TimeoutLayer},
};
use tracing::Instrument;

use crate::{
    config::Config,
    openapi,
    problem::{self, Problem},
    state::AppState,
};

/// The largest body: the longest item has 2255 characters, each at most 12 bytes as JSON escapes.
const BODY_LIMIT: usize = 64 * 1024;

/// No request takes this long unless something it needs is stuck. Also bounds the drain at the end.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to send a body: less than the request, or a slow client would look like a
/// fault of ours.
const BODY_WITHIN: Duration = Duration::from_secs(8);

/// Requests in flight for each worker. The database does the work of a few of them at a time; who comes
/// when this many wait is told at once rather than after a timeout.
const IN_FLIGHT_PER_WORKER: usize = 128;

/// Probes ask these. They are answered under any load, or the load would end the pod that bears it.
const PROBES: [&str; 2] = ["/api/v1/utils/health-check/", "/api/v1/utils/live/"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// More than any proxy makes.
const REQUEST_ID_MAX: usize = 128;

/// An API answers with data only, so its answers may load and run nothing.
const DATA_CSP: &str = "default-src 'none'; frame-ancestors 'none'";

/// The service with all its layers.
///
/// # Errors
/// When its description can't be written as JSON.
pub fn service(state: AppState) -> serde_json::Result<Router> {
    let config = Arc::clone(&state.config);
    Ok(shared(openapi::router()?.with_state(state), &config))
}

/// Routes with what all of them share. Joined into one layer, since a router puts each that it is given into
/// a box of its own.
pub fn shared(routes: Router, config: &Config) -> Router {
    let places = config.workers.saturating_mul(IN_FLIGHT_PER_WORKER);
    let places = Arc::new(Semaphore::new(places));
    // Each wraps those below it.
    let layers = ServiceBuilder::new()
        .layer(map_request(drop_strange_id))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(from_fn(log))
        .layer(cors(&config.cors_origins))
        .layer(header_if_missing(header::REFERRER_POLICY, "no-referrer"))
        .layer(header_if_missing(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header_if_missing(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_if_missing(header::CACHE_CONTROL, "no-store"))
        .layer(header_if_missing(header::CONTENT_SECURITY_POLICY, DATA_CSP))
        .layer(compression())
        .layer(from_fn(problems))
        .layer(from_fn_with_state(places, admit))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(RequestBodyDeadlineLayer::new(BODY_WITHIN))
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    routes.layer(layers)
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, REQUEST_ID])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER])
        .max_age(Duration::from_mins(10))
}

/// Long answers shrink to a fraction for a tenth of a millisecond. Short ones do not pay; among them are those
/// with a token, whose length could tell something about it.
fn compression() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(1024))
}

/// Sets a header unless the answer has one of its own.
pub(crate) fn header_if_missing(
    name: HeaderName,
    value: &'static str,
) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// An id ends up in logs and reports, so it must look like one; a request without gets a new one.
async fn drop_strange_id(mut request: Request) -> Request {
    let is_sane = |id: &HeaderValue| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
        (1..=REQUEST_ID_MAX).contains(&id.len()) && id.as_bytes().iter().all(fits)
    };
    if request
        .headers()
        .get(REQUEST_ID)
        .is_some_and(|id| !is_sane(id))
    {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// The hook for panics has logged it by now.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::of(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// Turns away who comes when too many wait.
async fn admit(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(_place) = places.try_acquire() else {
        if PROBES.contains(&request.uri().path()) {
            return next.run(request).await;
        }
        return Problem::of(StatusCode::SERVICE_UNAVAILABLE).into_response();
    };
    next.run(request).await
}

/// Gives every error the shape of a problem document, also those of the router and of the layers.
async fn problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let media_type = response.headers().get(header::CONTENT_TYPE);
    if !is_error || media_type.is_some_and(|value| value == problem::MEDIA_TYPE) {
        return response;
    }
    let mut answer = Problem::of(status).into_response();
    // `Allow` belongs to "method not allowed".
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

/// Logs each request once, when it is answered. What is logged meanwhile carries its id, and so do reports
/// of faults. The query, the headers and the body are left out: they hold what people typed.
async fn log(request: Request, next: Next) -> Response {
    let start = std::time::Instant::now();
    let path = request.uri().path().to_owned();
    let id = request.headers().get(REQUEST_ID);
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(MatchedPath::as_str);
    let span = tracing::info_span!("request", id, method = %request.method(), route, path);
    let reports = reports(id);
    let response = next
        .run(request)
        .instrument(span.clone())
        .bind_hub(reports)
        .await;
    let _span = span.enter();
    let (status, seconds) = (response.status().as_u16(), start.elapsed().as_secs_f64());
    // Probes ask every few seconds; as long as all is well they aren't news.
    if PROBES.contains(&path.as_str()) && response.status().is_success() {
        tracing::debug!(status, seconds, "answered");
    } else {
        tracing::info!(status, seconds, "answered");
    }
    response
}

/// Where faults of this request are reported to.
fn reports(id: &str) -> Hub {
    let hub = Hub::new_from_top(Hub::current());
    hub.configure_scope(|scope| scope.set_tag("request_id", id));
    hub
}

#[cfg(test)]
mod tests;
