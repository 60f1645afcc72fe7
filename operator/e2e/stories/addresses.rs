//! What `cargo xtask demo` applies, and the addresses that it prints, in a browser that trusts nothing of the stack.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use local_cluster::demo::{self, Address};
use local_cluster::{Progress, browser, folders, trust};

use crate::support::{Playwright, SOON, World, disturbing_story};

/// As `kind/stack-local.yaml` says.
const SUPERUSER: &str = "admin@example.com";

/// The demo has ports of the host, which only one namespace of a cluster can have.
#[test]
fn every_address_of_the_demo_opens_in_a_browser_that_is_asked_once() {
    disturbing_story("addresses", async |world| {
        let browser = browser::provide(&Progress::new()).await.unwrap();
        for file in demo::FILES {
            let text = std::fs::read_to_string(folders::in_kind(file)).unwrap();
            for document in text.split("\n---\n") {
                let document = world.document(document);
                let document = match document.name() {
                    "shop" => document.with("spec: {tools: null}"),
                    _ => document,
                };
                world.apply(&document).await;
            }
        }
        world.ready("shop").await;
        let addresses = world.cluster.addresses().unwrap();
        everything_answers(world, &addresses).await;

        let password = world
            .secret("shop-generated", "FIRST_SUPERUSER_PASSWORD")
            .await;
        Playwright::new("addresses", &browser, results())
            .env("ADDRESSES", serde_json::to_string(&addresses).unwrap())
            .env("SUPERUSER", SUPERUSER)
            .secret_env("SUPERUSER_PASSWORD", &password)
            .run()
            .await;
        trusts(world, &browser, &addresses).await;
    });
}

/// The ingress controller learns of routes, and the cluster of node ports, a moment after they were made.
async fn everything_answers(world: &World, addresses: &[Address]) {
    let port = world.cluster.https_port().unwrap();
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .resolve("dashboard.localhost", here)
        .build()
        .unwrap();
    for Address { url, .. } in addresses {
        world
            .until(&format!("{url} answers"), SOON * 6, async || {
                let answer = client.get(url).send().await.ok()?;
                answer.status().is_success().then_some(())
            })
            .await;
    }
}

/// The browser of a user who has told it whom to believe, and who takes that back.
async fn trusts(world: &World, browser: &Path, addresses: &[Address]) {
    trust::prepare(&Progress::new()).await.unwrap();
    let home = folders::in_repository("target/trusting/home");
    std::fs::create_dir_all(&home).unwrap();
    let authority = home.join("authority.crt");
    let certificate = world.secret("shop-edge-ca", "tls.crt").await;
    std::fs::write(&authority, certificate).unwrap();
    let [store] = &trust::browsers(&home)[..] else {
        panic!("the home folder is new")
    };
    store.put("appstack-story", &authority).await.unwrap();
    let results = folders::in_repository("target/trusting/results");
    Playwright::new("trusting", browser, results)
        .env("ADDRESSES", serde_json::to_string(addresses).unwrap())
        .env("HOME", &home)
        .run()
        .await;
    assert!(store.take_out("appstack-story").await.unwrap());
    assert!(!store.take_out("appstack-story").await.unwrap());
}

/// Where the pictures go, and what is left of a story that failed.
fn results() -> PathBuf {
    folders::in_repository("target/addresses")
}
