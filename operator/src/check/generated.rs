//! The values that are generated once and kept, and generated anew on request: what `<stack>-generated` is to hold.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{AppStack, annotation};
use crate::check::{given, tools};
use crate::model::inputs::{Inputs, ReleaseRecord, external_database};
use crate::model::names::Names;
use crate::model::secret::SecretData;
use crate::model::stack::{Adminer, value};
use crate::release::history;

/// The password of the embedded database's superuser. It is no value of the application's.
pub(super) const ADMIN_PASSWORD: &str = "POSTGRES_ADMIN_PASSWORD";

/// A value that is generated anew on request.
struct Rotation {
    /// The value.
    value: &'static str,
    /// The annotation of the AppStack that asks for it.
    annotation: &'static str,
    /// Where `<stack>-generated` notes the last request, so that each is answered once.
    noted: &'static str,
}

const SECRET_KEY: Rotation = Rotation {
    value: value::SECRET_KEY,
    annotation: annotation::ROTATE_SECRET_KEY,
    noted: "SECRET_KEY_ROTATION",
};
const DATABASE_PASSWORD: Rotation = Rotation {
    value: value::DATABASE_PASSWORD,
    annotation: annotation::ROTATE_DATABASE_PASSWORD,
    noted: "POSTGRES_PASSWORD_ROTATION",
};

/// What was generated before, and generated values for what is not there or is asked for anew.
pub(super) fn values(
    app: &AppStack,
    names: &Names,
    inputs: &Inputs,
) -> BTreeMap<String, SecretString> {
    let random = &inputs.random;
    let embedded = external_database(&app.spec).is_none();
    let due: Vec<&str> = [SECRET_KEY, DATABASE_PASSWORD]
        .iter()
        .filter(|it| it.is_due(app, names, inputs))
        .map(|it| it.value)
        .collect();
    let notes = [SECRET_KEY, DATABASE_PASSWORD].map(|it| it.note(app, names, inputs));
    [
        (value::SECRET_KEY, &random.secret_key, true),
        (value::SUPERUSER_PASSWORD, &random.superuser_password, true),
        (
            value::DATABASE_PASSWORD,
            &random.database_password,
            embedded,
        ),
        (ADMIN_PASSWORD, &random.admin_password, embedded),
        (
            Adminer::PASSWORD,
            &random.adminer_password,
            embedded && tools::has_adminer(&app.spec),
        ),
    ]
    .into_iter()
    .filter(|(_, _, needed)| *needed)
    .map(|(key, random, _)| {
        let kept = generated_before(names, inputs, key).filter(|_| !due.contains(&key));
        (key.to_owned(), kept.unwrap_or(random).clone())
    })
    .chain(notes.into_iter().flatten())
    .collect()
}

/// Why a request for a new password of the database changes nothing, where there is one that was not heard before.
#[must_use]
pub fn unanswerable(app: &AppStack, inputs: &Inputs) -> Option<String> {
    let names = Names::of(&app.name_any());
    if !DATABASE_PASSWORD.is_due(app, &names, inputs) {
        return None;
    }
    let annotation = DATABASE_PASSWORD.annotation;
    if let Some(external) = external_database(&app.spec) {
        return Some(format!(
            "{annotation} changes nothing: the database is run elsewhere; give it a second role there, and name that in Secret {}",
            external.secret_name
        ));
    }
    let (secret, _) = given::value(&app.spec, &inputs.secrets, value::DATABASE_PASSWORD)?;
    Some(format!(
        "{annotation} changes nothing: {} is in Secret {secret}; change it there",
        value::DATABASE_PASSWORD
    ))
}

impl Rotation {
    /// Whether a value is to be generated anew. Where the Secret is gone, nobody knows which request was answered; the value
    /// comes back as it was.
    fn is_due(&self, app: &AppStack, names: &Names, inputs: &Inputs) -> bool {
        let answered = stored(names, inputs, self.noted);
        let annotation = app.annotations().get(self.annotation);
        inputs.secrets.contains_key(names.generated().as_str())
            && annotation.is_some_and(|it| answered.is_none_or(|done| done.expose_secret() != it))
    }

    fn note(
        &self,
        app: &AppStack,
        names: &Names,
        inputs: &Inputs,
    ) -> Option<(String, SecretString)> {
        let annotation = app.annotations().get(self.annotation);
        let annotation = annotation.map(|it| SecretString::from(it.as_str()));
        let noted = annotation.or_else(|| stored(names, inputs, self.noted).cloned())?;
        Some((self.noted.to_owned(), noted))
    }
}

/// A value that was generated before: as it is stored, or, where that was deleted, as it is used.
fn generated_before<'a>(names: &Names, inputs: &'a Inputs, key: &str) -> Option<&'a SecretString> {
    stored(names, inputs, key).or_else(|| {
        if key == ADMIN_PASSWORD {
            let admin = inputs.secrets.get(names.database_admin().as_str())?;
            return admin.get("password").filter(|it| is_something(it));
        }
        let (serving, values) = serving(names, inputs)?;
        // Another server's password is none of ours.
        let is_ours = key != value::DATABASE_PASSWORD || external_database(&serving.spec).is_none();
        values.get(key).filter(|_| is_ours)
    })
}

/// The release that serves, and the values that it reads.
pub(super) fn serving<'a>(
    names: &Names,
    inputs: &'a Inputs,
) -> Option<(&'a ReleaseRecord, &'a SecretData)> {
    let serving = history::serving(&inputs.records)?;
    Some((serving, inputs.values_of(names, serving)?))
}

/// A stored generated value; an emptied one counts as missing.
fn stored<'a>(names: &Names, inputs: &'a Inputs, key: &str) -> Option<&'a SecretString> {
    let stored = inputs.secrets.get(names.generated().as_str())?.get(key)?;
    is_something(stored).then_some(stored)
}

