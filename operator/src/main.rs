//! The operator's binary. No logic: see `appstack_operator::cli`.

fn main() -> std::process::ExitCode {
    appstack_operator::cli::main()
}
