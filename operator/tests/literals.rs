//! What the user writes arrives in the container as it was written, whatever the kubelet makes of `$` on the way.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use appstack_operator::api::AppStack;
use appstack_operator::build::{self, Direction};
use appstack_operator::check;
use appstack_operator::model::inputs::Inputs;
use appstack_operator::settings::ClusterSettings;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What each container of a stack gets: its name, its command with the arguments, and its variables.
struct Started {
    name: String,
    words: Vec<String>,
    env: BTreeMap<String, String>,
}

/// What the kubelet makes of a value, by the rules of k8s.io/kubernetes/third_party/forked/golang/expansion: `$$` is `$`,
/// `$(NAME)` the value of a variable that is known and else stays, and so does any other `$`. It goes by bytes, and takes the
/// byte after a lone `$` for a whole character.
fn expand(input: &str, known: &BTreeMap<String, String>) -> String {
    let bytes = input.as_bytes();
    let mut output: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let (read, length) = match (bytes[at], rest.first()) {
            (b'$', Some(b'$')) => (vec![b'$'], 2),
            (b'$', Some(b'(')) => match rest.iter().position(|it| *it == b')') {
                Some(end) => {
                    let name = String::from_utf8_lossy(&rest[1..end]).into_owned();
                    let value = known.get(&name).cloned();
                    let value = value.unwrap_or_else(|| format!("$({name})"));
                    (value.into_bytes(), end + 2)
                }
                None => (b"$(".to_vec(), 2),
            },
            (b'$', Some(next)) => (format!("${}", char::from(*next)).into_bytes(), 2),
            (other, _) => (vec![other], 1),
        };
        output.extend(read);
        at += length;
    }
    String::from_utf8_lossy(&output).into_owned()
}

/// Starts a container as the kubelet does. What comes from a Secret stands as its key in angle brackets.
fn start(container: &Value) -> Started {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut env = BTreeMap::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let key = &variable["valueFrom"]["secretKeyRef"]["key"];
        let value = if key.is_null() {
            expand(&text(&variable["value"]), &env)
        } else {
            format!("<{}>", text(key))
        };
        env.insert(text(&variable["name"]), value);
    }
    let words = ["command", "args"].map(|it| container[it].as_array().cloned());
    let words = words.into_iter().flatten().flatten();
    Started {
        name: text(&container["name"]),
        words: words.map(|it| expand(&text(&it), &env)).collect(),
        env,
    }
}

/// Every container of the stack of a spec, init containers too.
fn started(spec: &Value) -> Result<Vec<Started>> {
    let app: AppStack = serde_json::from_value(json!({
        "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
        "metadata": {"name": "shop", "namespace": "demo", "uid": "u", "generation": 1}, "spec": spec,
    }))?;
    let stack = check::stack(&app, &Inputs::offline(&app), &ClusterSettings::default())?;
    let desired = build::build(&stack, Direction::Forward);
    let mut found = Vec::new();
    for object in desired.objects() {
        let object = serde_json::to_value(object)?;
        let templates = ["/spec/template", "/spec/jobTemplate/spec/template"];
        for pod in templates.iter().filter_map(|it| object.pointer(it)) {
            for list in ["initContainers", "containers"] {
                let containers = pod["spec"][list].as_array();
                found.extend(containers.into_iter().flatten().map(start));
            }
        }
    }
    Ok(found)
}

/// The whole stack, with texts in the fields that become values of variables, and these variables of the user's.
fn spec(texts: [&str; 4], env: &Value) -> Value {
    let [name, superuser, host, from] = texts;
    json!({
        "environment": "local", "domain": "localhost", "projectName": name, "superuser": superuser,
        "email": {"host": host, "from": from},
        "backend": {"image": "a/b:1", "migrate": {"args": ["up"], "headCommand": ["head"]}, "seed": {}, "env": env},
        "frontend": {"image": "a/c:1", "assets": {"path": "/assets"}},
        "jobs": [{"name": "a", "args": ["a"]}, {"name": "b", "args": ["b"], "schedule": "@daily"}],
    })
}

/// The containers of the backend image.
const OF_BACKEND: [&str; 6] = ["backend", "migration", "head", "seed", "a", "b"];

/// The variables that hold the texts of [`spec`].
const FIELDS: [&str; 4] = [
    "PROJECT_NAME",
    "FIRST_SUPERUSER",
    "SMTP_HOST",
    "EMAILS_FROM_EMAIL",
];

