//! The operator's binary. No logic: see `appstack_operator::cli`.

fn main() -> anyhow::Result<()> {
    appstack_operator::cli::main()
}
