//! The database stage: the generated secrets, the connection, and the embedded PostgreSQL where there is one. Its pod knows
//! nothing of the role that the application logs in as, so that a new one does not restart it.

pub(in crate::build) mod connection;
pub(in crate::build) mod migration;
pub(in crate::build) mod role;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EnvVar, ExecAction, Lifecycle, LifecycleHandler,
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource,
    PodSecurityContext, PodSpec, Probe, Secret, Service, ServicePort, ServiceSpec, Volume,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use secrecy::ExposeSecret as _;

use crate::build::meta::{self, Component};
use crate::build::workload::pod::{self, Pod};
use crate::model::child_name::ChildName;
use crate::model::fact::Record;
use crate::model::hash::short_hash;
use crate::model::object::Object;
use crate::model::stack::{Connection, Embedded, Stack};

/// The user and group of the PostgreSQL image.
const POSTGRES_ID: i64 = 999;
/// Where version 18 of the image expects its volume; the data is in a folder below it, named by version.
const VOLUME_PATH: &str = "/var/lib/postgresql";
/// Sets the superuser's password to the one of the Secret each time the server starts, since the image does so only
/// when it makes the data. It waits for TCP, which the server that makes the data does not serve. The password goes in
/// by standard input: it is in no argument.
const SET_PASSWORD: &str = r#"until pg_isready -q -h 127.0.0.1; do sleep 0.2; done
printf 'ALTER ROLE "%s" PASSWORD %s;\n' "$POSTGRES_USER" "'$(printf %s "$POSTGRES_PASSWORD" | sed "s/'/''/g")'" |
  psql -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" >/dev/null"#;
/// Ready means that TCP connections are taken: while the image makes the data its server listens on the socket alone.
const IS_READY: &str = r#"pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB""#;

/// The objects of the embedded database; none where it is external.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    let Some(embedded) = &stack.database.embedded else {
        return Vec::new();
    };
    let admin = connection(stack, &stack.names.database_admin(), &embedded.admin);
    vec![
        Object::Secret(Box::new(admin)),
        Object::Service(Box::new(service(stack))),
        Object::PersistentVolumeClaim(Box::new(claim(stack, embedded))),
        Object::StatefulSet(Box::new(running(stack, embedded))),
    ]
}

/// The values that are generated once. They stay with the data: a backup is worth little without SECRET_KEY.
pub(super) fn generated_secrets(stack: &Stack) -> Secret {
    Secret {
        metadata: meta::data(stack, &stack.names.generated(), Component::Shared),
        data: Some(pod::bytes(&stack.secrets.generated)),
        ..Secret::default()
    }
}

/// How the application reaches the database.
pub(super) fn application(stack: &Stack) -> Secret {
    let name = stack.names.database_connection();
    connection(stack, &name, &stack.database.connection)
}

/// How somebody reaches the database, as separate values and as one URI.
fn connection(stack: &Stack, name: &ChildName, it: &Connection) -> Secret {
    Secret {
        metadata: meta::object(stack, name, Component::Database),
        data: Some(pod::string_data([
            ("host", it.host.clone()),
            ("port", it.port.clone()),
            ("dbname", it.dbname.clone()),
            ("user", it.user.clone()),
            ("password", it.password.expose_secret().to_owned()),
            ("sslmode", it.sslmode.clone()),
            ("uri", it.uri()),
        ])),
        ..Secret::default()
    }
}

