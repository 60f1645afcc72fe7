//! Who may come in, and how often: it holds at once and makes no new pod.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use reqwest::StatusCode;

use crate::support::{API, SHOP, SOON, Visitor, World, release, story};

const PATH: &str = "/api/v1/version";
/// `password`, as `htpasswd -ns ann` hashes it.
const ANN: &str = "{users: 'ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='}";
/// `changed`, hashed in the same way.
const ANN_CHANGED: &str = "{users: 'ann:{SHA}N8bFe+30MF70EknBeUdgtcuPrRc='}";

#[test]
fn who_asks_too_often_waits_and_nobody_else_does() {
    story("limits-rate", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        let served = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        let url = format!("{}{PATH}", visitor.api);
        visitor.reads(world, &url).await;
        let before = pods(world).await;

        let limit = "spec: {edge: {rateLimit: {average: 2, burst: 5}}}";
        world.apply(&stack.with(limit)).await;
        world
            .until("more than five at once are limited", SOON * 3, async || {
                let mut answers = Vec::new();
                for _ in 0..12 {
                    answers.push(status(&visitor, &url).await?);
                }
                answers
                    .contains(&StatusCode::TOO_MANY_REQUESTS)
                    .then_some(())
            })
            .await;
        is_never_limited_slowly(world, &visitor, &url).await;
        assert_eq!(pods(world).await, before);
        assert_eq!(release(&world.ready("shop").await), served);

        world.apply(&stack).await;
        world
            .until("nothing is limited any more", SOON * 3, async || {
                for _ in 0..12 {
                    let status = status(&visitor, &url).await?;
                    (status == StatusCode::OK).then_some(())?;
                }
                Some(())
            })
            .await;
        assert_eq!(pods(world).await, before);
    });
}

#[test]
fn who_is_not_listed_stays_out_and_a_password_guards_the_site_alone() {
    story("limits-access", async |world| {
        let stack = world.document(SHOP);
        world.apply(&stack).await;
        let served = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        let (api, site) = (
            format!("{}{PATH}", visitor.api),
            format!("{}/", visitor.site),
        );
        visitor.reads(world, &api).await;
        visitor.reads(world, &site).await;
        let before = pods(world).await;

        // A network of documentation: nobody comes from there.
        let elsewhere = "spec: {edge: {access: {allow: ['192.0.2.0/24']}}}";
        world.apply(&stack.with(elsewhere)).await;
        for url in [&api, &site] {
            visitor.answers(world, url, StatusCode::FORBIDDEN).await;
        }
        world.apply(&stack).await;
        for url in [&api, &site] {
            visitor.answers(world, url, StatusCode::OK).await;
        }

        let asker = visitor.keeps_asking();
        world.apply_secret("team", ANN).await;
        let guarded = "spec: {edge: {access: {basicAuthSecret: team}}}";
        world.apply(&stack.with(guarded)).await;
        visitor
            .answers(world, &site, StatusCode::UNAUTHORIZED)
            .await;
        lets_in(world, &visitor, &site, "password").await;
        world.apply_secret("team", ANN_CHANGED).await;
        lets_in(world, &visitor, &site, "changed").await;
        assert_eq!(release(&world.ready("shop").await), served);

        world.apply(&stack).await;
        visitor.answers(world, &site, StatusCode::OK).await;
        asker.was_always_answered().await;
        assert_eq!(pods(world).await, before);
        assert_eq!(release(&world.ready("shop").await), served);
    });
}

#[test]
fn users_that_are_missing_are_told_and_the_site_stays_as_it_is() {
    story("limits-missing", async |world| {
        let stack = world.document(API);
        world.apply(&stack).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        let url = format!("{}{PATH}", visitor.api);
        visitor.reads(world, &url).await;
        let guarded = "spec: {edge: {access: {basicAuthSecret: nobody}}}";
        world.apply(&stack.with(guarded)).await;
        let words = ["edge.access.basicAuthSecret", "there is no Secret nobody"];
        world.refuses("shop", &words).await;
        world
            .stays("the way in is as it was", SOON, async || {
                status(&visitor, &url).await == Some(StatusCode::OK)
            })
            .await;
    });
}

/// Somebody who asks once a second is answered each time.
async fn is_never_limited_slowly(world: &World, visitor: &Visitor, url: &str) {
    let (mut last, mut answered) = (Instant::now(), 0);
    world
        .until("a slow visitor is always answered", SOON * 6, async || {
            if last.elapsed() < Duration::from_secs(1) {
                return None;
            }
            last = Instant::now();
            assert_eq!(status(visitor, url).await, Some(StatusCode::OK));
            answered += 1;
            (answered == 6).then_some(())
        })
        .await;
}

async fn status(visitor: &Visitor, url: &str) -> Option<StatusCode> {
    visitor.ask(url).await.ok().map(|it| it.status())
}

/// The site opens for `ann` with this password.
async fn lets_in(world: &World, visitor: &Visitor, url: &str, password: &str) {
    world
        .until(&format!("{password} opens {url}"), SOON * 3, async || {
            let answer = visitor.ask_as("ann", password, url).await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
}

/// The names of all pods that serve.
async fn pods(world: &World) -> Vec<String> {
    let mut names = Vec::new();
    for component in ["backend", "frontend"] {
        let pods = world.pods("shop", component).await;
        names.extend(pods.iter().map(ResourceExt::name_any));
    }
    names.sort();
    names
}
