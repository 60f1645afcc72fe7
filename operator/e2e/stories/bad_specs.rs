//! What is wrong with a spec is said at once, with the field and the fix, and does no harm to what runs.

use k8s_openapi::api::events::v1::Event;

use crate::support::{API, NOWHERE, SCRIPTED, SOON, condition, story};

/// A change to a good spec that the API server refuses, and what its answer must hold.
const REFUSED: [(&str, &[&str]); 29] = [
    (
        "spec: {environment: null}",
        &["spec.environment", "Required"],
    ),
    ("spec: {domain: null}", &["spec.domain", "Required"]),
    ("spec: {backend: null}", &["spec.backend", "Required"]),
    (
        "spec: {backend: {image: null}}",
        &["spec.backend.image", "Required"],
    ),
    (
        "spec: {frontend: {port: 8080}}",
        &["spec.frontend.image", "Required"],
    ),
    (
        "spec: {environment: dev}",
        &["spec.environment", "local", "staging", "production"],
    ),
    (
        "spec: {backend: {replicas: two}}",
        &["spec.backend.replicas"],
    ),
    (
        "spec: {backend: {replicas: -1}}",
        &["spec.backend.replicas"],
    ),
    (
        "spec: {backend: {port: 0}}",
        &["spec.backend.port", "greater than or equal to 1"],
    ),
    (
        "spec: {backend: {healthPath: health}}",
        &["healthPath", "starts with /"],
    ),
    ("spec: {backend: {replcias: 2}}", &["spec.backend.replcias"]),
    (
        "spec: {backend: {migrate: {timeout: soon}}}",
        &["timeout", "such as 10m"],
    ),
    (
        "spec: {backend: {image: 'My Image'}}",
        &["image", "a container image such as"],
    ),
    (
        "spec: {domain: Example.com}",
        &["domain", "a DNS name such as", "lower case"],
    ),
    (
        "spec: {domain: 'https://example.com/'}",
        &["domain", "without scheme"],
    ),
    (
        "spec: {edge: {hosts: {api: 10.0.0.1}}}",
        &["hosts.api", "a DNS name such as", "no address"],
    ),
    ("spec: {version: 'v1 beta'}", &["version", "an image tag"]),
    (
        "spec: {version: null}",
        &["spec.version", "neither a tag nor a digest"],
    ),
    (
        "spec: {superuser: first admin}",
        &["superuser", "an e-mail address"],
    ),
    (
        "spec: {edge: {tls: {selfSigned: {}, disabled: {}}}}",
        &["tls", "exactly one of"],
    ),
    (
        "spec: {edge: {hosts: {dashboard: a.test, api: a.test}}}",
        &["hosts", "two names"],
    ),
    (
        "spec: {database: {embedded: {}, external: {secretName: db}}}",
        &["database", "exactly one of"],
    ),
    (
        "spec: {database: {embedded: {storage: lots}}}",
        &["storage", "10Gi"],
    ),
    ("spec: {database: {embedded: {version: '9'}}}", &["version"]),
    (
        "spec: {backend: {replicas: 2, autoscaling: {maxReplicas: 3}}}",
        &["backend", "replicas or autoscaling, not both"],
    ),
    (
        "spec: {jobs: [{name: backend, args: [worker]}]}",
        &["spec.jobs[0].name", "another part of the stack"],
    ),
    (
        "spec: {jobs: [{name: a, args: [a], replicas: 2, schedule: '@daily'}]}",
        &["spec.jobs[0]", "give one of them"],
    ),
    (
        "spec: {jobs: [{name: a, args: [a]}, {name: a, args: [b]}]}",
        &["spec.jobs", "duplicate entries"],
    ),
    (
        "metadata: {name: a23456789b23456789c23456789d23456789e23456789f23456789g2345678}",
        &["metadata.name", "at most 40 characters"],
    ),
];

