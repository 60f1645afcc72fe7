//! The contract of the custom resource definition: it is the one of the code, it explains and bounds every field,
//! the examples are valid, and each of its rules refuses what it is there to refuse.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use appstack_operator::api::AppStack;
use appstack_operator::render;
use serde_json::{Value, json};

/// Fields whose types are Kubernetes' own, or that are open on purpose: what is in them is not ours.
const NOT_OURS: [&str; 6] = [
    "env",
    "resources",
    "podTemplate",
    "config",
    "conditions",
    "verifiedAt",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn definition() -> Result<Value> {
    Ok(serde_saphyr::from_str(&render::crd()?)?)
}

/// The one version of the definition.
fn version() -> Result<Value> {
    Ok(definition()?["spec"]["versions"][0].take())
}

/// The schema of `spec` or `status`.
fn schema(part: &str) -> Result<Value> {
    Ok(version()?["schema"]["openAPIV3Schema"]["properties"][part].take())
}

/// Calls `visit` with the path and the schema of every field of ours, and of what its lists and maps hold.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    if NOT_OURS
        .iter()
        .any(|name| path.ends_with(&format!(".{name}")))
    {
        return;
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), field, visit);
    }
    for (inner, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[inner].is_object() {
            walk(&format!("{path}{mark}"), &schema[inner], visit);
        }
    }
}

/// The paths of those fields of `spec` and `status` for which `is_wrong` holds.
fn wrong(parts: &[&str], is_wrong: impl Fn(&str, &Value) -> bool) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for part in parts {
        walk(part, &schema(part)?, &mut |path, schema| {
            if is_wrong(path, schema) {
                found.push(path.to_owned());
            }
        });
    }
    Ok(found)
}

#[test]
fn the_definitions_in_the_repository_are_those_of_the_code() -> Result<()> {
    for path in [
        "crds/appstacks.yaml",
        "charts/appstack-operator/files/appstacks.yaml",
    ] {
        let stored = fs::read_to_string(root().join(path)).with_context(|| path.to_owned())?;
        assert!(
            stored == render::crd()?,
            "{path} is outdated: run `cargo xtask generate`"
        );
    }
    Ok(())
}

#[test]
fn every_field_explains_itself() -> Result<()> {
    let silent = wrong(&["spec", "status"], |path, schema| {
        let is_field = !path.ends_with("[]") && !path.ends_with("{}");
        is_field && schema["description"].as_str().is_none_or(str::is_empty)
    })?;
    assert!(silent.is_empty(), "without a doc comment: {silent:?}");
    Ok(())
}

/// The schema of an optional field of an enum has the words of the enum, not those of the field.
#[test]
fn every_choice_says_which_is_the_default() -> Result<()> {
    let silent = wrong(&["spec"], |path, schema| {
        let is_chosen = schema["enum"].is_array() && path != "spec.environment";
        let said = schema["description"].as_str().unwrap_or_default();
        is_chosen && !said.contains("Default: `")
    })?;
    assert!(silent.is_empty(), "without a default: {silent:?}");
    Ok(())
}

#[test]
fn everything_that_users_write_is_bounded() -> Result<()> {
    // The words of a command line may be as long as in any pod; their lists are bounded, and no rule reads them.
    let is_word = |path: &str| path.ends_with(".command[]") || path.ends_with(".args[]");
    let boundless = wrong(&["spec"], |path, schema| match schema["type"].as_str() {
        _ if is_word(path) => false,
        Some("string") => schema["maxLength"].is_null() && schema["enum"].is_null(),
        Some("array") => schema["maxItems"].is_null(),
        Some("integer" | "number") => schema["maximum"].is_null() || schema["minimum"].is_null(),
        Some("object") => {
            schema["additionalProperties"].is_object() && schema["maxProperties"].is_null()
        }
        _ => false,
    })?;
    assert!(boundless.is_empty(), "without a bound: {boundless:?}");
    Ok(())
}

