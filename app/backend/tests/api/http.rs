//! What all answers share, and what happens without a database.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::json;

use crate::{
    app::{App, HEALTH, ITEMS},
    postgres,
};

#[tokio::test]
async fn an_unknown_address_or_method_is_a_problem() {
    let app = App::without_database();
    for path in [
        "/",
        "/api/v1/items",
        "/api/v1/nothing",
        "/docs/nothing",
        "/%00",
    ] {
        app.anyone().get(path).await.problem(StatusCode::NOT_FOUND);
    }
    let answer = app.anyone().call(Method::PATCH, ITEMS, None).await;
    assert_eq!(answer.headers[header::ALLOW], "GET,HEAD,POST");
    answer.problem(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn without_a_database_the_service_lives_but_is_not_healthy() {
    let app = App::without_database();
    let live = app.anyone().get("/api/v1/utils/live/").await;
    live.expect(StatusCode::OK);
    let start = Instant::now();
    let answer = app.anyone().get(HEALTH).await;
    assert_eq!(answer.headers[header::RETRY_AFTER], "2");
    answer.problem(StatusCode::SERVICE_UNAVAILABLE);
    let answer = app.login("ada@example.com", "any password").await;
    answer.problem(StatusCode::SERVICE_UNAVAILABLE);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "took {took:?}");
}

#[tokio::test]
async fn before_the_migration_nobody_can_log_in() {
    let app = App::on(postgres::database().await);
    app.anyone().get(HEALTH).await.expect(StatusCode::OK);
    let answer = app.login("ada@example.com", "any password").await;
    answer.problem(StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_forbids_the_browser_much() {
    let app = App::without_database();
    for path in ["/api/v1/utils/live/", "/api/v1/nothing"] {
        let headers = app.anyone().get(path).await.headers;
        assert_eq!(headers["x-request-id"].len(), 36);
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"));
    }
    let request = Request::get("/api/v1/version").header("x-request-id", "from-the-edge");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["x-request-id"], "from-the-edge");
}

#[tokio::test]
async fn only_pages_of_listed_origins_may_call_from_a_browser() {
    let app = App::without_database();
    for (origin, allowed) in [
        ("https://page.example", true),
        ("https://other.example", false),
    ] {
        let preflight = Request::options(ITEMS)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type");
        let problem = Request::get("/nothing").header(header::ORIGIN, origin);
        for request in [preflight, problem] {
            let headers = app.send(request.body(Body::empty()).unwrap()).await.headers;
            let granted = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(
                granted.is_some_and(|value| value == origin),
                allowed,
                "{origin}"
            );
        }
    }
}

#[tokio::test]
async fn the_version_tells_what_is_deployed() {
    let app = App::without_database();
    let version = app.anyone().get("/api/v1/version").await;
    let expected = json!({"version": "v1.2.3", "environment": "staging", "project_name": "Shop"});
    assert_eq!(version.expect(StatusCode::OK), expected);
}
