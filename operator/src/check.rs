//! Turns a spec and what it refers to into a `Stack`, or into the list of everything that is wrong with it.
//!
//! Invariant: pure. Faults carry the path of the field and the fix. What the API server can refuse by itself is a
//! CEL rule in `api::v1alpha1` and is not repeated here.

mod certificate;
mod containers;
mod database;
mod edge;
mod env;
mod gateway;
mod generated;
mod given;
mod host;
pub mod hosts;
mod jobs;
mod limits;
mod place;
mod pod_template;
mod replicas;
mod resources;
mod schedule;
mod secrets;
mod superuser;
mod text;
mod tools;

pub use self::certificate::validity_of;
use crate::release::identity::{self, Identity};
use crate::settings::ClusterSettings;
use std::time::Duration;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{Resource as _, ResourceExt as _};

use crate::api::{self, AppStack, AppStackSpec, EmailTls, Environment};
use crate::error::Invalid;
use crate::model::identity::{DataId, ReleaseHash};
use crate::model::image;
use crate::model::inputs::Inputs;
use crate::model::names::Names;
use crate::model::stack::{
    Assets, Backend, Command, Connection, Database, Edge, Email, Frontend, Migration, PublicCheck,
    RolloutRules, Seed, Stack, Tls,
};
use crate::release::data::{self, is_about};
use crate::release::{assets, history};

pub use edge::{hosts, issued};
pub use generated::unanswerable;

/// How often a failed attempt of a migration is repeated: enough for a database that is just coming up, too few to hide
/// an error.
const RETRIES: i32 = 2;
/// How long pods may take to become ready, where the spec does not say.
const PROGRESS_DEADLINE: Duration = Duration::from_mins(10);
/// How many earlier images' assets are served on: a page that is open for longer than two releases is rare, and each image
/// is one more that new pods need.
const OLDER_ASSETS: usize = 2;

/// The checked stack of an AppStack's spec.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn stack(
    app: &AppStack,
    inputs: &Inputs,
    settings: &ClusterSettings,
) -> Result<Stack, Invalid> {
    let (stack, mut faults) = assemble(app, inputs, settings);
    resources::refuse(&app.spec, &mut faults);
    faults.into_result()?;
    Ok(stack)
}

/// The stack of a kept release. It was checked when it was released: what a later version would find wrong with it, or what
/// it refers to and is gone, makes it none the less what serves.
#[must_use]
pub fn kept(app: &AppStack, inputs: &Inputs, settings: &ClusterSettings) -> Stack {
    assemble(app, inputs, settings).0
}

/// The stack as far as it can be told, and everything that is wrong with it.
fn assemble(app: &AppStack, inputs: &Inputs, settings: &ClusterSettings) -> (Stack, Faults) {
    let mut faults = Faults::default();
    let spec = &app.spec;
    let names = Names::of(&app.name_any());
    let generated = generated::values(app, &names, inputs);
    let database = database::check(app, &generated, &names, inputs, settings, &mut faults);
    let secrets = secrets::check(
        app,
        settings,
        generated,
        &names,
        inputs,
        &database,
        &mut faults,
    );
    let database = database::of_release(database, spec, &secrets, inputs, settings);
    let edge = edge::check(app, &names, inputs, settings, &mut faults);
    let backend = backend(spec, &mut faults);
    let identity = Identity {
        spec,
        values: &secrets.hash,
        ports: settings.ports(),
        renewal: identity::renewal(app, &inputs.records),
    };
    let is_known = |it: &ReleaseHash| history::is_known(app, &names, &inputs.records, it);
    let new = || identity.name(&inputs.records, is_known);
    let release = inputs.release.clone().unwrap_or_else(new);
    let frontend = frontend(spec, &release, inputs, &mut faults);
    let data = data_of(&database, inputs);
    let stack = Stack {
        namespace: app.namespace().unwrap_or_default(),
        owner: app.controller_owner_ref(&()).unwrap_or_default(),
        environment: spec.environment,
        domain: host::of_dns(&spec.domain),
        version: image::version(spec.version.as_deref(), &backend.image),
        project_name: spec.project_name.clone().unwrap_or_else(|| app.name_any()),
        superuser: superuser::email(spec, inputs),
        spec: identity::lasting(spec),
        renewal: identity.renewal.map(str::to_owned),
        manifests: inputs.manifests.get(&release).cloned(),
        migration: migration(spec, &backend, &database.connection, data.as_ref(), inputs),
        seed: seed(spec, data.as_ref(), inputs),
        data,
        request: history::attempt(app).request,
        email: email(spec, &names),
        tools: tools::check(spec, &secrets.generated, inputs, settings),
        egress: spec.egress.clone(),
        deletion_policy: spec.deletion_policy(),
        jobs: jobs::check(spec, &backend, &mut faults),
        rollout: rollout(spec, &backend, &edge, &mut faults),
        image_pull_secrets: pull_secrets(spec),
        hibernates: spec.hibernate == Some(true),
        names,
        release,
        secrets,
        database,
        backend,
        frontend,
        edge,
    };
    (stack, faults)
}

