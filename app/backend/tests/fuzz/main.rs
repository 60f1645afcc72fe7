//! The API under requests that nobody thought of: Schemathesis makes them from the API's own description,
//! and each answer must be one that the description allows.
//!
//! What it finds is printed with a curl command for each fault. What it sent in the last run, and what came
//! back, is in `target/tmp/fuzz`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

mod tool;

#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../process/program.rs"]
mod program;
#[path = "../support/smtp.rs"]
#[expect(dead_code, reason = "here nobody reads the letters")]
mod smtp;

use std::{collections::BTreeSet, fs, path::Path};

use program::{Service, program, run};
use serde_json::Value;
use smtp::MailServer;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tool::Auth;

/// What these answer depends on more than their description can tell: a right password, a token from a
/// mail. And superusers may not delete themselves.
const NEVER_ACCEPTED: [&str; 4] = [
    "DELETE /api/v1/users/me",
    "PATCH /api/v1/users/me/password",
    "POST /api/v1/login/access-token",
    "POST /api/v1/reset-password/",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_the_description_allows() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    fs::create_dir_all(&folder).unwrap();
    let database = postgres::database().await;
    for job in ["migrate", "seed"] {
        let (status, _, errors) = run(program(&database).arg(job));
        assert!(status.success(), "{job}: {errors}");
    }
    let mut post_office = MailServer::start().await;
    let service = Service::start(
        program(&database)
            .env("RUST_LOG", "info")
            .env("SMTP_HOST", "127.0.0.1")
            .env("SMTP_PORT", post_office.port.to_string())
            .env("SMTP_TLS", "false")
            .env("EMAILS_FROM_EMAIL", "shop@example.com")
            // This mail server knows nobody.
            .env_remove("SMTP_USER")
            .env_remove("SMTP_PASSWORD"),
    );
    let (id, version) = superuser(&database).await;

    let report = tool::run(service.port, &id, &folder);

    // With a void token every answer is a fine 401, and nothing was tested.
    assert_eq!(
        superuser(&database).await,
        (id, version),
        "the token of the run died"
    );
    let never = Auth {
        reauth_count: 0,
        reauth_broke: false,
    };
    assert_eq!(report.auth, never, "it had to log in again");
    for phase in ["coverage", "fuzzing", "stateful"] {
        assert_eq!(report.phases[phase].status, "success", "{phase}");
    }
    let tested: BTreeSet<_> = report.valid_rates.keys().cloned().collect();
    assert_eq!(tested, operations());
    for (operation, phases) in &report.valid_rates {
        let sum = phases.values().copied().sum::<tool::Rate>();
        println!("{operation}: {sum:?}");
        let enough = sum.accepted > 0 && sum.accepted * 4 >= sum.unreachable + sum.rejected;
        assert!(
            enough || NEVER_ACCEPTED.contains(&operation.as_str()),
            "{operation} accepted too little to be tested: {sum:?}"
        );
    }
    assert!(!post_office.rest().is_empty(), "no letter was sent");
    service.terminate();
    let log = service.end();
    let fault = log.lines().find(|line| line.contains(r#""level":"ERROR""#));
    assert_eq!(fault, None, "it logged a fault of its own");
}

/// All operations of the description, as `GET /path`.
fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&backend::openapi::document().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// The id of the first superuser, and the number that his valid tokens hold. His address may change on the way.
async fn superuser(database: &PgConnectOptions) -> (String, i64) {
    let mut db = database.connect().await.unwrap();
    let first = "select id::text, token_version from users where is_superuser and is_active order by id limit 1";
    sqlx::query_as(first).fetch_one(&mut db).await.unwrap()
}
