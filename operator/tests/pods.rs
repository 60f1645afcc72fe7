//! What every pod of a stack has, whatever makes it.

use anyhow::{Context as _, Result, ensure};
use appstack_operator::api::AppStack;
use appstack_operator::build::{self, Direction};
use appstack_operator::check;
use appstack_operator::model::fact::Login;
use appstack_operator::model::inputs::Inputs;
use appstack_operator::model::object::Object;
use appstack_operator::model::stack::Stack;
use appstack_operator::settings::ClusterSettings;
use serde_json::{Value, json};

/// A stack of all parts with these fields.
fn stack(version: &str, fields: &Value) -> Result<Stack> {
    let mut app = json!({
        "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
        "metadata": {"name": "shop", "namespace": "demo", "uid": "u", "generation": 1},
        "spec": {
            "environment": "local", "domain": "localhost", "version": version,
            "backend": {"image": "a/b", "migrate": {"headCommand": ["head"]}, "seed": {}},
            "frontend": {"image": "a/c", "assets": {"path": "/assets"}}, "database": {"embedded": {}},
            "jobs": [{"name": "a", "args": ["a"]}, {"name": "b", "args": ["b"], "schedule": "@daily"}],
        },
    });
    json_patch::merge(&mut app["spec"], fields);
    let app: AppStack = serde_json::from_value(app)?;
    Ok(check::stack(
        &app,
        &Inputs::offline(&app),
        &ClusterSettings::default(),
    )?)
}

/// Every pod of such a stack, by what makes it; what pulls images and drops roles too.
fn pods(fields: &Value) -> Result<Vec<(String, Value)>> {
    let (before, stack) = (stack("v1", fields)?, stack("v2", fields)?);
    let login = Login {
        role: "app_old".into(),
        volume: None,
        made_by: "uid".into(),
    };
    let embedded = stack.database.embedded.as_ref();
    let revocation = embedded.map(|it| build::revocation(&stack, it, &[login]));
    let desired = build::build(&stack, Direction::Forward);
    let pulls = build::pulls(&before, &stack).into_iter();
    let all = desired.objects().cloned().chain(pulls.map(|it| it.object));
    let all = all.chain(revocation.map(|it| Object::Job(Box::new(it))));
    let mut pods = Vec::new();
    for object in all {
        let (name, value) = (
            format!("{} {}", object.kind(), object.name()),
            json!(object),
        );
        let templates = [
            "/spec/template/spec",
            "/spec/jobTemplate/spec/template/spec",
        ];
        let pod = templates.iter().find_map(|it| value.pointer(it));
        pods.extend(pod.map(|it| (name, it.clone())));
    }
    let names: Vec<_> = pods.iter().map(|(name, _)| name).collect();
    ensure!(pods.len() == 12, "{names:?}");
    Ok(pods)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["initContainers", "containers"];
    lists.into_iter().flat_map(|it| list(&pod[it]))
}

/// Whether `found` has all of what is wanted: lists all of its items, objects all of its fields.
fn has(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Array(wanted) => wanted.iter().all(|it| list(found).contains(it)),
        Value::Object(wanted) => wanted.iter().all(|(key, it)| has(&found[key], it)),
        wanted => found == wanted,
    }
}

/// What a user may give the pod of the backend and is not about serving.
fn given_to_the_pod() -> Value {
    json!({
        "serviceAccountName": "own", "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "a"}],
        "affinity": {"nodeAffinity": {}}, "runtimeClassName": "kata", "priorityClassName": "high",
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}], "dnsConfig": {"searches": ["corp"]},
        "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}],
        "imagePullSecrets": [{"name": "registry"}], "securityContext": {"fsGroup": 7},
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}, {"name": "tmp", "emptyDir": {"medium": "Memory"}}],
    })
}

/// The same of its container.
fn given_to_the_container() -> Value {
    json!({
        "env": [{"name": "A", "value": "a"}, {"name": "SECRET_KEY", "value": "b"}],
        "envFrom": [{"configMapRef": {"name": "more"}}], "workingDir": "/srv",
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}], "securityContext": {"runAsUser": 7},
    })
}

/// Every pod where the backend is given all that, and a sidecar and a grace period, which are its own.
fn pods_beside_a_backend() -> Result<Vec<(String, Value)>> {
    let (mut pod, mut container) = (given_to_the_pod(), given_to_the_container());
    container["name"] = "backend".into();
    pod["containers"] = json!([container, {"name": "proxy", "image": "a/proxy"}]);
    pod["terminationGracePeriodSeconds"] = 99.into();
    pods(&json!({"backend": {"podTemplate": {"spec": pod}}}))
}

