//! The verdicts on what may come back.

use super::*;
use crate::api::HostStep;
use crate::model::stack::{CheckLimits, STEADY};

/// Of pods, for which one good answer will do.
const PODS: CheckLimits = CheckLimits {
    timeout: Duration::from_mins(1),
    steady: Duration::ZERO,
};
const EDGE: CheckLimits = CheckLimits {
    steady: STEADY,
    ..PODS
};

fn bad() -> Answer {
    Answer::Application {
        status: 500,
        said: "no such column".into(),
    }
}

fn away() -> Answer {
    Answer::Infrastructure {
        step: HostStep::Connection,
        status: None,
        why: "connection refused".into(),
    }
}

/// What the answers come to, each with the second at which it was judged, and what is remembered then.
fn all(answers: Vec<(i64, Answer)>, patience: CheckLimits) -> (Tries, Vec<Verdict>) {
    let mut tries = None;
    let mut verdicts = Vec::new();
    for (second, answer) in answers {
        let (after, verdict) = judge(tries, answer, at(second), patience);
        tries = Some(after);
        verdicts.push(verdict);
    }
    (tries.unwrap(), verdicts)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// The words of verdicts: passed, again, or the reason.
fn words(answers: Vec<(i64, Answer)>, patience: CheckLimits) -> Vec<&'static str> {
    let (_, verdicts) = all(answers, patience);
    let word = |it: &Verdict| match it {
        Verdict::Passed => "passed",
        Verdict::Holding { .. } => "holding",
        Verdict::Again { .. } => "again",
        Verdict::Failed { reason, .. } => reason.as_str(),
    };
    verdicts.iter().map(word).collect()
}

#[test]
fn a_good_answer_passes_at_once_and_after_any_trouble() {
    assert_eq!(words(vec![(0, Answer::Good)], PODS), ["passed"]);
    let late = vec![(0, bad()), (1, away()), (2, bad()), (300, Answer::Good)];
    assert_eq!(words(late, PODS), ["again", "again", "again", "passed"]);
}

#[test]
fn the_third_bad_answer_in_a_row_fails() {
    let answers = vec![(0, bad()), (1, bad()), (2, bad())];
    assert_eq!(
        words(answers.clone(), PODS),
        ["again", "again", "PublicCheckFailed"]
    );
    let (_, verdicts) = all(answers, PODS);
    let Some(Verdict::Failed { message, .. }) = verdicts.last() else {
        panic!("it did not fail");
    };
    assert!(message.contains("500: no such column"), "{message}");
}

#[test]
fn a_good_answer_ends_the_row() {
    let answers = vec![
        (0, bad()),
        (1, bad()),
        (2, Answer::Good),
        (3, bad()),
        (4, bad()),
    ];
    assert_eq!(
        words(answers, PODS),
        ["again", "again", "passed", "again", "again"]
    );
}

#[test]
fn trouble_on_the_way_neither_counts_nor_ends_the_row() {
    let answers = vec![
        (0, bad()),
        (1, away()),
        (2, bad()),
        (3, away()),
        (4, away()),
        (5, bad()),
    ];
    assert_eq!(words(answers, PODS).last(), Some(&"PublicCheckFailed"));
}

#[test]
fn trouble_on_the_way_fails_when_its_time_is_over() {
    let answers = vec![(0, away()), (30, away()), (59, away()), (60, away())];
    assert_eq!(
        words(answers.clone(), PODS),
        ["again", "again", "again", "PublicCheckUnreachable"]
    );
    let (_, verdicts) = all(answers, PODS);
    let message = "the application was not reached within 60s: connection refused";
    assert_eq!(
        verdicts.last(),
        Some(&Verdict::Failed {
            reason: Reason::PublicCheckUnreachable,
            message: message.into()
        })
    );
}

#[test]
fn trouble_after_all_was_well_has_its_time_anew() {
    let answers = vec![(0, Answer::Good), (90, Answer::Good), (91, away())];
    assert_eq!(words(answers, PODS), ["passed", "passed", "again"]);
}

#[test]
fn a_bad_answer_is_not_the_fault_of_the_way_however_late_it_comes() {
    let answers = vec![(0, away()), (61, bad()), (62, bad()), (63, bad())];
    assert_eq!(
        words(answers, PODS),
        ["again", "again", "again", "PublicCheckFailed"]
    );
}

#[test]
fn a_clock_that_was_set_back_only_costs_time() {
    assert_eq!(
        words(vec![(100, away()), (0, away())], PODS),
        ["again", "again"]
    );
}

#[test]
fn one_good_answer_is_not_enough_where_it_must_last() {
    let good = |seconds: &[i64]| -> Vec<_> {
        let seconds = seconds.iter();
        seconds.map(|it| (*it, Answer::Good)).collect()
    };
    assert_eq!(
        words(good(&[0, 1, 4, 5, 6]), EDGE),
        ["holding", "holding", "holding", "passed", "passed"]
    );
    // Whatever interrupts it, it begins anew.
    let interrupted = [good(&[0, 4]), vec![(5, away())], good(&[6, 10, 11])].concat();
    assert_eq!(
        words(interrupted, EDGE),
        [
            "holding", "holding", "again", "holding", "holding", "passed"
        ]
    );
}

