//! What a user writes gives exactly these objects: `golden/<case>/desired.yaml` holds those of
//! `golden/<case>/stack.yaml`, or of an example of the documentation.
//!
//! After a change that is wanted: `EXPECTORATE=overwrite cargo test --test golden`, then read the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use appstack_operator::api::AppStack;
use appstack_operator::build::{self, Direction};
use appstack_operator::model::inputs::Inputs;
use appstack_operator::model::object::Object;
use appstack_operator::settings::ClusterSettings;
use appstack_operator::{check, render};
use serde_json::{Value, json};

/// What is built, and from what. The examples are cases of their own, so that they always work.
const CASES: [(&str, &str); 20] = [
    ("local", "../examples/stack-local.yaml"),
    ("staging", "../examples/stack-staging.yaml"),
    ("production", "../examples/stack-production.yaml"),
    ("api-only", "../examples/stack-api-only.yaml"),
    (
        "external-database",
        "tests/golden/external-database/stack.yaml",
    ),
    ("pod-template", "tests/golden/pod-template/stack.yaml"),
    ("own-certificate", "tests/golden/own-certificate/stack.yaml"),
    ("issuer", "tests/golden/issuer/stack.yaml"),
    ("resolver", "tests/golden/resolver/stack.yaml"),
    ("no-tls", "tests/golden/no-tls/stack.yaml"),
    ("nginx", "tests/golden/nginx/stack.yaml"),
    ("gateway", "tests/golden/gateway/stack.yaml"),
    ("gateway-traefik", "tests/golden/gateway-traefik/stack.yaml"),
    ("long-name", "tests/golden/long-name/stack.yaml"),
    ("jobs", "tests/golden/jobs/stack.yaml"),
    ("image-needs", "tests/golden/image-needs/stack.yaml"),
    ("limits", "tests/golden/limits/stack.yaml"),
    ("egress", "tests/golden/egress/stack.yaml"),
    ("single-host", "tests/golden/single-host/stack.yaml"),
    ("maintenance", "tests/golden/maintenance/stack.yaml"),
];

/// The length of a DNS label, which names and label values share.
const MAX_LABEL: usize = 63;
/// The label that tells the pods of one revision from those of another.
const REVISION: &str = "appstack.dev/revision";
/// The label that tells the pods of one job from those of another.
const JOB: &str = "appstack.dev/job";

fn operator() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn desired_path(case: &str) -> PathBuf {
    operator()
        .join("tests/golden")
        .join(case)
        .join("desired.yaml")
}

fn stack_text(case: &str) -> Result<String> {
    let (_, path) = CASES
        .into_iter()
        .find(|(name, _)| *name == case)
        .with_context(|| format!("there is no case {case}"))?;
    fs::read_to_string(operator().join(path)).with_context(|| path.to_owned())
}

fn rendered(case: &str) -> Result<String> {
    render::manifests(&stack_text(case)?, &ClusterSettings::default())
        .with_context(|| format!("case {case}"))
}

/// The objects of a case, as its file says; the first test holds it to what is built.
fn objects(case: &str) -> Result<Vec<Value>> {
    let text = fs::read_to_string(desired_path(case)).with_context(|| format!("case {case}"))?;
    Ok(serde_saphyr::from_multiple(&text)?)
}

/// Calls `check` with each object of each case; what it finds is told with the case and the object.
fn for_each_object(check: impl Fn(&Value, &Value) -> Result<()>) -> Result<()> {
    for (case, _) in CASES {
        let stack: Value = serde_saphyr::from_str(&stack_text(case)?)?;
        for object in objects(case)? {
            check(&stack, &object).with_context(|| {
                format!(
                    "case {case}: {} {}",
                    text(&object["kind"]),
                    text(&object["metadata"]["name"])
                )
            })?;
        }
    }
    Ok(())
}

/// Calls `check` with each pod template of each case.
fn for_each_template(check: impl Fn(&Value) -> Result<()>) -> Result<()> {
    for_each_object(|_, object| match kind(object) {
        "Deployment" | "StatefulSet" | "Job" => check(&object["spec"]["template"]),
        "CronJob" => check(&object["spec"]["jobTemplate"]["spec"]["template"]),
        _ => Ok(()),
    })
}

fn kind(object: &Value) -> &str {
    text(&object["kind"])
}

