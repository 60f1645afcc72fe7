//! Which changes of the status are worth an Event.
//!
//! Invariant: pure. An Event is made of a change, never of a state, so that a stack at rest makes none.

use jiff::Timestamp;
use k8s_controller::events::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::EventType;

use crate::api::{AppStackStatus, ConditionType, Reason, StageName};
use crate::model::stack::value;

/// Reasons for which a condition is False while all goes well.
const PROGRESS: [Reason; 14] = [
    Reason::CertificatePending,
    Reason::RoutePending,
    Reason::Hibernated,
    Reason::Soaking,
    Reason::WaitingForEarlierStage,
    Reason::SpecNotSeenYet,
    Reason::ReplicasOutdated,
    Reason::ReplicasPending,
    Reason::DataInUse,
    Reason::JobRunning,
    Reason::RollingOut,
    Reason::ImagesPending,
    Reason::PublicCheckPending,
    Reason::ValuesChanging,
];
/// Those of them that are told.
const ANNOUNCED: [Reason; 2] = [Reason::Hibernated, Reason::RollingOut];
/// What we tell of: the spec, the stages, the whole and the schedules. Reconciling and Stalled say the same once more.
const TOLD: [&str; 5] = [
    "Accepted",
    "AwaitingApproval",
    "Ready",
    "RolledBack",
    "SchedulesHealthy",
];

/// The Events of a change from one status to the next.
#[must_use]
pub fn of_change(before: Option<&AppStackStatus>, after: &AppStackStatus) -> Vec<Event> {
    let before = before
        .map(|it| it.conditions.as_slice())
        .unwrap_or_default();
    let old = |new: &Condition| before.iter().find(|it| it.type_ == new.type_);
    after
        .conditions
        .iter()
        .filter(|new| is_told(new))
        .filter(|new| {
            old(new).is_none_or(|old| (&old.status, &old.reason) != (&new.status, &new.reason))
        })
        .filter_map(event)
        .collect()
}

/// How many certificates were issued since, and how many tries failed.
#[must_use]
pub fn orders(before: Option<&AppStackStatus>, after: &AppStackStatus) -> (u64, u64) {
    let Some(now) = &after.certificate else {
        return (0, 0);
    };
    let before = before.and_then(|it| it.certificate.as_ref());
    let before = before.filter(|it| it.name == now.name);
    let (issued, failed) = before.map_or((0, 0), |it| (it.issued, it.failed));
    // One that was issued ends the row of those that failed.
    let more = |now: i64, before: i64| u64::try_from(now - before).unwrap_or_default();
    (more(now.issued, issued), more(now.failed, failed))
}

/// An Event for what does not stop a roll-out.
#[must_use]
pub fn warning(note: String) -> Event {
    Event {
        type_: EventType::Warning,
        reason: "Warning".into(),
        action: "Check".into(),
        note: Some(note),
        related: None,
    }
}

/// An Event for a volume claim that is gone, where a release served from it.
#[must_use]
pub fn claim_lost(name: &str) -> Event {
    Event {
        type_: EventType::Warning,
        reason: "ClaimLost".into(),
        action: "RollOut".into(),
        note: Some(format!(
            "claim {name}, which held the data of the release that serves, is not there any more: a new and empty one is made, on which role, migration and seed run"
        )),
        related: None,
    }
}

/// An Event for roles of the database that are gone, and for how many sessions were ended for it.
#[must_use]
pub fn revoked(roles: &str, ended: u64) -> Event {
    let (type_, reason, note) = match ended {
        0 => (
            EventType::Normal,
            "RoleRevoked",
            format!("database role {roles} is gone: nothing used it any more"),
        ),
        _ => (
            EventType::Warning,
            "SessionsEnded",
            format!(
                "database role {roles} is gone; {ended} session(s) that used it long after the release before was taken away were ended"
            ),
        ),
    };
    Event {
        type_,
        reason: reason.into(),
        action: "Revoke".into(),
        note: Some(note),
        related: None,
    }
}

/// An Event for a value that a release has changed, where that does less than people may think.
#[must_use]
pub fn changed_value(name: &str) -> Option<Event> {
    let (reason, note) = match name {
        value::SECRET_KEY => (
            "SecretKeyChanged",
            "SECRET_KEY has changed: sessions signed with the previous key hold only where the application reads SECRET_KEY_PREVIOUS",
        ),
        value::SUPERUSER_PASSWORD => (
            "SuperuserPasswordChanged",
            "FIRST_SUPERUSER_PASSWORD has changed: it is given to new pods; an account that is there already keeps its password",
        ),
        _ => return None,
    };
    Some(Event {
        type_: EventType::Normal,
        reason: reason.into(),
        action: "RollOut".into(),
        note: Some(note.into()),
        related: None,
    })
}