#[test]
fn the_api_server_refuses_what_cannot_be_and_names_the_field() {
    story("bad-specs-refused", async |world| {
        let good = world.document(API);
        world.dry_run(&good).await.unwrap();
        for (change, words) in REFUSED {
            says_why(world.dry_run(&good.with(change)).await, change, words);
        }

        // What cannot be changed later; suspended, since it need not run.
        let stack = good.with("spec: {suspend: true, database: {embedded: {storage: 2Gi}}}");
        world.apply(&stack).await;
        for (change, words) in [
            (
                "spec: {environment: staging}",
                ["environment is immutable", "new AppStack"],
            ),
            (
                "spec: {database: {embedded: {storage: 3Gi}}}",
                ["storage", "fixed when the volume is made"],
            ),
        ] {
            says_why(world.dry_run(&stack.with(change)).await, change, &words);
        }
    });
}

fn says_why(answer: Result<(), String>, change: &str, words: &[&str]) {
    let said = answer.expect_err(change);
    for word in words {
        assert!(said.contains(word), "{change}: no {word:?} in: {said}");
    }
}

/// A spec that the API server cannot judge: the name of the stack, the change, and what the condition must hold.
const FAULTY: [(&str, &str, &[&str]); 8] = [
    (
        "class",
        "edge: {className: nowhere}",
        &[
            "spec.edge.className",
            "no IngressClass nowhere",
            "this cluster has: traefik",
        ],
    ),
    (
        "secret",
        "secrets: {from: [{name: not-there}]}",
        &["spec.secrets.from", "no Secret not-there"],
    ),
    (
        "weak",
        "environment: staging, edge: {tls: {selfSigned: {}}}, secrets: {from: [{name: weak}]}",
        &[
            "spec.secrets.from",
            "SECRET_KEY of Secret weak",
            "set one of your own",
        ],
    ),
    (
        "tls",
        "environment: staging",
        &["spec.edge.tls", "staging needs one", "selfSigned: {}"],
    ),
    (
        "certificate",
        "edge: {tls: {secretName: weak}}",
        &[
            "spec.edge.tls.secretName",
            "Secret weak lacks the key tls.crt",
        ],
    ),
    (
        "template",
        "backend: {podTemplate: {spec: {hostNetwork: 'yes'}}}",
        &["spec.backend.podTemplate.spec.hostNetwork", "true or false"],
    ),
    (
        "cpu",
        "backend: {resources: {requests: {memory: 64Mi}}, autoscaling: {maxReplicas: 3}}",
        &["spec.backend.resources.requests.cpu", "such as 500m"],
    ),
    (
        "two",
        "edge: {className: nowhere}, secrets: {from: [{name: not-there}]}",
        &["spec.edge.className", "spec.secrets.from"],
    ),
];

#[test]
fn the_operator_refuses_what_does_not_fit_the_cluster_within_seconds() {
    story("bad-specs-faulty", async |world| {
        world.apply_secret("weak", "SECRET_KEY: changethis").await;
        for (name, change, words) in FAULTY {
            let stack = world.document(API).named(name);
            world
                .apply(&stack.with(&format!("spec: {{{change}}}")))
                .await;
            world.refuses(name, words).await;
            assert!(world.children(name).await.is_empty(), "{name} was begun");
        }
    });
}

/// A release that cannot be: the change, and what is said: condition, reason, words.
const BAD_RELEASES: [(&str, &str, &str, &[&str]); 4] = [
    (
        "backend: {image: 'localhost:9/nothing:v1', migrate: null}",
        "BackendReady",
        "ImagePullFailed",
        &["cannot pull localhost:9/nothing:v1"],
    ),
    (
        "backend: {migrate: {args: [nonsense]}}",
        "MigrationReady",
        "JobRetrying",
        &["its last lines", "unrecognized subcommand 'nonsense'"],
    ),
    (
        "backend: {image: 'docker.io/library/traefik:v3.6.12', migrate: null}",
        "BackendReady",
        "ImageRunsAsRoot",
        &["podTemplate: {spec: {securityContext: {runAsNonRoot: false}}}"],
    ),
    (
        "secrets: {from: [{name: not-there}]}",
        "Accepted",
        "Invalid",
        &["spec.secrets.from", "no Secret not-there"],
    ),
];

