//! The schema and the first data.

use std::time::Duration;

use axum::http::StatusCode;
use backend::database;
use futures::future::join_all;
use serde_json::json;
use sqlx::{ConnectOptions, PgPool, PgTransaction};
use tokio::time::timeout;

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

/// By a transaction that is as far as another seed may be.
#[tokio::test]
async fn a_seed_gives_way_to_one_that_was_faster() {
    let app = App::start().await;
    let mut faster = app.db.begin().await.unwrap();
    sqlx::query(
        "insert into users (id, email, password_hash) values (gen_random_uuid(), $1, 'first')",
    )
    .bind(ROOT)
    .execute(&mut *faster)
    .await
    .unwrap();
    let mut conn = app.db.acquire().await.unwrap();
    let seed = database::seed(&mut conn, &app.state.config);
    let (made, ()) = tokio::join!(seed, commit_when_one_waits(faster, &app.db));
    assert!(!made.unwrap());
    let users: Vec<(String, bool)> =
        sqlx::query_as("select password_hash, is_superuser from users")
            .fetch_all(&app.db)
            .await
            .unwrap();
    assert_eq!(users, [("first".to_owned(), false)]);
}

/// Commits when a statement of another connection waits for it.
async fn commit_when_one_waits(transaction: PgTransaction<'_>, db: &PgPool) {
    let waiting = "select exists (select from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock')";
    let waits = async {
        while !sqlx::query_scalar::<_, bool>(waiting)
            .fetch_one(db)
            .await
            .unwrap()
        {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), waits).await;
    waited.expect("no statement waits for the transaction");
    transaction.commit().await.unwrap();
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

/// As after a restart of the database: what was open is not, and nobody said so.
#[tokio::test]
async fn broken_connections_are_replaced() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    // All that the pool may have, and one more.
    let many = (0..6).map(|_| ada.get(ITEMS));
    for answer in join_all(many).await {
        answer.expect(StatusCode::OK);
    }
    let open = app.db.size();
    let mut admin = postgres::server().connect().await.unwrap();
    sqlx::query("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1")
        .bind(app.db.connect_options().get_database())
        .execute(&mut admin)
        .await
        .unwrap();
    for _ in 0..open {
        let answer = ada.get(ITEMS).await;
        if answer.status != StatusCode::OK {
            answer.problem(StatusCode::SERVICE_UNAVAILABLE);
        }
    }
    ada.get(ITEMS).await.expect(StatusCode::OK);
}

/// The look at the token and the statement are two moments. The database decides.
#[tokio::test]
async fn who_is_deleted_while_adding_an_item_is_logged_out() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    let mut deletion = app.db.begin().await.unwrap();
    let delete = sqlx::query("delete from users");
    delete.execute(&mut *deletion).await.unwrap();
    let late = ada.post(ITEMS, json!({"title": "late"}));
    let (answer, ()) = tokio::join!(late, commit_when_one_waits(deletion, &app.db));
    answer.problem(StatusCode::UNAUTHORIZED);
}
