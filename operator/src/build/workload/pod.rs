//! The pod template that all parts share: restricted security, no token, probes, a drain before the end, and the
//! variables that the application gets.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    HTTPGetAction, Lifecycle, LifecycleHandler, LocalObjectReference, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecretKeySelector,
    SecurityContext, SleepAction, Sysctl, TCPSocketAction, TopologySpreadConstraint, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::{ByteString, DeepMerge as _};
use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{EmailTls, Environment, annotation};
use crate::build::meta::{self, Component};
use crate::build::workload::merge;
use crate::model::names::volume;
use crate::model::secret::SecretData;
use crate::model::stack::{Stack, value};

/// The name of the port in every container that listens.
pub(in crate::build) const PORT: &str = "http";
/// The name of the port that serves the health check alone, where there is one.
pub(in crate::build) const HEALTH_PORT: &str = "health";

/// How long a pod goes on serving after it was told to stop, so that every proxy has learnt that it is going.
/// Locally one proxy on the same machine learns it at once.
const fn drain_seconds(environment: Environment) -> i64 {
    match environment {
        Environment::Local => 5,
        Environment::Staging | Environment::Production => 15,
    }
}

/// The first port that Linux lets everybody listen on, if nothing else is said.
const FIRST_UNPRIVILEGED: i32 = 1024;
/// Says another one for a pod. It is a safe sysctl: every Pod Security Standard allows it, and no node has to.
const UNPRIVILEGED: &str = "net.ipv4.ip_unprivileged_port_start";

/// How long the process may take to finish its requests after the drain.
const FINISH_SECONDS: i64 = 30;

/// What a pod template is made from.
pub(in crate::build) struct Pod<'a> {
    /// The part of the stack.
    pub(in crate::build) component: Component,
    /// The number of the user that it runs as; `None` leaves it to the images.
    pub(in crate::build) run_as_user: Option<i64>,
    /// What runs to its end before the container starts, one after the other, from images of the same part.
    pub(in crate::build) before: Vec<Container>,
    /// Its one container.
    pub(in crate::build) container: Container,
    /// Volumes beside `/tmp`.
    pub(in crate::build) volumes: Vec<Volume>,
    /// Whether it serves requests.
    pub(in crate::build) serving: bool,
    /// The user's template, merged over ours.
    pub(in crate::build) template: Option<&'a PodTemplateSpec>,
}

/// The pod template.
pub(in crate::build) fn template(stack: &Stack, pod: Pod<'_>) -> PodTemplateSpec {
    let Pod {
        component,
        run_as_user,
        before,
        container,
        volumes,
        serving,
        template: theirs,
    } = pod;
    let mut before: Vec<Container> = before.into_iter().map(restricted).collect();
    if let Some(from) = theirs.and_then(|it| it.spec.as_ref()) {
        for ours in &mut before {
            inherit(ours, from, component);
        }
    }
    let tmp = empty(volume::TMP);
    let mut spec = PodSpec {
        service_account_name: Some(stack.names.service_account().into()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: pull_secrets(stack),
        security_context: Some(PodSecurityContext {
            run_as_user,
            sysctls: low_port(&container, theirs),
            ..restricted_pod()
        }),
        init_containers: (!before.is_empty()).then_some(before),
        containers: vec![restricted(container)],
        volumes: Some([tmp].into_iter().chain(volumes).collect()),
        ..PodSpec::default()
    };
    if serving {
        drain(stack, &mut spec);
        spread(stack, component, &mut spec);
    }
    let mut template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(meta::labels(stack, component)),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    };
    if let Some(theirs) = theirs {
        merge::template(&mut template, theirs.clone());
    }
    if let Some(spec) = &mut template.spec {
        drain_in_time(stack, spec);
    }
    template
}

