//! The API as its clients see it, on a real database.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

mod support {
    pub(crate) mod postgres;
}

use std::{sync::Arc, time::Duration, time::Instant};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use backend::{config::Config, database, http, openapi, state::AppState};
use serde_json::{Value, json};
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use support::postgres;
use tower::ServiceExt;

const ITEMS: &str = "/api/v1/items/";
const HEALTH: &str = "/api/v1/utils/health-check/";

// === Items ===

#[tokio::test]
async fn an_item_that_is_added_is_listed_first() {
    let app = App::migrated("listed_first").await;
    app.post(ITEMS, json!({"title": "old"}))
        .await
        .expect(StatusCode::CREATED);
    let added = app
        .post(ITEMS, json!({"title": "new", "description": "more"}))
        .await;
    let item = added.expect(StatusCode::CREATED);
    assert_eq!(item["title"], "new");
    assert_eq!(item["description"], "more");
    assert!(item["created_at"].as_str().unwrap().ends_with('Z'));

    let list = app.get(ITEMS).await.expect(StatusCode::OK);
    assert_eq!(list["count"], 2);
    assert_eq!(list["data"][0], item);
    assert_eq!(list["data"][1]["description"], Value::Null);
}

#[tokio::test]
async fn a_page_of_the_list_tells_the_count_of_all() {
    let app = App::migrated("page").await;
    for number in 1..=5 {
        app.post(ITEMS, json!({"title": format!("{number}")}))
            .await
            .expect(StatusCode::CREATED);
    }
    let page = app
        .get("/api/v1/items/?skip=1&limit=2")
        .await
        .expect(StatusCode::OK);
    let titles: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["title"])
        .collect();
    assert_eq!(
        (json!(titles), &page["count"]),
        (json!(["4", "3"]), &json!(5))
    );

    let beyond = app
        .get("/api/v1/items/?skip=9223372036854775807")
        .await
        .expect(StatusCode::OK);
    assert_eq!(beyond, json!({"data": [], "count": 5}));
}

#[tokio::test]
async fn the_longest_values_fit() {
    let app = App::migrated("longest").await;
    let (title, description) = ("🎈".repeat(255), "🎈".repeat(2000));
    let item = app
        .post(ITEMS, json!({"title": title, "description": description}))
        .await;
    assert_eq!(item.expect(StatusCode::CREATED)["title"], title);
}

#[tokio::test]
async fn every_broken_rule_is_a_problem_with_the_name_of_the_field() {
    let app = App::migrated("rules").await;
    for (item, fields) in [
        (json!({"title": ""}), vec!["title"]),
        (json!({"title": "ü".repeat(256)}), vec!["title"]),
        (
            json!({"title": "a\0b", "description": "\0"}),
            vec!["description", "title"],
        ),
        (
            json!({"title": "t", "description": "ü".repeat(2001)}),
            vec!["description"],
        ),
    ] {
        let problem = app
            .post(ITEMS, item)
            .await
            .problem(StatusCode::UNPROCESSABLE_ENTITY);
        let named: Vec<_> = problem["errors"].as_object().unwrap().keys().collect();
        assert_eq!(named, fields);
    }
    for query in ["skip=-1", "limit=0", "limit=101"] {
        let problem = app.get(&format!("{ITEMS}?{query}")).await;
        let field = query.split('=').next().unwrap();
        let rule = &problem.problem(StatusCode::UNPROCESSABLE_ENTITY)["errors"][field];
        assert!(rule.is_string(), "{query}: {rule}");
    }
    assert_eq!(app.get(ITEMS).await.expect(StatusCode::OK)["count"], 0);
}

// === Bad input ===

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_and_never_a_fault_of_the_server() {
    let app = App::without_database();
    let json_type = "application/json";
    for (body, media_type, status) in [
        ("{", json_type, StatusCode::BAD_REQUEST),
        ("", json_type, StatusCode::BAD_REQUEST),
        (r#"{"title": "\ud800"}"#, json_type, StatusCode::BAD_REQUEST),
        ("{}", json_type, StatusCode::UNPROCESSABLE_ENTITY),
        ("[]", json_type, StatusCode::UNPROCESSABLE_ENTITY),
        (
            r#"{"title": 7}"#,
            json_type,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"title": null}"#,
            json_type,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"title": "t"}"#,
            "text/plain",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let request = Request::post(ITEMS).header(header::CONTENT_TYPE, media_type);
        let problem = app
            .send(request.body(body.into()).unwrap())
            .await
            .problem(status);
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{body}");
    }
    for query in [
        "skip=x",
        "limit=",
        "skip=1&skip=2",
        "limit=99999999999999999999",
        "skip=%ff",
    ] {
        let answer = app.get(&format!("{ITEMS}?{query}")).await;
        answer.problem(StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = App::without_database();
    let answer = app
        .post(
            ITEMS,
            json!({"title": "t", "description": "x".repeat(65536)}),
        )
        .await;
    answer.problem(StatusCode::PAYLOAD_TOO_LARGE);
}

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
        app.get(path).await.problem(StatusCode::NOT_FOUND);
    }
    let answer = app
        .send(Request::delete(ITEMS).body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.headers[header::ALLOW], "GET,HEAD,POST");
    answer.problem(StatusCode::METHOD_NOT_ALLOWED);
}

