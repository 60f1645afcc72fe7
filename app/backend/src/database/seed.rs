//! The first data: somebody who may manage users, and something to see. Changes nothing that is there.

use anyhow::{Context, anyhow};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{auth, config::Config, rules};

/// Makes the first superuser with a welcome item, unless there is a user with that email address, who then
/// stays as it is: nobody gets a new password or new rights from a setting. Says whether it did.
///
/// # Errors
/// When the settings break a rule of users, or the database refuses.
pub async fn seed(conn: &mut PgConnection, config: &Config) -> anyhow::Result<bool> {
    let email =
        rules::email(&config.first_superuser).map_err(|rule| anyhow!("FIRST_SUPERUSER {rule}"))?;
    if exists(conn, &email).await? {
        return Ok(false);
    }
    rules::password(&config.first_superuser_password)
        .map_err(|rule| anyhow!("FIRST_SUPERUSER_PASSWORD {rule}"))?;
    let hash = auth::hash(&config.first_superuser_password).context("cannot hash the password")?;
    let mut transaction = conn.begin().await?;
    let Some(user) = insert(&mut transaction, &email, &hash).await? else {
        return Ok(false); // another seed was faster
    };
    welcome(&mut transaction, user, &config.project_name).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn exists(conn: &mut PgConnection, email: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from users where email = $1)")
        .bind(email)
        .fetch_one(conn)
        .await
}

async fn insert(conn: &mut PgConnection, email: &str, hash: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "insert into users (id, email, password_hash, is_superuser) values ($1, $2, $3, true)
         on conflict (email) do nothing returning id",
    )
    .bind(Uuid::now_v7())
    .bind(email)
    .bind(hash)
    .fetch_optional(conn)
    .await
}

async fn welcome(conn: &mut PgConnection, owner: Uuid, project_name: &str) -> sqlx::Result<()> {
    sqlx::query(
        "insert into items (id, owner_id, title, description)
         values ($1, $2, left('Welcome to ' || $3, 255), 'This item shows that the page, the API and the \
         database reach each other. Add one of your own.')",
    )
    .bind(Uuid::now_v7())
    .bind(owner)
    .bind(project_name)
    .execute(conn)
    .await?;
    Ok(())
}
