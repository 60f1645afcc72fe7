//! What became of a lifecycle hook, without the command that it runs.
//!
//! Invariant: pure. The kubelet repeats the whole command, twice, before it comes to the point; whoever wrote it knows it, and one of
//! the operator's own is of no use to anybody.

use super::trouble::runtime_cause;

/// That a hook failed, with its exit code and what it printed, as far as the kubelet says so.
pub(super) fn failed(hook: &str, said: &str) -> String {
    let (code, printed) = exited(said).unwrap_or_else(|| (None, other_cause(said)));
    let code = code.map_or_else(String::new, |it| format!(" with exit code {it}"));
    match printed.as_str() {
        "" => format!("its {hook} hook failed{code}"),
        printed => format!("its {hook} hook failed{code}: {printed}"),
    }
}

/// The exit code of a command, and what it printed: `command 'COMMAND' exited with 9: ERRORS, message: "OUTPUT"`.
fn exited(said: &str) -> Option<(Option<u16>, String)> {
    let (_, end) = said.rsplit_once("' exited with ")?;
    let (end, output) = message(end);
    let (code, errors) = end.split_once(':').unwrap_or((end, ""));
    let printed = match errors.trim().trim_end_matches(',').trim_end() {
        "" => output,
        errors => errors.to_owned(),
    };
    Some((code.trim().parse().ok(), printed))
}

/// Why a hook failed that did not come to an exit code, such as a request that nobody answers.
fn other_cause(said: &str) -> String {
    let Some((_, cause)) = said.split_once(" failed - error: ") else {
        return String::new();
    };
    let (cause, _) = message(cause);
    // What is left may be the command.
    if cause.contains("command '") {
        return String::new();
    }
    runtime_cause(cause).to_owned()
}

/// What stands before the output, and the output, which the kubelet writes as Go quotes it.
fn message(said: &str) -> (&str, String) {
    let Some((before, output)) = said.split_once(", message: ") else {
        return (said, String::new());
    };
    let output = output.trim().trim_matches('"').replace("\\n", "\n");
    (before, output.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "Exec lifecycle hook ([sh -c until pg_isready; do sleep 0.2; done\npsql]) for Container \"postgres\" in Pod \"em-db-0_h-e(572f7a8d)\" failed - error: command 'sh -c until pg_isready; do sleep 0.2; done\npsql' exited with ";

    #[test]
    fn the_end_of_a_hook_is_told_and_never_its_command() {
        let cases = [
            ("137: ,", "its postStart hook failed with exit code 137"),
            (
                "137: , message: \"\"",
                "its postStart hook failed with exit code 137",
            ),
            (
                "9: hook broke\n, message: \"hook broke\\n\"",
                "its postStart hook failed with exit code 9: hook broke",
            ),
            (
                "9: , message: \"on its output: a\\nb\\n\"",
                "its postStart hook failed with exit code 9: on its output: a\nb",
            ),
        ];
        for (end, expected) in cases {
            assert_eq!(failed("postStart", &format!("{START}{end}")), expected);
        }
        let asked = "HTTP lifecycle hook (/up) for Container \"c\" in Pod \"p_n(1)\" failed - error: Get \"http://10.1.2.3/up\": EOF, message: \"\"";
        assert_eq!(
            failed("postStart", asked),
            "its postStart hook failed: Get \"http://10.1.2.3/up\": EOF"
        );
        let unknown = "Exec lifecycle hook ([a]) for Container \"c\" in Pod \"p_n(1)\" failed - error: command 'a' timed out";
        for said in [unknown, "PostStartHook failed", ""] {
            assert_eq!(failed("postStart", said), "its postStart hook failed");
        }
    }
}
