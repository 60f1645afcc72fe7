//! What the service logs, of all tests of this process, down to the last detail.

use std::{
    io,
    sync::{LazyLock, Mutex},
};

use axum::http::StatusCode;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::app::{App, ITEMS, ME, MY_PASSWORD, PASSWORD, PREVIOUS_KEY, SECRET_KEY, SIGN_UP};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Begins to collect, once.
pub(crate) fn collect() {
    static COLLECTS: LazyLock<()> = LazyLock::new(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("trace"))
            .with_writer(|| Pen)
            .with_ansi(false)
            .init();
    });
    LazyLock::force(&COLLECTS);
}

struct Pen;

impl io::Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let log = LOG.lock();
        log.map_err(|error| io::Error::other(error.to_string()))?
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let app = App::start().await;
    let ada = app.user("ada").await;
    ada.item("the title of a secret").await;
    ada.post(
        ITEMS,
        json!({"title": 7, "description": "unreadable secret"}),
    )
    .await;
    let guess = "wrong guess of a password";
    app.login("ada@example.com", guess)
        .await
        .problem(StatusCode::BAD_REQUEST);
    let taken = json!({"email": "ada@example.com", "password": PASSWORD});
    app.anyone()
        .post(SIGN_UP, taken)
        .await
        .problem(StatusCode::CONFLICT);
    let change = json!({"current_password": guess, "new_password": PASSWORD});
    ada.patch(MY_PASSWORD, change)
        .await
        .problem(StatusCode::UNPROCESSABLE_ENTITY);
    ada.get(&format!("{ITEMS}?search=sought-secret"))
        .await
        .expect(StatusCode::OK);
    let forged = format!("{}forged", ada.token);
    app.bearer(&forged)
        .get(ME)
        .await
        .problem(StatusCode::UNAUTHORIZED);

    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    assert!(log.contains("answered"), "nothing was logged at all");
    let secrets = [
        PASSWORD,
        guess,
        SECRET_KEY,
        PREVIOUS_KEY,
        &ada.token,
        "secret",
        "$argon2id$",
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret:?} is in the log");
    }
}
