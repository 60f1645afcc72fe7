//! What somebody deletes or changes behind the operator's back is put right within seconds, and what belongs to others
//! is left alone.

use std::time::Instant;

use appstack_operator::api::AppStack;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::ResourceExt as _;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{API, Child, Document, KINDS, SHOP, SOON, World, story, uid};

#[test]
fn every_child_that_is_deleted_comes_back() {
    story("drift-deleted", async |world| {
        world.apply(&everything(world)).await;
        world.ready("shop").await;
        let children = world.children("shop").await;
        has_every_kind(&children);

        for child in &children {
            world.take_away(child).await;
            let deleted = Instant::now();
            let title = child.title();
            let old = child.object.uid();
            world
                .until(&format!("{title} is back"), SOON, async || {
                    world.now(child).await.filter(|it| it.uid() != old)
                })
                .await;
            eprintln!("{title} was back after {:?}", deleted.elapsed());
        }
        world.ready("shop").await;
        let jobs = world.list::<Job>("appstack.dev/stack=shop").await;
        assert_eq!(jobs.len(), 2, "not only role and migration: {jobs:?}");
    });
}

#[test]
fn every_child_that_is_changed_is_put_right() {
    story("drift-changed", async |world| {
        world.apply(&everything(world)).await;
        world.ready("shop").await;
        let children = world.children("shop").await;
        has_every_kind(&children);

        for child in &children {
            let (path, edit) = edit_of(child);
            // Others write to it too, so only the field that was changed is compared.
            let before = field(&child.object, path);
            let edited = world.edit(child, edit).await;
            let title = format!("{} of {}", path, child.title());
            assert_ne!(field(&edited, path), before, "{title} was not changed");
            let changed = Instant::now();
            world
                .until(&format!("{title} is put right"), SOON, async || {
                    let now = world.now(child).await?;
                    (field(&now, path) == before).then_some(())
                })
                .await;
            eprintln!("{title} was right after {:?}", changed.elapsed());
        }
        world.ready("shop").await;
    });
}

#[test]
fn what_is_named_by_its_content_makes_room_when_somebody_replaces_it() {
    story("drift-replaced", async |world| {
        world.apply(&world.document(SHOP)).await;
        world.ready("shop").await;
        let mut children = world.children("shop").await;
        children.retain(is_named_by_content);
        assert_eq!(children.len(), 2, "{children:?}");

        // What is deleted comes back at once, so that nobody could put anything in its place.
        world
            .patch::<AppStack>("shop", "spec: {suspend: true}")
            .await;
        world
            .says("shop", "Reconciling", "Suspended", &[], SOON)
            .await;
        for child in &children {
            let other = "data: {SECRET_KEY: dGhlaXJz, config.json: e30=}";
            let other = world.supplant(child, other).await;
            assert_ne!(other.data["data"], child.object.data["data"]);
        }
        world
            .patch::<AppStack>("shop", "spec: {suspend: false}")
            .await;
        for child in &children {
            let title = child.title();
            world
                .until(&format!("{title} is as it was"), SOON, async || {
                    let now = world.now(child).await?;
                    (now.data["data"] == child.object.data["data"]).then_some(())
                })
                .await;
        }
        world.ready("shop").await;
    });
}

fn is_named_by_content(child: &Child) -> bool {
    let starts = [("Secret", "shop-values-"), ("ConfigMap", "shop-frontend-")];
    let mut starts = starts.iter();
    starts.any(|(kind, start)| child.kind == *kind && child.name.starts_with(start))
}

#[test]
fn data_survives_the_deletion_of_the_stateful_set() {
    story("drift-data", async |world| {
        // In local, where the data goes with the AppStack, and with the AppStack alone.
        world.apply(&world.document(API)).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Precious").await;

        let database = world.api::<StatefulSet>().get("shop-db").await.unwrap();
        let pod = world.pods("shop", "database").await;
        world.delete::<StatefulSet>("shop-db").await;
        world
            .until(
                "the database has a new pod that is ready",
                SOON * 12,
                async || {
                    let now = world
                        .api::<StatefulSet>()
                        .get_opt("shop-db")
                        .await
                        .unwrap()?;
                    let pods = world.pods("shop", "database").await;
                    let new = pods.iter().any(|it| uid(it) != uid(&pod[0]));
                    let ready = now.status.as_ref()?.ready_replicas == Some(1);
                    (uid(&now) != uid(&database) && new && ready).then_some(())
                },
            )
            .await;
        assert_eq!(visitor.items(world).await, ["Precious"]);
    });
}

#[test]
fn the_configuration_of_a_site_cannot_be_edited_and_comes_back_as_it_was() {
    story("drift-config", async |world| {
        let stack = world
            .document(SHOP)
            .with("spec: {backend: {seed: null}, frontend: {config: {motto: ours}}}");
        world.apply(&stack).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        let url = format!("{}/config.json", visitor.site);
        let config = visitor.reads(world, &url).await;
        assert!(config.contains("ours"), "{config}");

        let maps = world.api::<ConfigMap>();
        let of_site = "appstack.dev/stack=shop,app.kubernetes.io/component=frontend";
        let map = world.list::<ConfigMap>(of_site).await.remove(0);
        let name = map.name_any();
        let theirs = Patch::Merge(json!({"data": {"config.json": "{}"}}));
        let edited = maps.patch(&name, &PatchParams::default(), &theirs).await;
        let refusal = edited.unwrap_err().to_string();
        assert!(refusal.contains("immutable"), "{refusal}");

        world.delete::<ConfigMap>(&name).await;
        let back = world
            .until("the configuration is back", SOON, async || {
                let found = maps.get_opt(&name).await.unwrap()?;
                (uid(&found) != uid(&map)).then_some(found)
            })
            .await;
        assert_eq!(back.data, map.data);
        assert_eq!(visitor.reads(world, &url).await, config);
    });
}

