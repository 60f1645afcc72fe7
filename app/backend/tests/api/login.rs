//! Logging in, and what it tells those who guess.

use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::json;

use crate::app::{Answer, App, LOGIN, ME, PASSWORD, USERS, form};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_login_returns_a_token_for_a_day() {
    let app = App::start().await;
    app.user("ada").await;
    let answer = app.login(" Ada@EXAMPLE.com ", PASSWORD).await;
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let token = answer.expect(StatusCode::OK);
    assert_eq!(
        (&token["token_type"], &token["expires_in"]),
        (&json!("bearer"), &json!(86400))
    );
    let token = token["access_token"].as_str().unwrap();
    let me = app.bearer(token).get(ME).await.expect(StatusCode::OK);
    assert_eq!(me["email"], "ada@example.com");
}

#[tokio::test]
async fn a_refusal_does_not_tell_what_was_wrong() {
    let app = App::start().await;
    app.user("ada").await;
    let root = app.root().await;
    let idle = json!({"email": "idle@example.com", "password": PASSWORD, "is_active": false});
    root.post(USERS, idle).await.expect(StatusCode::CREATED);
    let mut answers = Vec::new();
    for (email, password) in [
        ("ada@example.com", "wrong password"),
        ("ada@example.com", ""),
        ("ada@example.com", &"long".repeat(1000)),
        ("ada@example.com", "nul\0"),
        ("nobody@example.com", PASSWORD),
        ("idle@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("nul\0@example.com", PASSWORD),
        ("' or true --", PASSWORD),
    ] {
        let answer = app.login(email, password).await;
        answers.push(answer.problem(StatusCode::BAD_REQUEST));
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

/// By structure: whether there is such a user or not, a guess goes through the same queue. When it is full,
/// some of either are turned away. That the work is the same is tested where it is done.
#[tokio::test]
async fn too_many_guesses_are_turned_away_whether_there_is_such_a_user_or_not() {
    let app = App::start().await;
    app.user("ada").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let guesses = (0..100).map(|_| app.login(email, "wrong password"));
        let answers = futures::future::join_all(guesses).await;
        let count = |status| {
            answers
                .iter()
                .filter(|answer| answer.status == status)
                .count()
        };
        let (wrong, busy) = (
            count(StatusCode::BAD_REQUEST),
            count(StatusCode::SERVICE_UNAVAILABLE),
        );
        assert_eq!(wrong + busy, 100);
        assert!(
            wrong >= 16 && busy >= 1,
            "{email}: {wrong} wrong, {busy} busy"
        );
        let turned_away = |answer: &&Answer| answer.status == StatusCode::SERVICE_UNAVAILABLE;
        let answer = answers.iter().find(turned_away).unwrap();
        assert_eq!(answer.headers[header::RETRY_AFTER], "2");
        answer.problem(StatusCode::SERVICE_UNAVAILABLE);
    }
    app.logged_in("ada@example.com", PASSWORD).await;
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_renewed_at_login() {
    let app = App::start().await;
    app.user("ada").await;
    let weak = Params::new(8, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2i, Version::V0x13, weak);
    let weak = weak.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    let stored = async || -> String {
        let hash = sqlx::query_scalar("select password_hash from users");
        hash.fetch_one(&app.db).await.unwrap()
    };
    let store = sqlx::query("update users set password_hash = $1").bind(&weak);
    store.execute(&app.db).await.unwrap();

    app.login("ada@example.com", "wrong password")
        .await
        .problem(StatusCode::BAD_REQUEST);
    assert_eq!(stored().await, weak);
    let ada = app.logged_in("ada@example.com", PASSWORD).await;
    let renewed = stored().await;
    assert!(
        renewed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{renewed}"
    );
    // It is the same password: what is logged in stays so.
    ada.get(ME).await.expect(StatusCode::OK);
    app.logged_in("ada@example.com", PASSWORD).await;
    assert_eq!(stored().await, renewed);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_a_problem() {
    let app = App::start().await;
    app.user("ada").await;
    let good = form(&[("username", "ada@example.com"), ("password", PASSWORD)]);
    let other = form(&[
        ("grant_type", "refresh_token"),
        ("username", "a"),
        ("password", "b"),
    ]);
    let large = form(&[("username", "a"), ("password", &"b".repeat(65536))]);
    for (media_type, body, status) in [
        (FORM, &*good, StatusCode::OK),
        (
            FORM,
            &format!("{good}&scope=&client_id=swagger"),
            StatusCode::OK,
        ),
        (
            "application/json",
            &*good,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("text/plain", &*good, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (FORM, "", StatusCode::UNPROCESSABLE_ENTITY),
        (FORM, "username=a", StatusCode::UNPROCESSABLE_ENTITY),
        (
            FORM,
            "username=a&username=b&password=c",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (FORM, &*other, StatusCode::UNPROCESSABLE_ENTITY),
        (FORM, "username=%ff&password=%ff", StatusCode::BAD_REQUEST),
        (FORM, &*large, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = Request::post(LOGIN).header(header::CONTENT_TYPE, media_type);
        let answer = app
            .send(request.body(Body::from(body.to_owned())).unwrap())
            .await;
        if status == StatusCode::OK {
            answer.expect(status);
        } else {
            answer.problem(status);
        }
    }
}
