//! sqlx with nothing but what a pod of the backend has.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Row};

async fn ask(place: PgConnectOptions) -> Result<String, sqlx::Error> {
    let mut connection = place.connect().await?;
    let row = sqlx::query("SELECT current_user::text").fetch_one(&mut connection).await?;
    row.try_get(0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let by_url = std::env::var("DATABASE_URL")?.parse()?;
    for (name, place) in [("DATABASE_URL", by_url), ("PG*", PgConnectOptions::new())] {
        let answer = ask(place).await.unwrap_or_else(|error| error.to_string());
        println!("sqlx {name}\t{answer}");
    }
    Ok(())
}
