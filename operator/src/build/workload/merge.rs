//! The user's pod template over ours. Where Kubernetes takes one kind of several, such as one handler of a probe, the user's
//! choice takes the place of ours; all else is merged field by field, and lists by the keys that Kubernetes has for them.

use k8s_openapi::DeepMerge as _;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, HTTPGetAction, Lifecycle, LifecycleHandler, PodResourceClaim,
    PodSpec, PodTemplateSpec, Probe, TCPSocketAction, TopologySpreadConstraint, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Takes each of these fields from ours that theirs lacks, if theirs has another one of them.
macro_rules! choose {
    ($ours:ident, $theirs:ident: $($field:ident)+) => {
        if [$($theirs.$field.is_some()),+].contains(&true) {
            $(if $theirs.$field.is_none() {
                $ours.$field = None;
            })+
        }
    };
}

/// Merges the user's template over ours.
pub(in crate::build) fn template(ours: &mut PodTemplateSpec, theirs: PodTemplateSpec) {
    ours.metadata.merge_from(theirs.metadata);
    if let Some(theirs) = theirs.spec {
        pod(ours.spec.get_or_insert_default(), theirs);
    }
}

/// The same of a pod.
pub(in crate::build) fn pod(ours: &mut PodSpec, mut theirs: PodSpec) {
    pairs(&mut ours.containers, &mut theirs.containers, prepare);
    pairs(
        some(&mut ours.init_containers),
        some(&mut theirs.init_containers),
        prepare,
    );
    pairs(some(&mut ours.volumes), some(&mut theirs.volumes), volume);
    pairs(
        some(&mut ours.resource_claims),
        some(&mut theirs.resource_claims),
        |ours, theirs| choose!(ours, theirs: resource_claim_name resource_claim_template_name),
    );
    pairs(
        some(&mut ours.topology_spread_constraints),
        some(&mut theirs.topology_spread_constraints),
        |ours, theirs| {
            keep(&ours.max_skew, &mut theirs.max_skew);
            keep(&ours.when_unsatisfiable, &mut theirs.when_unsatisfiable);
        },
    );
    ours.merge_from(theirs);
}

/// The same of a container.
pub(in crate::build) fn container(ours: &mut Container, mut theirs: Container) {
    prepare(ours, &mut theirs);
    ours.merge_from(theirs);
}

/// Makes room in our container for what the user chose.
fn prepare(ours: &mut Container, theirs: &mut Container) {
    for (ours, theirs) in [
        (&mut ours.startup_probe, &mut theirs.startup_probe),
        (&mut ours.readiness_probe, &mut theirs.readiness_probe),
        (&mut ours.liveness_probe, &mut theirs.liveness_probe),
    ] {
        both(ours, theirs, probe);
    }
    both(&mut ours.lifecycle, &mut theirs.lifecycle, lifecycle);
    pairs(some(&mut ours.env), some(&mut theirs.env), variable);
    pairs(
        some(&mut ours.volume_mounts),
        some(&mut theirs.volume_mounts),
        |ours, theirs| {
            choose!(ours, theirs: sub_path sub_path_expr);
            keep(&ours.name, &mut theirs.name);
        },
    );
}

fn probe(ours: &mut Probe, theirs: &mut Probe) {
    let port = port(ours.http_get.as_ref(), ours.tcp_socket.as_ref());
    same_port(port, &mut theirs.http_get, &mut theirs.tcp_socket);
    choose!(ours, theirs: exec grpc http_get tcp_socket);
}

fn lifecycle(ours: &mut Lifecycle, theirs: &mut Lifecycle) {
    both(&mut ours.post_start, &mut theirs.post_start, handler);
    both(&mut ours.pre_stop, &mut theirs.pre_stop, handler);
}

fn handler(ours: &mut LifecycleHandler, theirs: &mut LifecycleHandler) {
    let port = port(ours.http_get.as_ref(), ours.tcp_socket.as_ref());
    same_port(port, &mut theirs.http_get, &mut theirs.tcp_socket);
    choose!(ours, theirs: exec http_get sleep tcp_socket);
}

/// The port that a handler asks.
fn port(http: Option<&HTTPGetAction>, tcp: Option<&TCPSocketAction>) -> Option<IntOrString> {
    http.map(|it| &it.port).or(tcp.map(|it| &it.port)).cloned()
}

/// Who says another path alone means the same port.
fn same_port(
    port: Option<IntOrString>,
    http: &mut Option<HTTPGetAction>,
    tcp: &mut Option<TCPSocketAction>,
) {
    let Some(port) = port else { return };
    let http = http.iter_mut().map(|it| &mut it.port);
    for theirs in http.chain(tcp.iter_mut().map(|it| &mut it.port)) {
        keep(&port, theirs);
    }
}