// === Without a database ===

#[tokio::test]
async fn without_a_database_the_service_lives_but_is_not_healthy() {
    let app = App::without_database();
    app.get("/api/v1/utils/live/").await.expect(StatusCode::OK);
    let start = Instant::now();
    let answer = app.get(HEALTH).await;
    assert_eq!(answer.headers[header::RETRY_AFTER], "2");
    answer.problem(StatusCode::SERVICE_UNAVAILABLE);
    app.get(ITEMS)
        .await
        .problem(StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "took {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn before_the_migration_the_list_is_unavailable() {
    let app = App::on(postgres::database("unmigrated").await);
    app.get(HEALTH).await.expect(StatusCode::OK);
    app.get(ITEMS)
        .await
        .problem(StatusCode::SERVICE_UNAVAILABLE);
}

// === Migration and seed ===

#[tokio::test]
async fn a_migration_is_applied_once_even_when_two_run_at_once() {
    let options = postgres::database("twice").await;
    let (one, two) = (
        options.connect().await.unwrap(),
        options.connect().await.unwrap(),
    );
    let (one, two) = tokio::join!(database::migrate(one), database::migrate(two));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.outcome.is_ok() && two.outcome.is_ok());
    let mut applied = [one.applied, two.applied].concat();
    assert_eq!(
        applied
            .iter()
            .filter(|step| *step == "1 create items")
            .count(),
        1
    );
    applied.dedup();

    let again = database::migrate(options.connect().await.unwrap())
        .await
        .unwrap();
    assert!(again.applied.is_empty() && again.outcome.is_ok());
}

#[tokio::test]
async fn a_seed_fills_an_empty_list_only() {
    let app = App::migrated("seed").await;
    let mut conn = app.db.acquire().await.unwrap();
    assert!(database::seed(&mut conn, "Shop").await.unwrap());
    assert!(!database::seed(&mut conn, "Shop").await.unwrap());
    let list = app.get(ITEMS).await.expect(StatusCode::OK);
    assert_eq!(
        (&list["count"], &list["data"][0]["title"]),
        (&json!(1), &json!("Welcome to Shop"))
    );
}

// === What every answer shares ===

#[tokio::test]
async fn every_answer_carries_a_request_id_and_forbids_the_browser_much() {
    let app = App::without_database();
    for path in ["/api/v1/utils/live/", "/api/v1/nothing"] {
        let headers = app.get(path).await.headers;
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
    let version = App::without_database()
        .get("/api/v1/version")
        .await
        .expect(StatusCode::OK);
    let expected = json!({"version": "v1.2.3", "environment": "staging", "project_name": "Shop"});
    assert_eq!(version, expected);
}

#[tokio::test]
async fn the_documentation_is_served_from_the_program_itself() {
    let app = App::without_database();
    let page = app.get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&page.body).contains("swagger-ui"));
    let document = app.get("/api/v1/openapi.json").await.expect(StatusCode::OK);
    assert!(document["paths"][ITEMS]["post"].is_object());
}

/// The client of the frontend is generated from this file. When this fails and the change is meant, run
/// `EXPECTORATE=overwrite cargo test -p backend`, then `npm run generate` in app/frontend.
#[test]
fn the_document_that_the_frontend_builds_on_is_up_to_date() {
    expectorate::assert_contents("../frontend/openapi.json", &openapi::document().unwrap());
}

// === Helpers ===

struct App {
    router: Router,
    db: PgPool,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl App {
    async fn migrated(test: &str) -> Self {
        let options = postgres::database(test).await;
        let conn = options.connect().await.unwrap();
        database::migrate(conn).await.unwrap().outcome.unwrap();
        Self::on(options)
    }

    fn on(options: PgConnectOptions) -> Self {
        let db = pool(options);
        let state = AppState {
            config: Arc::new(config()),
            db: db.clone(),
        };
        Self {
            router: http::service(state),
            db,
        }
    }

    /// The settings name a server that isn't there.
    fn without_database() -> Self {
        let config = config();
        let db = database::pool(&config);
        let state = AppState {
            config: Arc::new(config),
            db: db.clone(),
        };
        Self {
            router: http::service(state),
            db,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_string().into()).unwrap())
            .await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }
}

impl Answer {
    #[track_caller]
    fn expect(&self, status: StatusCode) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[track_caller]
    fn problem(&self, status: StatusCode) -> Value {
        let problem = self.expect(status);
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(problem["status"], status.as_u16());
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        problem
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(2)
        .connect_lazy_with(options)
}

fn config() -> Config {
    Config::read(|name| {
        let value = match name {
            "ENVIRONMENT" => "staging",
            "PROJECT_NAME" => "Shop",
            "APP_VERSION" => "v1.2.3",
            "BACKEND_CORS_ORIGINS" => "https://page.example",
            "SECRET_KEY" | "POSTGRES_PASSWORD" => "not a placeholder",
            "POSTGRES_SERVER" => "/nowhere",
            "POSTGRES_DB" | "POSTGRES_USER" => "app",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}