/// Stages whose gates opened, with the seconds that they took: from when their turn came, which is when the stage
/// before them was done, or when their own gate shut if that was later.
#[must_use]
pub fn opened(before: Option<&AppStackStatus>, after: &AppStackStatus) -> Vec<(&'static str, u64)> {
    let mut turn = Timestamp::MIN;
    let mut opened = Vec::new();
    for stage in StageName::ALL {
        let Some(new) = condition(Some(after), stage).filter(|it| it.status == "True") else {
            break;
        };
        let done = new.last_transition_time.0;
        if let Some(old) = condition(before, stage).filter(|it| it.status != "True") {
            let began = turn.max(old.last_transition_time.0);
            let took = done.duration_since(began).as_secs();
            opened.push((stage.as_str(), u64::try_from(took).unwrap_or(0)));
        }
        turn = turn.max(done);
    }
    opened
}

fn condition(status: Option<&AppStackStatus>, stage: StageName) -> Option<&Condition> {
    let type_ = stage.condition().as_str();
    status?.conditions.iter().find(|it| it.type_ == type_)
}

fn is_told(condition: &Condition) -> bool {
    let stage = StageName::ALL
        .iter()
        .any(|it| it.condition().as_str() == condition.type_);
    stage || TOLD.contains(&condition.type_.as_str())
}

fn event(condition: &Condition) -> Option<Event> {
    let holds = condition.status == "True";
    let good = holds && condition.type_ != ConditionType::RolledBack.as_str();
    let is_one_of = |reasons: &[Reason]| reasons.iter().any(|it| it.as_str() == condition.reason);
    let progress = is_one_of(&PROGRESS);
    let unneeded = is_one_of(&[Reason::NotNeeded, Reason::Valid]);
    if unneeded || (progress && !is_one_of(&ANNOUNCED)) {
        return None;
    }
    Some(Event {
        type_: if good || progress {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason: if holds {
            condition.type_.clone()
        } else {
            condition.reason.clone()
        },
        action: "RollOut".into(),
        note: Some(condition.message.clone()),
        related: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn status(type_: &str, status: &str, reason: Reason, second: i64) -> AppStackStatus {
        AppStackStatus {
            conditions: vec![Condition {
                type_: type_.into(),
                status: status.into(),
                reason: reason.as_str().into(),
                message: "m".into(),
                last_transition_time: Time(jiff::Timestamp::from_second(second).unwrap()),
                observed_generation: None,
            }],
            ..AppStackStatus::default()
        }
    }

    #[test]
    fn a_state_that_lasts_makes_no_event() {
        let failed = status("MigrationReady", "False", Reason::JobFailed, 1);
        assert_eq!(of_change(Some(&failed), &failed), []);
    }

    #[test]
    fn a_failure_makes_a_warning_with_its_reason() {
        let running = status("MigrationReady", "False", Reason::JobRunning, 1);
        let failed = status("MigrationReady", "False", Reason::JobFailed, 1);
        let events = of_change(Some(&running), &failed);
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].type_, events[0].reason.as_str()),
            (EventType::Warning, "JobFailed")
        );
    }

    #[test]
    fn a_rollback_makes_a_warning_and_its_end_makes_nothing() {
        let none = status("RolledBack", "False", Reason::NotNeeded, 1);
        let back = status("RolledBack", "True", Reason::ContainerCrashing, 1);
        let events = of_change(Some(&none), &back);
        assert_eq!(
            (events[0].type_, events[0].reason.as_str()),
            (EventType::Warning, "RolledBack")
        );
        assert_eq!(of_change(Some(&back), &none), []);
    }

    #[test]
    fn roles_that_are_gone_make_a_warning_only_where_sessions_were_ended() {
        let told = |ended| {
            let event = revoked("app_1", ended);
            (event.type_, event.reason, event.note.unwrap_or_default())
        };
        let (type_, reason, note) = told(0);
        assert_eq!((type_, &*reason), (EventType::Normal, "RoleRevoked"));
        assert!(note.contains("app_1"), "{note}");
        let (type_, reason, note) = told(3);
        assert_eq!((type_, &*reason), (EventType::Warning, "SessionsEnded"));
        assert!(note.contains("3 session(s)"), "{note}");
    }

    #[test]
    fn a_stage_took_the_time_since_the_one_before_it_was_done() {
        let all = |database: AppStackStatus, migration: AppStackStatus| AppStackStatus {
            conditions: [database.conditions, migration.conditions].concat(),
            ..AppStackStatus::default()
        };
        let one =
            |stage: &str, value: &str, second| status(stage, value, Reason::Available, second);
        let before = all(
            one("DatabaseReady", "True", 6),
            one("MigrationReady", "False", 0),
        );
        let after = all(
            one("DatabaseReady", "True", 6),
            one("MigrationReady", "True", 10),
        );
        assert_eq!(opened(Some(&before), &after), [("migration", 4)]);
        assert_eq!(opened(None, &after), []);
    }

    #[test]
    fn progress_of_a_stage_makes_no_event_and_its_end_makes_one() {
        let pending = status("BackendReady", "False", Reason::ReplicasPending, 1);
        let ready = status("BackendReady", "True", Reason::Available, 8);
        assert_eq!(of_change(None, &pending), []);
        let events = of_change(Some(&pending), &ready);
        assert_eq!(
            (events[0].type_, events[0].reason.as_str()),
            (EventType::Normal, "BackendReady")
        );
    }
}