/// Where the user gives pods less time to end than they would drain: the API server takes no longer sleep than that.
/// A handler of the user's own stays as it is.
fn drain_in_time(stack: &Stack, pod: &mut PodSpec) {
    let seconds = drain_seconds(stack.environment);
    let Some(grace) = pod
        .termination_grace_period_seconds
        .filter(|it| *it < seconds)
    else {
        return;
    };
    let ours = Some(sleep(seconds));
    let lifecycles = pod.containers.iter_mut();
    for lifecycle in lifecycles.filter_map(|it| it.lifecycle.as_mut()) {
        if lifecycle.pre_stop == ours {
            lifecycle.pre_stop = (grace > 1).then(|| sleep(grace - 1));
        }
    }
}

/// What a container does before it is told to end.
fn sleep(seconds: i64) -> LifecycleHandler {
    LifecycleHandler {
        sleep: Some(SleepAction { seconds }),
        ..LifecycleHandler::default()
    }
}

/// Gives what runs before a part what the user's template says of the image for the part's own container.
fn inherit(ours: &mut Container, from: &PodSpec, component: Component) {
    let mut theirs = from.containers.iter();
    if let Some(theirs) = theirs.find(|it| it.name == component.as_str()) {
        ours.security_context
            .merge_from(theirs.security_context.clone());
        ours.image_pull_policy
            .merge_from(theirs.image_pull_policy.clone());
    }
}

/// Pods go on serving for a while after they were told to stop.
fn drain(stack: &Stack, pod: &mut PodSpec) {
    let seconds = drain_seconds(stack.environment);
    for container in &mut pod.containers {
        container.lifecycle = Some(Lifecycle {
            pre_stop: Some(sleep(seconds)),
            ..Lifecycle::default()
        });
    }
    pod.termination_grace_period_seconds = Some(seconds + FINISH_SECONDS);
}

/// Replicas go to different nodes where there are some. Also where there is one replica: a change of their number must
/// not make new pods.
pub(in crate::build) fn spread(stack: &Stack, component: Component, pod: &mut PodSpec) {
    pod.topology_spread_constraints = Some(vec![TopologySpreadConstraint {
        label_selector: Some(meta::label_selector(stack, component)),
        // Old pods, which are about to go, must not decide where new ones come.
        match_label_keys: Some(vec!["pod-template-hash".into()]),
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        ..TopologySpreadConstraint::default()
    }]);
}

fn pull_secrets(stack: &Stack) -> Option<Vec<LocalObjectReference>> {
    let secrets = stack.image_pull_secrets.iter();
    let secrets = secrets.map(|it| LocalObjectReference { name: it.clone() });
    (!stack.image_pull_secrets.is_empty()).then(|| secrets.collect())
}

/// What lets a container listen on ports below 1024 as whatever user it runs. On the node's own network it would be the
/// node's setting, and the pod refused.
fn low_port(container: &Container, theirs: Option<&PodTemplateSpec>) -> Option<Vec<Sysctl>> {
    let theirs = theirs.and_then(|it| it.spec.as_ref());
    if theirs.is_some_and(|it| it.host_network == Some(true)) {
        return None;
    }
    let ports = container.ports.iter().flatten();
    let lowest = ports.map(|it| it.container_port).min()?;
    (lowest < FIRST_UNPRIVILEGED).then(|| {
        vec![Sysctl {
            name: UNPRIVILEGED.into(),
            value: lowest.to_string(),
        }]
    })
}

/// What the Pod Security Standard `restricted` asks of a pod.
fn restricted_pod() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".into(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

/// Puts the hash of what a pod reads on its template, so that a changed value makes new pods.
pub(in crate::build) fn annotate(template: &mut PodTemplateSpec, secrets_hash: &str) {
    let metadata = template.metadata.get_or_insert_default();
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(annotation::SECRETS_HASH.into(), secrets_hash.into());
}

/// A container that may nothing but write to its volumes.
fn restricted(mut container: Container) -> Container {
    container.security_context = Some(SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".into()]),
            add: None,
        }),
        ..SecurityContext::default()
    });
    container
        .volume_mounts
        .get_or_insert_default()
        .push(mount(volume::TMP, "/tmp"));
    container
}

