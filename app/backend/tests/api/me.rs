//! One's own account.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::{App, ITEMS, ME, MY_PASSWORD, PASSWORD, SIGN_UP, USERS};

#[tokio::test]
async fn who_signs_up_is_an_active_user_and_no_superuser() {
    let app = App::start().await;
    let new = json!({"email": " Ada@Example.com ", "password": PASSWORD});
    let user = app
        .anyone()
        .post(SIGN_UP, new)
        .await
        .expect(StatusCode::CREATED);
    let expected = json!({
        "id": user["id"], "created_at": user["created_at"], "email": "ada@example.com",
        "full_name": null, "is_active": true, "is_superuser": false,
    });
    assert_eq!(user, expected);
    let id: uuid::Uuid = user["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    let ada = app.logged_in("ada@example.com", PASSWORD).await;
    assert_eq!(ada.get(ME).await.expect(StatusCode::OK), user);
}

#[tokio::test]
async fn an_email_address_is_used_once() {
    let app = App::start().await;
    app.user("ada").await;
    let eve = app.user("eve").await;
    let again = json!({"email": "ADA@example.com", "password": PASSWORD});
    let answer = app.anyone().post(SIGN_UP, again).await;
    assert_eq!(answer.faults(StatusCode::CONFLICT), ["email"]);
    let answer = eve.patch(ME, json!({"email": "ada@Example.com"})).await;
    assert_eq!(answer.faults(StatusCode::CONFLICT), ["email"]);
    let me = eve.get(ME).await.expect(StatusCode::OK);
    assert_eq!(me["email"], "eve@example.com");
}

#[tokio::test]
async fn of_two_who_sign_up_with_one_address_at_once_one_does() {
    let app = App::start().await;
    let new = json!({"email": "ada@example.com", "password": PASSWORD});
    let anyone = app.anyone();
    let (one, two) = tokio::join!(anyone.post(SIGN_UP, new.clone()), anyone.post(SIGN_UP, new));
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
}

#[tokio::test]
async fn nobody_makes_itself_a_superuser() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let new = json!({"email": "eve@example.com", "password": PASSWORD, "is_superuser": true});
    app.anyone()
        .post(SIGN_UP, new)
        .await
        .problem(StatusCode::UNPROCESSABLE_ENTITY);
    let change = json!({"is_superuser": true});
    ada.patch(ME, change)
        .await
        .problem(StatusCode::UNPROCESSABLE_ENTITY);
    let me = ada.get(ME).await.expect(StatusCode::OK);
    assert_eq!(me["is_superuser"], false);
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let before = ada.get(ME).await.expect(StatusCode::OK);
    assert_eq!(
        ada.patch(ME, json!({})).await.expect(StatusCode::OK),
        before
    );
    for (change, email, full_name) in [
        (
            json!({"full_name": " Ada L. "}),
            "ada@example.com",
            json!("Ada L."),
        ),
        (
            json!({"email": "Ada@new.example"}),
            "ada@new.example",
            json!("Ada L."),
        ),
        (json!({"full_name": null}), "ada@new.example", Value::Null),
        (
            json!({"full_name": "🎈".repeat(255)}),
            "ada@new.example",
            json!("🎈".repeat(255)),
        ),
        (json!({"full_name": " "}), "ada@new.example", Value::Null),
    ] {
        let user = ada.patch(ME, change).await.expect(StatusCode::OK);
        assert_eq!(
            (&user["email"], &user["full_name"]),
            (&json!(email), &full_name)
        );
        assert_eq!(ada.get(ME).await.expect(StatusCode::OK), user);
    }
    app.logged_in("ada@new.example", PASSWORD).await;
}

#[tokio::test]
async fn every_broken_rule_is_a_problem_with_the_name_of_the_field() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let fault = StatusCode::UNPROCESSABLE_ENTITY;
    for (email, password, full_name, fields) in [
        (
            "no address",
            "short",
            "a\0",
            vec!["email", "full_name", "password"],
        ),
        (
            "eve@example.com\0",
            "1234567\0",
            "",
            vec!["email", "password"],
        ),
        ("eve@example.com", &"a".repeat(129), "", vec!["password"]),
        (
            &format!("{}@example.com", "e".repeat(250)),
            PASSWORD,
            "",
            vec!["email"],
        ),
        (
            "eve@example.com",
            PASSWORD,
            &"ü".repeat(256),
            vec!["full_name"],
        ),
    ] {
        let new = json!({"email": email, "password": password, "full_name": full_name});
        assert_eq!(app.anyone().post(SIGN_UP, new).await.faults(fault), fields);
    }
    let change = json!({"email": "", "full_name": "ü".repeat(256)});
    assert_eq!(
        ada.patch(ME, change).await.faults(fault),
        ["email", "full_name"]
    );
    ada.patch(ME, json!({"email": null})).await.problem(fault);
    let change = json!({"current_password": PASSWORD, "new_password": "short"});
    assert_eq!(
        ada.patch(MY_PASSWORD, change).await.faults(fault),
        ["new_password"]
    );
    let change = json!({"current_password": "wrong password", "new_password": "another password"});
    assert_eq!(
        ada.patch(MY_PASSWORD, change).await.faults(fault),
        ["current_password"]
    );
    // Nothing of that was done.
    ada.get(ME).await.expect(StatusCode::OK);
    app.logged_in("ada@example.com", PASSWORD).await;
}

#[tokio::test]
async fn a_new_password_voids_all_tokens_but_the_one_it_returns() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let elsewhere = app.logged_in("ada@example.com", PASSWORD).await;
    let change = json!({"current_password": PASSWORD, "new_password": "another password"});
    let token = ada.patch(MY_PASSWORD, change).await.expect(StatusCode::OK);
    assert_eq!(
        (&token["token_type"], &token["expires_in"]),
        (&json!("bearer"), &json!(86400))
    );
    for old in [&ada, &elsewhere] {
        old.get(ME).await.problem(StatusCode::UNAUTHORIZED);
        old.get(ITEMS).await.problem(StatusCode::UNAUTHORIZED);
    }
    let new = app.bearer(token["access_token"].as_str().unwrap());
    new.get(ME).await.expect(StatusCode::OK);
    new.get(ITEMS).await.expect(StatusCode::OK);
    app.login("ada@example.com", PASSWORD)
        .await
        .problem(StatusCode::BAD_REQUEST);
    app.logged_in("ada@example.com", "another password").await;
}

#[tokio::test]
async fn who_deletes_itself_is_gone_with_all_items() {
    let app = App::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    ada.item("gone").await;
    let path = eve.item("kept").await;
    ada.delete(ME).await.expect(StatusCode::NO_CONTENT);
    ada.get(ME).await.problem(StatusCode::UNAUTHORIZED);
    app.login("ada@example.com", PASSWORD)
        .await
        .problem(StatusCode::BAD_REQUEST);
    let left: Vec<String> = sqlx::query_scalar("select title from items")
        .fetch_all(&app.db)
        .await
        .unwrap();
    assert_eq!(left, ["kept"]);
    eve.get(&path).await.expect(StatusCode::OK);
    // The address is free again.
    app.user("ada").await;
}

#[tokio::test]
async fn a_superuser_cannot_delete_itself() {
    let app = App::start().await;
    let root = app.root().await;
    root.delete(ME).await.problem(StatusCode::CONFLICT);
    root.get(USERS).await.expect(StatusCode::OK);
}