/// Defaults depend on the environment, and a default in the schema would look like drift to tools that compare.
#[test]
fn no_default_is_in_the_schema_of_the_spec() -> Result<()> {
    let preset = wrong(&["spec"], |_, schema| !schema["default"].is_null())?;
    assert!(preset.is_empty(), "with a default: {preset:?}");
    Ok(())
}

#[test]
fn a_list_shows_what_people_ask_first() -> Result<()> {
    let columns = version()?["additionalPrinterColumns"].take();
    let columns: Vec<(&str, i64)> = columns
        .as_array()
        .context("no columns")?
        .iter()
        .map(|it| {
            (
                it["name"].as_str().unwrap_or(""),
                it["priority"].as_i64().unwrap_or(0),
            )
        })
        .collect();
    let wanted = [
        ("Ready", 0),
        ("Stage", 0),
        ("Version", 0),
        ("URL", 0),
        ("Age", 0),
        ("Message", 1),
    ];
    assert_eq!(columns, wanted);
    Ok(())
}

#[test]
fn the_kind_has_its_short_name_its_category_and_a_status_of_its_own() -> Result<()> {
    let spec = definition()?["spec"].take();
    assert_eq!(spec["group"], "appstack.dev");
    assert_eq!(spec["scope"], "Namespaced");
    assert_eq!(spec["names"]["shortNames"], json!(["aps"]));
    assert_eq!(spec["names"]["categories"], json!(["appstack"]));
    assert_eq!(spec["versions"][0]["subresources"], json!({"status": {}}));
    Ok(())
}

/// Name and text of every example of an `AppStack`.
fn examples() -> Result<Vec<(String, String)>> {
    let mut examples = Vec::new();
    for entry in fs::read_dir(root().join("examples"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with("stack-") {
            examples.push((name, fs::read_to_string(path)?));
        }
    }
    Ok(examples)
}

#[test]
fn the_examples_are_valid_and_use_no_field_that_does_not_exist() -> Result<()> {
    let examples = examples()?;
    assert!(examples.len() >= 4, "examples are missing");
    for (name, text) in examples {
        let written: Value = serde_saphyr::from_str(&text).context(name.clone())?;
        let app: AppStack = serde_json::from_value(written.clone()).context(name.clone())?;
        // A field that is not known is lost on the way.
        assert_eq!(
            paths(&serde_json::to_value(&app)?),
            paths(&written),
            "{name}"
        );
        let faults = app.validate_cel().map_err(|errors| errors.to_string());
        assert_eq!(faults, Ok(()), "{name}");
    }
    Ok(())
}

/// The paths of everything in `value`, such as `/spec/edge/tls`.
fn paths(value: &Value) -> BTreeSet<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, it)| (i.to_string(), it))
            .collect(),
        _ => Vec::new(),
    };
    let inner = |(key, it): &(String, &Value)| {
        let below = paths(it).into_iter().map(|path| format!("/{key}{path}"));
        below.chain([format!("/{key}")]).collect::<Vec<_>>()
    };
    below.iter().flat_map(inner).collect()
}

