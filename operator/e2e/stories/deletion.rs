//! What is left of a stack when it is deleted: everything goes, or the data stays and a new stack takes it up.

use appstack_operator::api::AppStack;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use crate::support::{API, CLEAN_UP, SOON, World, story, uid};

#[test]
fn with_delete_nothing_is_left() {
    story("deletion-delete", async |world| {
        let stack = world.document(API).with("spec: {deletionPolicy: Delete}");
        world.apply(&stack).await;
        world.ready("shop").await;
        assert!(!left(world).await.is_empty());

        world.delete::<AppStack>("shop").await;
        world
            .until("nothing is left of the stack", CLEAN_UP, async || {
                left(world).await.is_empty().then_some(())
            })
            .await;
    });
}

#[test]
fn with_retain_the_data_stays_and_a_new_stack_takes_it_up() {
    story("deletion-retain", async |world| {
        let stack = world
            .document(API)
            .with("spec: {deletionPolicy: Retain, backend: {seed: {args: [seed]}}}");
        world.apply(&stack).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Precious").await;
        let key = world.secret("shop-generated", "SECRET_KEY").await;
        let claim = claim(world).await;

        world.delete::<AppStack>("shop").await;
        only_data_is_left(world).await;

        world.apply(&stack).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        assert_eq!(visitor.items(world).await, ["Precious"]);
        let jobs = world.list::<Job>("appstack.dev/stack=shop").await;
        let names: Vec<_> = jobs
            .iter()
            .filter_map(|it| it.metadata.name.as_ref())
            .collect();
        assert_eq!(names, [""; 0], "nothing is done to the data once more");
        assert_eq!(world.secret("shop-generated", "SECRET_KEY").await, key);
        assert_eq!(uid(&self::claim(world).await), uid(&claim));
    });
}

#[test]
fn what_is_told_last_about_the_data_counts() {
    story("deletion-changed", async |world| {
        let stack = world.document(API).with("spec: {deletionPolicy: Delete}");
        world.apply(&stack).await;
        world.ready("shop").await;
        let claim = claim(world).await;

        let retain = stack.with("spec: {deletionPolicy: Retain}");
        world.apply(&retain).await;
        world.ready("shop").await;
        world
            .until("nothing would take the volume away", SOON, async || {
                let now = self::claim(world).await;
                now.metadata.owner_references.is_none().then_some(())
            })
            .await;
        world.delete::<AppStack>("shop").await;
        only_data_is_left(world).await;
        assert_eq!(uid(&self::claim(world).await), uid(&claim));
    });
}

/// How the records of facts about a volume begin.
const KNOWN: [&str; 3] = [
    "ControllerRevision shop-migrate-",
    "ControllerRevision shop-role-",
    "ControllerRevision shop-seed-",
];

async fn only_data_is_left(world: &World) {
    let data = [
        "PersistentVolumeClaim shop-db-data",
        "Secret shop-generated",
    ];
    world
        .until("only the data is left of the stack", CLEAN_UP, async || {
            let mut left = left(world).await;
            // What is known of the data stays with them.
            left.retain(|it| !KNOWN.iter().any(|known| it.starts_with(known)));
            (left == data).then_some(())
        })
        .await;
}

async fn claim(world: &World) -> PersistentVolumeClaim {
    let claims = world.api::<PersistentVolumeClaim>();
    claims.get("shop-db-data").await.unwrap()
}

/// Kind and name of everything that is labelled as the stack's, sorted.
async fn left(world: &World) -> Vec<String> {
    const OURS: &str = "appstack.dev/stack=shop";
    let title = |kind: &str, name: Option<String>| format!("{kind} {}", name.unwrap());
    let mut left: Vec<String> = world
        .children("shop")
        .await
        .iter()
        .map(crate::support::Child::title)
        .collect();
    for it in world.list::<PersistentVolumeClaim>(OURS).await {
        left.push(title("PersistentVolumeClaim", it.metadata.name));
    }
    for it in world.list::<Pod>(OURS).await {
        left.push(title("Pod", it.metadata.name));
    }
    for it in world.list::<Job>(OURS).await {
        left.push(title("Job", it.metadata.name));
    }
    for it in world.list::<ControllerRevision>(OURS).await {
        left.push(title("ControllerRevision", it.metadata.name));
    }
    left.sort();
    left
}
