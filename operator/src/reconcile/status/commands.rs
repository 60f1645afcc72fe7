//! Commands in messages: they hold the real names, so that nobody has to fill one in.
//!
//! Invariant: pure.

use crate::reconcile::status::Progress;

/// A value for an annotation that is another one each time.
pub(super) const NOW: &str = "\"$(date)\"";

/// The command that annotates the stack.
pub(super) fn annotate(progress: &Progress, key: &str, value: &str) -> String {
    of(&progress.stack, &progress.namespace, key, value)
}

/// The command that starts a run of a schedule, under a name that is another one each time.
pub(super) fn run_now(progress: &Progress, schedule: &str) -> String {
    let namespace = &progress.namespace;
    format!("kubectl create job {schedule}-$(date +%s) -n {namespace} --from=cronjob/{schedule}")
}

fn of(stack: &str, namespace: &str, key: &str, value: &str) -> String {
    format!("kubectl annotate aps {stack} -n {namespace} --overwrite {key}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::annotation;

    #[test]
    fn a_command_can_be_run_as_it_is() {
        assert_eq!(
            of("shop", "demo", annotation::APPROVE, "shop-6f9c2d01ab"),
            "kubectl annotate aps shop -n demo --overwrite appstack.dev/approve=shop-6f9c2d01ab"
        );
        assert_eq!(
            of("shop", "demo", annotation::RETRY, NOW),
            "kubectl annotate aps shop -n demo --overwrite appstack.dev/retry=\"$(date)\""
        );
    }
}
