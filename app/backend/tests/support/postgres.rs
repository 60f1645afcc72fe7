//! The database server for the tests: the one that `DATABASE_URL` names, or one of their own.

pub(crate) mod python;
mod server;

use std::{
    panic::Location,
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgConnection},
};

const START_WITHIN: Duration = Duration::from_mins(1);

/// The server. Where it is does not change while the tests run.
pub(crate) fn server() -> &'static PgConnectOptions {
    static SERVER: LazyLock<PgConnectOptions> = LazyLock::new(|| {
        let given = std::env::var("DATABASE_URL").ok();
        given.map_or_else(start, |url| {
            url.parse().expect("DATABASE_URL names no PostgreSQL")
        })
    });
    &SERVER
}

/// An empty database of its own for the calling line. It replaces that of the last run, which was left to be
/// looked at.
///
/// `#[sqlx::test]` would do the same on a server that `DATABASE_URL` names, and a process can't set that for
/// itself: other threads may be reading the environment.
#[track_caller]
pub(crate) fn database() -> impl Future<Output = PgConnectOptions> {
    let line = Location::caller();
    let file = Path::new(line.file()).file_stem().unwrap().display();
    let name = format!("appstack_test_{file}_{}_{}", line.line(), line.column());
    async move {
        let mut admin = connect(server()).await;
        for statement in ["drop database if exists", "create database"] {
            // A name can't be a parameter; this one is made of letters, digits and underscores.
            let statement = AssertSqlSafe(format!("{statement} {name}"));
            sqlx::query(statement).execute(&mut admin).await.unwrap();
        }
        admin.close().await.unwrap();
        server().clone().database(&name)
    }
}

/// Waits until the server, which may be starting, lets us in.
async fn connect(options: &PgConnectOptions) -> PgConnection {
    let deadline = Instant::now() + START_WITHIN;
    loop {
        match options.connect().await {
            Ok(connection) => return connection,
            Err(error) if Instant::now() > deadline => panic!("no PostgreSQL in time: {error}"),
            // Another attempt is the only way to learn that a server is ready.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn start() -> PgConnectOptions {
    let folder = server::folder();
    server::start(&server::programs(&folder), &folder, &["--auth=trust"]);
    PgConnectOptions::new_without_pgpass()
        .host(folder.to_str().unwrap())
        .port(5432)
        .username("postgres")
        .database("postgres")
}