#[test]
fn what_others_add_to_a_child_survives() {
    story("drift-foreign", async |world| {
        world.apply(&world.document(API)).await;
        world.ready("shop").await;
        let theirs = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "shop-backend",
                "labels": {"team": "payments"},
                "annotations": {"example.com/note": "ours"},
            },
            "spec": {"sessionAffinity": "ClientIP"},
        });
        let params = PatchParams::apply("another-tool");
        let services = world.api::<Service>();
        services
            .patch("shop-backend", &params, &Patch::Apply(&theirs))
            .await
            .unwrap();

        // What is ours is put right, beside what is theirs.
        world
            .patch::<Service>(
                "shop-backend",
                "spec: {selector: {appstack.dev/stack: nobody}}",
            )
            .await;
        let found = world
            .until("the selector is put right", SOON, async || {
                let found = services.get("shop-backend").await.unwrap();
                let selector = found.spec.as_ref()?.selector.as_ref()?;
                (selector["appstack.dev/stack"] == "shop").then_some(found)
            })
            .await;
        assert_eq!(found.labels()["team"], "payments");
        assert_eq!(found.annotations()["example.com/note"], "ours");
        let affinity = found.spec.unwrap().session_affinity;
        assert_eq!(affinity.as_deref(), Some("ClientIP"));
        // And still when the stack itself was changed.
        let changed = world
            .document(API)
            .with("spec: {backend: {env: [{name: NEW, value: '1'}]}}");
        world.apply(&changed).await;
        world.ready("shop").await;
        let found = services.get("shop-backend").await.unwrap();
        assert_eq!(found.labels()["team"], "payments");
        let backend = world.deployments("shop", "backend").await;
        assert!(json!(backend[0]).to_string().contains("\"NEW\""));
        let affinity = found.spec.unwrap().session_affinity;
        assert_eq!(affinity.as_deref(), Some("ClientIP"));
    });
}

/// A stack with children of every kind. Only the frontend has two pods: those of production take their time to go.
fn everything(world: &World) -> Document {
    world.document(SHOP).with(
        "
spec:
  environment: production
  deletionPolicy: Delete
  edge: {tls: {selfSigned: {}}}
  backend: {seed: null, workers: 1, autoscaling: {minReplicas: 1, maxReplicas: 2}}
  frontend: {replicas: 2}
  jobs: [{name: tidy, args: [seed], schedule: '@yearly'}]
",
    )
}

fn has_every_kind(children: &[Child]) {
    for (_, _, kind, _) in KINDS {
        let there = children.iter().any(|it| it.kind == kind);
        assert!(there, "no {kind} among {children:?}");
    }
}

/// A change of a field that is ours: its path and the patch. Values that are drawn once are the truth themselves, and
/// what its name says cannot be changed; of those the labels are ours.
fn edit_of(child: &Child) -> (&'static str, &'static str) {
    match (child.kind, child.name.as_str()) {
        ("ServiceAccount", _) => (
            "/automountServiceAccountToken",
            "automountServiceAccountToken: true",
        ),
        ("Secret", "shop-db-app") => ("/data/host", "data: {host: bm93aGVyZQ==}"),
        ("Service", _) => (
            "/spec/selector",
            "spec: {selector: {appstack.dev/stack: nobody}}",
        ),
        ("NetworkPolicy", "shop-egress") => ("/spec/policyTypes", "spec: {policyTypes: [Ingress]}"),
        ("NetworkPolicy", _) => ("/spec/policyTypes", "spec: {policyTypes: [Egress]}"),
        ("StatefulSet", _) => (
            "/spec/template/spec/terminationGracePeriodSeconds",
            "spec: {template: {spec: {terminationGracePeriodSeconds: 7}}}",
        ),
        // An autoscaler says how many.
        ("Deployment", name) if name.starts_with("shop-backend-") => (
            "/spec/revisionHistoryLimit",
            "spec: {revisionHistoryLimit: 7}",
        ),
        ("Deployment", _) => ("/spec/replicas", "spec: {replicas: 4}"),
        ("CronJob", _) => ("/spec/schedule", "spec: {schedule: '@daily'}"),
        ("HorizontalPodAutoscaler", _) => ("/spec/maxReplicas", "spec: {maxReplicas: 9}"),
        ("PodDisruptionBudget", _) => ("/spec/maxUnavailable", "spec: {maxUnavailable: 2}"),
        ("Middleware", "shop-redirect") => (
            "/spec/redirectScheme/permanent",
            "spec: {redirectScheme: {permanent: false}}",
        ),
        ("Middleware", "shop-rate-limit") => (
            "/spec/rateLimit/average",
            "spec: {rateLimit: {average: 1000}}",
        ),
        ("Middleware", _) => (
            "/spec/headers/stsSeconds",
            "spec: {headers: {stsSeconds: 1}}",
        ),
        ("Ingress", _) => ("/spec/ingressClassName", "spec: {ingressClassName: nobody}"),
        _ => (
            "/metadata/labels/app.kubernetes.io~1instance",
            "metadata: {labels: {app.kubernetes.io/instance: nobody}}",
        ),
    }
}

fn field(object: &DynamicObject, path: &str) -> Value {
    let whole = json!(object);
    whole.pointer(path).cloned().unwrap_or_default()
}
