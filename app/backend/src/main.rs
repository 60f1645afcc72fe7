//! Starts the program. Everything it does is in the library, where tests reach it.

fn main() -> anyhow::Result<()> {
    backend::cli::run()
}
