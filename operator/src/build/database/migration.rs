//! The migration stage: a Job that brings the schema up to date, then one that seeds a new database.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::api::StageName;
use crate::build::Stage;
use crate::build::meta::Component;
use crate::build::workload::job::Run;
use crate::build::workload::process::{self, Process};
use crate::model::child_name::ChildName;
use crate::model::fact::Record;
use crate::model::object::Object;
use crate::model::stack::{Command, Stack};

/// How long the seed may take.
const SEED_TIMEOUT: Duration = Duration::from_mins(10);

/// How often a failed attempt of the seed is repeated.
const SEED_RETRIES: i32 = 2;

/// A Job of the backend image.
struct Task<'a> {
    component: Component,
    run: &'a Command,
    /// Runs after it, in the same pod; empty if nothing does.
    head: &'a [String],
    timeout: Duration,
    retries: i32,
    resources: &'a ResourceRequirements,
}

/// The migration and the seed follow each other, so each has a stage of its own.
pub(in crate::build) fn stages(stack: &Stack) -> Vec<Stage> {
    let migration = stack.migration.as_ref().map(|it| {
        let name = stack.names.migration(&it.hash);
        let task = Task {
            component: Component::Migration,
            run: &it.run,
            head: &it.head,
            timeout: it.timeout,
            retries: it.retries,
            resources: &it.resources,
        };
        let record = Record::Migration {
            hash: it.hash.clone(),
            data: stack.data.clone(),
            head: None,
        };
        stage(it.done, &name, || job(stack, &name, &task), record)
    });
    let seed = stack.seed.as_ref().map(|it| {
        let name = stack.names.seed();
        let task = Task {
            component: Component::Seed,
            run: &it.run,
            head: &[],
            timeout: SEED_TIMEOUT,
            retries: SEED_RETRIES,
            resources: &stack.backend.resources,
        };
        let record = Record::Seed {
            data: stack.data.clone(),
        };
        stage(it.done, &name, || job(stack, &name, &task), record)
    });
    migration.into_iter().chain(seed).collect()
}

fn stage(done: bool, name: &ChildName, job: impl FnOnce() -> Job, record: Record) -> Stage {
    let (object, record) = if done {
        (Object::Finished(name.clone()), None)
    } else {
        (Object::Job(Box::new(job())), Some(record))
    };
    Stage {
        record,
        ..Stage::new(StageName::Migration, vec![object])
    }
}

fn job(stack: &Stack, name: &ChildName, task: &Task<'_>) -> Job {
    let process = Process {
        component: task.component,
        container: task.component.as_str(),
        run: task.run,
        head: task.head,
        resources: task.resources,
        ends: true,
    };
    let run = Run {
        component: task.component,
        template: process::template(stack, &process),
        timeout: task.timeout,
        retries: task.retries,
        reads: &[],
    };
    run.job(stack, name)
}
