//! Makes cargo rebuild the crate when a migration is added: `sqlx::migrate!` sees only the files that it read last.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
