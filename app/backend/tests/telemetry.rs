//! Requests in the log; a panic and an error also at the error tracker.
//!
//! What is tried is global to a process: the log, the hook for panics, the client of Sentry. So the test
//! runs this program once more, as the service, and reads what that one wrote.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

#[path = "support/tracker.rs"]
mod tracker;

use std::process::Command;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::post,
};
use backend::{config::Config, http, problem, telemetry};
use serde_json::Value;
use tower::ServiceExt;
use tracker::{Report, Tracker};

const DSN: &str = "APPSTACK_TEST_DSN";

/// What must not leave: some of it is in the texts of the errors, some in the requests.
const SECRETS: [&str; 5] = [
    "me@example.com",
    "eyJhbGciOiJIUzI1NiJ9",
    "hidden-in-the-query",
    "hidden-in-a-header",
    "hidden-in-the-body",
];

const MESSAGE: &str = "no luck with me@example.com and \
                       https://example.com/reset-password#token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl";

#[test]
fn what_goes_wrong_is_logged_once_and_reported_and_nothing_says_what_people_typed() {
    if let Ok(dsn) = std::env::var(DSN) {
        return service(&dsn);
    }
    let tracker = Tracker::start();
    let service = Command::new(std::env::current_exe().unwrap())
        .arg("--nocapture")
        .env(DSN, &tracker.dsn)
        .output()
        .unwrap();
    let [stdout, stderr] = [service.stdout, service.stderr].map(|b| String::from_utf8(b).unwrap());
    assert!(service.status.success(), "{stdout}\n{stderr}");

    let lines: Vec<Value> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_requests(&lines);
    assert_faults(&lines);
    assert!(!stderr.contains("panicked"), "{stderr}");
    for secret in &SECRETS[2..] {
        assert!(
            !stdout.contains(secret) && !stderr.contains(secret),
            "{secret}: {stdout}"
        );
    }
    assert_reports(&tracker);
}

/// Each is there with its route.
fn assert_requests(lines: &[Value]) {
    let answered: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "answered")
        .map(|line| {
            let span = &line["span"];
            let words =
                ["id", "method", "route", "path"].map(|field| span[field].as_str().unwrap());
            (line["status"].as_u64().unwrap(), words)
        })
        .collect();
    assert_eq!(
        answered,
        [
            (200, ["the-user", "POST", "/users/{id}", "/users/7"]),
            (500, ["the-panic", "POST", "/panic", "/panic"]),
            (500, ["the-error", "POST", "/error", "/error"]),
        ]
    );
}

/// Each is there once, with its request.
fn assert_faults(lines: &[Value]) {
    let errors: Vec<_> = lines
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_eq!(errors[0]["message"], "panicked");
    assert!(
        errors[0]["place"]
            .as_str()
            .unwrap()
            .contains("telemetry.rs:"),
        "{errors:?}"
    );
    assert_eq!(errors[1]["message"], "internal error");
    for (line, id) in errors.iter().zip(["the-panic", "the-error"]) {
        assert_eq!(line["span"]["id"], id);
    }
}

fn assert_reports(tracker: &Tracker) {
    for (id, message) in [("the-panic", "panicked"), ("the-error", "internal error")] {
        let Report { event, envelope } = tracker.report();
        assert_eq!(event["message"], message, "{envelope}");
        assert_eq!(event["release"], "v1.2.3");
        assert_eq!(event["environment"], "staging");
        assert_eq!(event["tags"]["request_id"], id);
        let scrubbed =
            "no luck with [address] and https://example.com/reset-password#token=[token]";
        assert!(envelope.contains(scrubbed), "{envelope}");
        for part in ["request", "user", "server_name", "breadcrumbs"] {
            assert!(event[part].is_null(), "{part} is in {envelope}");
        }
        for secret in SECRETS {
            assert!(!envelope.contains(secret), "{secret} is in {envelope}");
        }
    }
}

/// The service, in a process of its own.
#[tokio::main]
async fn service(dsn: &str) {
    println!(); // what the test runner has begun is no part of the log
    let config = config(dsn);
    let _telemetry = telemetry::init(&config);
    let app = http::shared(
        Router::new()
            .route("/users/{id}", post(async |_: String| {}))
            .route(
                "/panic",
                post(async |_: String| -> () { panic!("{MESSAGE}") }),
            )
            .route("/error", post(async |_: String| broken())),
        &config,
    );
    for (path, id, status) in [
        ("/users/7", "the-user", StatusCode::OK),
        ("/panic", "the-panic", StatusCode::INTERNAL_SERVER_ERROR),
        ("/error", "the-error", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let request = Request::post(format!("{path}?q=hidden-in-the-query"))
            .header("authorization", "Bearer hidden-in-a-header")
            .header("x-request-id", id)
            .body(Body::from("hidden-in-the-body"));
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), status);
        let is_problem = response.headers().get("content-type");
        let is_problem = is_problem.is_some_and(|value| value == problem::MEDIA_TYPE);
        assert_eq!(is_problem, status.is_server_error());
    }
}

fn broken() -> problem::Error {
    problem::Error::Internal(MESSAGE.into())
}

fn config(dsn: &str) -> Config {
    Config::read(|name| {
        let value = match name {
            "ENVIRONMENT" => "staging",
            "APP_VERSION" => "v1.2.3",
            "FRONTEND_HOST" => "https://page.example",
            "FIRST_SUPERUSER" => "admin@example.com",
            "SECRET_KEY" | "POSTGRES_PASSWORD" | "FIRST_SUPERUSER_PASSWORD" => "not a placeholder",
            "POSTGRES_SERVER" | "POSTGRES_DB" | "POSTGRES_USER" => "none",
            "SENTRY_DSN" => dsn,
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}
