//! Letters: which are sent, and what happens when none can be.

use axum::http::StatusCode;
use serde_json::json;

use crate::{
    app::{App, PASSWORD, TEST_EMAIL, USERS},
    smtp::MailServer,
};

/// The settings of that mail server.
pub(crate) fn settings(port: &str) -> [(&'static str, &str); 4] {
    [
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", port),
        ("SMTP_TLS", "false"),
        ("EMAILS_FROM_EMAIL", "shop@example.com"),
    ]
}

#[tokio::test]
async fn a_test_letter_has_been_taken_when_the_answer_comes() {
    let mut server = MailServer::start().await;
    let app = App::with(&settings(&server.port.to_string())).await;
    let root = app.root().await;
    let answer = root
        .post(TEST_EMAIL, json!({"email": "Ada@example.com"}))
        .await;
    assert!(answer.expect(StatusCode::OK)["message"].is_string());
    let letters = server.rest();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].to, "ada@example.com");
    let answer = root.post(TEST_EMAIL, json!({"email": "no address"})).await;
    assert_eq!(answer.faults(StatusCode::UNPROCESSABLE_ENTITY), ["email"]);
}

#[tokio::test]
async fn a_mail_server_that_takes_nothing_is_a_bad_gateway() {
    let server = MailServer::answering("554 no").await;
    let refusing = server.port.to_string();
    // Nobody listens there: the port was given back.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = gone.local_addr().unwrap().port().to_string();
    for port in [refusing, gone] {
        let app = App::with(&settings(&port)).await;
        let root = app.root().await;
        let answer = root
            .post(TEST_EMAIL, json!({"email": "ada@example.com"}))
            .await;
        answer.problem(StatusCode::BAD_GATEWAY);
    }
}

#[tokio::test]
async fn without_a_mail_server_there_is_no_test() {
    let app = App::start().await;
    let root = app.root().await;
    let answer = root
        .post(TEST_EMAIL, json!({"email": "ada@example.com"}))
        .await;
    answer.problem(StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_is_made_by_a_superuser_gets_a_letter_if_it_may_log_in() {
    let mut server = MailServer::start().await;
    let app = App::with(&settings(&server.port.to_string())).await;
    let root = app.root().await;
    for (email, is_active) in [("idle@example.com", false), ("ada@example.com", true)] {
        let new = json!({"email": email, "password": PASSWORD, "is_active": is_active});
        root.post(USERS, new).await.expect(StatusCode::CREATED);
    }
    let letter = server.letter().await;
    assert_eq!(letter.to, "ada@example.com");
    assert!(letter.subject.contains("Shop") && letter.text.contains("https://page.example"));
    assert!(!letter.text.contains(PASSWORD));
    assert!(server.rest().is_empty());
}
