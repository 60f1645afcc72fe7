//! What every pod of a stack has, whatever makes it.

use std::collections::BTreeSet;

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
    let all = desired
        .of_stages()
        .cloned()
        .chain(pulls.map(|it| it.object));
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

/// Users and folders of both images.
fn needs() -> Value {
    json!({
        "backend": {"runAsUser": 1000, "writablePaths": ["/config", "/var/cache"]},
        "frontend": {"runAsUser": 101, "writablePaths": ["/var/cache"]},
    })
}

/// The volumes of writable folders of a pod.
fn folders(pod: &Value) -> Vec<&str> {
    let names = list(&pod["volumes"]).iter();
    let names = names.filter_map(|it| it["name"].as_str());
    names.filter(|it| it.starts_with("writable-")).collect()
}

/// The volume that a container has at a path.
fn mounted<'a>(container: &'a Value, path: &str) -> Vec<&'a Value> {
    let mounts = list(&container["volumeMounts"]).iter();
    let found = mounts.filter(|it| it["mountPath"] == path);
    found.map(|it| &it["name"]).collect()
}

#[test]
fn all_that_runs_from_an_image_runs_as_its_user_and_may_write_to_its_folders() -> Result<()> {
    let (mut backends, mut frontends) = (0, 0);
    for (name, pod) in pods(&needs())? {
        let user = &pod["securityContext"]["runAsUser"];
        for it in containers(&pod).filter(|it| !name.contains("-pull-") && it["image"] == "a/b:v2")
        {
            backends += 1;
            assert_eq!(*user, 1000, "{name}");
            let volumes = folders(&pod);
            let found = ["/config", "/var/cache"].map(|path| mounted(it, path));
            assert_eq!(found, [[volumes[0]], [volumes[1]]], "{name}: {it}");
            assert_eq!(volumes.len(), 2, "{name}");
        }
        for it in containers(&pod).filter(|it| !name.contains("-pull-") && it["image"] == "a/c:v2")
        {
            frontends += 1;
            assert_eq!(*user, 101, "{name}");
            // What copies assets writes to their volume alone.
            let serves = it["name"] == "frontend";
            assert_eq!(mounted(it, "/var/cache").len(), usize::from(serves), "{it}");
        }
        let of_database = containers(&pod).any(|it| it["image"] == "docker.io/library/postgres:18");
        if of_database && !name.contains("-pull-") {
            assert_eq!((user, folders(&pod).len()), (&json!(999), 0), "{name}");
        }
    }
    assert_eq!(
        backends, 6,
        "backend, migration, its head, seed and two jobs"
    );
    assert_eq!(frontends, 2, "frontend, and the copy of its assets");
    Ok(())
}