/// Faults as they are found, so that the user sees all of them at once.
#[derive(Debug, Default)]
struct Faults(Vec<String>);

impl Faults {
    /// Notes that `field` is wrong; `problem` says how, and what to do.
    fn add(&mut self, field: &str, problem: impl AsRef<str>) {
        self.0.push(format!("spec.{field}: {}", problem.as_ref()));
    }

    fn into_result(self) -> Result<(), Invalid> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Invalid { faults: self.0 })
        }
    }
}

fn backend(spec: &AppStackSpec, faults: &mut Faults) -> Backend {
    let backend = &spec.backend;
    let resources = backend.resources.clone();
    let resources = resources.unwrap_or_else(|| requests("100m", "128Mi"));
    let port = backend.port.unwrap_or(Backend::PORT);
    let health_path = backend.health_path.clone();
    Backend {
        run: Command::new(&backend.command, &backend.args),
        run_as_user: backend.run_as_user,
        writable_paths: backend.writable_paths.iter().cloned().collect(),
        image: image::with_tag(&backend.image, spec.version.as_deref()),
        port,
        health_path: health_path.unwrap_or_else(|| Backend::HEALTH_PATH.into()),
        health_port: backend.health_port.filter(|it| *it != port),
        workers: (backend.workers).unwrap_or_else(|| Backend::workers(spec.environment)),
        replicas: replicas::Requested {
            part: "backend",
            count: backend.replicas,
            autoscaling: backend.autoscaling.as_ref(),
            resources: &resources,
        }
        .check(spec.environment, faults),
        env: env::unique(&backend.env, faults),
        resources,
        pod_template: pod_template::check(
            "backend.podTemplate",
            backend.pod_template.as_ref(),
            faults,
        ),
    }
}

fn frontend(
    spec: &AppStackSpec,
    release: &ReleaseHash,
    inputs: &Inputs,
    faults: &mut Faults,
) -> Option<Frontend> {
    let frontend = spec.frontend.as_ref()?;
    let image = image::with_tag(&frontend.image, spec.version.as_deref());
    let resources = frontend.resources.clone();
    let resources = resources.unwrap_or_else(|| requests("20m", "32Mi"));
    Some(Frontend {
        assets: assets(frontend, &image, release, inputs),
        run: Command::new(&frontend.command, &frontend.args),
        run_as_user: frontend.run_as_user,
        writable_paths: frontend.writable_paths.iter().cloned().collect(),
        image,
        port: frontend.port.unwrap_or(Frontend::PORT),
        replicas: replicas::Requested {
            part: "frontend",
            count: frontend.replicas,
            autoscaling: frontend.autoscaling.as_ref(),
            resources: &resources,
        }
        .check(spec.environment, faults),
        config: frontend.config.clone(),
        resources,
        pod_template: pod_template::check(
            "frontend.podTemplate",
            frontend.pod_template.as_ref(),
            faults,
        ),
    })
}

fn assets(
    frontend: &api::Frontend,
    image: &str,
    release: &ReleaseHash,
    inputs: &Inputs,
) -> Option<Assets> {
    let requested = frontend.assets.as_ref()?;
    let most = requested
        .releases
        .map_or(OLDER_ASSETS, |it| usize::try_from(it).unwrap_or_default());
    (most > 0).then(|| Assets {
        path: requested.path.clone(),
        older: assets::images(&inputs.records, release, image, most),
    })
}

/// Which data the database holds: those of its volume claim, once there is one, or those of an external one.
fn data_of(database: &Database, inputs: &Inputs) -> Option<DataId> {
    match &database.embedded {
        Some(_) => inputs.volume.as_ref().map(DataId::of_volume),
        None => Some(data::external(&database.connection)),
    }
}

fn migration(
    spec: &AppStackSpec,
    backend: &Backend,
    database: &Connection,
    data: Option<&DataId>,
    inputs: &Inputs,
) -> Option<Migration> {
    let migrate = spec.backend.migrate.as_ref()?;
    let run = Command::new(&migrate.command, &migrate.args);
    let hash = identity::migration_hash(&backend.image, &run, database);
    let mut done = inputs.records.migrations.iter();
    Some(Migration {
        done: done.any(|it| it.hash == hash && is_about(it.data.as_ref(), data)),
        head: migrate.head_command.clone(),
        retries: migrate.retries.unwrap_or(RETRIES),
        resources: migrate
            .resources
            .clone()
            .unwrap_or_else(|| backend.resources.clone()),
        timeout: migrate.timeout.map_or(Duration::from_mins(10), Into::into),
        hash,
        run,
    })
}