/// What a pod of ours asks for, and what it may take at most: CPU and memory of each.
pub(in crate::build) fn resources(asked: (&str, &str), most: (&str, &str)) -> ResourceRequirements {
    let of = |(cpu, memory): (&str, &str)| {
        let pairs = [("cpu", cpu), ("memory", memory)];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), Quantity(value.into())));
        Some(BTreeMap::from(pairs))
    };
    ResourceRequirements {
        requests: of(asked),
        limits: of(most),
        claims: None,
    }
}

/// A volume that is empty at first and goes with its pod.
pub(in crate::build) fn empty(name: &str) -> Volume {
    Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }
}

/// A volume at a path.
pub(in crate::build) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.into(),
        mount_path: path.into(),
        ..VolumeMount::default()
    }
}

/// A port of a container.
pub(in crate::build) fn port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: port,
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

/// Asks every second until the container has started, so that a roll-out does not wait for a longer period. After
/// `limit` the kubelet starts it again.
pub(in crate::build) fn startup_probe(check: Probe, limit: Duration) -> Probe {
    Probe {
        period_seconds: Some(1),
        timeout_seconds: Some(3),
        failure_threshold: Some(i32::try_from(limit.as_secs()).unwrap_or(i32::MAX).max(1)),
        ..check
    }
}

/// Takes a pod out of its Service after two misses.
pub(in crate::build) fn readiness_probe(check: Probe) -> Probe {
    Probe {
        period_seconds: Some(5),
        timeout_seconds: Some(3),
        failure_threshold: Some(2),
        ..check
    }
}

/// Restarts a container that has not answered for a minute. It must not ask for what lies behind the container: a
/// database that is down is not mended by restarts.
pub(in crate::build) fn liveness_probe(check: Probe) -> Probe {
    Probe {
        period_seconds: Some(10),
        timeout_seconds: Some(5),
        failure_threshold: Some(6),
        ..check
    }
}

/// A probe that asks a path at the port of this name.
pub(in crate::build) fn http(port: &str, path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::String(port.into()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

/// A probe that opens a connection.
pub(in crate::build) fn tcp() -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction {
            port: IntOrString::String(PORT.into()),
            host: None,
        }),
        ..Probe::default()
    }
}

/// The variables of the backend image: ours first, since the user's may refer to them; of one name the user's wins.
pub(in crate::build) fn backend_env(stack: &Stack) -> Vec<EnvVar> {
    let mut all = plain_env(stack);
    all.extend(secret_env(stack));
    let users = &stack.backend.env;
    all.retain(|ours| users.iter().all(|it| it.name != ours.name));
    all.extend(users.iter().map(|it| users_env(stack, it)));
    all
}

fn plain_env(stack: &Stack) -> Vec<EnvVar> {
    let dashboard = stack.edge.dashboard_url();
    let mut pairs = vec![
        ("ENVIRONMENT", stack.environment.as_str().to_owned()),
        ("DOMAIN", stack.domain.clone()),
        ("STACK_NAME", stack.names.stack().to_owned()),
        ("PROJECT_NAME", stack.project_name.clone()),
        ("FRONTEND_HOST", dashboard.clone()),
        (
            "BACKEND_CORS_ORIGINS",
            cors_origins(stack.environment, dashboard),
        ),
        (value::SUPERUSER, stack.superuser.clone()),
        ("WEB_CONCURRENCY", stack.backend.workers.to_string()),
        ("APP_VERSION", stack.version.clone()),
    ];
    if let Some(email) = &stack.email {
        pairs.extend([
            ("SMTP_HOST", email.host.clone()),
            ("SMTP_PORT", email.port.to_string()),
            ("SMTP_TLS", (email.tls == EmailTls::Starttls).to_string()),
            ("SMTP_SSL", (email.tls == EmailTls::Tls).to_string()),
            ("EMAILS_FROM_EMAIL", email.from.clone()),
        ]);
    }
    pairs
        .into_iter()
        .map(|(name, value)| literal(name, &value))
        .collect()
}