#[test]
fn one_more_folder_renames_no_other_and_their_order_says_nothing() -> Result<()> {
    let all = |paths: &[&str]| -> Result<Vec<(String, Value)>> {
        pods(&json!({"backend": {"writablePaths": paths}}))
    };
    assert_eq!(all(&["/b", "/a"])?, all(&["/a", "/b"])?);
    let of_backend = |pods: Vec<(String, Value)>| {
        let mut pods = pods.into_iter();
        pods.find(|(name, _)| name.contains("Deployment shop-backend-"))
            .context("no backend")
    };
    let (_, two) = of_backend(all(&["/a", "/c"])?)?;
    let (_, three) = of_backend(all(&["/a", "/b", "/c"])?)?;
    assert_eq!(folders(&three).len(), 3);
    for path in ["/a", "/c"] {
        let at = |pod: &Value| {
            mounted(&pod["containers"][0], path)
                .into_iter()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(at(&two), at(&three), "{path}");
    }
    Ok(())
}

#[test]
fn a_pod_template_wins_over_the_user_and_the_folders_of_the_spec() -> Result<()> {
    let mut fields = needs();
    fields["backend"]["podTemplate"] = json!({"spec": {
        "securityContext": {"runAsUser": 7},
        "containers": [{"name": "backend", "volumeMounts": [{"name": "mine", "mountPath": "/config"}]}],
        "volumes": [{"name": "mine", "persistentVolumeClaim": {"claimName": "mine"}}],
    }});
    let mut count = 0;
    for (name, pod) in pods(&fields)? {
        for it in containers(&pod).filter(|it| it["image"] == "a/b:v2" && it["env"].is_array()) {
            count += 1;
            assert_eq!(pod["securityContext"]["runAsUser"], 7, "{name}");
            assert_eq!(mounted(it, "/config"), ["mine"], "{name}: {it}");
            assert_eq!(mounted(it, "/var/cache").len(), 1, "{name}: {it}");
        }
    }
    assert_eq!(count, 6, "backend, migration, its head, seed and two jobs");
    Ok(())
}

/// The container of the backend.
fn backend(fields: &Value) -> Result<Value> {
    let pods = pods(&json!({"backend": fields}))?;
    let mut pods = pods.iter();
    let found = pods.find(|(name, _)| name.contains("Deployment shop-backend-"));
    let (_, pod) = found.context("no backend")?;
    Ok(pod["containers"][0].clone())
}

#[test]
fn health_may_have_a_port_of_its_own_at_which_nobody_asks_whether_the_container_lives() -> Result<()>
{
    let found = backend(&json!({"healthPath": "/ready", "healthPort": 9000}))?;
    let ports = list(&found["ports"]).iter();
    let ports: Vec<_> = ports
        .map(|it| (&it["name"], &it["containerPort"]))
        .collect();
    let (http, health) = (json!("http"), json!("health"));
    assert_eq!(ports, [(&http, &json!(8000)), (&health, &json!(9000))]);
    let asked = json!({"path": "/ready", "port": "health"});
    assert_eq!(found["startupProbe"]["httpGet"], asked);
    assert_eq!(found["readinessProbe"]["httpGet"], asked);
    assert_eq!(found["livenessProbe"]["tcpSocket"], json!({"port": "http"}));
    let same = json!({"healthPort": 8000});
    assert_eq!(backend(&same)?, backend(&json!({}))?);
    Ok(())
}

/// The addresses by which a release is asked, before visitors come and at the way in.
fn asked(fields: &Value) -> Result<BTreeSet<String>> {
    let stages = build::build(&stack("v1", fields)?, Direction::Forward).stages;
    let checks = stages.into_iter().filter_map(|it| it.check);
    let urls = checks.flat_map(|it| it.urls);
    Ok(urls.filter(|it| it.contains("://api.")).collect())
}

#[test]
fn visitors_are_asked_for_nothing_that_is_served_at_the_port_of_the_health_check() -> Result<()> {
    let backend =
        |health_port: Option<i32>| json!({"healthPath": "/ready", "healthPort": health_port});
    for (port, path) in [(None, "/ready"), (Some(8000), "/ready"), (Some(9000), "/")] {
        let wanted = BTreeSet::from([format!("https://api.localhost{path}")]);
        for rollout in [json!({}), json!({"publicCheck": {}})] {
            let fields = json!({"backend": backend(port), "rollout": rollout});
            assert_eq!(asked(&fields)?, wanted, "{fields}");
        }
    }
    let said = json!({"backend": backend(Some(9000)), "rollout": {"publicCheck": {"path": "/up"}}});
    let wanted = BTreeSet::from(["https://api.localhost/up".to_owned()]);
    assert_eq!(asked(&said)?, wanted);
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
    let of_health = |port: i32, health: i32| {
        let fields = json!({"backend": {"port": port, "healthPort": health}});
        sysctls("Deployment shop-backend-", &fields)
    };
    assert_eq!(of_health(8000, 81)?, open("81"));
    assert_eq!(of_health(80, 81)?, open("80"));
    assert_eq!(of_health(8000, 9000)?, Value::Null);
    Ok(())
}

#[test]
fn what_runs_from_the_image_and_listens_on_nothing_needs_no_port() -> Result<()> {
    for (name, pod) in pods(&json!({"backend": {"port": 80, "healthPort": 81}}))? {
        let serves = name.contains("Deployment shop-backend-") || name.contains("-pull-");
        let sysctls = &pod["securityContext"]["sysctls"];
        ensure!(serves || sysctls.is_null(), "{name}: {sysctls}");
    }
    Ok(())
}