#[test]
fn bad_answers_between_good_ones_that_do_not_last_are_a_row() {
    let fickle = vec![
        (0, bad()),
        (1, Answer::Good),
        (2, bad()),
        (3, Answer::Good),
        (4, bad()),
    ];
    assert_eq!(words(fickle, EDGE).last(), Some(&"PublicCheckFailed"));
    let settled = vec![
        (0, bad()),
        (1, bad()),
        (2, Answer::Good),
        (7, Answer::Good),
        (8, bad()),
    ];
    assert_eq!(
        words(settled, EDGE),
        ["again", "again", "holding", "passed", "again"]
    );
}

fn key_of<'a>(release: &'a ReleaseHash, stage: StageName, attempt: &'a Attempt) -> CheckKey<'a> {
    CheckKey {
        stack: "ns/shop",
        stage,
        release,
        attempt,
    }
}

#[test]
fn a_release_is_asked_once_a_second_and_another_one_begins_anew() {
    let checks = PublicChecks::default();
    let attempt = Attempt::default();
    let key = |release| key_of(release, StageName::Edge, &attempt);
    let ask = |release, second| checks.judge(&key(release), bad(), at(second), EDGE);
    let (one, two) = ("one".into(), "two".into());
    ask(&one, 0);
    assert!(checks.recent(&key(&one), at(0)).is_some());
    assert!(checks.recent(&key(&one), at(1)).is_none());
    assert!(checks.recent(&key(&two), at(0)).is_none());
    ask(&one, 1);
    assert!(matches!(ask(&two, 2).0, Verdict::Again { .. }));
    ask(&two, 3);
    assert!(matches!(ask(&two, 4).0, Verdict::Failed { .. }));
    checks.forget("ns/shop");
    assert!(matches!(ask(&two, 5).0, Verdict::Again { .. }));
}

#[test]
fn trouble_on_the_way_is_asked_about_soon_and_then_once_a_second() {
    let due = |answers: Vec<(i64, Answer)>| {
        let (tries, _) = all(answers, EDGE);
        tries.due().duration_since(tries.last).as_millis()
    };
    assert_eq!(due(vec![(0, away())]), 200);
    assert_eq!(due(vec![(0, away()), (1, away())]), 500);
    assert_eq!(due(vec![(0, away()), (9, away())]), 1000);
    // What the application answers is never asked about sooner.
    assert_eq!(due(vec![(0, bad())]), 1000);
    assert_eq!(due(vec![(0, Answer::Good)]), 1000);
    assert_eq!(due(vec![(0, bad()), (0, away())]), 1000);
}

#[test]
fn a_stage_is_remembered_while_another_one_is_asked_and_another_try_is_not() {
    let checks = PublicChecks::default();
    let (first, second) = (
        Attempt::default(),
        Attempt {
            request: Some("again".into()),
            ..Attempt::default()
        },
    );
    let one = "one".into();
    let ask = |stage, attempt, second, patience| {
        let key = key_of(&one, stage, attempt);
        checks.judge(&key, Answer::Good, at(second), patience).0
    };
    let holding = Verdict::Holding { steady: STEADY };
    assert_eq!(ask(StageName::Edge, &first, 0, EDGE), holding);
    assert_eq!(ask(StageName::Backend, &first, 3, PODS), Verdict::Passed);
    assert_eq!(ask(StageName::Edge, &first, 5, EDGE), Verdict::Passed);
    assert_eq!(ask(StageName::Edge, &second, 9, EDGE), holding);
}

#[test]
fn the_first_and_the_last_try_are_remembered() {
    let (tries, _) = all(vec![(0, away()), (7, bad())], EDGE);
    let expected = Tries {
        since: at(0),
        good_since: None,
        application: 1,
        last: at(7),
    };
    assert_eq!(tries, expected);
}

#[test]
fn what_was_remarked_is_said_until_the_next_answer_and_of_a_release_that_was_not_reached_nothing() {
    let checks = PublicChecks::default();
    let (one, two) = ("one".into(), "two".into());
    let attempt = Attempt::default();
    let key = key_of(&one, StageName::Edge, &attempt);
    checks.remark(&key, "before any answer".into());
    assert_eq!(checks.caveat(&key), None);
    checks.judge(&key, Answer::Good, at(0), PODS);
    checks.remark(&key, "403".into());
    assert_eq!(checks.caveat(&key).as_deref(), Some("403"));
    assert_eq!(
        checks.caveat(&key_of(&two, StageName::Edge, &attempt)),
        None
    );
    checks.judge(&key, Answer::Good, at(1), PODS);
    assert_eq!(checks.caveat(&key), None);
    for second in [2, 100] {
        checks.judge(&key, away(), at(second), PODS);
    }
    checks.remark(&key, "403".into());
    assert_eq!(checks.caveat(&key), None);
}
