//! Cargo, started from a command that cargo itself runs.

use local_cluster::folders;
use tokio::process::Command;

/// Cargo in the repository.
///
/// `cargo run` tells the program that it starts about itself by variables. Build scripts look at some of them, so a
/// cargo that inherits them would build their crates anew after each change between the two ways to start it.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folders::in_repository("")).args(words);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_a_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if of_a_package.iter().any(|it| text.starts_with(it)) {
            cargo.env_remove(&name);
        }
    }
    cargo
}
