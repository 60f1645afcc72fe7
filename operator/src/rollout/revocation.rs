//! Takes away the roles of the database that no release needs any more. It begins when a release is verified, and goes on
//! beside whatever comes then; nothing waits for it.

use jiff::Timestamp;

use crate::api::Reason;
use crate::build;
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::error::Result;
use crate::model::fact::{Hold, Holder, Login, Record};
use crate::model::inputs::Inputs;
use crate::model::names::Names;
use crate::model::object::Object;
use crate::model::observed::{Observed, Standing};
use crate::model::stack::Stack;
use crate::release::database_roles::{self, Revocation};
use crate::rollout::deadline::{self, JobLimits};
use crate::rollout::gates::{Gate, judge};
use crate::rollout::hold;

/// One step of a revocation, where there is one. `target` is the release that runs, `asked` the one that is asked for; only
/// `at_rest` is it known that no other one does.
///
/// # Errors
/// At the first request that fails.
pub async fn step(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    inputs: &Inputs,
    (target, requested): (&Stack, &Stack),
    at_rest: bool,
    current: &mut Option<Hold>,
    now: Timestamp,
) -> Result<Option<Revocation>> {
    // Where the database is run elsewhere by now, nobody reaches the volume that it had before.
    let embedded = target.database.embedded.as_ref();
    let volume = embedded.and(inputs.volume.as_ref());
    if let Some(logins) = inputs.records.revocations.first() {
        let is_lost = logins.iter().all(|it| it.volume.as_ref() != volume);
        return if is_lost && volume.is_some() {
            forget(writer, &target.names, logins).await?;
            Ok(None)
        } else {
            go_on(writer, observer, target, logins, current, now).await
        };
    }
    let logins = database_roles::unneeded(&inputs.records, volume, &[target, requested]);
    if !at_rest || logins.is_empty() {
        return Ok(None);
    }
    let pending = Revocation::Pending {
        roles: database_roles::names(&logins),
        trouble: None,
    };
    // From here on each of them counts as gone: who needs one makes it again.
    writer.record(&Record::Revocation { logins }, 1).await?;
    Ok(Some(pending))
}

/// Nothing can be asked of a database that sleeps or is run elsewhere.
async fn go_on(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    stack: &Stack,
    logins: &[Login],
    current: &mut Option<Hold>,
    now: Timestamp,
) -> Result<Option<Revocation>> {
    let embedded = stack.database.embedded.as_ref();
    let Some(embedded) = embedded.filter(|_| !stack.hibernates) else {
        return Ok(None);
    };
    let roles = database_roles::names(logins);
    let job = build::revocation(stack, embedded, logins);
    let hold = hold::of_job(&job, Holder::Revocation, &stack.release, now);
    // A release goes first.
    if current.as_ref().is_some_and(|it| it.job != hold.job) {
        return Ok(Some(Revocation::Pending {
            roles,
            trouble: None,
        }));
    }
    hold::take(writer, current, hold.clone()).await?;
    let job = Object::Job(Box::new(job));
    let applied = writer.apply([&job]).await?;
    let mut seen = observer.stage(&applied, |_| Standing::Known).await?;
    let limits = JobLimits {
        start: stack.rollout.progress_deadline,
        now,
    };
    deadline::enforce(writer, &mut seen, limits).await?;
    Ok(Some(match judge(&seen, None) {
        Gate::Open => {
            forget(writer, &stack.names, logins).await?;
            hold::release(writer, current, &hold).await?;
            let ended = seen.iter().find_map(ended).unwrap_or(0);
            Revocation::Done { roles, ended }
        }
        Gate::Waiting {
            reason: Reason::JobRunning,
            ..
        } => Revocation::Pending {
            roles,
            trouble: None,
        },
        Gate::Waiting { message, .. } | Gate::Failed { message, .. } => Revocation::Pending {
            roles,
            trouble: Some(message),
        },
    }))
}

fn ended(seen: &Observed) -> Option<u64> {
    seen.job()?.told.as_ref()?.parse().ok()
}

/// Forgets roles that are gone; that they are to go is forgotten last.
async fn forget(writer: &Writer<'_>, names: &Names, logins: &[Login]) -> Result<()> {
    for login in logins {
        writer.forget(&names.role_record(login)).await?;
    }
    writer.forget(&names.revocation(logins)).await
}
