//! What all routes share, tried on routes that are made for it.

use std::io;

use axum::{
    body::{Body, to_bytes},
    routing::{get, post},
};
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt;

use super::*;
use crate::config::tests::config;

fn app(routes: Router) -> Router {
    shared(routes, &config(&[]))
}

async fn get_of(app: &Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

async fn problem_of(response: Response) -> Value {
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        problem::MEDIA_TYPE
    );
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_strange_request_id_is_replaced() {
    let app = app(Router::new().route("/", get(|| async {})));
    for (given, kept) in [
        ("0123-abcd_EF.gh:/+=", true),
        (&"a".repeat(REQUEST_ID_MAX), true),
        (&"a".repeat(REQUEST_ID_MAX + 1), false),
        ("", false),
        ("a b", false),
        ("{\"level\":\"ERROR\"}", false),
        ("caf\u{e9}", false),
    ] {
        let request = Request::get("/")
            .header(REQUEST_ID, given)
            .body(Body::empty());
        let response = app.clone().oneshot(request.unwrap()).await.unwrap();
        let id = response.headers()[REQUEST_ID].as_bytes();
        assert_eq!(id == given.as_bytes(), kept, "{given:?}");
        assert!(kept || id.len() == 36, "{given:?}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem() {
    async fn bug() {
        panic!("a bug");
    }
    let response = get_of(&app(Router::new().route("/", get(bug))), "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let problem = problem_of(response).await;
    assert_eq!(problem["status"], 500);
    assert!(!problem.to_string().contains("a bug"), "{problem}");
}

#[tokio::test]
async fn who_comes_when_too_many_wait_is_told_at_once_but_probes_are_answered() {
    let [entered, go_on] = [(); 2].map(|()| Arc::new(Notify::new()));
    let (enter, wait) = (entered.clone(), go_on.clone());
    let slow = async move || {
        enter.notify_one();
        wait.notified().await;
    };
    let app = app(Router::new()
        .route("/slow", get(slow))
        .route("/quick", get(|| async {}))
        .route(PROBES[1], get(|| async {})));
    let mut waiting = Vec::new();
    for _ in 0..IN_FLIGHT_PER_WORKER {
        let app = app.clone();
        waiting.push(tokio::spawn(
            async move { get_of(&app, "/slow").await.status() },
        ));
        entered.notified().await;
    }

    let response = get_of(&app, "/quick").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    assert!(response.headers().contains_key(REQUEST_ID));
    assert_eq!(problem_of(response).await["status"], 503);
    assert_eq!(get_of(&app, PROBES[1]).await.status(), StatusCode::OK);

    for request in waiting {
        go_on.notify_one();
        assert_eq!(request.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(get_of(&app, "/quick").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_given_up() {
    let app = app(Router::new().route("/", get(std::future::pending::<()>)));
    let response = get_of(&app, "/").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem_of(response).await["status"], 503);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_the_fault_of_the_client() {
    let app = app(Router::new().route("/", post(|_: String| async {})));
    let never = Body::from_stream(futures::stream::pending::<io::Result<Vec<u8>>>());
    let response = app
        .oneshot(Request::post("/").body(never).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(problem_of(response).await["status"], 400);
}

#[tokio::test]
async fn a_page_may_send_a_token_and_use_every_method() {
    let config = config(&[("BACKEND_CORS_ORIGINS", "https://page.example")]);
    let app = shared(Router::new().route("/", get(|| async {})), &config);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let preflight = Request::options("/")
            .header(header::ORIGIN, "https://page.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, method)
            .header(
                header::ACCESS_CONTROL_REQUEST_HEADERS,
                "authorization, content-type",
            )
            .body(Body::empty());
        let response = app.clone().oneshot(preflight.unwrap()).await.unwrap();
        let granted = |name| response.headers()[name].to_str().unwrap().to_owned();
        let methods = granted(header::ACCESS_CONTROL_ALLOW_METHODS);
        assert!(
            methods.split(',').any(|m| m == method),
            "{method}: {methods}"
        );
        let headers = granted(header::ACCESS_CONTROL_ALLOW_HEADERS);
        assert!(headers.contains("authorization") && headers.contains("content-type"));
    }
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_who_takes_it() {
    let long = async || axum::Json(vec!["the same again"; 500]);
    let app = app(Router::new()
        .route("/long", get(long))
        .route("/short", get(async || axum::Json("short"))));
    let length = async |path: &str, encoding: &'static str| {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, encoding);
        let response = app
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let encoded = response.headers().contains_key(header::CONTENT_ENCODING);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (encoded, body.len())
    };
    let (encoded, plain) = length("/long", "identity").await;
    assert!(!encoded);
    let (encoded, packed) = length("/long", "gzip").await;
    assert!(encoded && packed * 10 < plain, "{packed} of {plain}");
    assert_eq!(length("/short", "gzip").await, (false, 7));
}
