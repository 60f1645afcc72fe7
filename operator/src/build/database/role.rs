//! The roles that the application logs in as: a Job that makes one before anything of a release runs, and a Job that drops
//! those that nothing needs any more.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, PodTemplateSpec, ResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::StageName;
use crate::build::meta::Component;
use crate::build::workload::backend;
use crate::build::workload::job::Run;
use crate::build::workload::pod::{self, Pod};
use crate::build::{Stage, database};
use crate::model::child_name::ChildName;
use crate::model::fact::{Login, Record};
use crate::model::identity::DataId;
use crate::model::object::Object;
use crate::model::stack::{Embedded, Stack, value};

/// The container that prints how many sessions it ended.
pub const REVOKE: &str = "revoke";

/// What a script begins with that tells the server a password.
macro_rules! quiet {
    ($script:literal) => {
        concat!(
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/build/database/role/quiet.sh"
            )),
            include_str!($script)
        )
    };
}
pub(in crate::build) use quiet;

/// Makes a role, or sets it right.
const MAKE_SCRIPT: &str = quiet!("role/make.sh");
/// Drops roles once nobody uses them.
const REVOKE_SCRIPT: &str = include_str!("role/revoke.sh");
/// How long it may take to make a role.
const TIMEOUT: Duration = Duration::from_mins(5);
/// How often a failed attempt is repeated: enough for a database that is started again just now.
const RETRIES: i32 = 3;
/// How long a session of a role that nothing needs may go on.
const PATIENCE: Duration = Duration::from_mins(10);
/// Far more than a client of the database needs, and far less than the database has.
const LIMITS: [(&str, &str); 2] = [("cpu", "250m"), ("memory", "128Mi")];
/// The UID of the Job of a pod.
const MADE_BY: &str = "metadata.labels['batch.kubernetes.io/controller-uid']";

/// The stage that makes the role of the release.
pub(in crate::build) fn stage(stack: &Stack, embedded: &Embedded) -> Stage {
    let role = &stack.database.connection.user;
    let name = stack.names.role(role);
    if embedded.role.done {
        return Stage::new(StageName::Database, vec![Object::Finished(name)]);
    }
    let login = Login {
        role: role.clone(),
        volume: stack.data.as_ref().and_then(DataId::volume),
        made_by: String::new(),
    };
    Stage {
        record: Some(Record::Role(login)),
        ..Stage::new(
            StageName::Database,
            vec![Object::Job(Box::new(make(stack, embedded, &name)))],
        )
    }
}

fn make(stack: &Stack, embedded: &Embedded, name: &ChildName) -> Job {
    let values = stack.names.values(&stack.secrets.hash);
    let env = vec![
        pod::literal("LOGIN", &stack.database.connection.user),
        pod::from_secret("LOGIN_PASSWORD", values.as_str(), value::DATABASE_PASSWORD),
        pod::literal("KNOWN", &embedded.role.known.join(" ")),
        made_by(),
    ];
    let outgoing: Vec<&str> = embedded.role.outgoing.iter().map(String::as_str).collect();
    let run = Run {
        component: Component::Role,
        template: template(stack, embedded, "make", MAKE_SCRIPT, env),
        timeout: TIMEOUT,
        retries: RETRIES,
        reads: &outgoing,
    };
    run.job(stack, name)
}

/// The Job that drops roles. One that failed runs again for the next release.
#[must_use]
pub fn revocation(stack: &Stack, embedded: &Embedded, logins: &[Login]) -> Job {
    let roles: Vec<String> = logins
        .iter()
        .map(|it| format!("{}={}", it.role, it.made_by))
        .collect();
    let seconds = |time: Duration| time.as_secs().to_string();
    let env = vec![
        pod::literal("ROLES", &roles.join(" ")),
        pod::literal("QUIET", &backend::grace_seconds(stack).to_string()),
        pod::literal("PATIENCE", &seconds(PATIENCE)),
    ];
    let run = Run {
        component: Component::Role,
        template: template(stack, embedded, REVOKE, REVOKE_SCRIPT, env),
        timeout: PATIENCE + TIMEOUT,
        retries: RETRIES,
        reads: &[stack.release.as_str()],
    };
    run.job(stack, &stack.names.revocation(logins))
}

/// A pod that does something with the database as its superuser.
fn template(
    stack: &Stack,
    embedded: &Embedded,
    name: &str,
    script: &str,
    env: Vec<EnvVar>,
) -> PodTemplateSpec {
    let container = Container {
        name: name.into(),
        image: Some(embedded.image.clone()),
        command: Some(["sh", "-c", script].map(str::to_owned).into()),
        env: Some(admin(stack, embedded).into_iter().chain(env).collect()),
        resources: Some(resources(embedded)),
        ..Container::default()
    };
    let mut template = pod::template(
        stack,
        Pod {
            component: Component::Role,
            run_as_user: None,
            before: Vec::new(),
            container,
            volumes: Vec::new(),
            serving: false,
            template: None,
        },
    );
    if let Some(spec) = &mut template.spec {
        database::as_postgres(spec);
    }
    template
}

/// Little, and with limits where the database has them: then a quota may ask for them.
fn resources(embedded: &Embedded) -> ResourceRequirements {
    let limited = embedded.resources.limits.as_ref();
    let limits = LIMITS
        .into_iter()
        .filter(|(name, _)| limited.is_some_and(|it| it.contains_key(*name)))
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.into())));
    let limits: BTreeMap<_, _> = limits.collect();
    ResourceRequirements {
        limits: (!limits.is_empty()).then_some(limits),
        ..embedded.role.resources.clone()
    }
}

/// Where libpq finds the server, and whose everything in it is.
pub(in crate::build) fn admin(stack: &Stack, embedded: &Embedded) -> Vec<EnvVar> {
    let secret = stack.names.database_admin();
    [
        ("PGHOST", "host"),
        ("PGPORT", "port"),
        ("PGDATABASE", "dbname"),
        ("PGUSER", "user"),
        ("PGPASSWORD", "password"),
    ]
    .into_iter()
    .map(|(name, key)| pod::from_secret(name, secret.as_str(), key))
    .chain([pod::literal("OWNER", &embedded.role.owner)])
    .collect()
}

fn made_by() -> EnvVar {
    EnvVar {
        name: "MADE_BY".into(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".into()),
                field_path: MADE_BY.into(),
            }),
            ..EnvVarSource::default()
        }),
    }
}
