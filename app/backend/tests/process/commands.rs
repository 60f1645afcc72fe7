//! Commands that run to their end.

use crate::{
    postgres,
    program::{ADMIN, assert_no_secret, program, run},
    tracker::{Report, Tracker},
};

#[tokio::test]
async fn migrate_and_seed_tell_what_they_did_and_do_it_once() {
    let database = postgres::database().await;
    let command = |name: &str| {
        let (status, stdout, stderr) = run(program(&database).env_remove("RUST_LOG").arg(name));
        assert!(status.success() && stderr.is_empty(), "{stdout}{stderr}");
        stdout
    };
    let applied = command("migrate");
    assert!(
        applied.lines().all(|line| line.starts_with("applied ")),
        "{applied}"
    );
    assert!(applied.starts_with("applied 1 "), "{applied}");
    assert!(command("migrate").starts_with("nothing to apply"));

    assert!(command("seed").starts_with("added the first superuser"));
    assert!(command("seed").starts_with("nothing to add"));
}

#[tokio::test]
async fn nothing_secret_is_written_by_the_most_talkative_command() {
    let database = postgres::database().await;
    for name in ["migrate", "seed", "seed"] {
        let (status, stdout, stderr) = run(program(&database).arg(name));
        assert!(status.success(), "{stdout}{stderr}");
        assert!(stdout.contains("DEBUG"), "the log is not on: {stdout}");
    }
}

#[tokio::test]
async fn a_seed_before_the_migration_fails_and_says_why() {
    let database = postgres::database().await;
    let (status, _, stderr) = run(program(&database).arg("seed"));
    assert_eq!(status.code(), Some(1));
    assert!(stderr.starts_with("error: cannot seed: "), "{stderr}");
    assert!(!stderr.contains(ADMIN), "{stderr}");
}

#[tokio::test]
async fn a_command_that_fails_is_reported() {
    let tracker = Tracker::start();
    let database = postgres::database().await;
    let mut command = program(&database);
    let (status, _, stderr) = run(command.arg("seed").env("SENTRY_DSN", &tracker.dsn));
    assert_eq!(status.code(), Some(1));
    let Report { event, envelope } = tracker.report();
    let message = event["message"].as_str().unwrap();
    assert!(stderr.contains(message), "{message} is not in {stderr}");
    assert_eq!(
        (&event["level"], &event["release"]),
        (&"fatal".into(), &"v1.2.3".into())
    );
    assert_no_secret(&envelope);
}

#[tokio::test]
async fn all_faulty_settings_are_told_in_one_message() {
    let database = postgres::database().await;
    for name in ["serve", "migrate", "seed"] {
        let mut command = program(&database);
        command
            .arg(name)
            .env("SECRET_KEY", "changethis")
            .env("FIRST_SUPERUSER_PASSWORD", "changethis")
            .env("POSTGRES_PASSWORD", "")
            .env("FRONTEND_HOST", "page.example")
            .env("SMTP_HOST", "mail.example")
            .env("SMTP_TLS", "true")
            .env("SMTP_SSL", "true")
            .env("SENTRY_DSN", "not-this-one");
        let (status, stdout, stderr) = run(&mut command);
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert_eq!(stdout, "");
        let faults: Vec<_> = stderr.lines().collect();
        assert_eq!(faults[0], "error: the settings are faulty:");
        let named: Vec<_> = faults[1..]
            .iter()
            .map(|fault| {
                fault
                    .trim_start_matches([' ', '-'])
                    .split(' ')
                    .next()
                    .unwrap()
            })
            .collect();
        assert_eq!(
            named,
            [
                "FRONTEND_HOST",
                "SECRET_KEY",
                "FIRST_SUPERUSER_PASSWORD",
                "SMTP_TLS",
                "EMAILS_FROM_EMAIL",
                "SENTRY_DSN",
                "POSTGRES_PASSWORD",
            ]
        );
        assert!(
            !stderr.contains("changethis") && !stderr.contains("not-this-one"),
            "{stderr}"
        );
    }
}

#[test]
fn the_description_of_the_api_needs_no_settings() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_backend"));
    let (status, stdout, _) = run(command.env_clear().arg("openapi"));
    assert!(status.success());
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(document["paths"]["/api/v1/items/"].is_object());
}
