//! The pods of a checked stack: backend, frontend and jobs, what they run and how many there are.
//!
//! Invariant: data only, with every default in it. It knows of no object: what it becomes is for `build` to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{EnvVar, PodTemplateSpec, ResourceRequirements};
use serde_json::Value;

use crate::api::Environment;

/// What a container runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Replaces the entry point; empty keeps it.
    pub command: Vec<String>,
    /// The arguments; empty keeps them.
    pub args: Vec<String>,
}

impl Command {
    /// The words of the spec.
    #[must_use]
    pub fn new(command: &[String], args: &[String]) -> Self {
        Self {
            command: command.to_vec(),
            args: args.to_vec(),
        }
    }
}

/// How many pods a part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// As many as the spec says.
    Fixed(i32),
    /// As many as an autoscaler says.
    Auto(Autoscaling),
}

/// What an autoscaler goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// The fewest pods.
    pub min: i32,
    /// The most pods.
    pub max: i32,
    /// The CPU that each is to use on average, in percent of what it requests.
    pub cpu: i32,
}

/// Another process of the backend image.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name within the stack.
    pub name: String,
    /// What runs.
    pub run: Command,
    /// When it runs.
    pub rhythm: Rhythm,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// What the user merges over our template.
    pub pod_template: Option<PodTemplateSpec>,
}

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// All the time, in so many pods.
    Always(i32),
    /// At certain times.
    At(Times),
}

/// The times at which a job runs, and the rules of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// In the words of cron.
    pub schedule: String,
    /// Whose clock counts.
    pub time_zone: String,
    /// Whether no run is started.
    pub suspended: bool,
    /// How long a run may take.
    pub timeout: Duration,
    /// How often a failed run is repeated.
    pub retries: i32,
}

/// The backend.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The image, with its tag or digest.
    pub image: String,
    /// What runs.
    pub run: Command,
    /// The number of the user that everything of the image runs as, where the spec says it.
    pub run_as_user: Option<i64>,
    /// The folders that it may write to beside `/tmp`.
    pub writable_paths: BTreeSet<String>,
    /// The port it listens on.
    pub port: i32,
    /// The path of its health check.
    pub health_path: String,
    /// The port that serves it, where that is another one.
    pub health_port: Option<i32>,
    /// WEB_CONCURRENCY.
    pub workers: i32,
    /// The number of pods.
    pub replicas: Replicas,
    /// More environment variables.
    pub env: Vec<EnvVar>,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// What the user merges over our template.
    pub pod_template: Option<PodTemplateSpec>,
}

/// The frontend.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// The image, with its tag or digest.
    pub image: String,
    /// What runs.
    pub run: Command,
    /// The number of the user that everything of the image runs as, where the spec says it.
    pub run_as_user: Option<i64>,
    /// The folders that it may write to beside `/tmp`.
    pub writable_paths: BTreeSet<String>,
    /// The port it listens on.
    pub port: i32,
    /// The number of pods.
    pub replicas: Replicas,
    /// More keys of `/config.json`.
    pub config: BTreeMap<String, Value>,
    /// The assets, where those of earlier releases are served on.
    pub assets: Option<Assets>,
    /// CPU and memory.
    pub resources: ResourceRequirements,
    /// What the user merges over our template.
    pub pod_template: Option<PodTemplateSpec>,
}

/// The assets of a frontend that serves those of earlier releases on.
#[derive(Clone, Debug)]
pub struct Assets {
    /// The folder of the image that holds them.
    pub path: String,
    /// The images of the earlier releases, oldest first; see `bridge::images`.
    pub older: Vec<String>,
}

impl Backend {
    /// The port, where the spec does not say.
    pub const PORT: i32 = 8000;
    /// What a pod is asked for, where the spec does not say.
    pub const HEALTH_PATH: &str = "/api/v1/utils/health-check/";

    /// How many workers a pod has, where the spec does not say.
    #[must_use]
    pub const fn workers(environment: Environment) -> i32 {
        match environment {
            Environment::Local => 1,
            Environment::Staging => 2,
            Environment::Production => 4,
        }
    }

    /// A path that visitors may ask for too. What a port of its own serves they cannot.
    #[must_use]
    pub fn public_path(&self) -> &str {
        match self.health_port {
            Some(_) => "/",
            None => &self.health_path,
        }
    }
}

impl Frontend {
    /// The port, where the spec does not say.
    pub const PORT: i32 = 8080;
}

impl Replicas {
    /// The fewest pods that there are to be.
    #[must_use]
    pub const fn least(self) -> i32 {
        match self {
            Self::Fixed(count) => count,
            Self::Auto(Autoscaling { min, .. }) => min,
        }
    }
}
