//! Nobody may come in for a while: visitors get a page, the application goes on, and no answer is anything else.

use std::cell::Cell;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_LANGUAGE, RETRY_AFTER};
use tokio::time::sleep;

use crate::support::{ROLL_OUT, SHOP, SOON, Visitor, World, condition, release, story};

const ON: &str = "spec: {edge: {maintenance: true}}";
/// With a page of one's own.
const OWN: &str = "spec: {edge: {maintenance: true, maintenancePage: closed}}";
const VERSION: &str = "/api/v1/version";

#[test]
fn visitors_get_a_page_in_their_language_while_releases_go_on_behind_it() {
    story("maintenance", async |world| {
        let stack = world.document(SHOP);
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        let site = format!("{}/items?page=2", visitor.site);
        visitor.reads(world, &site).await;
        let (before, ended) = (parts(world).await, Cell::new(false));

        let told = async {
            world.apply(&stack.with(ON)).await;
            shows(world, &visitor, &site, "Wir sind gleich wieder da").await;
            everybody_is_told(world, &visitor).await;
            assert_eq!(release(&world.stack("shop").await), first);
            assert_eq!(parts(world).await, before);

            let file = "--from-literal=index.html=<h1>Closed today</h1>";
            world
                .kubectl(&["create", "configmap", "closed", file])
                .await;
            world.apply(&stack.with(OWN)).await;
            shows(world, &visitor, &site, "<h1>Closed today</h1>").await;

            let next = stack.with("spec: {projectName: Next}");
            world.apply(&next.with(OWN)).await;
            serves_another(world, &first).await;
            assert_eq!(answer(&visitor, &site).await, "a page");

            world.apply(&next).await;
            visitor.reads(world, &site).await;
            world
                .until("nothing of it is left", SOON * 3, async || {
                    let all = world.kubectl(&LEFT).await;
                    all.trim().is_empty().then_some(())
                })
                .await;
            ended.set(true);
        };
        let seen = async {
            let mut seen = Vec::new();
            while !ended.get() {
                let answer = answer(&visitor, &site).await;
                if seen.last() != Some(&answer) {
                    seen.push(answer);
                }
                sleep(Duration::from_millis(50)).await;
            }
            seen
        };
        let ((), seen) = tokio::join!(told, seen);
        assert_eq!(seen, ["the application", "a page", "the application"]);
    });
}

/// Readers of another language, programs, and whoever asks for the stack.
async fn everybody_is_told(world: &World, visitor: &Visitor) {
    let page = visitor.browses(&visitor.site, "fr-CA").await.unwrap();
    assert_eq!(page.headers()[CONTENT_LANGUAGE], "fr");
    let api = format!("{}{VERSION}", visitor.api);
    let program = visitor.ask(&api).await.unwrap();
    assert_eq!(program.status(), StatusCode::SERVICE_UNAVAILABLE);
    let said = program.text().await.unwrap();
    assert!(said.contains("\"detail\""), "{said}");
    let ready = world.ready("shop").await;
    let said = &condition(&ready, "Ready").unwrap().message;
    assert!(said.contains("visitors get the maintenance page"), "{said}");
}

/// Waits for a release that is not the first, and for its end.
async fn serves_another(world: &World, first: &str) {
    world
        .until("the next release serves", ROLL_OUT, async || {
            let stack = world.stack("shop").await;
            let serving = stack.status.as_ref()?.release.as_ref()?;
            (serving.name != first).then_some(())
        })
        .await;
    world.ready("shop").await;
}

/// What there is of a page in the namespace.
const LEFT: [&str; 5] = [
    "get",
    "deployments,services,networkpolicies",
    "--selector=app.kubernetes.io/component=maintenance",
    "--output=name",
    "--ignore-not-found",
];

/// Waits until somebody who reads German is shown a text in place of the application.
async fn shows(world: &World, visitor: &Visitor, url: &str, text: &str) {
    world
        .until(&format!("visitors read {text}"), ROLL_OUT, async || {
            let page = visitor.browses(url, "de").await.ok()?;
            let is_shut = page.status() == StatusCode::SERVICE_UNAVAILABLE;
            (is_shut && page.text().await.ok()?.contains(text)).then_some(())
        })
        .await;
}

/// What a visitor gets, in words.
async fn answer(visitor: &Visitor, url: &str) -> String {
    match visitor.browses(url, "en").await {
        Ok(answer) if answer.status() == StatusCode::OK => "the application".into(),
        Ok(answer) if answer.headers().contains_key(RETRY_AFTER) => "a page".into(),
        Ok(answer) => format!("{}", answer.status()),
        Err(error) => error.to_string(),
    }
}

/// The pods of the application, which have nothing to do with it.
async fn parts(world: &World) -> String {
    let words = [
        "get",
        "pods",
        "--selector=app.kubernetes.io/component in (backend, frontend, database)",
        "--output=name",
    ];
    world.kubectl(&words).await
}