/// Changes of `spec` that the rules refuse, and what the messages say. At least one for each rule.
const REFUSED: [(&str, &str); 110] = [
    ("{backend: {image: a/b}}", "version: needed"),
    ("{backend: {image: 'host:5000/a/b'}}", "version: needed"),
    ("{frontend: {image: a/c}}", "version: needed"),
    (
        "{domain: 'https://example.com'}",
        "domain: a DNS name such as staging.example.com, no address",
    ),
    ("{version: v1 beta}", "version: an image tag"),
    ("{superuser: first admin}", "superuser: an e-mail address"),
    (
        "{superuser: \"a@example.com\\n\"}",
        "superuser: an e-mail address such as admin@example.com or a name, without spaces and line ends",
    ),
    (
        "{email: {host: 'smtp://example.com', from: a@example.com}}",
        "email.host: a DNS name such as smtp.example.com or an address",
    ),
    (
        "{backend: {image: 'A/b:1'}}",
        "image: a container image such as ghcr.io/acme/shop-backend",
    ),
    (
        "{backend: {image: 'a b:1'}}",
        "image: a container image such as ghcr.io/acme/shop-backend",
    ),
    (
        "{email: {host: mail, from: \"a@example.com\\nBcc: b@example.com\"}}",
        "email.from: one address, without line ends",
    ),
    (
        "{backend: {healthPath: health}}",
        "healthPath: starts with /",
    ),
    (
        "{backend: {healthPath: /he alth}}",
        "healthPath: starts with /, and holds no space",
    ),
    (
        "{backend: {migrate: {command: []}}}",
        "migrate: command or args",
    ),
    ("{backend: {seed: {args: []}}}", "seed: command or args"),
    (
        "{backend: {image: 'https://a/b'}}",
        "image: a container image",
    ),
    ("{backend: {image: 'a/b:'}}", "image: a container image"),
    ("{backend: {image: 'a/b:1:2'}}", "image: a container image"),
    (
        "{frontend: {image: 'ghcr.io/Acme/app'}}",
        "image: a container image",
    ),
    (
        "{backend: {migrate: {timeout: 500ms}}}",
        "timeout: a duration between",
    ),
    (
        "{backend: {migrate: {timeout: 25h}}}",
        "timeout: a duration between",
    ),
    (
        "{frontend: {image: 'A/c:1'}}",
        "image: a container image such as ghcr.io/acme/shop-frontend",
    ),
    (
        "{frontend: {image: 'a/c:1', assets: {path: assets}}}",
        "assets.path: an absolute path",
    ),
    (
        "{frontend: {image: 'a/c:1', assets: {path: /html/../etc}}}",
        "assets.path: an absolute path",
    ),
    (
        "{frontend: {image: 'a/c:1', assets: {path: /html/}}}",
        "assets.path: an absolute path",
    ),
    (
        "{frontend: {image: 'a/c:1', assets: {path: /tmp/assets}}}",
        "assets.path: not below /tmp",
    ),
    (
        "{backend: {writablePaths: [/config, cache]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, /]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, /cache/]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, /var//cache]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, /var/../etc]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, /var/./cache]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, /a:b]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, \"/a\\nb\"]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/config, \"\"]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/tmp]}}",
        "writablePaths: /tmp is writable already",
    ),
    (
        "{frontend: {image: 'a/c:1', writablePaths: [/tmp]}}",
        "writablePaths: /tmp is writable already",
    ),
    (
        "{frontend: {image: 'a/c:1', writablePaths: [cache]}}",
        "writablePaths: absolute paths such as /var/cache/app",
    ),
    (
        "{backend: {writablePaths: [/proc/self]}}",
        "writablePaths: not /dev, /proc or /sys",
    ),
    (
        "{frontend: {image: 'a/c:1', writablePaths: [/dev]}}",
        "writablePaths: not /dev, /proc or /sys",
    ),
    (
        "{frontend: {image: 'a/c:1', writablePaths: [/etc/appstack]}}",
        "writablePaths: not /etc/appstack or below",
    ),
    (
        "{frontend: {image: 'a/c:1', assets: {path: /html/assets}, writablePaths: [/html/assets]}}",
        "frontend.writablePaths: not assets.path or below",
    ),
    (
        "{frontend: {image: 'a/c:1', assets: {path: /html/assets}, writablePaths: [/html/assets/x]}}",
        "frontend.writablePaths: not assets.path or below",
    ),
    ("{database: {}}", "database: exactly one of"),
    (
        "{database: {embedded: {}, external: {secretName: s}}}",
        "database: exactly one of",
    ),
    (
        "{database: {embedded: {version: '17'}}}",
        "version: \"18\" is the one",
    ),
    ("{database: {embedded: {storage: big}}}", "storage: a size"),
    ("{database: {embedded: {storage: '0'}}}", "storage: a size"),
    (
        "{edge: {hosts: {dashboard: a.b, api: a.b}}}",
        "hosts: dashboard and api need two names",
    ),
    (
        "{edge: {hosts: {dashboard: A.b}}}",
        "hosts.dashboard: a DNS name such as dashboard.example.com, no address",
    ),
    (
        "{edge: {hosts: {api: a.b/c}}}",
        "hosts.api: a DNS name such as api.example.com, no address",
    ),
    ("{edge: {tls: {}}}", "tls: exactly one of"),
    (
        "{edge: {tls: {issuer: {name: a}, secretName: b}}}",
        "tls: exactly one of",
    ),
    (
        "{edge: {tls: {issuer: {name: a}, resolver: b}}}",
        "tls: exactly one of",
    ),
    (
        "{edge: {tls: {resolver: 'a.b'}}}",
        "tls.resolver: the name of a certificate resolver",
    ),
    (
        "{edge: {tls: {issuer: {name: Lets_Encrypt}}}}",
        "tls.issuer.name: the name of an object",
    ),
    (
        "{edge: {tls: {disabled: {}, selfSigned: {}}}}",
        "tls: exactly one of",
    ),
    (
        "{edge: {className: traefik, gateway: {name: web}}}",
        "edge: className or gateway, not both",
    ),
    (
        "{edge: {gateway: {name: web}, tls: {selfSigned: {}}}}",
        "edge: with a gateway the certificate is the one of its listener",
    ),
    (
        "{edge: {gateway: {name: 'infra/web'}}}",
        "gateway.name: the name of an object",
    ),
    (
        "{edge: {gateway: {name: web, namespace: a.b}}}",
        "gateway.namespace: the name of a namespace",
    ),
    (
        "{edge: {maxBodySize: 50MB}}",
        "edge.maxBodySize: a size such as 50Mi",
    ),
    (
        "{edge: {maxBodySize: 500m}}",
        "edge.maxBodySize: a size such as 50Mi",
    ),
    (
        "{edge: {timeouts: {response: 0s}}}",
        "timeouts.response: a duration between 1s and 24h",
    ),
    (
        "{edge: {rateLimit: {}}}",
        "rateLimit: exactly one of average and disabled",
    ),
    (
        "{edge: {rateLimit: {average: 5, disabled: {}}}}",
        "rateLimit: exactly one of average and disabled",
    ),
    (
        "{edge: {rateLimit: {disabled: {}, burst: 5}}}",
        "rateLimit: burst needs an average",
    ),
    (
        "{edge: {paths: [/graphql]}}",
        "edge: paths need `layout: SingleHost`",
    ),
    (
        "{edge: {layout: SingleHost, paths: [/graphql, /]}}",
        "edge.paths",
    ),
    (
        "{edge: {layout: SingleHost, paths: [/auth/]}}",
        "edge.paths: paths such as /graphql",
    ),
    (
        "{edge: {layout: SingleHost, paths: [/a/../b]}}",
        "edge.paths: paths such as /graphql",
    ),
    (
        "{edge: {layout: SingleHost, paths: ['/a/*']}}",
        "edge.paths: paths such as /graphql",
    ),
    (
        "{edge: {layout: SingleHost, paths: ['/a%2fb']}}",
        "edge.paths: paths such as /graphql",
    ),
    (
        "{edge: {layout: SingleHost, paths: [/config.json]}}",
        "edge.paths: /config.json is what the site reads",
    ),
    (
        "{edge: {layout: SingleHost, paths: [/a, /b, /a]}}",
        "edge.paths: each path once",
    ),
    (
        "{edge: {hosts: {redirects: [www.example.com, '*.example.com']}}}",
        "hosts.redirects: DNS names such as www.example.com",
    ),
    (
        "{edge: {hosts: {redirects: [a.test, a.test]}}}",
        "hosts.redirects: each host once",
    ),
    (
        "{edge: {access: {}}}",
        "access: allow, basicAuthSecret or both",
    ),
    (
        "{edge: {access: {allow: [10.0.0.0/8, example.com]}}}",
        "access.allow: addresses and networks such as 192.0.2.1, 10.0.0.0/8 and 2001:db8::/32",
    ),
    (
        "{edge: {access: {allow: ['10.0.0.0/33']}}}",
        "access.allow: addresses and networks",
    ),
    ("{egress: [{}]}", "egress: either cidr, or namespace, pods"),
    (
        "{egress: [{ports: [443]}]}",
        "egress: either cidr, or namespace, pods",
    ),
    (
        "{egress: [{cidr: 192.0.2.0/24}, {cidr: 192.0.2.0/24, pods: {}}]}",
        "egress: either cidr, or namespace, pods",
    ),
    (
        "{egress: [{cidr: 192.0.2.0/24, namespace: shared}]}",
        "write two entries for a network and for pods",
    ),
    (
        "{egress: [{namespace: shared, protocol: UDP}]}",
        "egress: protocol needs ports",
    ),
    (
        "{egress: [{cidr: api.example.com}]}",
        "egress.cidr: a network by its first address",
    ),
    (
        "{egress: [{cidr: 192.0.2.1}]}",
        "a single address is 192.0.2.1/32",
    ),
    (
        "{egress: [{cidr: 192.0.2.1/24}]}",
        "egress.cidr: a network by its first address, such as 192.0.2.0/24",
    ),
    (
        "{egress: [{cidr: '2001:db8::1/32'}]}",
        "egress.cidr: a network by its first address",
    ),
    (
        "{egress: [{namespace: Shared}]}",
        "egress.namespace: the name of a namespace",
    ),
    (
        "{egress: [{pods: {'my app': redis}}]}",
        "egress.pods: labels of pods, such as app: redis",
    ),
    (
        "{egress: [{pods: {app: 'red is'}}]}",
        "egress.pods: labels of pods, such as app: redis",
    ),
    (
        "{egress: [{pods: {/app: redis}}]}",
        "egress.pods: labels of pods, such as app: redis",
    ),
    (
        "{backend: {replicas: 2, autoscaling: {maxReplicas: 3}}}",
        "backend: replicas or autoscaling",
    ),
    (
        "{frontend: {image: 'a/c:1', replicas: 2, autoscaling: {maxReplicas: 3}}}",
        "frontend: replicas or autoscaling",
    ),
    (
        "{backend: {autoscaling: {minReplicas: 3, maxReplicas: 2}}}",
        "autoscaling: minReplicas is at most maxReplicas",
    ),
    ("{jobs: [{name: a}]}", "jobs: command or args"),
    (
        "{jobs: [{name: a, args: [a], replicas: 1, schedule: '@daily'}]}",
        "jobs: replicas is for a worker",
    ),
    (
        "{jobs: [{name: a, args: [a], timeZone: UTC}]}",
        "jobs: timeZone, suspend, timeout and retries need a schedule",
    ),
    (
        "{jobs: [{name: a, args: [a], suspend: false}]}",
        "jobs: timeZone, suspend, timeout and retries need a schedule",
    ),
    ("{jobs: [{name: A, args: [a]}]}", "jobs.name: lower-case"),
    ("{jobs: [{name: a-, args: [a]}]}", "jobs.name: lower-case"),
    (
        "{jobs: [{name: backend, args: [a]}]}",
        "jobs.name: this is the name of another part",
    ),
    (
        "{jobs: [{name: a, args: [a], schedule: '@daily', timeout: 25h}]}",
        "jobs.timeout: a duration between",
    ),
    (
        "{rollout: {progressDeadline: 5s}}",
        "progressDeadline: a duration between",
    ),
    ("{rollout: {soak: 25h}}", "soak: a duration of at most"),
    (
        "{rollout: {publicCheck: {path: health}}}",
        "publicCheck.path: starts with /",
    ),
    (
        "{rollout: {publicCheck: {timeout: 2h}}}",
        "publicCheck.timeout: a duration between",
    ),
    (
        "{environment: staging, tools: {mail: true}}",
        "tools: adminer and mail are for environment local alone",
    ),
    (
        "{environment: production, tools: {adminer: true}}",
        "tools: adminer and mail are for environment local alone",
    ),
];

