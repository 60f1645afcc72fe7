//! The schema and the first data.

use axum::http::StatusCode;
use backend::database;
use serde_json::json;
use sqlx::ConnectOptions;

use crate::{
    app::{App, ITEMS, ME, PASSWORD, ROOT, config, each},
    postgres,
};

#[tokio::test]
async fn a_migration_is_applied_once_even_when_two_run_at_once() {
    let options = postgres::database().await;
    let (one, two) = (
        options.connect().await.unwrap(),
        options.connect().await.unwrap(),
    );
    let (one, two) = tokio::join!(database::migrate(one), database::migrate(two));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.outcome.is_ok() && two.outcome.is_ok());
    let applied = [one.applied, two.applied].concat();
    assert_eq!(applied, ["1 create users", "2 create items"]);

    let again = database::migrate(options.connect().await.unwrap());
    let again = again.await.unwrap();
    assert!(again.applied.is_empty() && again.outcome.is_ok());
}

#[tokio::test]
async fn a_seed_makes_the_first_superuser_once_even_when_two_run_at_once() {
    let app = App::start().await;
    let settings = &app.state.config;
    let (mut one, mut two) = (
        app.db.acquire().await.unwrap(),
        app.db.acquire().await.unwrap(),
    );
    let (first, second) = tokio::join!(
        database::seed(&mut one, settings),
        database::seed(&mut two, settings)
    );
    assert!(first.unwrap() != second.unwrap());
    assert!(!database::seed(&mut one, settings).await.unwrap());

    let root = app.logged_in(ROOT, PASSWORD).await;
    let me = root.get(ME).await.expect(StatusCode::OK);
    assert_eq!(me["is_superuser"], true);
    let items = root.get(ITEMS).await.expect(StatusCode::OK);
    assert_eq!(each(&items, "title"), [json!("Welcome to Shop")]);
}

#[tokio::test]
async fn a_seed_changes_nothing_of_a_user_who_is_there() {
    let app = App::start().await;
    app.user("ada").await;
    let mut conn = app.db.acquire().await.unwrap();
    let settings = config(&[
        ("FIRST_SUPERUSER", "Ada@example.com"),
        ("FIRST_SUPERUSER_PASSWORD", "another password"),
    ]);
    assert!(!database::seed(&mut conn, &settings).await.unwrap());
    let ada = app.logged_in("ada@example.com", PASSWORD).await;
    let me = ada.get(ME).await.expect(StatusCode::OK);
    assert_eq!(me["is_superuser"], false);
}

#[tokio::test]
async fn a_seed_without_a_password_makes_nobody() {
    let app = App::start().await;
    let mut conn = app.db.acquire().await.unwrap();
    let settings = config(&[("ENVIRONMENT", "local"), ("FIRST_SUPERUSER_PASSWORD", "")]);
    let error = database::seed(&mut conn, &settings).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "FIRST_SUPERUSER_PASSWORD must have 8 to 128 characters"
    );
}
