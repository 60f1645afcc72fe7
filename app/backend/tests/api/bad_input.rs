//! Whatever a client sends, the answer is a problem document and never a fault of the server.

use axum::http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::app::{App, ITEMS, ME, MY_PASSWORD, RECOVERY, RESET, SIGN_UP, TEST_EMAIL, USERS};

const JSON: &str = "application/json";

/// Strings that have broken programs.
const NASTY: [&str; 9] = [
    "\0",
    "'; drop table users; --",
    "\" or \"\"=\"",
    "${jndi:ldap://example.com}",
    "<script>alert(1)</script>",
    "\u{202e}right to left\u{feff}",
    "e\u{301}\u{301}\u{301}",
    "../../etc/passwd",
    "\\u0000\r\n\t",
];

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_problem() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    for (body, media_type, status) in [
        ("{", JSON, StatusCode::BAD_REQUEST),
        ("", JSON, StatusCode::BAD_REQUEST),
        (r#"{"title": "\ud800"}"#, JSON, StatusCode::BAD_REQUEST),
        (&"[".repeat(1000), JSON, StatusCode::UNPROCESSABLE_ENTITY),
        ("{}", JSON, StatusCode::UNPROCESSABLE_ENTITY),
        ("[]", JSON, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"["a", null]"#, JSON, StatusCode::UNPROCESSABLE_ENTITY),
        ("null", JSON, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"title": 7}"#, JSON, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"title": null}"#, JSON, StatusCode::UNPROCESSABLE_ENTITY),
        (
            r#"{"title": "a", "title": "b"}"#,
            JSON,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"title": "a", "owner_id": "b"}"#,
            JSON,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"title": "a"}"#,
            "text/plain",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let request = Request::post(ITEMS)
            .header(header::AUTHORIZATION, format!("Bearer {}", ada.token))
            .header(header::CONTENT_TYPE, media_type);
        let answer = app
            .send(request.body(body.to_owned().into()).unwrap())
            .await;
        answer.problem(status);
    }
    for query in [
        "skip=x",
        "limit=",
        "skip=1&skip=2",
        "limit=99999999999999999999",
        "skip=%ff",
    ] {
        let answer = ada.get(&format!("{ITEMS}?{query}")).await;
        answer.problem(StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn no_field_of_any_route_breaks_the_server() {
    let app = App::start().await;
    let root = app.root().await;
    let item = root.item("title").await;
    let user = format!("{USERS}{}", root.id().await);
    let nasty = NASTY.iter().map(|text| json!(text));
    let wrong = [
        json!(7),
        json!(-1e300),
        json!([]),
        json!({}),
        json!(null),
        json!("a".repeat(3000)),
    ];
    let values: Vec<_> = nasty.chain(wrong).collect();
    for (method, path, fields) in fields(&user, &item) {
        for value in &values {
            let body: Value = fields.iter().map(|field| (*field, value.clone())).collect();
            let answer = root.call(method.clone(), path, Some(body.clone())).await;
            if !answer.status.is_success() {
                assert!(answer.status.is_client_error(), "{method} {path} {body}");
                answer.problem(answer.status);
            }
        }
    }
    let me = root.get(ME).await.expect(StatusCode::OK);
    assert_eq!(me["is_superuser"], true);
}

type Fields = &'static [&'static str];

/// The fields of each route that takes some, but for what would log the caller out.
fn fields<'a>(user: &'a str, item: &'a str) -> [(Method, &'a str, Fields); 10] {
    let (post, patch, put) = (Method::POST, Method::PATCH, Method::PUT);
    let account = &["email", "full_name", "is_active", "is_superuser"];
    [
        (post.clone(), SIGN_UP, &["email", "password", "full_name"]),
        (post.clone(), RECOVERY, &["email"]),
        (post.clone(), RESET, &["token", "new_password"]),
        (patch.clone(), ME, &["email", "full_name"]),
        (
            patch.clone(),
            MY_PASSWORD,
            &["current_password", "new_password"],
        ),
        (
            post.clone(),
            USERS,
            &[
                "email",
                "password",
                "full_name",
                "is_active",
                "is_superuser",
            ],
        ),
        (patch, user, account),
        (post.clone(), ITEMS, &["title", "description"]),
        (put, item, &["title", "description"]),
        (post, TEST_EMAIL, &["email"]),
    ]
}

#[tokio::test]
async fn strange_text_is_kept_as_it_is() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    for text in &NASTY[1..] {
        let item = json!({"title": text, "description": text});
        let item = ada.post(ITEMS, item).await.expect(StatusCode::CREATED);
        assert_eq!(
            (&item["title"], &item["description"]),
            (&json!(text), &json!(text))
        );
    }
}

#[tokio::test]
async fn a_path_that_names_nothing_is_not_found() {
    let app = App::start().await;
    let root = app.root().await;
    for id in [
        "7",
        "not-an-id",
        "%00",
        "%ff",
        "'%20or%20true%20--",
        &"a".repeat(5000),
    ] {
        for collection in [ITEMS, USERS] {
            root.get(&format!("{collection}{id}"))
                .await
                .problem(StatusCode::NOT_FOUND);
            root.delete(&format!("{collection}{id}"))
                .await
                .problem(StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = App::start().await;
    let root = app.root().await;
    let large = "x".repeat(65536);
    for (path, body) in [
        (ITEMS, json!({"title": "t", "description": large})),
        (
            SIGN_UP,
            json!({"email": "eve@example.com", "password": large}),
        ),
        (RESET, json!({"token": large, "new_password": "password"})),
        (USERS, json!({"email": large, "password": "password"})),
    ] {
        root.post(path, body)
            .await
            .problem(StatusCode::PAYLOAD_TOO_LARGE);
    }
}