/// An empty list would mean nobody to one reader and everybody to the next.
#[test]
fn a_list_of_who_may_come_in_is_not_empty() -> Result<()> {
    let spec = schema("spec")?;
    let allow = "/properties/edge/properties/access/properties/allow/minItems";
    assert_eq!(spec.pointer(allow), Some(&json!(1)));
    Ok(())
}

/// Names that the rules refuse, and what the messages say.
const REFUSED_NAMES: [(&str, &str); 4] = [
    (
        "a-name-of-forty-one-characters-is-too-long",
        "metadata.name: at most 40 characters",
    ),
    ("1shop", "metadata.name: lower-case letters"),
    ("my.shop", "metadata.name: lower-case letters"),
    ("shop-", "metadata.name: lower-case letters"),
];

/// Changes of `spec` from one to the other that the rules refuse, and what the messages say.
const REFUSED_CHANGES: [(&str, &str, &str); 5] = [
    (
        "{environment: local}",
        "{environment: staging}",
        "environment is immutable",
    ),
    (
        "{database: {embedded: {storage: 1Gi}}}",
        "{database: {embedded: {storage: 2Gi}}}",
        "database.embedded.storage is fixed",
    ),
    (
        "{}",
        "{database: {embedded: {storage: 2Gi}}}",
        "database.embedded.storage is fixed",
    ),
    (
        "{database: {embedded: {storage: 1Gi}}}",
        "{database: {embedded: {}}}",
        "database.embedded.storage is fixed",
    ),
    (
        "{}",
        "{database: {embedded: {storageClassName: fast}}}",
        "database.embedded.storageClassName is fixed",
    ),
];

