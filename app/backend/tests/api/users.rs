//! The management of users, by superusers.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{App, ITEMS, ME, PASSWORD, TEST_EMAIL, USERS, each};

const NOBODY: &str = "/api/v1/users/019ab2a5-0000-7000-8000-000000000000";

#[tokio::test]
async fn only_superusers_manage_users() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let mine = format!("{USERS}{}", ada.id().await);
    for (method, path) in [
        (Method::GET, USERS),
        (Method::POST, USERS),
        (Method::GET, &mine),
        (Method::PATCH, &mine),
        (Method::DELETE, &mine),
        (Method::POST, TEST_EMAIL),
    ] {
        let answer = ada.call(method.clone(), path, Some(json!({}))).await;
        answer.problem(StatusCode::FORBIDDEN);
        let answer = app.anyone().call(method, path, Some(json!({}))).await;
        answer.problem(StatusCode::UNAUTHORIZED);
    }
    ada.get(ME).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let app = App::start().await;
    let root = app.root().await;
    let new = json!({"email": "Ada@example.com", "password": PASSWORD, "full_name": "Ada"});
    let user = root.post(USERS, new).await.expect(StatusCode::CREATED);
    let expected = json!({
        "id": user["id"], "created_at": user["created_at"], "email": "ada@example.com",
        "full_name": "Ada", "is_active": true, "is_superuser": false,
    });
    assert_eq!(user, expected);
    let path = format!("{USERS}{}", user["id"].as_str().unwrap());
    assert_eq!(root.get(&path).await.expect(StatusCode::OK), user);
    app.logged_in("ada@example.com", PASSWORD)
        .await
        .item("gone")
        .await;

    for (change, field, value) in [
        (json!({}), "full_name", json!("Ada")),
        (
            json!({"email": "ada@new.example"}),
            "email",
            json!("ada@new.example"),
        ),
        (json!({"full_name": null}), "full_name", Value::Null),
        (json!({"is_superuser": true}), "is_superuser", json!(true)),
        (json!({"is_active": false}), "is_active", json!(false)),
        (json!({"is_active": true}), "is_active", json!(true)),
    ] {
        let user = root.patch(&path, change).await.expect(StatusCode::OK);
        assert_eq!(user[field], value);
        assert_eq!(root.get(&path).await.expect(StatusCode::OK), user);
    }
    app.logged_in("ada@new.example", PASSWORD)
        .await
        .get(USERS)
        .await
        .expect(StatusCode::OK);

    let done = root.delete(&path).await;
    assert_eq!(done.expect(StatusCode::NO_CONTENT), Value::Null);
    root.get(&path).await.problem(StatusCode::NOT_FOUND);
    let items: i64 = sqlx::query_scalar("select count(*) from items where title = 'gone'")
        .fetch_one(&app.db)
        .await
        .unwrap();
    assert_eq!(items, 0);
}