/// A value or where it comes from. That a variable refers to the same key of something else is no other kind.
fn variable(ours: &mut EnvVar, theirs: &mut EnvVar) {
    choose!(ours, theirs: value value_from);
    both(&mut ours.value_from, &mut theirs.value_from, source);
}

fn source(ours: &mut EnvVarSource, theirs: &mut EnvVarSource) {
    choose!(ours, theirs: config_map_key_ref field_ref file_key_ref resource_field_ref secret_key_ref);
}

fn volume(ours: &mut Volume, theirs: &mut Volume) {
    choose!(ours, theirs:
        aws_elastic_block_store azure_disk azure_file cephfs cinder config_map csi downward_api empty_dir
        ephemeral fc flex_volume flocker gce_persistent_disk git_repo glusterfs host_path image iscsi nfs
        persistent_volume_claim photon_persistent_disk portworx_volume projected quobyte rbd scale_io secret
        storageos vsphere_volume);
}

/// Keeps ours where the user left out what Kubernetes insists on: a patch need not repeat it.
fn keep<T: Clone + Default + PartialEq>(ours: &T, theirs: &mut T) {
    if *theirs == T::default() {
        theirs.clone_from(ours);
    }
}

fn some<T>(list: &mut Option<Vec<T>>) -> &mut [T] {
    list.as_deref_mut().unwrap_or_default()
}

fn both<T>(ours: &mut Option<T>, theirs: &mut Option<T>, prepare: impl Fn(&mut T, &mut T)) {
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        prepare(ours, theirs);
    }
}

/// Calls `prepare` with each item of ours that theirs has too.
fn pairs<T: Keyed>(ours: &mut [T], theirs: &mut [T], prepare: impl Fn(&mut T, &mut T)) {
    for ours in ours {
        if let Some(theirs) = theirs.iter_mut().find(|it| it.key() == ours.key()) {
            prepare(ours, theirs);
        }
    }
}

/// An item of a list that Kubernetes merges by a key.
trait Keyed {
    fn key(&self) -> &str;
}

macro_rules! keyed {
    ($($kind:ident by $key:ident),*) => {$(
        impl Keyed for $kind {
            fn key(&self) -> &str {
                &self.$key
            }
        }
    )*};
}