/// Changes of `spec` that only look odd.
const ACCEPTED: [&str; 27] = [
    "{egress: []}",
    "{tools: {adminer: true, adminerAccess: ReadWrite, mail: false}}",
    "{environment: production, tools: {adminer: false}}",
    "{egress: [{cidr: 192.0.2.1/32, ports: [53], protocol: UDP}, {cidr: '2001:db8::/32'}, {cidr: 0.0.0.0/0}, {pods: {}}, {namespace: shared, pods: {app.kubernetes.io/name: redis, tier: ''}, ports: [1, 65535]}]}",
    "{edge: {tls: {issuer: {name: lets-encrypt.prod, kind: ClusterIssuer}}}}",
    "{edge: {tls: {resolver: Lets_Encrypt-1}}}",
    "{edge: {maxBodySize: 1.5Mi, securityHeaders: true, timeouts: {response: 1m30s}}}",
    "{edge: {gateway: {name: web, namespace: infra, sectionName: https}, tls: {disabled: {}}}}",
    "{edge: {maintenance: true, maintenancePage: closed}}",
    "{}",
    "{superuser: admin}",
    "{backend: {image: 'host:5000/a/b@sha256:0f'}}",
    "{version: v1, backend: {image: 'host:5000/a/b'}}",
    "{domain: localhost}",
    "{backend: {migrate: {args: [up], timeout: 1h30m}}}",
    "{database: {embedded: {storage: 0.5Gi}}}",
    "{frontend: {image: 'a/c:1', assets: {path: /app/.next/static}}}",
    "{frontend: {image: 'a/c:1', assets: {path: /tmpl/..x}}}",
    "{backend: {runAsUser: 1, healthPort: 8000, writablePaths: [/config, /etc/appstack, /dev/shm, /tmp/sessions, /..x/.y]}}",
    "{backend: {writablePaths: [/config/a b, /über, /config]}}",
    "{frontend: {image: 'a/c:1', runAsUser: 2147483647, writablePaths: [/etc/appstacks, /tmpl]}}",
    "{frontend: {image: 'a/c:1', assets: {path: /html/assets}, writablePaths: [/html/assets2, /html]}}",
    "{backend: {autoscaling: {minReplicas: 2, maxReplicas: 2}}}",
    "{edge: {layout: SingleHost, paths: [/graphql, /auth/callback, /.well-known/openid-configuration, /a..b, /v1.2_~-]}}",
    "{edge: {rateLimit: {average: 5, burst: 1}, access: {allow: [192.0.2.1, 10.0.0.0/8, '2001:db8::/32', '::1']}}}",
    "{edge: {rateLimit: {disabled: {}}, access: {basicAuthSecret: team}, trustedProxies: 0}}",
    "{jobs: [{name: a, command: [a]}, {name: backends, args: [b], schedule: '@daily', timeZone: UTC, suspend: true}]}",
];

