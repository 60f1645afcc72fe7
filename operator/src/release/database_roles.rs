//! Which of the roles that the application logs in as are there, and which are to go.
//!
//! Invariant: pure. A role that a Job made again is another one than before, so that an old revocation never takes it.

use crate::model::fact::Login;
use crate::model::identity::VolumeUid;
use crate::model::inputs::Records;
use crate::model::stack::Stack;

/// How far a revocation came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It goes on, or has failed.
    Pending {
        /// The names of the roles.
        roles: String,
        /// Why they are there still, where something went wrong.
        trouble: Option<String>,
    },
    /// The roles are gone.
    Done {
        /// The names of the roles.
        roles: String,
        /// How many sessions were ended for it.
        ended: u64,
    },
}

/// Whether a role was made on a volume, and is not on its way out.
#[must_use]
pub fn is_there(records: &Records, role: &str, volume: Option<&VolumeUid>) -> bool {
    let mut made = records.roles.iter();
    made.any(|it| it.role == role && it.volume.as_ref() == volume && !is_outgoing(records, it))
}

/// Which Jobs made the roles of a name that are on their way out.
#[must_use]
pub fn outgoing(records: &Records, role: &str) -> Vec<String> {
    let outgoing = records.revocations.iter().flatten();
    outgoing
        .filter(|it| it.role == role)
        .map(|it| it.made_by.clone())
        .collect()
}

/// The names of the roles that were made on a volume, those that are on their way out among them.
#[must_use]
pub fn made(records: &Records, volume: Option<&VolumeUid>) -> Vec<String> {
    let of_volume = records
        .roles
        .iter()
        .filter(|it| it.volume.as_ref() == volume);
    of_volume.map(|it| it.role.clone()).collect()
}

/// The roles of the stack's volume that none of `needed` logs in as and that are not on their way out yet. A kept release
/// gets its role back when it is restored, so it needs none until then.
#[must_use]
pub fn unneeded(records: &Records, volume: Option<&VolumeUid>, needed: &[&Stack]) -> Vec<Login> {
    let is_needed = |login: &Login| {
        let mut users = needed.iter().map(|it| &it.database.connection.user);
        users.any(|it| *it == login.role)
    };
    let of_volume = records
        .roles
        .iter()
        .filter(|it| it.volume.as_ref() == volume);
    of_volume
        .filter(|it| !is_needed(it) && !is_outgoing(records, it))
        .cloned()
        .collect()
}

/// The names of roles, for people.
#[must_use]
pub fn names(logins: &[Login]) -> String {
    let names: Vec<&str> = logins.iter().map(|it| it.role.as_str()).collect();
    names.join(", ")
}

fn is_outgoing(records: &Records, login: &Login) -> bool {
    records.revocations.iter().flatten().any(|it| it == login)
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::fixtures;

    fn login(role: &str, volume: &str, made_by: &str) -> Login {
        Login {
            role: role.into(),
            volume: Some(volume.into()),
            made_by: made_by.into(),
        }
    }

    fn records(roles: &[Login], outgoing: &[Login]) -> Records {
        Records {
            roles: roles.into(),
            revocations: vec![outgoing.into()],
            ..Records::default()
        }
    }

    #[test]
    fn a_role_is_there_on_its_volume_until_it_is_on_its_way_out_and_again_when_it_was_made_again() {
        let is_there =
            |records: &Records, volume: &str| is_there(records, "a", Some(&volume.into()));
        let (first, second) = (login("a", "v", "1"), login("a", "v", "2"));
        let made = records(slice::from_ref(&first), &[]);
        assert!(is_there(&made, "v"));
        assert!(!is_there(&made, "another"));
        let going = records(slice::from_ref(&first), slice::from_ref(&first));
        assert!(!is_there(&going, "v"));
        assert_eq!(outgoing(&going, "a"), ["1"]);
        let again = records(&[first.clone(), second], &[first]);
        assert!(is_there(&again, "v"));
    }

    #[test]
    fn only_roles_of_the_volume_that_nobody_needs_and_that_do_not_go_already_are_to_go() {
        let stack = fixtures::stack(&fixtures::app(""));
        let used = login(&stack.database.connection.user, "v", "1");
        let (old, elsewhere, going) = (
            login("o", "v", "2"),
            login("o", "w", "3"),
            login("g", "v", "4"),
        );
        let all = [used, old.clone(), elsewhere, going.clone()];
        let unneeded = unneeded(&records(&all, &[going]), Some(&"v".into()), &[&stack]);
        assert_eq!(unneeded, [old]);
    }
}