#[tokio::test]
async fn who_is_not_there_is_not_found() {
    let app = App::start().await;
    let root = app.root().await;
    root.get(NOBODY).await.problem(StatusCode::NOT_FOUND);
    root.patch(NOBODY, json!({"full_name": "a"}))
        .await
        .problem(StatusCode::NOT_FOUND);
    root.delete(NOBODY).await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_broken_rule_is_a_problem_with_the_name_of_the_field() {
    let app = App::start().await;
    app.user("ada").await;
    let root = app.root().await;
    let mine = format!("{USERS}{}", root.id().await);
    let fault = StatusCode::UNPROCESSABLE_ENTITY;
    let new = json!({"email": "no address", "password": "short", "full_name": "\0"});
    let fields = ["email", "full_name", "password"];
    assert_eq!(root.post(USERS, new.clone()).await.faults(fault), fields);
    assert_eq!(root.patch(&mine, new).await.faults(fault), fields);
    for field in ["email", "password", "is_active", "is_superuser"] {
        root.patch(&mine, json!({field: null})).await.problem(fault);
    }
    let taken = json!({"email": "Ada@example.com", "password": PASSWORD});
    assert_eq!(
        root.post(USERS, taken.clone())
            .await
            .faults(StatusCode::CONFLICT),
        ["email"]
    );
    assert_eq!(
        root.patch(&mine, taken).await.faults(StatusCode::CONFLICT),
        ["email"]
    );
    // Nothing of that was done.
    root.get(ME).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn nobody_deletes_deactivates_or_demotes_itself() {
    let app = App::start().await;
    let root = app.root().await;
    let mine = format!("{USERS}{}", root.id().await);
    root.delete(&mine).await.problem(StatusCode::CONFLICT);
    for change in [
        json!({"is_active": false}),
        json!({"is_superuser": false, "full_name": "a"}),
    ] {
        root.patch(&mine, change)
            .await
            .problem(StatusCode::CONFLICT);
    }
    let change = json!({"is_active": true, "is_superuser": true, "full_name": "Root"});
    let me = root.patch(&mine, change).await.expect(StatusCode::OK);
    assert_eq!(
        (&me["full_name"], &me["is_superuser"]),
        (&json!("Root"), &json!(true))
    );
}

#[tokio::test]
async fn who_is_deactivated_deleted_or_given_a_password_is_logged_out() {
    let app = App::start().await;
    let root = app.root().await;
    for change in [
        Some(json!({"is_active": false})),
        Some(json!({"password": "another password"})),
        None,
    ] {
        let ada = app.user("ada").await;
        let path = format!("{USERS}{}", ada.id().await);
        let item = ada.item("mine").await;
        match change {
            Some(change) => root.patch(&path, change).await.expect(StatusCode::OK),
            None => root.delete(&path).await.expect(StatusCode::NO_CONTENT),
        };
        for path in [ME, ITEMS, &item] {
            let answer = ada.get(path).await;
            answer.problem(StatusCode::UNAUTHORIZED);
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let new = json!({"title": "too late"});
        ada.post(ITEMS, new).await.problem(StatusCode::UNAUTHORIZED);
        // Activated again, the old token stays void.
        root.patch(&path, json!({"is_active": true})).await;
        ada.get(ME).await.problem(StatusCode::UNAUTHORIZED);
        root.delete(&path).await;
    }
}

#[tokio::test]
async fn who_is_demoted_loses_its_rights_at_once() {
    let app = App::start().await;
    let root = app.root().await;
    let ada = app.user("ada").await;
    let path = format!("{USERS}{}", ada.id().await);
    for (is_superuser, status) in [(true, StatusCode::OK), (false, StatusCode::FORBIDDEN)] {
        let change = json!({"is_superuser": is_superuser});
        root.patch(&path, change).await.expect(StatusCode::OK);
        assert_eq!(ada.get(USERS).await.status, status);
    }
}

#[tokio::test]
async fn the_list_is_paged_and_searched() {
    let app = App::start().await;
    let root = app.root().await;
    for name in ["ada", "bob", "carl_"] {
        app.user(name).await;
    }
    let list = root.get(USERS).await.expect(StatusCode::OK);
    let emails = [
        "carl_@example.com",
        "bob@example.com",
        "ada@example.com",
        "root@example.com",
    ];
    assert_eq!(each(&list, "email"), emails);
    assert_eq!(list["count"], 4);
    for (query, emails, count) in [
        ("skip=1&limit=2", &emails[1..3], 4),
        ("skip=4", &[], 4),
        ("search=ADA", &emails[2..3], 1),
        ("search=Example.com&limit=1", &emails[..1], 4),
        ("search=_", &emails[..1], 1),
        ("search=%25", &[], 0),
    ] {
        let list = root
            .get(&format!("{USERS}?{query}"))
            .await
            .expect(StatusCode::OK);
        assert_eq!(each(&list, "email"), emails, "{query}");
        assert_eq!(list["count"], count);
    }
    root.get(&format!("{USERS}?limit=0"))
        .await
        .problem(StatusCode::UNPROCESSABLE_ENTITY);
}