#[test]
fn with_limits_of_each_part_every_container_passes_a_quota() -> Result<()> {
    let resources = json!({"limits": {"cpu": "1", "memory": "256Mi"}});
    let pods = pods(&json!({
        "backend": {"resources": resources}, "frontend": {"resources": resources},
        "database": {"embedded": {"resources": resources}},
    }))?;
    for (name, pod) in pods {
        for container in containers(&pod) {
            for it in ["cpu", "memory"] {
                let limit = &container["resources"]["limits"][it];
                ensure!(limit.is_string(), "{name}: {container}");
            }
        }
    }
    Ok(())
}

#[test]
fn pull_secrets_are_those_of_every_pod_beside_those_of_its_template() -> Result<()> {
    let pods = pods(&json!({
        "imagePullSecrets": [{"name": "registry"}],
        "frontend": {"podTemplate": {"spec": {"imagePullSecrets": [{"name": "other"}]}}},
    }))?;
    let mut others = 0;
    for (name, pod) in pods {
        let secrets = list(&pod["imagePullSecrets"]);
        ensure!(secrets.contains(&json!({"name": "registry"})), "{name}");
        others += usize::from(secrets.contains(&json!({"name": "other"})));
    }
    assert_eq!(others, 2, "the frontend, and what pulls its image");
    Ok(())
}

#[test]
fn what_the_backend_finds_is_found_by_all_that_runs_from_its_image() -> Result<()> {
    let (pod, container) = (given_to_the_pod(), given_to_the_container());
    let runs = |it: &Value| it["image"] == "a/b:v2" && it["env"].is_array();
    let mut count = 0;
    for (name, found) in pods_beside_a_backend()? {
        if !containers(&found).any(runs) {
            continue;
        }
        count += 1;
        ensure!(has(&found, &pod), "{name}: {found}");
        for it in containers(&found).filter(|it| runs(it)) {
            ensure!(has(it, &container), "{name}: {it}");
        }
        let serves = name.contains("shop-backend");
        let proxy = containers(&found).any(|it| it["name"] == "proxy");
        assert_eq!(proxy, serves, "{name}");
        let grace = found["terminationGracePeriodSeconds"] == 99;
        assert_eq!(grace, serves, "{name}");
    }
    assert_eq!(count, 5, "backend, migration, seed and two jobs");
    Ok(())
}

#[test]
fn images_are_pulled_where_they_are_to_run_and_without_volumes() -> Result<()> {
    let pods = pods_beside_a_backend()?;
    let mut pulls = pods.iter().filter(|(name, _)| name.contains("-pull-"));
    let (_, pull) = pulls
        .find(|(_, it)| containers(it).any(|it| it["name"] == "backend"))
        .context("nothing pulls the backend")?;
    let pod = given_to_the_pod();
    for key in [
        "serviceAccountName",
        "nodeSelector",
        "tolerations",
        "affinity",
        "runtimeClassName",
        "priorityClassName",
        "imagePullSecrets",
        "securityContext",
    ] {
        ensure!(has(&pull[key], &pod[key]), "{key} is {}", pull[key]);
    }
    assert!(pull["volumes"].is_null(), "{pull}");
    Ok(())
}

/// The sysctls of the pods of a Deployment, where the stack has these fields.
fn sysctls(of: &str, fields: &Value) -> Result<Value> {
    let pods = pods(fields)?;
    let mut found = pods.iter().filter(|(name, _)| name.contains(of));
    let (_, pod) = found.next().with_context(|| format!("no {of}"))?;
    Ok(pod["securityContext"]["sysctls"].clone())
}

#[test]
fn whatever_user_an_image_runs_as_it_may_listen_on_its_port() -> Result<()> {
    let open = |port: &str| json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": port}]);
    for part in ["backend", "frontend"] {
        let of = format!("Deployment shop-{part}-");
        let sysctls = |fields: &Value| sysctls(&of, &json!({part: fields}));
        assert_eq!(sysctls(&json!({"port": 80}))?, open("80"));
        assert_eq!(sysctls(&json!({"port": 1023}))?, open("1023"));
        assert_eq!(sysctls(&json!({"port": 1024}))?, Value::Null);
        let theirs = json!([{"name": "net.core.somaxconn", "value": "4096"}]);
        let of_user =
            json!({"port": 80, "podTemplate": {"spec": {"securityContext": {"sysctls": theirs}}}});
        assert_eq!(sysctls(&of_user)?, theirs);
        // Sysctls of the network are refused there.
        let on_the_node = json!({"port": 80, "podTemplate": {"spec": {"hostNetwork": true}}});
        assert_eq!(sysctls(&on_the_node)?, Value::Null);
    }
    Ok(())
}

#[test]
fn what_runs_from_the_image_and_listens_on_nothing_needs_no_port() -> Result<()> {
    for (name, pod) in pods(&json!({"backend": {"port": 80}}))? {
        let serves = name.contains("Deployment shop-backend-") || name.contains("-pull-");
        let sysctls = &pod["securityContext"]["sysctls"];
        ensure!(serves || sysctls.is_null(), "{name}: {sysctls}");
    }
    Ok(())
}
