//! Files of earlier releases are served on: who has opened a page finds what it asks for, also after a release.

use local_cluster::folders;
use reqwest::StatusCode;

use crate::support::{Document, FATED, NOWHERE, SOON, Visitor, World, names, release, story};

/// A site beside the API, which serves the files of one release more.
const SITE: &str = "
spec:
  rollout: {soak: 1s, progressDeadline: 90s}
  frontend: {assets: {path: /usr/share/nginx/html/assets, releases: 1}}
";

#[test]
fn a_page_that_is_open_finds_the_files_of_its_release() {
    story("assets", async |world| {
        let stack = site(world).await;
        let first = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        serves(world, &visitor, "one").await;
        let opener = visitor.keeps_opening();
        // Its address is in a browser that nobody looks at for a while.
        let left_open = file(&visitor, "one");

        world.apply(&pages(world, &stack, "two").await).await;
        world.ready("shop").await;
        serves(world, &visitor, "two").await;
        visitor.text(&left_open).await.unwrap();

        let third = pages(world, &stack, "three").await;
        world.apply(&third).await;
        world.ready("shop").await;
        serves(world, &visitor, "three").await;
        visitor.text(&file(&visitor, "two")).await.unwrap();
        let answer = visitor.ask(&left_open).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);

        // What it serves of others is no reason to make new pods.
        let pods = world.pods("shop", "frontend").await;
        world
            .stays("the same pods serve", SOON, async || {
                names(&world.pods("shop", "frontend").await) == names(&pods)
            })
            .await;

        let pin = format!("spec: {{rollout: {{pin: {first}}}}}");
        world.apply(&third.with(&pin)).await;
        world.ready("shop").await;
        serves(world, &visitor, "one").await;
        visitor.text(&file(&visitor, "three")).await.unwrap();
        opener.was_always_answered().await;
    });
}

#[test]
fn a_folder_that_is_not_there_fails_the_release_and_is_named() {
    story("assets-path", async |world| {
        let stack = site(world).await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        serves(world, &visitor, "one").await;
        let opener = visitor.keeps_opening();
        let wrong = "spec: {frontend: {assets: {path: /nowhere}}}";
        world.apply(&stack.with(wrong)).await;
        let words = ["frontend.assets.path", "there is no folder /nowhere"];
        world.rolled_back("shop", "ContainerCrashing", &words).await;
        serves(world, &visitor, "one").await;
        opener.was_always_answered().await;
    });
}

/// A stack with the first pages, applied.
async fn site(world: &World) -> Document {
    world.apply_secret("nowhere", NOWHERE).await;
    let stack = pages(world, &world.document(FATED).with(SITE), "one").await;
    world.apply(&stack).await;
    stack
}

/// The stack with an image whose page asks for a file that no other image has. Of a second file each has its own.
async fn pages(world: &World, stack: &Document, version: &str) -> Document {
    let folder = folders::in_repository("target/assets")
        .join(&world.namespace)
        .join(version);
    let assets = folder.join("dist/assets");
    std::fs::create_dir_all(&assets).unwrap();
    let page = format!(
        "<!doctype html><title>{version}</title><script src=\"/assets/{version}.js\"></script>"
    );
    std::fs::write(folder.join("dist/index.html"), page).unwrap();
    std::fs::write(assets.join(format!("{version}.js")), version).unwrap();
    std::fs::write(assets.join("version.txt"), version).unwrap();
    let image = world
        .loads_pages(&format!("assets-{version}"), &folder)
        .await;
    std::fs::remove_dir_all(&folder).unwrap();
    stack.with(&format!("spec: {{frontend: {{image: '{image}'}}}}"))
}

/// The address of the file that a page asks for.
fn file(visitor: &Visitor, version: &str) -> String {
    format!("{}/assets/{version}.js", visitor.site)
}

/// Waits until the page is the one of this version: the ingress controller learns of other pods a moment after they were chosen.
/// Of the files that each image has it serves its own.
async fn serves(world: &World, visitor: &Visitor, version: &str) {
    world
        .until(&format!("the site is of {version}"), SOON, async || {
            let page = visitor.text(&visitor.site).await.ok()?;
            page.contains(&format!("<title>{version}")).then_some(())
        })
        .await;
    assert_eq!(
        visitor.text(&file(visitor, version)).await.unwrap(),
        version
    );
    let common = format!("{}/assets/version.txt", visitor.site);
    assert_eq!(visitor.text(&common).await.unwrap(), version);
}