/// Changes of `spec` from one to the other that are accepted.
const ACCEPTED_CHANGES: [(&str, &str); 3] = [
    ("{version: v1}", "{version: v2}"),
    ("{}", "{database: {embedded: {}}}"),
    (
        "{database: {embedded: {storage: 1Gi}}}",
        "{database: {external: {secretName: s}}}",
    ),
];

/// The smallest `AppStack`, with `change` merged over its spec.
fn app(name: &str, change: &str) -> Result<AppStack> {
    let mut app = json!({
        "apiVersion": "appstack.dev/v1alpha1", "kind": "AppStack",
        "metadata": {"name": name},
        "spec": {"environment": "local", "domain": "localhost", "backend": {"image": "a/b:1"}},
    });
    merge(&mut app["spec"], &serde_saphyr::from_str(change)?);
    Ok(serde_json::from_value(app)?)
}

/// Merges as RFC 7386 says, but for null.
fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => into.clone_from(change),
    }
}

/// What the rules say against `app`, or against its change from `before`.
fn faults(app: &AppStack, before: Option<&AppStack>) -> String {
    let result = match before {
        None => app.validate_cel(),
        Some(before) => app.validate_cel_update(before),
    };
    result.err().map(|it| it.to_string()).unwrap_or_default()
}

