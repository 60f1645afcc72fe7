//! Adminer, which shows the data. It is logged in by a file of ours that its image includes, so that the password never comes to the
//! browser.
//!
//! In the embedded database it has roles of its own, which its pod makes, or sets right, when it starts: one that may read
//! everything, and one that acts as the owner as the application does. An external database is nobody's to make roles in; there it logs in as
//! the application, and without `ReadWrite` its sessions begin read-only, which keeps from mistakes and not from ill will.

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, EnvVar, PodTemplateSpec, Volume,
};
use secrecy::ExposeSecret as _;

use super::{USER, resources};
use crate::api::AdminerAccess;
use crate::build::database::role;
use crate::build::meta::{self, Component};
use crate::build::network;
use crate::build::workload::pod::{self, Pod};
use crate::build::workload::{backend, deployment};
use crate::model::hash::short_hash;
use crate::model::identity::DataId;
use crate::model::object::Object;
use crate::model::stack::{Adminer, Embedded, Stack};

/// Its role in the embedded database by which it reads.
const READER: &str = "adminer";
/// The one by which it writes: no right is ever taken from a role that a pod may still log in as, or given to it.
const WRITER: &str = "adminer_writer";
/// Where its image looks for files that it is to include.
const FOLDER: &str = "/var/www/html/plugins-enabled";
const FILE: &str = "appstack.php";
const LOGIN: &str = include_str!("adminer/login.php");
const ROLE_SCRIPT: &str = role::quiet!("adminer/role.sh");
const VOLUME: &str = "login";
const PORT: i32 = 8080;
/// PHP, as the first process of a container, does not hear that it is to end; nothing is lost when it is killed.
const GRACE_SECONDS: i64 = 1;

pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let Some(adminer) = &stack.tools.adminer else {
        return Vec::new();
    };
    let embedded = stack.database.embedded.as_ref();
    let name = stack.names.adminer();
    let template = template(stack, adminer, embedded);
    let deployment = deployment::single(stack, &name, Component::Adminer, template);
    let selector = meta::selector(stack.names.stack(), Component::Adminer.as_str());
    let service = backend::service(stack, &name, Component::Adminer, selector);
    let mut objects = network::adminer(stack);
    objects.extend([
        Object::ConfigMap(Box::new(login(stack))),
        Object::Deployment(Box::new(deployment)),
        Object::Service(Box::new(service)),
    ]);
    objects
}

fn login(stack: &Stack) -> ConfigMap {
    ConfigMap {
        metadata: meta::object(stack, &stack.names.adminer(), Component::Adminer),
        data: Some([(FILE.to_owned(), LOGIN.to_owned())].into()),
        ..ConfigMap::default()
    }
}

fn template(stack: &Stack, adminer: &Adminer, embedded: Option<&Embedded>) -> PodTemplateSpec {
    let volume = Volume {
        name: VOLUME.into(),
        config_map: Some(ConfigMapVolumeSource {
            name: stack.names.adminer().into(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mut template = pod::template(
        stack,
        Pod {
            component: Component::Adminer,
            run_as_user: Some(USER),
            before: Vec::from_iter(embedded.map(|it| make_role(stack, adminer, it))),
            container: container(stack, adminer, embedded.is_some()),
            volumes: vec![volume],
            serving: false,
            template: None,
        },
    );
    let volume = stack.data.as_ref().map_or("", DataId::as_str);
    let password = match embedded {
        Some(_) => &adminer.password,
        None => &stack.database.connection.password,
    };
    let read = [volume, password.expose_secret(), LOGIN];
    pod::annotate(&mut template, &short_hash(&read));
    if let Some(spec) = &mut template.spec {
        spec.termination_grace_period_seconds = Some(GRACE_SECONDS);
    }
    template
}

fn container(stack: &Stack, adminer: &Adminer, has_own_role: bool) -> Container {
    let mut env = connection(stack);
    if has_own_role {
        env.extend(own_role(stack, adminer.access));
    } else {
        env.extend(role_of_application(stack, adminer.access));
    }
    // By itself it answers one request after the other.
    env.push(pod::literal("PHP_CLI_SERVER_WORKERS", "4"));
    let address = format!("0.0.0.0:{PORT}");
    let words = [
        "php",
        "-d",
        "display_errors=0",
        "-d",
        "session.save_path=/tmp",
        "-S",
        &address,
        "-t",
        "/var/www/html",
    ];
    let check = pod::tcp();
    Container {
        name: Component::Adminer.as_str().into(),
        image: Some(adminer.image.clone()),
        args: Some(words.map(str::to_owned).into()),
        ports: Some(vec![pod::port(pod::PORT, PORT)]),
        env: Some(env),
        resources: Some(resources()),
        volume_mounts: Some(vec![pod::mount(VOLUME, FOLDER)]),
        startup_probe: Some(pod::startup_probe(check.clone(), stack.rollout.startup)),
        readiness_probe: Some(pod::readiness_probe(check.clone())),
        liveness_probe: Some(pod::liveness_probe(check)),
        ..Container::default()
    }
}

/// Makes its role before it starts, as the database's superuser.
fn make_role(stack: &Stack, adminer: &Adminer, embedded: &Embedded) -> Container {
    let mut env = role::admin(stack, embedded);
    env.extend(own_role(stack, adminer.access));
    env.push(pod::literal("WRITER", WRITER));
    Container {
        name: "role".into(),
        image: Some(embedded.image.clone()),
        command: Some(["sh", "-c", ROLE_SCRIPT].map(str::to_owned).into()),
        env: Some(env),
        resources: Some(resources()),
        ..Container::default()
    }
}

/// Where the database is.
fn connection(stack: &Stack) -> Vec<EnvVar> {
    let secret = stack.names.database_connection();
    [
        ("DATABASE_HOST", "host"),
        ("DATABASE_PORT", "port"),
        ("DATABASE_NAME", "dbname"),
        ("PGSSLMODE", "sslmode"),
    ]
    .map(|(name, key)| pod::from_secret(name, secret.as_str(), key))
    .into()
}

/// Who logs in.
fn own_role(stack: &Stack, access: AdminerAccess) -> [EnvVar; 2] {
    let secret = stack.names.generated();
    let role = match access {
        AdminerAccess::ReadOnly => READER,
        AdminerAccess::ReadWrite => WRITER,
    };
    [
        pod::literal("LOGIN", role),
        pod::from_secret("LOGIN_PASSWORD", secret.as_str(), Adminer::PASSWORD),
    ]
}

fn role_of_application(stack: &Stack, access: AdminerAccess) -> Vec<EnvVar> {
    let secret = stack.names.database_connection();
    let who = [("LOGIN", "user"), ("LOGIN_PASSWORD", "password")];
    let who = who.map(|(name, key)| pod::from_secret(name, secret.as_str(), key));
    let read_only = (access == AdminerAccess::ReadOnly)
        .then(|| pod::literal("PGOPTIONS", "-c default_transaction_read_only=on"));
    who.into_iter().chain(read_only).collect()
}
