//! The database: how to reach it, its schema and its first data. Queries of routes stand beside the routes.

use std::{collections::HashSet, time::Duration};

use sqlx::{
    PgPool,
    migrate::{Migrate, MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::config::Config;

/// The schema, step by step. A step that was released is never changed: a new one follows it.
static MIGRATOR: Migrator = sqlx::migrate!();

/// A worker waits for the database most of the time, so it can keep this many connections busy.
const CONNECTIONS_PER_WORKER: usize = 5;

/// With a dead database a request fails after this long. Clients retry; a queue of waiting ones helps nobody.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(2);

/// Jobs have time: the database may be starting.
const JOB_ACQUIRES_WITHIN: Duration = Duration::from_secs(30);

/// The pool of the service. Connects when first needed, so it can be made without a database.
#[must_use]
pub fn pool(config: &Config) -> PgPool {
    let connections = config.workers.saturating_mul(CONNECTIONS_PER_WORKER);
    PgPoolOptions::new()
        .max_connections(u32::try_from(connections).unwrap_or(u32::MAX))
        .acquire_timeout(ACQUIRE_WITHIN)
        .connect_lazy_with(options(config))
}

/// The pool of a command that runs to its end.
#[must_use]
pub fn pool_for_a_job(config: &Config) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(JOB_ACQUIRES_WITHIN)
        .connect_lazy_with(options(config))
}

/// Certificates, which few servers ask for, come from the variables of libpq: sqlx reads `PGSSLROOTCERT` itself.
fn options(config: &Config) -> PgConnectOptions {
    let database = &config.database;
    PgConnectOptions::new_without_pgpass()
        .host(&database.host)
        .port(database.port)
        .database(&database.name)
        .username(&database.user)
        .password(database.password.expose())
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
pub async fn migrate(pool: &PgPool) -> Result<Migration, MigrateError> {
    let mut conn = pool.acquire().await?;
    // The migrator takes this lock as well, and its holder may. Taken here it covers the looks before
    // and after, so that two at once never both report a step.
    conn.lock().await?;
    let before = steps(&mut conn).await?;
    let outcome = MIGRATOR.run(&mut *conn).await;
    let after = steps(&mut conn).await?;
    conn.close().await?; // gives back the lock, however often it was taken
    let applied = MIGRATOR
        .iter()
        .filter(|step| after.contains(&step.version) && !before.contains(&step.version))
        .map(|step| format!("{} {}", step.version, step.description))
        .collect();
    Ok(Migration { applied, outcome })
}

async fn steps(conn: &mut sqlx::PgConnection) -> Result<HashSet<i64>, MigrateError> {
    conn.ensure_migrations_table(&MIGRATOR.table_name).await?;
    let applied = conn.list_applied_migrations(&MIGRATOR.table_name).await?;
    Ok(applied.into_iter().map(|step| step.version).collect())
}

/// Puts a first item into an empty list, so that the page has something to show. Says whether it did.
///
/// # Errors
/// When the database refuses.
pub async fn seed(pool: &PgPool, project_name: &str) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "insert into items (title, description)
         select left('Welcome to ' || $1, 255), 'This item shows that the page, the API and the database \
         reach each other. Add one of your own.'
         where not exists (select from items)",
    )
    .bind(project_name)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}