#[test]
fn a_bad_release_takes_nothing_away() {
    story("bad-specs-releases", async |world| {
        let good = world.document(API);
        world.apply(&good).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;

        for (change, condition, reason, words) in BAD_RELEASES {
            let asker = visitor.keeps_asking();
            world
                .apply(&good.with(&format!("spec: {{{change}}}")))
                .await;
            world.says("shop", condition, reason, words, SOON).await;
            world
                .stays("the API answers", SOON, async || {
                    visitor.ask(&visitor.api).await.is_ok()
                })
                .await;
            world.apply(&good).await;
            world.ready("shop").await;
            asker.was_always_answered().await;
        }
    });
}

#[test]
fn a_pod_template_that_no_pod_can_have_is_shown_as_the_api_server_says_it() {
    story("bad-specs-template", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world
            .document(SCRIPTED)
            .with("spec: {backend: {migrate: null, podTemplate: {spec: {restartPolicy: Never}}}}");
        world.apply(&stack).await;
        let words = [
            "spec.backend",
            "Deployment shop-backend",
            "restartPolicy",
            "Always",
        ];
        world
            .says("shop", "Accepted", "Invalid", &words, SOON)
            .await;
        world.apply(&stack.with("spec: {suspend: true}")).await;
    });
}

#[test]
fn a_release_that_misses_its_deadline_is_stalled() {
    story("bad-specs-deadline", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world.document(SCRIPTED).with(
            "spec: {rollout: {progressDeadline: 10s}, backend: {migrate: null, image: 'localhost:9/nothing:v1'}}",
        );
        world.apply(&stack).await;
        let words = [
            "rollout.progressDeadline",
            "cannot pull localhost:9/nothing:v1",
        ];
        world
            .says(
                "shop",
                "BackendReady",
                "ProgressDeadlineExceeded",
                &words,
                SOON * 6,
            )
            .await;
        let stack = world.stack("shop").await;
        assert_eq!(condition(&stack, "Stalled").unwrap().status, "True");
    });
}

#[test]
fn well_known_values_are_tolerated_in_local_with_a_warning() {
    story("bad-specs-local", async |world| {
        world.apply_secret("weak", "SECRET_KEY: changethis").await;
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world
            .document(SCRIPTED)
            .with("spec: {secrets: {from: [{name: weak}]}}");
        world.apply(&stack).await;
        world
            .until("an Event warns of the value", SOON, async || {
                let events = world.list::<Event>("").await;
                events.into_iter().find(|it| {
                    let note = it.note.as_deref().unwrap_or_default();
                    it.type_.as_deref() == Some("Warning")
                        && note.contains("SECRET_KEY of Secret weak")
                })
            })
            .await;
        // The status is written after the Event.
        world
            .until("the stack is accepted", SOON, async || {
                let stack = world.stack("shop").await;
                let accepted = condition(&stack, "Accepted")?;
                (accepted.status == "True").then_some(())
            })
            .await;
    });
}

#[test]
fn a_migration_that_fails_for_good_says_so_and_runs_again_when_it_is_changed() {
    story("bad-specs-migration", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world.document(SCRIPTED).with("spec: {frontend: null}");
        let failing =
            "spec: {backend: {migrate: {command: [sh, -c, 'echo no such table; exit 1']}}}";
        world.apply(&stack.with(failing)).await;
        // Kubernetes waits 10 s and 20 s before it tries again.
        let words = ["failed 3 time(s)", "no such table"];
        world
            .says("shop", "MigrationReady", "JobFailed", &words, SOON * 12)
            .await;
        world.apply(&stack).await;
        world.ready("shop").await;
    });
}