/// Where else than under its own name the value of a variable is kept.
const ALIASES: [(&str, &str); 5] = [
    ("PGHOST", value::DATABASE_HOST),
    ("PGPORT", value::DATABASE_PORT),
    ("PGDATABASE", value::DATABASE_NAME),
    ("PGUSER", value::DATABASE_USER),
    ("PGPASSWORD", value::DATABASE_PASSWORD),
];

fn secret_env(stack: &Stack) -> Vec<EnvVar> {
    let values = &stack.secrets.values;
    let own = values.keys().filter(|key| !key.contains('.'));
    own.map(|key| kept(stack, key, key))
        .chain(ALIASES.map(|(name, key)| kept(stack, name, key)))
        .collect()
}

/// The user's variable, with its value where the release keeps it.
fn users_env(stack: &Stack, var: &EnvVar) -> EnvVar {
    let keys = [value::OF_SECRET, value::OF_CONFIG_MAP].map(|it| format!("{it}{}", var.name));
    let found = keys
        .iter()
        .find(|it| stack.secrets.values.contains_key(*it));
    match found {
        Some(key) if var.value_from.is_some() => kept(stack, &var.name, key),
        _ => var.clone(),
    }
}

/// A variable whose value the release keeps under a key.
fn kept(stack: &Stack, name: &str, key: &str) -> EnvVar {
    let secret = stack.names.values(&stack.secrets.hash);
    from_secret(name, secret.as_str(), key)
}

/// The words of a command line; `None` keeps what the image says.
pub(in crate::build) fn words(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

/// A variable with this very value. The kubelet would expand `$(NAME)` in it and make `$` of `$$`, and of a `$` before a
/// character beyond ASCII it makes another character; so every `$` is doubled.
pub(in crate::build) fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: Some(value.replace('$', "$$")),
        value_from: None,
    }
}

/// A variable whose value is a key of a Secret.
pub(in crate::build) fn from_secret(name: &str, secret: &str, key: &str) -> EnvVar {
    EnvVar {
        name: name.into(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.into(),
                key: key.into(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// Where browsers may call the API from. In local also the ports that people know from their own machine.
fn cors_origins(environment: Environment, dashboard: String) -> String {
    let mut origins = vec![dashboard];
    if environment == Environment::Local {
        origins.extend(["http://localhost".into(), "http://localhost:5173".into()]);
    }
    origins.join(",")
}

/// Values of a Secret.
pub(in crate::build) fn bytes(values: &SecretData) -> BTreeMap<String, ByteString> {
    let bytes = |value: &SecretString| ByteString(value.expose_secret().as_bytes().to_vec());
    values
        .iter()
        .map(|(key, value)| (key.clone(), bytes(value)))
        .collect()
}

/// Text values of a Secret.
pub(in crate::build) fn string_data<const N: usize>(
    pairs: [(&str, String); N],
) -> BTreeMap<String, ByteString> {
    pairs
        .map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes())))
        .into()
}

#[cfg(test)]
mod tests {
    use crate::fixtures;

    #[test]
    fn pods_that_have_little_time_to_end_drain_for_less() {
        let sleeps = |grace: i64| {
            let fields = format!(
                "backend: {{image: 'a/b:1', podTemplate: {{spec: {{terminationGracePeriodSeconds: {grace}}}}}}}"
            );
            let stack = fixtures::stack(&fixtures::app(&fields));
            let manifests = crate::build::rendered(&stack);
            let deployment = manifests.backend.serving().unwrap();
            let pod = deployment.spec.clone().unwrap().template.spec;
            let lifecycle = pod.unwrap().containers[0].lifecycle.clone();
            let hook = lifecycle.and_then(|it| it.pre_stop);
            hook.and_then(|it| it.sleep).map(|it| it.seconds)
        };
        assert_eq!(
            [60, 5, 4, 2].map(sleeps),
            [Some(5), Some(5), Some(3), Some(1)]
        );
        assert_eq!([1, 0].map(sleeps), [None, None]);
    }
}
