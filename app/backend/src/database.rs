//! The database: how to reach it, its schema and its first data. Queries of routes stand beside the routes.

mod seed;

use std::{
    collections::HashSet,
    io::ErrorKind,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool,
    error::DatabaseError,
    migrate::{Migrate, MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::sleep;

pub use seed::seed;

use crate::config::Config;

/// The schema, step by step. A step that was released is never changed: a new one follows it.
static MIGRATOR: Migrator = sqlx::migrate!();

/// A worker waits for the database most of the time, so it can keep this many connections busy.
const CONNECTIONS_PER_WORKER: usize = 5;

/// With a dead database a request fails after this long. Clients retry; a queue of waiting ones helps nobody.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(2);

/// A connection that was used this lately needs no test before its next use. That would be a round trip, as
/// long as many a statement; and what breaks meanwhile, a statement would meet as well.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Each statement of the service has one good plan, whatever its values: that of its index. Left to itself the
/// server plans a list anew for each request, which costs more than to read it.
const ONE_PLAN: &str = "set plan_cache_mode = force_generic_plan";

/// Jobs have time.
const JOB_CONNECTS_WITHIN: Duration = Duration::from_secs(30);
const JOB_TRIES_EVERY: Duration = Duration::from_secs(1);

/// The pool of the service. Connects when first needed, so it can be made without a database.
#[must_use]
pub fn pool(config: &Config) -> PgPool {
    pool_on(options(config), config.workers)
}

/// The same on any server, for so many workers.
#[must_use]
pub fn pool_on(server: PgConnectOptions, workers: usize) -> PgPool {
    let connections = workers.saturating_mul(CONNECTIONS_PER_WORKER);
    PgPoolOptions::new()
        .max_connections(u32::try_from(connections).unwrap_or(u32::MAX))
        .acquire_timeout(ACQUIRE_WITHIN)
        .after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute(ONE_PLAN).await?;
                Ok(())
            })
        })
        .test_before_acquire(false)
        .before_acquire(|conn, used| {
            Box::pin(async move {
                if used.idle_for > FRESH_FOR {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(server)
}

/// The connection of a command that runs to its end. Waits for a server that isn't there yet: not even
/// its name may be known while it is being set up.
///
/// # Errors
/// With what the last attempt met.
pub async fn connect(config: &Config) -> sqlx::Result<PgConnection> {
    let options = options(config);
    let give_up = Instant::now() + JOB_CONNECTS_WITHIN;
    loop {
        match options.connect().await {
            Err(error) if may_be_starting(&error) && Instant::now() < give_up => {
                tracing::info!(%error, "waiting for the database");
                sleep(JOB_TRIES_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}

fn may_be_starting(error: &sqlx::Error) -> bool {
    const CANNOT_CONNECT_NOW: &str = "57P03";
    let code = error.as_database_error().and_then(DatabaseError::code);
    // A certificate that isn't trusted is invalid data. It will not get better.
    let is_absent =
        matches!(error, sqlx::Error::Io(error) if error.kind() != ErrorKind::InvalidData);
    is_absent || code.is_some_and(|code| code == CANNOT_CONNECT_NOW)
}

/// Certificates, which few servers ask for, come from the variables of libpq: sqlx itself reads
/// `PGSSLROOTCERT` and its kin.
fn options(config: &Config) -> PgConnectOptions {
    let database = &config.database;
    PgConnectOptions::new_without_pgpass()
        .host(&database.host)
        .port(database.port)
        .database(&database.name)
        .username(&database.user)
        .password(database.password.expose_secret())
        .ssl_mode(database.ssl_mode)
        .application_name("backend")
}

/// What became of a migration. Steps may have been applied although a later one failed.
#[derive(Debug)]
pub struct Migration {
    /// The steps that were applied now, as `1 create items`.
    pub applied: Vec<String>,
    /// Whether the schema is up to date.
    pub outcome: Result<(), MigrateError>,
}

/// Brings the schema up to date. Whoever comes second waits for the first and finds nothing to do.
///
/// # Errors
/// When the database can't tell which steps it has.
pub async fn migrate(mut conn: PgConnection) -> Result<Migration, MigrateError> {
    // The migrator takes this lock as well, and its holder may. Taken here it covers the looks before
    // and after, so that two at once never both report a step.
    conn.lock().await?;
    let before = steps(&mut conn).await?;
    let outcome = MIGRATOR.run(&mut conn).await;
    let after = steps(&mut conn).await?;
    conn.close().await?; // gives back the lock, however often it was taken
    let applied = MIGRATOR
        .iter()
        .filter(|step| after.contains(&step.version) && !before.contains(&step.version))
        .map(|step| format!("{} {}", step.version, step.description))
        .collect();
    Ok(Migration { applied, outcome })
}

async fn steps(conn: &mut PgConnection) -> Result<HashSet<i64>, MigrateError> {
    conn.ensure_migrations_table(&MIGRATOR.table_name).await?;
    let applied = conn.list_applied_migrations(&MIGRATOR.table_name).await?;
    Ok(applied.into_iter().map(|step| step.version).collect())
}
