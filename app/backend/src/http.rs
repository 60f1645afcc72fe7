//! What every request shares: limits, timeouts, headers, the log. Knows no domain words.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::CorsLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    timeout::TimeoutLayer,
};
use tracing::Instrument;

use crate::{
    openapi,
    problem::{self, Problem},
    state::AppState,
};

/// The largest body: the longest item has 2255 characters, each at most 12 bytes as JSON escapes.
const BODY_LIMIT: usize = 64 * 1024;

/// No request takes this long unless something it needs is stuck. Also bounds the drain at the end.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An API answers with data only, so its answers may load and run nothing.
const DATA_CSP: &str = "default-src 'none'; frame-ancestors 'none'";

/// The service with all its layers.
pub fn service(state: AppState) -> Router {
    let cors = cors(&state.config.cors_origins);
    openapi::router()
        .with_state(state)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        // From here on upwards: each layer wraps those above it.
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(from_fn(problems))
        .layer(header_if_missing(header::CONTENT_SECURITY_POLICY, DATA_CSP))
        .layer(header_if_missing(header::CACHE_CONTROL, "no-store"))
        .layer(header_if_missing(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_if_missing(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header_if_missing(header::REFERRER_POLICY, "no-referrer"))
        .layer(cors)
        .layer(from_fn(log))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, REQUEST_ID])
        .expose_headers([REQUEST_ID])
        .max_age(Duration::from_mins(10))
}

/// Sets a header unless the answer has one of its own.
pub(crate) fn header_if_missing(
    name: HeaderName,
    value: &'static str,
) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
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

/// Logs each request once, when it is answered. What is logged meanwhile carries its id.
async fn log(request: Request, next: Next) -> Response {
    let start = std::time::Instant::now();
    let path = request.uri().path().to_owned();
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok());
    let span = tracing::info_span!("request", id, method = %request.method(), path);
    let response = next.run(request).instrument(span.clone()).await;
    let _span = span.enter();
    let (status, seconds) = (response.status().as_u16(), start.elapsed().as_secs_f64());
    // Probes ask every few seconds; as long as all is well they aren't news.
    if path.starts_with("/api/v1/utils/") && response.status().is_success() {
        tracing::debug!(status, seconds, "answered");
    } else {
        tracing::info!(status, seconds, "answered");
    }
    response
}
