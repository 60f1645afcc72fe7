//! A database that cannot run holds back releases, but not the repair of what serves; and it comes back with the spec.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt as _;

use crate::support::{API, Document, ROLL_OUT, SOON, Visitor, World, story, uid};

const CLAIM: &str = "shop-db-data";

#[test]
fn a_database_that_cannot_run_stops_no_repair_and_comes_back_with_the_spec() {
    story("database-down", async |world| {
        let (stack, visitor) = stuck(world).await;
        world.delete::<Service>("shop-backend").await;
        world
            .until("the Service of the backend is back", SOON, async || {
                let services = world.api::<Service>();
                services.get_opt("shop-backend").await.unwrap()
            })
            .await;

        world.apply(&stack).await;
        world.ready("shop").await;
        assert_eq!(visitor.items(world).await, ["Precious"]);
    });
}

#[test]
fn a_pod_of_the_database_that_is_in_the_way_of_its_correction_is_replaced() {
    story("database-stuck", async |world| {
        let (stack, visitor) = stuck(world).await;
        let broken = world.pods("shop", "database").await;
        // Some versions of Kubernetes wait for such a pod to become ready. So does this one when it is told to replace none.
        let none = "spec: {updateStrategy: {type: OnDelete, rollingUpdate: null}}";
        world.patch::<StatefulSet>("shop-db", none).await;

        world.apply(&stack).await;
        world.ready("shop").await;
        let pods = world.pods("shop", "database").await;
        assert_ne!(uid(&pods[0]), uid(&broken[0]));
        assert_eq!(visitor.items(world).await, ["Precious"]);
        let mut deleted = world.writes();
        deleted.retain(|it| (&*it.verb, &*it.resource) == ("delete", "pods"));
        assert_eq!(deleted.len(), 1, "{deleted:?}");
    });
}

/// The claim of a database that runs is deleted, and goes with its pod: role, migration and seed have their turns on the new volume.
#[test]
fn a_claim_that_somebody_deletes_is_told_and_a_new_volume_is_filled_in_order() {
    story("database-claim", async |world| {
        let seeded = "spec: {backend: {seed: {args: [seed]}}}";
        world.apply(&world.document(API).with(seeded)).await;
        world.ready("shop").await;
        let old = world.api::<PersistentVolumeClaim>().get(CLAIM).await;

        world.delete::<PersistentVolumeClaim>(CLAIM).await;
        world
            .says("shop", "DatabaseReady", "ClaimDeleted", &[CLAIM], SOON)
            .await;
        world.delete::<Pod>("shop-db-0").await;
        let old = uid(&old.unwrap());
        world
            .until("a new claim is there", ROLL_OUT, async || {
                let claims = world.api::<PersistentVolumeClaim>();
                let now = claims.get_opt(CLAIM).await.unwrap()?;
                (uid(&now) != old).then_some(())
            })
            .await;
        world.ready("shop").await;
        let events = world.list::<Event>("").await;
        let lost = |it: &&Event| it.reason.as_deref() == Some("ClaimLost");
        assert_eq!(events.iter().filter(lost).count(), 1);
        let failed = world.list::<Job>("").await.into_iter().filter_map(|it| {
            let failed = it.status.as_ref()?.failed?;
            Some((it.name_any(), failed))
        });
        let failed: Vec<_> = failed.collect();
        assert!(failed.is_empty(), "too early: {failed:?}");
        world.visitor("shop").await.items(world).await;
    });
}

/// A stack whose database has data, and then a spec that no node has room for; and its visitor.
async fn stuck(world: &World) -> (Document, Visitor) {
    let stack = world.document(API);
    world.apply(&stack).await;
    world.ready("shop").await;
    let visitor = world.visitor("shop").await;
    visitor.items(world).await;
    visitor.adds_item("Precious").await;

    let greedy = "spec: {database: {embedded: {resources: {requests: {cpu: '1000'}}}}}";
    world.apply(&stack.with(greedy)).await;
    let words = ["shop-db-0", "Insufficient cpu"];
    world
        .says("shop", "DatabaseReady", "Unschedulable", &words, ROLL_OUT)
        .await;
    (stack, visitor)
}

#[test]
fn a_database_that_was_emptied_is_migrated_again() {
    story("database-emptied", async |world| {
        world.apply(&world.document(API)).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Gone with the volume").await;

        // As developers do who want to begin anew.
        let claims = world.api::<PersistentVolumeClaim>();
        let before = claims.get("shop-db-data").await.unwrap();
        world.delete::<PersistentVolumeClaim>("shop-db-data").await;
        world.delete::<Pod>("shop-db-0").await;
        world
            .until("the database has a new volume", SOON * 6, async || {
                let now = claims.get_opt("shop-db-data").await.unwrap()?;
                (uid(&now) != uid(&before)).then_some(())
            })
            .await;
        world
            .until("the empty list is served", ROLL_OUT, async || {
                visitor.list().await.ok()?.map(drop)
            })
            .await;
        assert_eq!(visitor.items(world).await, Vec::<String>::new());
    });
}
