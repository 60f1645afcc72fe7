//! The page, after requests of all kinds.

use axum::{
    body::{Body, to_bytes},
    routing::post,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tower::ServiceExt;

use super::*;
use crate::config::tests::config;

fn metrics() -> Metrics {
    let config = config(&[("APP_VERSION", "v1.2.3")]);
    let db = PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new_without_pgpass());
    let letters = Outcomes::default();
    letters.get_or_create(&[("outcome", "sent")]).inc();
    Metrics::new(&config, db, letters)
}

async fn send(app: &Router, method: &str, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

async fn page_of(metrics: &Metrics) -> String {
    let response = send(&metrics.page(), "GET", "/metrics").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], OPENMETRICS);
    let page = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(page.to_vec()).unwrap()
}

#[track_caller]
fn assert_line(page: &str, line: &str) {
    assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
}

#[tokio::test]
async fn requests_are_counted_and_timed_by_route() {
    let metrics = metrics();
    let routes = Router::new()
        .route("/items/{id}", get(async || "an item"))
        .route("/items/", post(async || StatusCode::CREATED));
    let app = metrics.observe(routes);
    for (method, path) in [
        ("GET", "/items/1"),
        ("GET", "/items/2"),
        ("POST", "/items/"),
        ("DELETE", "/items/"),
        ("BREW", "/items/1"),
        ("GET", "/wp-admin/1"),
        ("GET", "/wp-admin/2"),
    ] {
        send(&app, method, path).await;
    }
    let page = page_of(&metrics).await;
    for line in [
        r#"http_requests_total{method="GET",route="/items/{id}",status="200"} 2"#,
        r#"http_requests_total{method="POST",route="/items/",status="201"} 1"#,
        r#"http_requests_total{method="DELETE",route="/items/",status="405"} 1"#,
        r#"http_requests_total{method="other",route="/items/{id}",status="405"} 1"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"} 2"#,
        r#"http_request_duration_seconds_count{route="/items/{id}"} 3"#,
        r#"http_request_duration_seconds_bucket{le="10.0",route="unmatched"} 2"#,
        "http_requests_in_flight 0",
    ] {
        assert_line(&page, line);
    }
    assert!(
        !page.contains("wp-admin") && !page.contains("BREW"),
        "{page}"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_is_counted() {
    let metrics = metrics();
    let app = metrics.observe(Router::new().route("/", get(std::future::pending::<()>)));
    let mut request = Box::pin(send(&app, "GET", "/"));
    assert!(futures::poll!(&mut request).is_pending());
    assert_line(&page_of(&metrics).await, "http_requests_in_flight 1");
    drop(request);
    let page = page_of(&metrics).await;
    assert_line(&page, "http_requests_in_flight 0");
    assert_line(
        &page,
        r#"http_requests_total{method="GET",route="/",status="499"} 1"#,
    );
}

#[tokio::test]
async fn the_release_the_pool_and_the_letters_are_told() {
    let page = page_of(&metrics()).await;
    for line in [
        r#"build_info{version="v1.2.3"} 1"#,
        r#"mails_total{outcome="sent"} 1"#,
        "db_pool_connections 0",
        "db_pool_idle_connections 0",
        "# EOF",
    ] {
        assert_line(&page, line);
    }
}