fn is_something(value: &SecretString) -> bool {
    !value.expose_secret().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::fixtures::{app, keep, stack_of};
    use crate::model::fact::Login;
    use crate::model::stack::Stack;
    use crate::settings::ClusterSettings;

    fn rotate(app: &mut AppStack, request: &str) {
        let annotation = (DATABASE_PASSWORD.annotation.to_owned(), request.to_owned());
        app.metadata.annotations = Some([annotation].into());
    }

    /// The role, its password and the superuser's.
    fn logins(stack: &Stack) -> (String, String, String) {
        let connection = &stack.database.connection;
        let admin = &stack.database.embedded.as_ref().unwrap().admin;
        let text = |value: &SecretString| value.expose_secret().to_owned();
        (
            connection.user.clone(),
            text(&connection.password),
            text(&admin.password),
        )
    }

    #[test]
    fn a_new_password_is_generated_once_for_each_request_and_is_another_role() {
        let mut app = app("");
        let mut inputs = Inputs::offline(&app);
        rotate(&mut app, "before anything was there");
        let first = stack_of(&app, &inputs);
        keep(&mut inputs, &first);
        inputs.random.database_password = "the second".into();
        inputs.random.admin_password = "another".into();
        assert_eq!(logins(&stack_of(&app, &inputs)), logins(&first));

        rotate(&mut app, "now");
        let second = stack_of(&app, &inputs);
        let (role, password, admin) = logins(&second);
        assert_eq!(password, "the second");
        assert_ne!(role, logins(&first).0);
        assert!(role.starts_with("app_"), "{role}");
        assert_eq!(admin, logins(&first).2);
        assert_ne!(second.release, first.release);
        assert_eq!(
            second.secrets.values[value::DATABASE_USER].expose_secret(),
            role
        );

        keep(&mut inputs, &second);
        inputs.random.database_password = "the third".into();
        assert_eq!(stack_of(&app, &inputs).release, second.release);
    }

    #[test]
    fn a_new_role_knows_those_that_are_recorded_and_the_one_that_serves() {
        let mut app = app("");
        let mut inputs = Inputs::offline(&app);
        let first = stack_of(&app, &inputs);
        keep(&mut inputs, &first);
        inputs.records.roles = vec![Login {
            role: "app_1".into(),
            volume: None,
            made_by: "job".into(),
        }];
        rotate(&mut app, "now");
        let role = stack_of(&app, &inputs).database.embedded.unwrap().role;
        let mut known = ["app_1".to_owned(), logins(&first).0];
        known.sort_unstable();
        assert_eq!(role.known, known);
        assert!(!role.done);
    }

    #[test]
    fn what_was_generated_comes_back_from_where_it_is_used() {
        let app = app("");
        let mut inputs = Inputs::offline(&app);
        let first = stack_of(&app, &inputs);
        keep(&mut inputs, &first);
        inputs.secrets.remove("shop-generated").unwrap();
        let (_, _, admin) = logins(&first);
        let values = [("password".to_owned(), admin.into())];
        inputs.secrets.insert("shop-db-admin".into(), values.into());
        inputs.random.database_password = "another".into();
        inputs.random.admin_password = "another".into();
        assert_eq!(logins(&stack_of(&app, &inputs)), logins(&first));

        // A lost password of the superuser makes no new release.
        inputs.secrets.remove("shop-db-admin").unwrap();
        let again = stack_of(&app, &inputs);
        assert_eq!(logins(&again).2, "another");
        assert_eq!(again.release, first.release);
    }

    #[test]
    fn a_password_of_the_users_own_is_a_role_of_its_own_and_must_not_be_empty() {
        let app = app("secrets: {from: [{name: own}]}");
        let mut inputs = Inputs::offline(&app);
        let mut with = |password: &str| {
            let own = [(value::DATABASE_PASSWORD.to_owned(), password.into())];
            inputs.secrets.insert("own".into(), own.into());
            check::stack(&app, &inputs, &ClusterSettings::default())
        };
        let (first, second) = (with("one").unwrap(), with("two").unwrap());
        assert_ne!(logins(&first).0, logins(&second).0);
        assert_eq!(logins(&first).1, "one");
        let empty = with("").unwrap_err().to_string();
        assert!(
            empty.contains("POSTGRES_PASSWORD of Secret own is empty"),
            "{empty}"
        );
    }

    #[test]
    fn a_request_that_changes_nothing_is_told_until_it_is_noted() {
        for (more, word) in [
            ("database: {external: {secretName: there}}", "run elsewhere"),
            ("secrets: {from: [{name: there}]}", "is in Secret there"),
        ] {
            let mut app = app(more);
            let mut inputs = Inputs::offline(&app);
            let own = (value::DATABASE_PASSWORD.to_owned(), "own".into());
            inputs
                .secrets
                .entry("there".into())
                .or_default()
                .extend([own]);
            let first = stack_of(&app, &inputs);
            keep(&mut inputs, &first);
            assert_eq!(unanswerable(&app, &inputs), None);
            rotate(&mut app, "now");
            let told = unanswerable(&app, &inputs).unwrap();
            assert!(told.contains(word), "{told}");
            let second = stack_of(&app, &inputs);
            assert_eq!(second.release, first.release);
            keep(&mut inputs, &second);
            assert_eq!(unanswerable(&app, &inputs), None);
        }
        let mut plain = app("");
        let mut inputs = Inputs::offline(&plain);
        let first = stack_of(&plain, &inputs);
        keep(&mut inputs, &first);
        rotate(&mut plain, "now");
        assert_eq!(unanswerable(&plain, &inputs), None);
    }
}
