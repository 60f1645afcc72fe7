//! The way back from a lost password.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{App, ME, PASSWORD, RECOVERY, RESET, USERS},
    mail::settings,
    smtp::{Letter, MailServer},
};

/// The service with a mail server, and what that server gets.
async fn with_mail(app: impl AsyncFn(&str) -> App) -> (App, MailServer) {
    let server = MailServer::start().await;
    (app(&server.port.to_string()).await, server)
}

fn token(letter: &Letter) -> String {
    let link = "https://page.example/reset-password#token=";
    let (_, rest) = letter.text.split_once(link).expect(&letter.text);
    rest.split_whitespace().next().unwrap().to_owned()
}

fn reset(token: &str, password: &str) -> Value {
    json!({"token": token, "new_password": password})
}

#[tokio::test]
async fn a_link_sets_a_new_password_once() {
    let (app, mut server) = with_mail(async |port| App::with(&settings(port)).await).await;
    let ada = app.user("ada").await;
    let lost = json!({"email": " Ada@Example.com"});
    let mut ask = async || {
        let answer = app.anyone().post(RECOVERY, lost.clone()).await;
        answer.expect(StatusCode::ACCEPTED);
        server.letter().await
    };
    let letter = ask().await;
    a_minute_passes(&app).await;
    let other = ask().await;
    assert_eq!(letter.to, "ada@example.com");

    let answer = app
        .anyone()
        .post(RESET, reset(&token(&letter), "short"))
        .await;
    assert_eq!(
        answer.faults(StatusCode::UNPROCESSABLE_ENTITY),
        ["new_password"]
    );
    let done = app
        .anyone()
        .post(RESET, reset(&token(&letter), "a new password"))
        .await;
    assert!(done.expect(StatusCode::OK)["message"].is_string());
    app.logged_in("ada@example.com", "a new password").await;
    app.login("ada@example.com", PASSWORD)
        .await
        .problem(StatusCode::BAD_REQUEST);
    ada.get(ME).await.problem(StatusCode::UNAUTHORIZED);

    // The other link was for the password that is gone.
    for used in [&letter, &other] {
        let answer = app
            .anyone()
            .post(RESET, reset(&token(used), "another one"))
            .await;
        answer.problem(StatusCode::BAD_REQUEST);
    }
    app.logged_in("ada@example.com", "a new password").await;
}

#[tokio::test]
async fn one_account_gets_one_letter_a_minute() {
    let (app, mut server) = with_mail(async |port| App::with(&settings(port)).await).await;
    for name in ["ada", "bob"] {
        app.user(name).await;
    }
    for name in ["ada", "ada", "ada", "bob"] {
        let lost = json!({"email": format!("{name}@example.com")});
        let answer = app.anyone().post(RECOVERY, lost).await;
        answer.expect(StatusCode::ACCEPTED);
    }
    let mut reached = [server.letter().await.to, server.letter().await.to];
    reached.sort();
    assert_eq!(reached, ["ada@example.com", "bob@example.com"]);

    a_minute_passes(&app).await;
    let lost = json!({"email": "ada@example.com"});
    let answer = app.anyone().post(RECOVERY, lost).await;
    answer.expect(StatusCode::ACCEPTED);
    assert_eq!(server.letter().await.to, "ada@example.com");
    app.state.mailer.finish().await;
    assert!(server.rest().is_empty());
}

async fn a_minute_passes(app: &App) {
    sqlx::query("update users set link_mailed_at = link_mailed_at - interval '1 minute'")
        .execute(&app.state.db)
        .await
        .unwrap();
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_sets_the_password() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let id = ada.id().await.parse().unwrap();
    let token = app
        .state
        .tokens
        .issue(backend::auth::Purpose::Reset, id, 0)
        .unwrap();
    let anyone = app.anyone();
    let (one, two) = tokio::join!(
        anyone.post(RESET, reset(&token, "password one")),
        anyone.post(RESET, reset(&token, "password two"))
    );
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::BAD_REQUEST]);
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let (app, mut server) = with_mail(async |port| App::with(&settings(port)).await).await;
    app.user("ada").await;
    let root = app.root().await;
    let idle = json!({"email": "idle@example.com", "password": PASSWORD, "is_active": false});
    root.post(USERS, idle).await.expect(StatusCode::CREATED);
    let mut answers = Vec::new();
    for email in ["nobody@example.com", "idle@example.com", "ada@example.com"] {
        let answer = app.anyone().post(RECOVERY, json!({"email": email})).await;
        answers.push(answer.expect(StatusCode::ACCEPTED));
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    assert_eq!(server.letter().await.to, "ada@example.com");
    app.state.mailer.finish().await;
    assert!(server.rest().is_empty());
    let answer = app
        .anyone()
        .post(RECOVERY, json!({"email": "no address"}))
        .await;
    assert_eq!(answer.faults(StatusCode::UNPROCESSABLE_ENTITY), ["email"]);
}

#[tokio::test]
async fn no_other_token_sets_a_password() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let root = app.root().await;
    let id = ada.id().await;
    let forged = format!("{}x", ada.token);
    for token in [&ada.token, &forged, "", "a.b.c", "' or true --", "\0"] {
        let answer = app
            .anyone()
            .post(RESET, reset(token, "a new password"))
            .await;
        answer.problem(StatusCode::BAD_REQUEST);
    }
    // A token does not outlive the account that it is for.
    let user = id.parse().unwrap();
    let token = app
        .state
        .tokens
        .issue(backend::auth::Purpose::Reset, user, 0)
        .unwrap();
    let path = format!("{USERS}{id}");
    root.patch(&path, json!({"is_active": false}))
        .await
        .expect(StatusCode::OK);
    let answer = app
        .anyone()
        .post(RESET, reset(&token, "a new password"))
        .await;
    answer.problem(StatusCode::BAD_REQUEST);
    root.delete(&path).await.expect(StatusCode::NO_CONTENT);
    let answer = app
        .anyone()
        .post(RESET, reset(&token, "a new password"))
        .await;
    answer.problem(StatusCode::BAD_REQUEST);
}