/// Whether texts arrive: the first four by fields of their own, the rest by variables of the user's, as he is to write them.
fn arrive(fields: [&str; 4], own: &[String]) -> Result<()> {
    let env: Vec<Value> = (0..)
        .zip(own)
        .map(|(number, text)| json!({"name": format!("OWN_{number}"), "value": text.replace('$', "$$")}))
        .collect();
    let mut wanted: BTreeMap<String, &str> =
        FIELDS.map(str::to_owned).into_iter().zip(fields).collect();
    wanted.extend(
        (0..)
            .zip(own)
            .map(|(number, text)| (format!("OWN_{number}"), text.as_str())),
    );
    let containers = started(&spec(fields, &json!(env)))?;
    for name in OF_BACKEND {
        let container = containers.iter().find(|it| it.name == name);
        let container = container.with_context(|| format!("there is no container {name}"))?;
        for (variable, text) in &wanted {
            let found = container.env.get(variable);
            ensure!(
                found.map(String::as_str) == Some(text),
                "{variable} of {name} is {found:?}, not {text:?}"
            );
        }
    }
    Ok(())
}

/// Texts of what the kubelet and shells make something of.
fn tricky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("$".to_owned()),
        Just("$$".to_owned()),
        Just("$(".to_owned()),
        Just(")".to_owned()),
        Just("$(DOMAIN)".to_owned()),
        Just("$(PROJECT_NAME)".to_owned()),
        Just("${HOME}".to_owned()),
        Just("\\\"'`\n\t\r".to_owned()),
        Just("é€😀\u{1}\u{7f}".to_owned()),
        any::<char>()
            .prop_filter("no variable holds a NUL", |it| *it != '\0')
            .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|it| it.concat())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn every_value_arrives_as_it_was_written(
        fields in prop::array::uniform4(tricky()),
        own in prop::collection::vec(tricky(), 12),
    ) {
        if let Err(error) = arrive(fields.each_ref().map(String::as_str), &own) {
            prop_assert!(false, "{error}");
        }
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn a_text_is_kept_by_doubling_every_dollar(text in tricky(), domain in tricky()) {
        let known = BTreeMap::from([("DOMAIN".to_owned(), domain)]);
        prop_assert_eq!(expand(&text.replace('$', "$$"), &known), text);
    }
}

#[test]
fn a_long_value_arrives() -> Result<()> {
    let text = "Cash $$ & Carry $(DOMAIN) $$(ENVIRONMENT) §$é\n".repeat(2_200);
    assert!(text.len() > 100_000);
    arrive([&text; 4], std::slice::from_ref(&text))
}

#[test]
fn variables_of_the_user_refer_to_others_as_everywhere_in_kubernetes() -> Result<()> {
    let env = json!([
        {"name": "ADDRESS", "value": "$(DATABASE_URL)?app=$(PROJECT_NAME)"},
        {"name": "TEXT", "value": "$$(DOMAIN) costs $5, $(NOTHING)"},
        {"name": "SECOND", "value": "$(TEXT)"},
    ]);
    let mut spec = spec(["Cash & Carry"; 4], &env);
    spec["jobs"][0]["args"] = json!(["--at=$(DOMAIN)", "$$(DOMAIN)"]);
    let containers = started(&spec)?;
    let job = containers.iter().find(|it| it.name == "a");
    let job = job.context("there is no job")?;
    assert_eq!(job.env["ADDRESS"], "<DATABASE_URL>?app=Cash & Carry");
    assert_eq!(job.env["TEXT"], "$(DOMAIN) costs $5, $(NOTHING)");
    assert_eq!(job.env["SECOND"], job.env["TEXT"]);
    assert_eq!(job.words, ["--at=localhost", "$(DOMAIN)"]);
    Ok(())
}

#[test]
fn the_kubelet_changes_nothing_in_scripts_of_the_operator() -> Result<()> {
    let spec = spec(["text"; 4], &json!([]));
    let app: Vec<Started> = started(&spec)?;
    let scripts = app.iter().filter(|it| it.words.len() > 2);
    let scripts: Vec<_> = scripts.map(|it| it.words[2].as_str()).collect();
    let makes_role = concat!(
        include_str!("../src/build/database/role/quiet.sh"),
        include_str!("../src/build/database/role/make.sh")
    );
    assert!(scripts.contains(&makes_role));
    assert!(
        scripts
            .iter()
            .any(|it| it.contains(r#"cp -Rf "$0/." "$1""#))
    );
    Ok(())
}

#[test]
fn the_kubelet_goes_by_its_rules() {
    let known = BTreeMap::from([("A".to_owned(), "$(B) $$".to_owned())]);
    for (input, output) in [
        ("$(A)", "$(B) $$"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$$(B) $$"),
        ("$(NOTHING) $A ${A} $", "$(NOTHING) $A ${A} $"),
        ("$(A", "$(A"),
        ("$(A$(A)", "$(A$(A)"),
        ("$é", "$Ã\u{fffd}"),
        ("$$é", "$é"),
    ] {
        assert_eq!(expand(input, &known), output, "{input}");
    }
}
