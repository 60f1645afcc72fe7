//! A changed secret value reaches the pods that read it, and no others; values that change together do so as one.

use appstack_operator::api::AppStack;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt as _;

use crate::support::{API, CLEAN_UP, Request, SHOP, SOON, World, names, release, story, uid};

#[test]
fn a_changed_value_rolls_the_backend_alone() {
    story("changed-secret", async |world| {
        world
            .apply_secret("keys", "SECRET_KEY: the-first-one")
            .await;
        let stack = world
            .document(SHOP)
            .with("spec: {secrets: {from: [{name: keys}]}, backend: {seed: null}}");
        world.apply(&stack).await;
        let ready = world.ready("shop").await;
        let old = release(&ready).to_owned();
        let backend = pod(world, "backend").await;
        let frontend = pod(world, "frontend").await;
        let database = pod(world, "database").await;

        world
            .apply_secret("keys", "SECRET_KEY: the-second-one")
            .await;
        world.ready_with_release_other_than("shop", &old).await;
        assert_ne!(pod(world, "backend").await, backend);
        assert_eq!(pod(world, "frontend").await, frontend);
        assert_eq!(pod(world, "database").await, database);
        assert_eq!(world.stack("shop").await.metadata.generation, Some(1));
    });
}

#[test]
fn values_that_change_together_make_one_release() {
    story("changed-together", async |world| {
        world.apply_secret("words", "word: one").await;
        let change = "spec: {backend: {env: [{name: WORD, valueFrom: {secretKeyRef: {name: words, key: word}}}]}}";
        let (_, visitor) = world.fated_with(change).await;
        let old = release(&world.stack("shop").await).to_owned();
        let before = (deployments_made(world), releases(world).await);
        let asker = visitor.keeps_asking();

        world.apply_secret("keys", "SECRET_KEY: second").await;
        let words = ["18 serves", "values have changed"];
        world
            .says("shop", "Ready", "ValuesChanging", &words, SOON)
            .await;
        world.apply_secret("words", "word: two").await;
        world.ready_with_release_other_than("shop", &old).await;
        visitor.hears(world, "two second").await;
        let after = (deployments_made(world), releases(world).await);
        assert_eq!(after, (before.0 + 1, before.1 + 1));
        asker.was_always_answered().await;
    });
}

/// How many Deployments the operator has made so far.
fn deployments_made(world: &World) -> usize {
    let made = |it: &Request| it.resource == "deployments" && it.code == 201;
    world.writes().iter().filter(|it| made(it)).count()
}

/// How many releases were verified.
async fn releases(world: &World) -> usize {
    let kept = "appstack.dev/stack=shop,appstack.dev/record=release";
    world.list::<ControllerRevision>(kept).await.len()
}

#[test]
fn a_new_secret_key_logs_nobody_out_before_the_release_after_it() {
    story("changed-key", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        let token = visitor.token().await.unwrap().unwrap();
        let key = world.secret("shop-generated", "SECRET_KEY").await;

        let rotate = "metadata: {annotations: {appstack.dev/rotate-secret-key: now}}";
        world.patch::<AppStack>("shop", rotate).await;
        let ready = world.ready_with_release_other_than("shop", &first).await;
        let second = release(&ready).to_owned();
        let drawn = world.secret("shop-generated", "SECRET_KEY").await;
        assert_ne!(drawn, key);
        visitor.list_with(&token).await.unwrap();
        world
            .stays("the request is answered once", SOON, async || {
                release(&world.stack("shop").await) == second
            })
            .await;

        world
            .apply(&stack.with("spec: {projectName: Another}"))
            .await;
        world.ready_with_release_other_than("shop", &second).await;
        world
            .until("the old key is not believed any more", SOON, async || {
                let refused = visitor.list_with(&token).await.err()?;
                (refused.status()? == 403 || refused.status()? == 401).then_some(())
            })
            .await;
        let now = world.secret("shop-generated", "SECRET_KEY").await;
        assert_eq!(now, drawn);
    });
}

#[test]
fn a_new_database_password_takes_over_without_a_gap_and_the_old_one_comes_back_with_its_release() {
    story("changed-password", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Precious").await;
        let database = pod(world, "database").await;
        let old = logins(world).await;
        assert_eq!(old.len(), 1, "{old:?}");

        let asker = visitor.keeps_asking();
        let rotate = "metadata: {annotations: {appstack.dev/rotate-database-password: now}}";
        world.patch::<AppStack>("shop", rotate).await;
        world.ready_with_release_other_than("shop", &first).await;
        let new = only_login(world).await;
        assert_ne!(new, old[0]);
        assert_eq!(users(world).await, [&*new]);
        assert_eq!(visitor.items(world).await, ["Precious"]);

        // Its role is gone; it gets it back.
        let pinned = format!("spec: {{rollout: {{pin: {first}}}}}");
        world.apply(&stack.with(&pinned)).await;
        assert_eq!(release(&world.ready("shop").await), first);
        assert_eq!(only_login(world).await, old[0]);
        assert_eq!(users(world).await, [&*old[0]]);
        assert_eq!(visitor.items(world).await, ["Precious"]);
        asker.was_always_answered().await;
        assert_eq!(pod(world, "database").await, database);
    });
}

#[test]
fn a_changed_database_password_of_the_users_own_is_a_new_role_too() {
    story("changed-password-given", async |world| {
        world
            .apply_secret("keys", "POSTGRES_PASSWORD: the-first-one")
            .await;
        let stack = world
            .document(API)
            .with("spec: {secrets: {from: [{name: keys}]}}");
        world.apply(&stack).await;
        let ready = world.ready("shop").await;
        let old = release(&ready).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Precious").await;
        let before = logins(world).await;

        let asker = visitor.keeps_asking();
        world
            .apply_secret("keys", "POSTGRES_PASSWORD: \"it's the/second %41\"")
            .await;
        world.ready_with_release_other_than("shop", &old).await;
        assert_ne!(only_login(world).await, before[0]);
        assert_eq!(visitor.items(world).await, ["Precious"]);
        asker.was_always_answered().await;
    });
}

/// The only role that the application may log in as, once there is no other one.
async fn only_login(world: &World) -> String {
    let login = world
        .until("one role is left", CLEAN_UP * 2, async || {
            let mut logins = logins(world).await;
            (logins.len() == 1).then(|| logins.remove(0))
        })
        .await;
    assert_eq!(world.secret("shop-db-app", "user").await, login);
    login
}

/// The roles that somebody may log in as, the superuser apart.
async fn logins(world: &World) -> Vec<String> {
    let roles = "select rolname from pg_roles where rolcanlogin and not rolsuper";
    in_database(world, roles).await
}

/// The roles that have a session, the superuser apart.
async fn users(world: &World) -> Vec<String> {
    let users = "select distinct usename from pg_stat_activity join pg_roles on oid = usesysid where not rolsuper";
    in_database(world, users).await
}

/// The lines that the database answers to its superuser.
async fn in_database(world: &World, question: &str) -> Vec<String> {
    let (pod, _) = pod(world, "database").await;
    let words = [
        "exec", &pod, "--", "psql", "-U", "postgres", "-d", "app", "-At", "-c", question,
    ];
    let answer = world.kubectl(&words).await;
    answer.lines().map(str::to_owned).collect()
}

/// Name and UID of the only pod of a part.
async fn pod(world: &World, component: &str) -> (String, String) {
    let pods = world.pods("shop", component).await;
    assert_eq!(pods.len(), 1, "{:?}", names(&pods));
    (pods[0].name_any(), uid(&pods[0]))
}
