//! What helps developers beside the application. The schema keeps it to `local`.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::api::{self, AppStackSpec, EmailTls, Environment};
use crate::model::inputs::{Inputs, external_database};
use crate::model::names::Names;
use crate::model::stack::{Adminer, Email, SMTP_PORT, Tools};
use crate::settings::ClusterSettings;

/// The sender of mails that are caught, where nobody says one: checks of addresses refuse `.localhost` and the like.
const SENDER: &str = "noreply@example.com";

/// The tools of a spec; `generated` are the values that the operator makes.
pub(super) fn check(
    spec: &AppStackSpec,
    generated: &BTreeMap<String, SecretString>,
    inputs: &Inputs,
    settings: &ClusterSettings,
) -> Tools {
    let adminer = (has_adminer(spec) && !lacks_volume(spec, inputs)).then(|| Adminer {
        image: settings.adminer_image.clone(),
        access: asked(spec).adminer_access.unwrap_or_default(),
        password: generated
            .get(Adminer::PASSWORD)
            .cloned()
            .unwrap_or_default(),
    });
    Tools {
        adminer,
        mail: catches_mail(spec).then(|| settings.mailpit_image.clone()),
    }
}

/// Whether the embedded database has yet to get its volume: the pod of Adminer knows on which one it made its role, and would start twice.
/// Without a cluster there is none to wait for.
fn lacks_volume(spec: &AppStackSpec, inputs: &Inputs) -> bool {
    let is_embedded = external_database(spec).is_none();
    is_embedded && inputs.volume.is_none() && inputs.now.is_some()
}

/// Whether the database is shown.
pub(super) fn has_adminer(spec: &AppStackSpec) -> bool {
    asked(spec).adminer.unwrap_or_else(|| is_local(spec))
}

/// Where the application sends mail that is caught.
pub(super) fn caught(spec: &AppStackSpec, names: &Names) -> Option<Email> {
    catches_mail(spec).then(|| Email {
        host: names.mail().into(),
        port: SMTP_PORT,
        tls: EmailTls::None,
        from: SENDER.into(),
    })
}

fn catches_mail(spec: &AppStackSpec) -> bool {
    let default = || is_local(spec) && spec.email.is_none();
    asked(spec).mail.unwrap_or_else(default)
}

fn is_local(spec: &AppStackSpec) -> bool {
    spec.environment == Environment::Local
}

fn asked(spec: &AppStackSpec) -> api::Tools {
    spec.tools.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::fixtures;

    /// Whether a stack with these fields has Adminer and Mailpit, and the mail server of its application.
    fn tools(fields: &str) -> (bool, bool, Option<String>) {
        let stack = fixtures::stack(&fixtures::app(fields));
        let (adminer, mail) = (&stack.tools.adminer, &stack.tools.mail);
        let server = stack.email.map(|it| it.host);
        (adminer.is_some(), mail.is_some(), server)
    }

    #[test]
    fn a_local_stack_has_them_unless_it_says_otherwise() {
        let caught = Some("shop-mail".to_owned());
        let own = Some("smtp.example.com".to_owned());
        let email = "email: {host: smtp.example.com, from: a@example.com}";
        for (fields, wanted) in [
            ("environment: local".to_owned(), (true, true, caught)),
            (
                "environment: production, edge: {tls: {selfSigned: {}}}".into(),
                (false, false, None),
            ),
            (
                "environment: local, tools: {adminer: false, mail: false}".into(),
                (false, false, None),
            ),
            (
                format!("environment: local, {email}"),
                (true, false, own.clone()),
            ),
            (
                format!("environment: local, {email}, tools: {{mail: true}}"),
                (true, true, own),
            ),
        ] {
            assert_eq!(tools(&fields), wanted, "{fields}");
        }
    }
}
