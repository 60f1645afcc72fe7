//! An external database is asked before anything of a release runs: a Job that logs in as the application will, from the namespace and
//! with the variables that its pods have. The operator itself may be kept from the database, and knows no SQL.

use std::time::Duration;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::api::StageName;
use crate::build::meta::Component;
use crate::build::workload::job::Run;
use crate::build::workload::pod;
use crate::build::workload::process::{self, Process};
use crate::build::{Stage, database};
use crate::model::object::Object;
use crate::model::stack::{Command, External, Stack};

/// The container that prints why the database does not let the application in.
pub const ASK: &str = "ask";

const SCRIPT: &str = include_str!("connection/ask.sh");
/// How much longer than it asks the Job may take: it says itself why it gives up.
const GRACE: Duration = Duration::from_secs(30);

/// The stage that asks; none for a release whose values were good once.
pub(in crate::build) fn stage(stack: &Stack, external: &External) -> Option<Stage> {
    if external.known {
        return None;
    }
    let patience = stack.rollout.progress_deadline;
    let run = Run {
        component: Component::Role,
        template: template(stack, external, patience),
        timeout: patience + GRACE,
        retries: 0,
        reads: &[],
    };
    let job = run.job(stack, &stack.names.connection(&stack.secrets.hash));
    let objects = vec![Object::Job(Box::new(job))];
    Some(Stage::new(StageName::Database, objects))
}

/// A pod like one of the backend image, whose place PostgreSQL's takes.
fn template(stack: &Stack, external: &External, patience: Duration) -> PodTemplateSpec {
    let process = Process {
        component: Component::Role,
        container: ASK,
        run: &Command {
            command: ["sh", "-c", SCRIPT].map(str::to_owned).into(),
            args: Vec::new(),
        },
        head: &[],
        resources: &stack.backend.resources,
        ends: true,
    };
    let mut template = process::template(stack, &process);
    let ours = [
        pod::literal("SECRET", &external.secret),
        pod::literal("PATIENCE", &patience.as_secs().to_string()),
    ];
    if let Some(spec) = &mut template.spec {
        database::as_postgres(spec);
        for container in &mut spec.containers {
            container.image = Some(external.image.clone());
            container.working_dir = None;
            let env = container.env.get_or_insert_default();
            env.retain(|theirs| ours.iter().all(|it| it.name != theirs.name));
            env.extend(ours.clone());
        }
    }
    template
}