keyed! {
    Container by name,
    EnvVar by name,
    PodResourceClaim by name,
    TopologySpreadConstraint by topology_key,
    Volume by name,
    VolumeMount by mount_path
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn merged(ours: &Value, theirs: &Value) -> Value {
        let read = |it: &Value| serde_json::from_value::<PodTemplateSpec>(it.clone()).unwrap();
        let mut merged = read(ours);
        template(&mut merged, read(theirs));
        json!(merged)
    }

    /// The same in a container, in an init container, and in the place of the user's choice.
    fn in_containers(ours: &Value, theirs: &Value, wanted: &Value) {
        for list in ["containers", "initContainers"] {
            let pod = |container: &Value| {
                let mut container = container.clone();
                container["name"] = json!("one");
                json!({"spec": {list: [container]}})
            };
            let found = merged(&pod(ours), &pod(theirs));
            let found = &found["spec"][list];
            assert_eq!(*found, pod(wanted)["spec"][list], "{theirs}");
        }
    }

    fn one(key: &str, value: &Value) -> Value {
        Value::Object(Map::from_iter([(key.to_owned(), value.clone())]))
    }

    const PROBES: [&str; 3] = ["startupProbe", "readinessProbe", "livenessProbe"];

    #[test]
    fn one_handler_of_a_probe_takes_the_place_of_another() {
        let handlers = [
            ("exec", json!({"command": ["true"]})),
            ("grpc", json!({"port": 9})),
            ("httpGet", json!({"path": "/", "port": "http"})),
            ("tcpSocket", json!({"port": "http"})),
        ];
        for probe in PROBES {
            for (ours, our) in &handlers {
                for (theirs, their) in &handlers {
                    let of = |kind: &str, handler: &Value| {
                        let mut it = one(kind, handler);
                        it["periodSeconds"] = json!(7);
                        one(probe, &it)
                    };
                    in_containers(
                        &of(ours, our),
                        &one(probe, &one(theirs, their)),
                        &of(theirs, their),
                    );
                }
            }
        }
    }

    #[test]
    fn one_handler_of_the_lifecycle_takes_the_place_of_another() {
        let handlers = [
            ("exec", json!({"command": ["true"]})),
            ("httpGet", json!({"path": "/", "port": "http"})),
            ("sleep", json!({"seconds": 5})),
            ("tcpSocket", json!({"port": "http"})),
        ];
        for event in ["postStart", "preStop"] {
            for (ours, our) in &handlers {
                for (theirs, their) in &handlers {
                    let of = |kind, it| one("lifecycle", &one(event, &one(kind, it)));
                    in_containers(&of(ours, our), &of(theirs, their), &of(theirs, their));
                }
            }
        }
    }

    #[test]
    fn one_source_of_a_variable_takes_the_place_of_another() {
        let from = |kind: &str, it: Value| one("valueFrom", &one(kind, &it));
        let sources = [
            json!({"value": "text"}),
            from("configMapKeyRef", json!({"name": "a", "key": "b"})),
            from("fieldRef", json!({"fieldPath": "metadata.name"})),
            from(
                "fileKeyRef",
                json!({"key": "a", "path": "b", "volumeName": "c"}),
            ),
            from("resourceFieldRef", json!({"resource": "limits.cpu"})),
            from("secretKeyRef", json!({"name": "a", "key": "b"})),
        ];
        for ours in &sources {
            for theirs in &sources {
                let of = |source: &Value| {
                    let mut source = source.clone();
                    source["name"] = json!("A");
                    json!({"env": [source]})
                };
                in_containers(&of(ours), &of(theirs), &of(theirs));
            }
        }
    }

    /// Every field of a volume but its name is a source.
    #[test]
    fn one_source_of_a_volume_takes_the_place_of_another() {
        let mut generator = schemars::SchemaGenerator::default();
        let schema = <Volume as schemars::JsonSchema>::json_schema(&mut generator);
        let fields = schema.get("properties").and_then(Value::as_object).unwrap();
        let kinds: Vec<&String> = fields.keys().filter(|it| *it != "name").collect();
        assert!(kinds.len() >= 30, "{kinds:?}");
        for ours in &kinds {
            for theirs in &kinds {
                let of = |kind: &str| {
                    let mut it = one(kind, &json!({}));
                    it["name"] = json!("data");
                    json!({"spec": {"containers": [], "volumes": [it]}})
                };
                let found = merged(&of(ours), &of(theirs));
                let volumes = found["spec"]["volumes"].as_array().unwrap();
                let found: Vec<_> = volumes[0].as_object().unwrap().keys().collect();
                assert_eq!(found.len(), 2, "{ours} and {theirs}: {found:?}");
                assert!(found.contains(theirs), "{found:?}");
            }
        }
    }

    #[test]
    fn one_kind_of_a_claim_and_of_a_path_takes_the_place_of_another() {
        let kinds = ["resourceClaimName", "resourceClaimTemplateName"];
        for (ours, theirs) in [(kinds[0], kinds[1]), (kinds[1], kinds[0])] {
            let of = |kind: &str| {
                let claim = json!({"name": "gpu", kind: "it"});
                json!({"spec": {"containers": [], "resourceClaims": [claim]}})
            };
            let found = merged(&of(ours), &of(theirs));
            let wanted = of(theirs)["spec"]["resourceClaims"].clone();
            assert_eq!(found["spec"]["resourceClaims"], wanted);
        }
        let of =
            |kind: &str| json!({"volumeMounts": [{"name": "a", "mountPath": "/a", kind: "it"}]});
        in_containers(&of("subPath"), &of("subPathExpr"), &of("subPathExpr"));
        in_containers(&of("subPathExpr"), &of("subPath"), &of("subPath"));
    }

    #[test]
    fn what_is_of_one_kind_is_merged_and_need_not_be_repeated() {
        let http = json!({"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1});
        for probe in PROBES {
            in_containers(
                &one(probe, &http),
                &one(probe, &json!({"httpGet": {"path": "/up"}})),
                &one(
                    probe,
                    &json!({"httpGet": {"path": "/up", "port": "http"}, "periodSeconds": 1}),
                ),
            );
            in_containers(
                &one(probe, &json!({"tcpSocket": {"port": "http"}})),
                &one(probe, &json!({"httpGet": {"path": "/up"}})),
                &one(probe, &json!({"httpGet": {"path": "/up", "port": "http"}})),
            );
        }
        in_containers(
            &json!({"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}),
            &json!({"volumeMounts": [{"mountPath": "/tmp", "readOnly": true}]}),
            &json!({"volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "readOnly": true}]}),
        );
        let spread =
            |it: Value| json!({"spec": {"containers": [], "topologySpreadConstraints": [it]}});
        let found = merged(
            &spread(
                json!({"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}),
            ),
            &spread(json!({"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"})),
        );
        assert_eq!(
            found["spec"]["topologySpreadConstraints"],
            json!([{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}])
        );
    }
}