#[test]
fn every_rule_refuses_what_it_is_there_for_and_names_the_field() -> Result<()> {
    let specs = REFUSED.map(|(change, message)| ("shop", change, message));
    let names = REFUSED_NAMES.map(|(name, message)| (name, "{}", message));
    for (name, change, message) in specs.into_iter().chain(names) {
        let faults = faults(&app(name, change)?, None);
        assert!(faults.contains(message), "{name} {change} gives: {faults}");
    }
    Ok(())
}

#[test]
fn what_cannot_change_is_refused_when_it_changes() -> Result<()> {
    for (before, after, message) in REFUSED_CHANGES {
        let (before, after) = (app("shop", before)?, app("shop", after)?);
        assert_eq!(faults(&before, Some(&before)), "");
        let faults = faults(&after, Some(&before));
        assert!(faults.contains(message), "{faults}");
    }
    Ok(())
}

#[test]
fn what_only_looks_odd_is_accepted() -> Result<()> {
    for change in ACCEPTED {
        assert_eq!(faults(&app("shop", change)?, None), "", "{change}");
    }
    for (before, after) in ACCEPTED_CHANGES {
        assert_eq!(
            faults(&app("shop", after)?, Some(&app("shop", before)?)),
            "",
            "{after}"
        );
    }
    Ok(())
}

/// What is no DNS name. Most of it would be taken by one of the things that a host goes through, and refused by a later one.
const NO_NAMES: [&str; 27] = [
    "10.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0x1",
    "a.example.0x",
    "shop.1",
    "::1",
    "fd00::1",
    "[fd00::1]",
    "*.example.com",
    "*",
    "example.com.",
    ".example.com",
    "shop..example.com",
    ".",
    "-shop.example.com",
    "shop-.example.com",
    "shop_1.example.com",
    "Shop.example.com",
    "example.com:8080",
    "https://example.com",
    "example.com/path",
    "user@example.com",
    " example.com",
    "ex ämple.com",
    "-ämple.com",
];

