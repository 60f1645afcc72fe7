//! The gates of what may be observed.

use super::*;
use crate::model::observed::Printed;

/// Three pods, all new and available.
fn complete() -> Workload {
    Workload {
        standing: Standing::OnTrial,
        seen: true,
        wanted: 3,
        updated: 3,
        available: 3,
        total: 3,
        ..Workload::default()
    }
}

fn check(workload: Workload, expected: Option<Reason>) {
    let found = match judge(&[Observed::Workload(workload)], None) {
        Gate::Open => None,
        Gate::Waiting { reason, .. } | Gate::Failed { reason, .. } => Some(reason),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_complete_workload_opens_the_gate() {
    check(complete(), None);
}

#[test]
fn new_pods_must_stay_ready_for_the_soak_and_old_ones_need_not() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let workload = || {
        let workload = Workload {
            ready_since: Some(at(100)),
            ..complete()
        };
        [Observed::Workload(workload)]
    };
    let trial = |second| Trial {
        soak: Duration::from_secs(30),
        now: at(second),
    };
    let Gate::Waiting { reason, until, .. } = judge(&workload(), Some(&trial(129))) else {
        panic!("the gate is not waiting");
    };
    assert_eq!((reason, until), (Reason::Soaking, Some(at(130))));
    assert_eq!(judge(&workload(), Some(&trial(130))), Gate::Open);
    assert_eq!(judge(&workload(), None), Gate::Open);
    // Nor need those that another new workload is beside.
    let old = Workload {
        standing: Standing::Known,
        ends: 7,
        ..complete()
    };
    assert_eq!(
        judge(&[Observed::Workload(old)], Some(&trial(1))),
        Gate::Open
    );
}

#[test]
fn a_container_of_a_new_release_may_end_twice_and_of_the_first_one_too_unless_it_is_well_then() {
    let judged = |standing, ends, available| {
        let workload = Workload {
            standing,
            ends,
            available,
            ready_since: Some(Timestamp::UNIX_EPOCH),
            trouble: Some(Trouble::new(
                "p".into(),
                "c".into(),
                Cause::OutOfMemory,
                "it was killed".into(),
            )),
            ..complete()
        };
        let trial = Trial {
            soak: Duration::ZERO,
            now: Timestamp::UNIX_EPOCH,
        };
        match judge(&[Observed::Workload(workload)], Some(&trial)) {
            Gate::Failed { reason, .. } => Some(reason),
            Gate::Open | Gate::Waiting { .. } => None,
        }
    };
    let failed = Some(Reason::OutOfMemory);
    assert_eq!(judged(Standing::OnTrial, 2, 3), None);
    assert_eq!(judged(Standing::OnTrial, 3, 3), failed);
    assert_eq!(judged(Standing::First, 2, 0), None);
    assert_eq!(judged(Standing::First, 3, 0), failed);
    assert_eq!(judged(Standing::First, 3, 3), None);
    assert_eq!(judged(Standing::Known, 3, 0), None);
}

#[test]
fn a_new_pod_that_is_counted_but_not_ready_is_waited_for() {
    let trial = Trial {
        soak: Duration::ZERO,
        now: Timestamp::UNIX_EPOCH,
    };
    let judged = |workload| judge(&[Observed::Workload(workload)], Some(&trial));
    assert!(judged(complete()).is_shut());
    let none = Workload {
        standing: Standing::OnTrial,
        seen: true,
        ..Workload::default()
    };
    assert_eq!(judged(none), Gate::Open);
}

#[test]
fn only_an_old_pod_that_is_not_ready_is_in_the_way_once_the_correction_was_seen() {
    let old = |name: &str, ready| OldPod {
        name: name.into(),
        uid: name.into(),
        ready,
    };
    let names = |workload: Workload| -> Vec<String> {
        let observed = [Observed::Nothing, Observed::Workload(workload)];
        stuck(&observed).map(|it| it.name.clone()).collect()
    };
    let workload = || Workload {
        old: vec![old("well", true), old("broken", false)],
        ..complete()
    };
    assert_eq!(names(workload()), ["broken"]);
    let unseen = Workload {
        seen: false,
        ..workload()
    };
    assert_eq!(names(unseen), [""; 0]);
    let unwanted = Workload {
        wanted: 0,
        ..workload()
    };
    assert_eq!(names(unwanted), [""; 0]);
}

#[test]
fn no_pods_at_all_open_the_gate_when_none_are_wanted() {
    check(
        Workload {
            seen: true,
            ..Workload::default()
        },
        None,
    );
}

#[test]
fn pods_that_are_not_wanted_are_waited_for_until_they_are_gone() {
    let ending = Workload {
        seen: true,
        total: 1,
        ..Workload::default()
    };
    check(ending, Some(Reason::ReplicasOutdated));
}

#[test]
fn a_change_that_was_not_seen_waits_though_all_old_pods_are_available() {
    check(
        Workload {
            seen: false,
            ..complete()
        },
        Some(Reason::SpecNotSeenYet),
    );
}

#[test]
fn a_backend_with_an_old_pod_is_waiting() {
    check(
        Workload {
            updated: 2,
            ..complete()
        },
        Some(Reason::ReplicasOutdated),
    );
    check(
        Workload {
            total: 4,
            ..complete()
        },
        Some(Reason::ReplicasOutdated),
    );
}

#[test]
fn a_pod_that_is_not_available_is_waited_for() {
    check(
        Workload {
            available: 2,
            ..complete()
        },
        Some(Reason::ReplicasPending),
    );
}

#[test]
fn a_deadline_that_passed_fails_the_stage_and_tells_the_pods_trouble() {
    let trouble = Trouble {
        pod: "p".into(),
        container: "c".into(),
        cause: Cause::Image,
        message: "cannot pull a/b:1".into(),
        printed: None,
    };
    let late = Workload {
        late: true,
        available: 0,
        trouble: Some(trouble),
        ..complete()
    };
    let Gate::Failed { reason, message } = judge(&[Observed::Workload(late)], None) else {
        panic!("the gate is not failed");
    };
    assert_eq!(reason, Reason::ProgressDeadlineExceeded);
    assert!(message.contains("cannot pull a/b:1"), "{message}");
}

/// What is said of a container that the kubelet refuses so.
fn refused_as_root(container: &str, said: &str) -> String {
    describe(&Trouble::new(
        "p".into(),
        container.into(),
        Cause::Root,
        said.into(),
    ))
}

#[test]
fn an_image_whose_user_has_a_name_is_told_to_name_the_number() {
    const SAID: &str = "container has runAsNonRoot and image has non-numeric user (node), cannot verify user is non-root";
    for (container, field) in [
        ("backend", "backend.runAsUser: 1000"),
        ("migration", "backend.runAsUser: 1000"),
        ("head", "backend.runAsUser: 1000"),
        ("seed", "backend.runAsUser: 1000"),
        ("frontend", "frontend.runAsUser: 1000"),
        ("assets", "frontend.runAsUser: 1000"),
        ("assets-2", "frontend.runAsUser: 1000"),
        (
            "proxy",
            "podTemplate: {spec: {containers: [{name: proxy, securityContext: {runAsUser: 1000}}]}}",
        ),
    ] {
        let said = refused_as_root(container, SAID);
        let fix = format!("such as {field}, or give the image a numeric USER");
        assert!(said.ends_with(&fix), "{said}");
        assert!(!said.contains("runAsNonRoot: false"), "{said}");
    }
}

#[test]
fn who_is_root_by_the_pod_template_is_sent_there() {
    let said = refused_as_root(
        "backend",
        "container's runAsUser breaks non-root policy (pod: \"p\", container: backend)",
    );
    assert!(
        said.ends_with(
            "; podTemplate names root: name another user there, or allow it: podTemplate: {spec: {securityContext: {runAsNonRoot: false}}}"
        ),
        "{said}"
    );
}

#[test]
fn an_image_that_runs_as_root_is_told_with_the_lines_that_allow_it() {
    let trouble = Trouble {
        pod: "p".into(),
        container: "frontend".into(),
        cause: Cause::Root,
        message: "image will run as root".into(),
        printed: None,
    };
    let Gate::Waiting {
        reason, message, ..
    } = judge(
        &[Observed::Workload(Workload {
            available: 0,
            trouble: Some(trouble),
            ..complete()
        })],
        None,
    )
    else {
        panic!("the gate is not waiting");
    };
    assert_eq!(reason, Reason::ImageRunsAsRoot);
    assert!(
        message.ends_with(
            "; give the image a numeric USER, or name the user: frontend.runAsUser: 1000, or allow it: podTemplate: {spec: {securityContext: {runAsNonRoot: false}}}"
        ),
        "{message}"
    );
}

#[test]
fn a_failed_job_says_how_it_ended_and_shows_its_log() {
    let run = JobRun {
        ended: Some("container migrate ended with exit code 1".into()),
        state: JobState::Failed,
        failed: 3,
        attempts: 3,
        printed: Some(Printed {
            telling: "ValueError: no such column".into(),
            others: "INFO migrating".into(),
        }),
        ..JobRun::default()
    };
    let Gate::Failed { message, .. } = judge(&[Observed::Job(run)], None) else {
        panic!("the gate is not failed");
    };
    assert_eq!(
        message,
        "it failed 3 time(s) and is not repeated until something changes: container migrate ended with exit code 1; it said: ValueError: no such column; its last lines: INFO migrating"
    );
}

#[test]
fn a_job_whose_pods_may_not_be_made_says_so() {
    let run = JobRun {
        trouble: Some(Trouble::refused("must specify limits.cpu for: make".into())),
        ..JobRun::done(None)
    };
    let waits = JobRun {
        state: JobState::Running,
        ..run.clone()
    };
    let refused = "pods cannot be made: must specify limits.cpu for: make";
    assert_eq!(
        judge(&[Observed::Job(waits)], None),
        waiting(Reason::PodsRefused, refused)
    );
    let late = JobRun {
        state: JobState::Late,
        ..run
    };
    let Gate::Failed { message, .. } = judge(&[Observed::Job(late)], None) else {
        panic!("the gate is not failed");
    };
    assert_eq!(message, format!("it ran longer than it may: {refused}"));
}

#[test]
fn a_question_to_a_database_says_what_came_back_also_while_it_is_asked_on() {
    let judged = |state, said: Option<&str>| {
        let run = JobRun {
            state,
            asks: true,
            told: said.map(str::to_owned),
            ..JobRun::done(None)
        };
        judge(&[Observed::Job(run)], None)
    };
    let said = Some("Secret goods, host and port: nobody answers");
    let reason = Reason::DatabaseUnreachable;
    assert_eq!(
        judged(JobState::Running, said),
        waiting(
            reason,
            "the external database is asked until it lets the application in: Secret goods, host and port: nobody answers"
        )
    );
    for state in [JobState::Failed, JobState::Late] {
        let message = "the external database does not let the application in, and is not asked again until something changes: Secret goods, host and port: nobody answers".into();
        assert_eq!(judged(state, said), Gate::Failed { reason, message });
    }
    assert_eq!(judged(JobState::Done, said), Gate::Open);
    assert_eq!(
        judged(JobState::Running, None),
        waiting(Reason::JobRunning, "it runs")
    );
}

#[test]
fn the_worst_object_makes_the_gate() {
    let open = || Gate::Open;
    let wait = || waiting(Reason::JobRunning, "w");
    let fail = || Gate::Failed {
        reason: Reason::JobFailed,
        message: "f".into(),
    };
    assert_eq!(open().worst(wait()), wait());
    assert_eq!(wait().worst(fail()), fail());
    assert_eq!(fail().worst(wait()), fail());
    assert_eq!(wait().worst(open()), wait());
}

#[test]
fn trouble_with_assets_says_how_to_do_without_or_what_the_path_must_be() {
    let says = |container: &str, cause| {
        let trouble = Trouble {
            pod: "p".into(),
            container: container.into(),
            cause,
            message: "it cannot".into(),
            printed: None,
        };
        describe(&trouble)
    };
    for cause in [Cause::Image, Cause::Crashing] {
        assert!(says("assets-1", cause).contains("frontend.assets.releases: 0"));
    }
    assert!(says("assets", Cause::Crashing).contains("frontend.assets.path must be a folder"));
    assert_eq!(says("assets", Cause::Image), "pod p: it cannot");
    assert_eq!(says("frontend", Cause::Crashing), "pod p: it cannot");
}

#[test]
fn what_was_known_is_told_when_the_deadline_has_passed() {
    let late = |refused: Option<&str>| {
        let workload = Workload {
            available: 0,
            late: true,
            refused: refused.map(str::to_owned),
            ..complete()
        };
        let Gate::Failed { message, .. } = judge(&[Observed::Workload(workload)], None) else {
            panic!("it has not failed");
        };
        message
    };
    let bare = "the new pods did not become ready within rollout.progressDeadline";
    assert_eq!(late(None), bare);
    assert_eq!(
        late(Some("exceeded quota: pods=1")),
        format!("{bare}; pods cannot be made: exceeded quota: pods=1")
    );
}

#[test]
fn how_a_container_ended_is_told_also_when_it_runs_again() {
    let ended = Trouble::new("p".into(), "c".into(), Cause::Probe, "it was killed".into());
    let workload = Workload {
        ends: 3,
        ended: Some(ended),
        ..complete()
    };
    let trial = Trial {
        soak: Duration::ZERO,
        now: Timestamp::UNIX_EPOCH,
    };
    let gate = judge(&[Observed::Workload(workload)], Some(&trial));
    let message = "pod p: it was killed".to_owned();
    let reason = Reason::ProbeFailing;
    assert_eq!(gate, Gate::Failed { reason, message });
}