/// Whether the object is of a process of the backend image that serves nobody.
fn is_job(object: &Value) -> bool {
    !object["metadata"]["labels"][JOB].is_null()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether the object is the volume claim or the Secret of generated values, which outlive a stack whose data is kept.
fn is_kept(stack: &Value, object: &Value) -> bool {
    let local = stack["spec"]["environment"] == "local";
    let policy = stack["spec"]["deletionPolicy"].as_str();
    let kept = policy.unwrap_or(if local { "Delete" } else { "Retain" }) == "Retain";
    let component = &object["metadata"]["labels"]["app.kubernetes.io/component"];
    let secret = kind(object) == "Secret" && component == "shared";
    kept && (secret || kind(object) == "PersistentVolumeClaim")
}

#[test]
fn every_case_gives_exactly_its_objects() -> Result<()> {
    for (case, _) in CASES {
        expectorate::assert_contents(desired_path(case), &rendered(case)?);
    }
    Ok(())
}

#[test]
fn every_folder_is_a_case() -> Result<()> {
    let folders: BTreeSet<String> = fs::read_dir(operator().join("tests/golden"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    assert_eq!(folders, CASES.map(|(case, _)| case.to_owned()).into());
    Ok(())
}

#[test]
fn every_object_says_whose_it_is() -> Result<()> {
    for_each_object(|stack, object| {
        let metadata = &object["metadata"];
        let name = &stack["metadata"]["name"];
        let labels = &metadata["labels"];
        ensure!(labels["appstack.dev/stack"] == *name, "labels: {labels}");
        ensure!(
            labels["app.kubernetes.io/managed-by"] == "appstack-operator",
            "labels: {labels}"
        );
        ensure!(
            labels["app.kubernetes.io/component"].is_string(),
            "labels: {labels}"
        );
        ensure!(
            metadata["namespace"] == stack["metadata"]["namespace"],
            "another namespace"
        );
        let owner = &metadata["ownerReferences"][0];
        let instance = &labels["app.kubernetes.io/instance"];
        if is_kept(stack, object) {
            ensure!(
                owner.is_null(),
                "generated secrets go with the AppStack, and the data stays"
            );
            ensure!(instance.is_null(), "a GitOps tool takes it for its own");
            let marks = &metadata["annotations"];
            let mark = &marks["argocd.argoproj.io/sync-options"];
            ensure!(mark == "Prune=false", "annotations: {marks}");
            let mark = &marks["kustomize.toolkit.fluxcd.io/prune"];
            ensure!(mark == "disabled", "annotations: {marks}");
        } else {
            ensure!(instance == name, "labels: {labels}");
            ensure!(
                owner["kind"] == "AppStack" && owner["name"] == *name,
                "owner: {owner}"
            );
            ensure!(owner["controller"] == true, "owner: {owner}");
        }
        Ok(())
    })
}

/// Whether an object is of what shows the page of maintenance, or of a tool.
fn is_beside(object: &Value) -> bool {
    let component = text(&object["metadata"]["labels"]["app.kubernetes.io/component"]);
    ["maintenance", "adminer", "mail"].contains(&component)
}

#[test]
fn the_page_for_applications_names_every_variable_of_ours() -> Result<()> {
    let page = fs::read_to_string(operator().join("../docs/your-application.md"))?;
    let mut missing = BTreeSet::new();
    for (case, _) in CASES {
        let stack = stack_text(case)?;
        let objects = objects(case)?;
        let parts = objects.iter().filter(|it| kind(it) == "Deployment");
        let parts = parts.filter(|it| !is_beside(it));
        let containers = parts.map(|it| &it["spec"]["template"]["spec"]["containers"][0]);
        let names = containers
            .flat_map(|it| list(&it["env"]))
            .map(|it| text(&it["name"]));
        let ours = names.filter(|it| !stack.contains(&format!("name: {it}")));
        missing.extend(
            ours.filter(|it| !page.contains(&format!("`{it}`")))
                .map(str::to_owned),
        );
    }
    assert_eq!(missing, BTreeSet::new());
    Ok(())
}

/// The hosts in the addresses of a variable's value.
fn hosts(value: &str) -> impl Iterator<Item = &str> {
    let addresses = value.split(',').filter_map(|it| it.split_once("://"));
    let web = addresses.filter(|(scheme, _)| ["http", "https"].contains(scheme));
    web.map(|(_, rest)| rest.split([':', '/']).next().unwrap_or_default())
}

#[test]
fn pods_are_told_of_no_host_that_nobody_serves() -> Result<()> {
    let mut told = BTreeMap::new();
    for (case, _) in CASES {
        let objects = objects(case)?;
        let ingresses = objects.iter().filter(|it| kind(it) == "Ingress");
        let rules = ingresses.flat_map(|it| list(&it["spec"]["rules"]));
        let routes = objects.iter().filter(|it| kind(it) == "HTTPRoute");
        let by_gateway = routes.flat_map(|it| list(&it["spec"]["hostnames"]));
        let hosts_of_rules = rules.map(|it| &it["host"]);
        let served: BTreeSet<&str> = hosts_of_rules.chain(by_gateway).map(text).collect();
        let deployments = objects.iter().filter(|it| kind(it) == "Deployment");
        let pods = deployments.map(|it| &it["spec"]["template"]["spec"]);
        let variables = pods.flat_map(|it| list(&it["containers"][0]["env"]));
        for variable in variables {
            // In `local` the ports of the developer's own machine may call as well.
            for host in hosts(text(&variable["value"])).filter(|it| *it != "localhost") {
                ensure!(served.contains(host), "case {case}: {variable}");
                *told.entry(text(&variable["name"]).to_owned()).or_insert(0) += 1;
            }
        }
    }
    let names: Vec<_> = told.into_keys().collect();
    assert_eq!(names, ["API_URL", "BACKEND_CORS_ORIGINS", "FRONTEND_HOST"]);
    Ok(())
}

#[test]
fn a_stateful_set_takes_no_data_with_it() -> Result<()> {
    for_each_object(|_, object| {
        if kind(object) == "StatefulSet" {
            let claims = &object["spec"]["volumeClaimTemplates"];
            ensure!(claims.is_null(), "its claims: {claims}");
        }
        if kind(object) == "PersistentVolumeClaim" {
            let owners = list(&object["metadata"]["ownerReferences"]);
            ensure!(
                owners.iter().all(|it| it["kind"] == "AppStack"),
                "owned by {owners:?}"
            );
        }
        Ok(())
    })
}

#[test]
fn selectors_say_stack_component_and_job_and_for_pods_that_run_on_the_revision() -> Result<()> {
    let exactly = |object: &Value, selector: &Value, revision: &Value| {
        let labels = &object["metadata"]["labels"];
        let keys = ["appstack.dev/stack", "app.kubernetes.io/component", JOB];
        let mut wanted: BTreeMap<_, _> = keys.into_iter().map(|key| (key, &labels[key])).collect();
        wanted.retain(|_, value| !value.is_null());
        if !revision.is_null() {
            wanted.insert(REVISION, revision);
        }
        ensure!(*selector == json!(wanted), "it selects {selector}");
        Ok(())
    };
    for_each_object(|_, object| {
        let spec = &object["spec"];
        let labels = &spec["selector"]["matchLabels"];
        match kind(object) {
            // A Service turns to another revision, so that its selector changes with each.
            "Service" => exactly(object, &spec["selector"], &spec["selector"][REVISION]),
            // What is beside the application is nobody's release.
            "Deployment" if is_beside(object) => exactly(object, labels, &Value::Null),
            "Deployment" => {
                let revision = &labels[REVISION];
                let name = text(&object["metadata"]["name"]);
                ensure!(
                    name.ends_with(&format!("-{}", text(revision))),
                    "its revision is {revision}"
                );
                exactly(object, labels, revision)
            }
            "StatefulSet" | "PodDisruptionBudget" => exactly(object, labels, &Value::Null),
            // Kubernetes makes the selector of a Job.
            "Job" => {
                ensure!(spec["selector"].is_null(), "a Job with a selector");
                Ok(())
            }
            _ => Ok(()),
        }?;
        let expressions = &spec["selector"]["matchExpressions"];
        ensure!(
            expressions.is_null() || kind(object) == "NetworkPolicy",
            "it has expressions"
        );
        Ok(())
    })
}

#[test]
fn requests_go_to_the_pods_of_the_release() -> Result<()> {
    for (case, _) in CASES {
        let all = objects(case)?;
        let revisions = |wanted: &str, selector: &str| -> BTreeMap<String, String> {
            let those = all.iter().filter(|it| kind(it) == wanted && !is_job(it));
            those
                .filter_map(|it| {
                    let part = text(&it["metadata"]["labels"]["app.kubernetes.io/component"]);
                    let revision = it.pointer(selector)?.get(REVISION)?;
                    Some((part.to_owned(), text(revision).to_owned()))
                })
                .collect()
        };
        let pods = revisions("Deployment", "/spec/template/metadata/labels");
        assert!(!pods.is_empty(), "{case}");
        assert_eq!(revisions("Service", "/spec/selector"), pods, "{case}");
    }
    Ok(())
}

#[test]
fn a_workload_selects_its_own_pods() -> Result<()> {
    for_each_object(|_, object| {
        let spec = &object["spec"];
        let selector = spec["selector"]["matchLabels"].as_object();
        let labels = &spec["template"]["metadata"]["labels"];
        if let ("Deployment" | "StatefulSet", Some(selector)) = (kind(object), selector) {
            ensure!(
                selector.iter().all(|(key, value)| labels[key] == *value),
                "pods: {labels}"
            );
        }
        Ok(())
    })
}

#[test]
fn every_pod_satisfies_the_restricted_standard() -> Result<()> {
    for_each_template(|template| {
        let pod = &template["spec"];
        ensure!(
            pod["securityContext"]["runAsNonRoot"] == true,
            "it may run as root"
        );
        let seccomp = &pod["securityContext"]["seccompProfile"]["type"];
        ensure!(seccomp == "RuntimeDefault", "seccomp: {seccomp}");
        for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
            ensure!(pod[forbidden].is_null(), "it uses {forbidden}");
        }
        let harmless = [
            "emptyDir",
            "configMap",
            "secret",
            "projected",
            "persistentVolumeClaim",
        ];
        for volume in list(&pod["volumes"]) {
            ensure!(
                harmless.iter().any(|kind| !volume[kind].is_null()),
                "volume: {volume}"
            );
        }
        for container in list(&pod["containers"])
            .iter()
            .chain(list(&pod["initContainers"]))
        {
            let security = &container["securityContext"];
            ensure!(
                security["allowPrivilegeEscalation"] == false,
                "it may gain privileges"
            );
            ensure!(
                security["capabilities"] == json!({"drop": ["ALL"]}),
                "it has capabilities"
            );
            ensure!(
                security["readOnlyRootFilesystem"] == true,
                "it may write to its image"
            );
            ensure!(security["privileged"].is_null(), "it is privileged");
        }
        Ok(())
    })
}

#[test]
fn no_pod_gets_a_token() -> Result<()> {
    for_each_template(|template| {
        ensure!(
            template["spec"]["automountServiceAccountToken"] == false,
            "it gets a token"
        );
        Ok(())
    })?;
    for_each_object(|_, object| {
        let token = &object["automountServiceAccountToken"];
        ensure!(
            kind(object) != "ServiceAccount" || token == false,
            "its pods get a token"
        );
        Ok(())
    })
}

#[test]
fn what_serves_is_probed_and_asked_every_second_until_it_has_started() -> Result<()> {
    for_each_object(|_, object| {
        let container = &object["spec"]["template"]["spec"]["containers"][0];
        if matches!(kind(object), "Deployment" | "StatefulSet") && !is_job(object) {
            ensure!(
                container["startupProbe"]["periodSeconds"] == 1,
                "no quick startup probe"
            );
            ensure!(
                container["readinessProbe"].is_object(),
                "no readiness probe"
            );
            ensure!(container["livenessProbe"].is_object(), "no liveness probe");
        }
        Ok(())
    })
}

#[test]
fn a_roll_out_takes_no_pod_away_before_its_successor_serves() -> Result<()> {
    for_each_object(|_, object| {
        let rolling = &object["spec"]["strategy"]["rollingUpdate"];
        ensure!(
            kind(object) != "Deployment" || rolling["maxUnavailable"] == 0,
            "{rolling}"
        );
        Ok(())
    })
}

#[test]
fn two_pods_or_more_have_a_disruption_budget_and_one_has_none() -> Result<()> {
    for (case, _) in CASES {
        let all = objects(case)?;
        let named = |wanted: &str, which: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
            let those = all.iter().filter(|it| kind(it) == wanted && which(it));
            those
                .map(|it| {
                    let labels = &it["metadata"]["labels"];
                    let part = labels
                        .get(JOB)
                        .unwrap_or(&labels["app.kubernetes.io/component"]);
                    text(part).to_owned()
                })
                .collect()
        };
        let many = |it: &Value| it["spec"]["replicas"].as_i64() >= Some(2);
        assert_eq!(
            named("PodDisruptionBudget", &|_| true),
            named("Deployment", &many),
            "{case}"
        );
    }
    Ok(())
}

#[test]
fn an_autoscaler_has_the_name_of_its_service_and_scales_what_that_turns_to() -> Result<()> {
    let all = objects("jobs")?;
    let of = |wanted: &'static str| all.iter().filter(move |it| kind(it) == wanted);
    let mut parts = BTreeSet::new();
    for autoscaler in of("HorizontalPodAutoscaler") {
        let name = &autoscaler["metadata"]["name"];
        let service = of("Service").find(|it| it["metadata"]["name"] == *name);
        let service = service.with_context(|| format!("no Service {name}"))?;
        let target = text(&autoscaler["spec"]["scaleTargetRef"]["name"]);
        let revision = text(&service["spec"]["selector"][REVISION]);
        assert_eq!(target, format!("{}-{revision}", text(name)));
        let deployment = of("Deployment").find(|it| it["metadata"]["name"] == target);
        let deployment = deployment.with_context(|| format!("no Deployment {target}"))?;
        let least = &deployment["metadata"]["annotations"]["appstack.dev/min-replicas"];
        let min = &autoscaler["spec"]["minReplicas"];
        assert_eq!(text(least), min.to_string());
        parts.insert(text(name));
    }
    assert_eq!(parts, BTreeSet::from(["shop-backend", "shop-frontend"]));
    Ok(())
}

#[test]
fn what_runs_for_a_job_is_what_runs_for_the_backend() -> Result<()> {
    let all = objects("jobs")?;
    let pod = |it: &Value| match kind(it) {
        "CronJob" => it["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone(),
        _ => it["spec"]["template"]["spec"].clone(),
    };
    let backend = all
        .iter()
        .find(|it| text(&it["metadata"]["name"]).starts_with("shop-backend-"))
        .map(pod)
        .context("no backend")?;
    let jobs: Vec<&Value> = all
        .iter()
        .filter(|it| is_job(it) && kind(it) != "PodDisruptionBudget")
        .collect();
    assert_eq!(jobs.len(), 4);
    for job in jobs {
        let pod = pod(job);
        for path in [
            "/containers/0/image",
            "/containers/0/env",
            "/containers/0/securityContext",
            "/imagePullSecrets",
        ] {
            assert_eq!(pod.pointer(path), backend.pointer(path), "{path}");
        }
        for path in [
            "/containers/0/ports",
            "/containers/0/readinessProbe",
            "/containers/0/lifecycle",
        ] {
            assert_eq!(pod.pointer(path), None, "{path}");
        }
    }
    Ok(())
}

#[test]
fn names_and_label_values_fit_into_a_dns_label() -> Result<()> {
    for_each_object(|_, object| {
        let metadata = &object["metadata"];
        let template = &object["spec"]["template"]["metadata"];
        let labels = [&metadata["labels"], &template["labels"]];
        let values = labels
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|it| it.values());
        for name in values.chain([&metadata["name"]]) {
            ensure!(text(name).len() <= MAX_LABEL, "{name} is too long");
        }
        // Kubernetes makes a label value of the name and ten characters.
        let room = if matches!(kind(object), "StatefulSet" | "CronJob") {
            MAX_LABEL - 11
        } else {
            MAX_LABEL
        };
        ensure!(
            text(&metadata["name"]).len() <= room,
            "the name is too long"
        );
        Ok(())
    })
}

#[test]
fn no_object_comes_twice() -> Result<()> {
    for (case, _) in CASES {
        let all = objects(case)?;
        let ids: BTreeSet<_> = all
            .iter()
            .map(|it| (kind(it), text(&it["metadata"]["name"])))
            .collect();
        assert_eq!(ids.len(), all.len(), "{case}");
    }
    Ok(())
}

#[test]
fn a_variable_comes_once_and_after_what_it_refers_to() -> Result<()> {
    for_each_template(|template| {
        let mut seen = BTreeSet::new();
        for variable in list(&template["spec"]["containers"][0]["env"]) {
            let name = text(&variable["name"]);
            for rest in text(&variable["value"]).split("$(").skip(1) {
                let referred = rest.split(')').next().unwrap_or_default();
                ensure!(
                    seen.contains(referred),
                    "{name} refers to {referred} before it is set"
                );
            }
            ensure!(seen.insert(name), "{name} is there twice");
        }
        Ok(())
    })
}

/// Objects of a spec whose every secret value holds the word `unseen`.
fn objects_with_hidden_values(spec: &Value) -> Result<Vec<Object>> {
    let mut app: AppStack = serde_json::from_value(json!({
        "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
        "metadata": {"name": "shop", "namespace": "demo", "uid": "u"}, "spec": spec,
    }))?;
    app.metadata.generation = Some(1);
    let hidden = |keys: &[&str]| {
        let value = |key: &&str| ((*key).to_owned(), format!("unseen-{key}").into());
        keys.iter().map(value).collect::<BTreeMap<_, _>>()
    };
    let mut given = hidden(&[
        "SECRET_KEY",
        "FIRST_SUPERUSER_PASSWORD",
        "SMTP_USER",
        "SMTP_PASSWORD",
    ]);
    given.insert(
        "SENTRY_DSN".into(),
        "https://public:unseen@sentry.example.com/7"
            .to_owned()
            .into(),
    );
    let mut external = hidden(&["password"]);
    for key in ["host", "dbname", "user"] {
        external.insert(key.into(), key.to_owned().into());
    }
    let mut inputs = Inputs::offline(&app);
    inputs.random.secret_key = "unseen".to_owned().into();
    inputs.random.superuser_password = "unseen".to_owned().into();
    inputs.random.database_password = "unseen".to_owned().into();
    inputs.random.admin_password = "unseen".to_owned().into();
    inputs.random.adminer_password = "unseen".to_owned().into();
    if let Some(certificate) = &mut inputs.certificate {
        certificate.key = "unseen".to_owned().into();
        certificate.authority_key = "unseen".to_owned().into();
    }
    inputs.secrets.extend([
        ("given".to_owned(), given),
        ("external".to_owned(), external),
        ("certificate".to_owned(), hidden(&["tls.crt", "tls.key"])),
    ]);
    let stack = check::stack(&app, &inputs, &ClusterSettings::default())?;
    Ok(build::build(&stack, Direction::Forward)
        .objects()
        .cloned()
        .collect())
}

#[test]
fn secret_values_are_in_secrets_alone() -> Result<()> {
    let generated = json!({
        "environment": "local", "domain": "localhost",
        "backend": {"image": "a/b:1", "migrate": {}, "seed": {}}, "frontend": {"image": "a/c:1"},
        "jobs": [{"name": "a", "args": ["a"]}, {"name": "b", "args": ["b"], "schedule": "@daily"}],
    });
    let mut given = generated.clone();
    given["secrets"] = json!({"from": [{"name": "given"}]});
    given["database"] = json!({"external": {"secretName": "external"}});
    given["edge"] = json!({"tls": {"secretName": "certificate"}});
    for spec in [generated, given] {
        let all = objects_with_hidden_values(&spec)?;
        let (secrets, others): (Vec<_>, Vec<_>) = all.iter().partition(|it| it.kind() == "Secret");
        assert!(secrets.len() >= 2 && others.len() >= 10);
        for object in others {
            let shown = serde_json::to_string(object)?;
            assert!(
                !shown.contains("unseen"),
                "{} {} shows a secret",
                object.kind(),
                object.name()
            );
        }
    }
    Ok(())
}

#[test]
fn the_public_part_of_a_sentry_dsn_reaches_the_site() -> Result<()> {
    let all = objects_with_hidden_values(&json!({
        "environment": "local", "domain": "localhost", "backend": {"image": "a/b:1"},
        "frontend": {"image": "a/c:1"}, "secrets": {"from": [{"name": "given"}]},
    }))?;
    let config = all
        .iter()
        .find(|it| it.kind() == "ConfigMap")
        .context("no configuration")?;
    let shown = serde_json::to_string(config)?;
    assert!(
        shown.contains("https://public@sentry.example.com/7"),
        "{shown}"
    );
    Ok(())
}