/// What is one, however odd it looks.
const NAMES: [&str; 10] = [
    "bücher.example",
    "例え.テスト",
    "localhost",
    "example.com",
    "1.example.com",
    "10.0.0.1.nip.io",
    "xn--exmple-cua.com",
    "a--b.example",
    "shop.0xyz",
    "2shop",
];

/// What the rules say where every host of a spec is this one; that two of them are the same is said as well.
fn faults_of_hosts(host: &str) -> Result<String> {
    let hosts = json!({"dashboard": host, "api": host});
    let change = json!({"domain": host, "edge": {"hosts": hosts}});
    let faults = faults(&app("shop", &change.to_string())?, None);
    Ok(faults)
}

#[test]
fn a_host_is_a_dns_name_and_no_address() -> Result<()> {
    let label = "a".repeat(63);
    let too_long = format!("{label}a.example.com");
    for host in NO_NAMES.into_iter().chain([too_long.as_str()]) {
        let faults = faults_of_hosts(host)?;
        for said in [
            "domain: a DNS name such as staging.example.com, no address",
            "hosts.dashboard: a DNS name such as dashboard.example.com, no address",
            "hosts.api: a DNS name such as api.example.com, no address",
        ] {
            assert!(faults.contains(said), "{host}: {faults}");
        }
    }
    let longest_label = format!("{label}.example.com");
    for host in NAMES.into_iter().chain([longest_label.as_str()]) {
        let faults = faults_of_hosts(host)?;
        assert!(!faults.contains("a DNS name such as"), "{host}: {faults}");
    }
    Ok(())
}

/// `dashboard.<domain>` is to fit into a name as well.
#[test]
fn a_host_is_no_longer_than_a_name_may_be() -> Result<()> {
    let spec = schema("spec")?;
    let hosts = &spec["properties"]["edge"]["properties"]["hosts"]["properties"];
    let longest = [
        &spec["properties"]["domain"],
        &hosts["dashboard"],
        &hosts["api"],
        &spec["properties"]["email"]["properties"]["host"],
    ]
    .map(|it| it["maxLength"].clone());
    assert_eq!(longest, [230, 253, 253, 253].map(|it| json!(it)));
    Ok(())
}

#[test]
fn a_mail_server_has_a_name_or_an_address() -> Result<()> {
    let faults = |host: &str| -> Result<String> {
        let change = json!({"email": {"host": host, "from": "a@example.com"}});
        Ok(faults(&app("shop", &change.to_string())?, None))
    };
    for host in [
        "smtp.example.com",
        "SMTP.example.com",
        "mail",
        "10.0.0.1",
        "fd00::1",
    ] {
        assert_eq!(faults(host)?, "", "{host}");
    }
    for host in [
        "*.example.com",
        "mail.",
        "a..b",
        "mail:25",
        "10.0.0.256",
        "[fd00::1]",
        "",
    ] {
        let faults = faults(host)?;
        assert!(
            faults.contains("email.host: a DNS name such as smtp.example.com or an address"),
            "{host}: {faults}"
        );
    }
    Ok(())
}

#[test]
fn every_rule_is_tried_here() -> Result<()> {
    let tried: Vec<&str> = REFUSED
        .map(|it| it.1)
        .into_iter()
        .chain(REFUSED_NAMES.map(|it| it.1))
        .chain(REFUSED_CHANGES.map(|it| it.2))
        .collect();
    let mut untried = Vec::new();
    let whole = version()?["schema"]["openAPIV3Schema"].take();
    walk("", &whole, &mut |path, schema| {
        for rule in schema["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let message = rule["message"].as_str().unwrap_or_default();
            if !tried.iter().any(|it| message.contains(it)) {
                untried.push(format!("{path}: {message}"));
            }
        }
    });
    assert!(
        untried.is_empty(),
        "rules without a case in this file: {untried:?}"
    );
    Ok(())
}