fn service(stack: &Stack) -> Service {
    Service {
        metadata: meta::object(stack, &stack.names.database(), Component::Database),
        spec: Some(ServiceSpec {
            selector: Some(meta::selector(
                stack.names.stack(),
                Component::Database.as_str(),
            )),
            ports: Some(vec![ServicePort {
                name: Some("postgres".into()),
                port: 5432,
                protocol: Some("TCP".into()),
                target_port: Some(IntOrString::String("postgres".into())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// What runs the database: as it was rendered for what the user chose, whatever the templates are by now.
fn running(stack: &Stack, embedded: &Embedded) -> StatefulSet {
    let kept = embedded.kept.as_deref().cloned();
    let mut stateful_set = kept.unwrap_or_else(|| stateful_set(stack, embedded));
    let metadata = &mut stateful_set.metadata;
    metadata.namespace = Some(stack.namespace.clone());
    metadata.owner_references = Some(vec![stack.owner.clone()]);
    if let Some(spec) = &mut stateful_set.spec {
        spec.replicas = Some(i32::from(!stack.hibernates));
    }
    stateful_set
}

/// What is to be written down of the database before it is applied; `None` where it is already, or is run elsewhere.
#[must_use]
pub fn record(stack: &Stack) -> Option<Record> {
    let embedded = stack.database.embedded.as_ref();
    let embedded = embedded.filter(|it| it.kept.is_none())?;
    let mut stateful_set = stateful_set(stack, embedded);
    stateful_set.metadata.namespace = None;
    stateful_set.metadata.owner_references = None;
    Some(Record::Database {
        choice: embedded.choice.clone(),
        stateful_set: Box::new(stateful_set),
    })
}

fn stateful_set(stack: &Stack, embedded: &Embedded) -> StatefulSet {
    let name = stack.names.database();
    let mut template = pod::template(
        stack,
        Pod {
            component: Component::Database,
            run_as_user: None,
            before: Vec::new(),
            container: container(stack, embedded),
            volumes: volumes(stack),
            serving: false,
            template: None,
        },
    );
    let password = embedded.admin.password.expose_secret();
    pod::annotate(&mut template, &short_hash(&[password]));
    if let Some(spec) = &mut template.spec {
        spec.termination_grace_period_seconds = Some(60);
        let security = as_postgres(spec);
        security.fs_group = Some(POSTGRES_ID);
        // Walking through a large volume at each start would take minutes.
        security.fs_group_change_policy = Some("OnRootMismatch".into());
    }
    StatefulSet {
        metadata: meta::object(stack, &name, Component::Database),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(!stack.hibernates)),
            service_name: Some(name.into()),
            selector: meta::label_selector(stack, Component::Database),
            template,
            // Kubernetes replaces a pod that cannot start by a corrected one only if it need not wait for it.
            pod_management_policy: Some("Parallel".into()),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}

/// Runs the PostgreSQL image as its own user.
pub(super) fn as_postgres(pod: &mut PodSpec) -> &mut PodSecurityContext {
    let security = pod.security_context.get_or_insert_default();
    security.run_as_user = Some(POSTGRES_ID);
    security.run_as_group = Some(POSTGRES_ID);
    security
}

fn container(stack: &Stack, embedded: &Embedded) -> Container {
    let shell = |script: &str| ExecAction {
        command: Some(["sh", "-c", script].map(str::to_owned).into()),
    };
    let ready = Probe {
        exec: Some(shell(IS_READY)),
        ..Probe::default()
    };
    Container {
        name: "postgres".into(),
        image: Some(embedded.image.clone()),
        ports: Some(vec![k8s_openapi::api::core::v1::ContainerPort {
            name: Some("postgres".into()),
            container_port: 5432,
            protocol: Some("TCP".into()),
            ..Default::default()
        }]),
        env: Some(environment(stack)),
        resources: Some(embedded.resources.clone()),
        volume_mounts: Some(vec![
            pod::mount("data", VOLUME_PATH),
            pod::mount("run", "/var/run/postgresql"),
            pod::mount("shm", "/dev/shm"),
        ]),
        lifecycle: Some(Lifecycle {
            post_start: Some(LifecycleHandler {
                exec: Some(shell(SET_PASSWORD)),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        // Recovery after a crash may replay a lot: an hour before the kubelet gives up.
        startup_probe: Some(pod::startup_probe(
            ready.clone(),
            std::time::Duration::from_hours(1),
        )),
        readiness_probe: Some(pod::readiness_probe(ready.clone())),
        liveness_probe: Some(pod::liveness_probe(ready)),
        ..Container::default()
    }
}

fn environment(stack: &Stack) -> Vec<EnvVar> {
    let admin = stack.names.database_admin();
    [
        ("POSTGRES_USER", "user"),
        ("POSTGRES_DB", "dbname"),
        ("POSTGRES_PASSWORD", "password"),
    ]
    .map(|(name, key)| pod::from_secret(name, admin.as_str(), key))
    .into()
}

fn volumes(stack: &Stack) -> Vec<Volume> {
    let empty = |name: &str, medium: Option<&str>| Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(str::to_owned),
            size_limit: None,
        }),
        ..Volume::default()
    };
    // Parallel queries share memory there, and the 64 MiB that a container gets by default are too few for them.
    let data = Volume {
        name: "data".into(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: stack.names.database_volume().into(),
            read_only: None,
        }),
        ..Volume::default()
    };
    vec![data, empty("run", None), empty("shm", Some("Memory"))]
}

fn claim(stack: &Stack, embedded: &Embedded) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: meta::data(stack, &stack.names.database_volume(), Component::Database),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            storage_class_name: embedded.storage_class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), embedded.storage.clone())].into()),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