fn seed(spec: &AppStackSpec, data: Option<&DataId>, inputs: &Inputs) -> Option<Seed> {
    let seed = spec.backend.seed.as_ref()?;
    let mut seeds = inputs.records.seeds.iter();
    Some(Seed {
        run: Command::new(&seed.command, &seed.args),
        done: seeds.any(|it| is_about(it.as_ref(), data)),
    })
}

fn email(spec: &AppStackSpec, names: &Names) -> Option<Email> {
    let Some(email) = &spec.email else {
        return tools::caught(spec, names);
    };
    let tls = email.tls.unwrap_or(EmailTls::Starttls);
    Some(Email {
        host: email.host.clone(),
        port: email.port.unwrap_or(match tls {
            EmailTls::Starttls => 587,
            EmailTls::Tls => 465,
            EmailTls::None => 25,
        }),
        tls,
        from: email.from.clone(),
    })
}

fn rollout(
    spec: &AppStackSpec,
    backend: &Backend,
    edge: &Edge,
    faults: &mut Faults,
) -> RolloutRules {
    let requested = spec.rollout.clone().unwrap_or_default();
    let deadline = requested.progress_deadline.map(Duration::from);
    RolloutRules {
        progress_deadline: deadline.unwrap_or(PROGRESS_DEADLINE),
        // A shorter deadline does not make it shorter, or each change of the deadline would make new pods.
        startup: deadline.unwrap_or_default().max(PROGRESS_DEADLINE),
        soak: requested.soak.map_or(
            match spec.environment {
                Environment::Local => Duration::from_secs(2),
                Environment::Staging | Environment::Production => Duration::from_secs(30),
            },
            Into::into,
        ),
        on_failure: requested.on_failure.unwrap_or_default(),
        approval: requested.approval.unwrap_or_default(),
        schema_rollback: requested.schema_rollback.unwrap_or_default(),
        public_check: requested
            .public_check
            .map(|it| public_check(backend, edge, it, faults)),
    }
}

fn public_check(
    backend: &Backend,
    edge: &Edge,
    requested: api::PublicCheck,
    faults: &mut Faults,
) -> PublicCheck {
    let path = requested.path;
    let path = path.unwrap_or_else(|| backend.public_path().to_owned());
    if !edge.leads_to_api(&path) {
        let paths = edge.api_paths.as_deref().unwrap_or_default();
        faults.add(
            "rollout.publicCheck.path",
            format!(
                "{path} leads to the site; choose a path of the API, below {}, or add it to edge.paths",
                paths.join(", ")
            ),
        );
    }
    let site = edge.dashboard_host.as_ref();
    PublicCheck {
        api: format!("{}{path}", edge.api_url()),
        site: site.map(|_| format!("{}/", edge.dashboard_url())),
        served: edge.served(),
        timeout: requested.timeout.map_or(Duration::from_mins(1), Into::into),
    }
}

fn pull_secrets(spec: &AppStackSpec) -> Vec<String> {
    let secrets = spec.image_pull_secrets.iter();
    secrets.map(|it| it.name.clone()).collect()
}

/// A request without a limit: the scheduler knows what to expect, and nothing is throttled or killed for it.
fn requests(cpu: &str, memory: &str) -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(
            [("cpu", cpu), ("memory", memory)]
                .map(|(name, amount)| (name.to_owned(), Quantity(amount.into())))
                .into(),
        ),
        ..ResourceRequirements::default()
    }
}

/// What does not stop a roll-out but should be known; published as Events when the spec changes.
#[must_use]
pub fn warnings(app: &AppStack, stack: &Stack, inputs: &Inputs) -> Vec<String> {
    let well_known = secrets::well_known(&app.spec, &inputs.secrets).map(|(secret, key)| {
        format!("{key} of Secret {secret} is a well-known value, which is tolerated in local alone")
    });
    let redirect_lost = stack.environment != Environment::Local
        && !matches!(stack.edge.tls, Tls::Off)
        && !stack.edge.redirect
        // A Gateway without a listener of plain HTTP has nobody to send on.
        && stack.edge.gateway().is_none();
    let redirect = redirect_lost.then(|| {
        let why = if stack.edge.proxy.is_traefik() {
            "HTTP is not redirected to HTTPS: Traefik's CustomResourceDefinitions are not installed; \
             install them and restart the operator"
        } else {
            "HTTP is not redirected to HTTPS by the operator: it does not know how to tell this \
             ingress controller; set it up there"
        };
        why.to_owned()
    });
    let unused = secrets::unused(&app.spec, &inputs.secrets);
    well_known.chain(redirect).chain(unused).collect()
}
