//! The service from its start to its end.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use sqlx::postgres::PgConnectOptions;

use crate::{
    client::{Client, HEALTH, LOGIN, post, wait_for_metric},
    postgres,
    program::{ADMIN, DEADLINE, PASSWORD, Service, program, run},
    smtp::MailServer,
};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn form() -> String {
    format!(
        "username={}&password={}",
        ADMIN.replace('@', "%40"),
        PASSWORD.replace(' ', "+")
    )
}

/// A database with the schema and the first superuser.
#[track_caller]
fn seeded() -> impl Future<Output = PgConnectOptions> {
    let database = postgres::database();
    async {
        let database = database.await;
        for name in ["migrate", "seed"] {
            let (status, stdout, stderr) = run(program(&database).arg(name));
            assert!(status.success(), "{stdout}{stderr}");
        }
        database
    }
}

#[tokio::test]
async fn the_end_loses_no_request_and_waits_for_no_idle_client() {
    let service = Service::start(&mut program(&seeded().await));
    let mut idle = Client::connect(service.port);
    assert_eq!(idle.get(HEALTH).status, 200);
    let mut silent = Client::connect(service.port);
    let mut busy = Client::connect(service.port);
    let (body, half) = (form(), form().len() / 2);
    busy.send(&post(LOGIN, FORM, body.len()));
    busy.send(&body[..half]);
    wait_for_metric(service.metrics_port, "http_requests_in_flight 1");

    service.terminate();
    service.wait_for_line("stopping: finishing the requests in flight");
    assert!(idle.is_closed());
    let deadline = Instant::now() + DEADLINE;
    while Client::try_connect(service.port).is_ok() {
        assert!(Instant::now() < deadline, "still accepts");
    }
    // The metrics are there as long as there is something to see.
    wait_for_metric(service.metrics_port, "http_requests_in_flight 1");
    busy.send(&body[half..]);
    let answer = busy.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    assert!(busy.is_closed());

    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let start = Instant::now();
    let text = service.end();
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "a silent client held it up"
    );
    assert!(silent.is_closed());
    assert!(
        text.contains("\"stopped\"") && !text.contains(&token),
        "{text}"
    );
}

#[tokio::test]
async fn a_letter_under_way_is_delivered_before_the_end() {
    let mut post_office = MailServer::start().await;
    let mut command = program(&seeded().await);
    command
        .env("SMTP_HOST", "127.0.0.1")
        .env("SMTP_PORT", post_office.port.to_string())
        .env("SMTP_TLS", "false")
        .env("EMAILS_FROM_EMAIL", "shop@example.com")
        // This mail server knows nobody.
        .env_remove("SMTP_USER")
        .env_remove("SMTP_PASSWORD");
    let service = Service::start(&mut command);
    let mut client = Client::connect(service.port);
    let ask = format!(r#"{{"email": "{ADMIN}"}}"#);
    assert_eq!(
        client.post("/api/v1/password-recovery/", JSON, &ask).status,
        202
    );
    service.terminate();
    let text = tokio::task::spawn_blocking(move || service.end())
        .await
        .unwrap();

    let letter = post_office.letter().await;
    assert_eq!(
        (letter.to.as_str(), letter.subject.as_str()),
        (ADMIN, "Shop: reset your password")
    );
    let link = "https://page.example/reset-password#token=";
    assert!(post_office.rest().is_empty(), "a letter came twice");
    let (_, rest) = letter.text.split_once(link).expect("no link in the letter");
    let token = rest.split_whitespace().next().unwrap();
    assert!(!text.contains(token) && !text.contains(ADMIN), "{text}");
}

#[tokio::test]
async fn a_client_that_sends_its_head_too_slowly_is_cut() {
    let database = postgres::database().await;
    let service = Service::start_with(&mut program(&database), &["--keep-alive", "1"]);
    let mut slow = Client::connect(service.port);
    slow.send("GET / HTTP/1.1\r\nHost:");
    assert!(slow.is_closed());
}

#[tokio::test]
async fn the_metrics_have_a_port_of_their_own() {
    let service = Service::start(&mut program(&seeded().await));
    let mut client = Client::connect(service.port);
    assert_eq!(client.get(HEALTH).status, 200);
    assert_eq!(client.get("/metrics").status, 404);
    assert_eq!(client.post(LOGIN, FORM, &form()).status, 200);
    for line in [
        r#"build_info{version="v1.2.3"} 1"#,
        &format!(r#"http_requests_total{{method="GET",route="{HEALTH}",status="200"}} 1"#),
        &format!(r#"http_requests_total{{method="POST",route="{LOGIN}",status="200"}} 1"#),
        r#"http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        "db_pool_connections 1",
    ] {
        wait_for_metric(service.metrics_port, line);
    }
    let elsewhere = Client::connect(service.metrics_port).get(HEALTH);
    assert_eq!(elsewhere.status, 404);
    service.terminate();
    service.end();
}

#[tokio::test]
async fn it_starts_without_a_database_and_recovers_when_one_comes() {
    let database = seeded().await;
    let place = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = place.local_addr().unwrap().port();
    drop(place);
    let mut command = program(&database);
    command
        .env("POSTGRES_SERVER", "127.0.0.1")
        .env("POSTGRES_PORT", port.to_string());
    let service = Service::start(&mut command);
    let mut client = Client::connect(service.port);
    assert_eq!(client.get("/api/v1/utils/live/").status, 200);
    client.get(HEALTH).assert_unavailable();
    client.post(LOGIN, FORM, &form()).assert_unavailable();

    forward(TcpListener::bind(("127.0.0.1", port)).unwrap(), database);
    let deadline = Instant::now() + DEADLINE;
    while client.get(HEALTH).status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
    assert_eq!(client.post(LOGIN, FORM, &form()).status, 200);
    service.terminate();
    service.end();
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind(("::", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let database = postgres::database().await;
    let mut command: Command = program(&database);
    let (status, _, stderr) = run(command.args(["serve", "--port", &port]));
    assert_eq!(status.code(), Some(1));
    assert!(
        stderr.starts_with(&format!("error: cannot listen on port {port}: ")),
        "{stderr}"
    );
}

/// Lets the database be reached at another place, from now on.
fn forward(place: TcpListener, database: PgConnectOptions) {
    thread::spawn(move || {
        for client in place.incoming() {
            let (host, port) = (database.get_host(), database.get_port());
            if host.starts_with('/') {
                let server = UnixStream::connect(format!("{host}/.s.PGSQL.{port}")).unwrap();
                pipe(client.unwrap(), server.try_clone().unwrap(), server);
            } else {
                let server = TcpStream::connect((host, port)).unwrap();
                pipe(client.unwrap(), server.try_clone().unwrap(), server);
            }
        }
    });
}

/// Both ways, until both ends are closed.
fn pipe(
    client: TcpStream,
    mut from_server: impl io::Read + Send + 'static,
    mut to_server: impl io::Write + Send + 'static,
) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    thread::spawn(move || io::copy(&mut from_client, &mut to_server));
    thread::spawn(move || io::copy(&mut from_server, &mut to_client));
}
