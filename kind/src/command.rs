//! Runs other programs and turns what went wrong into one error with the end of their output. Starts nothing that stays.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// How much of a program's last words go into an error.
const TAIL_LINES: usize = 25;

/// Runs to the end and gives what the program wrote to its standard output.
///
/// # Errors
/// When it cannot start or ends with another code than 0; the message holds the end of what it wrote.
pub async fn output(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot start `{shown}`"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    bail!(
        "`{shown}` ended with {}:\n{}",
        output.status,
        tail(&format!("{stdout}{stderr}"))
    );
}

/// Whether the program ends with 0. A program that is not there counts as a no.
pub async fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .is_ok_and(|status| status.success())
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// The program and its first words: enough to recognise it, short enough to read.
fn describe(command: &Command) -> String {
    let command = command.as_std();
    let program = std::path::Path::new(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let words = command
        .get_args()
        .take(4)
        .map(|word| word.to_string_lossy().into_owned());
    std::iter::once(name)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_lines() {
        let text = (1..=30)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join("\n");
        let kept = tail(&text);
        assert!(kept.starts_with("6\n"), "{kept}");
        assert!(kept.ends_with("\n30"), "{kept}");
    }

    #[tokio::test]
    async fn a_failure_shows_what_the_program_said() {
        let error = output(Command::new("sh").args(["-c", "echo told you >&2; exit 3"]))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("told you"), "{error}");
    }
}
