//! The pages in a real browser: Playwright tells the stories of `app/frontend/e2e` on a stack with a mail catcher.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use local_cluster::{Progress, browser, folders};
use serde_json::Value;
use tokio::process::Command;

use crate::support::{SHOP, SOON, Visitor, World, disturbing_story};

const SUPERUSER: &str = "admin@example.com";

/// More than one pod of each, so that nothing works only because it meets the same one again.
const STACK: &str = "
spec:
  superuser: admin@example.com
  backend: {image: 'ghcr.io/appstack-dev/demo-backend:dev', replicas: 2, seed: {args: [seed]}}
  frontend: {replicas: 2, assets: {path: /usr/share/nginx/html/assets}}
  email: {host: mail, port: 1025, tls: none, from: shop@example.com}
";

/// The mail catcher has no port of the host here, since only one namespace of a cluster can have that.
const MAIL_ROUTE: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: mail
  annotations:
    traefik.ingress.kubernetes.io/router.entrypoints: web
spec:
  ingressClassName: traefik
  rules:
    - host: mail.$domain
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: mail, port: {name: http}}}
";

/// A browser needs the whole machine: other stories measure how soon things happen.
#[test]
fn people_use_the_pages_in_a_browser() {
    disturbing_story("browser", async |world| {
        // Neither a picture nor a count of an earlier time.
        let _ = std::fs::remove_dir_all(results());
        let browser = browser::provide(&Progress::new()).await.unwrap();
        let mail = std::fs::read_to_string(folders::in_kind("manifests/local-mail.yaml")).unwrap();
        for document in mail.split("\n---\n").chain([MAIL_ROUTE]) {
            world.apply(&world.document(document)).await;
        }
        world.apply(&world.document(SHOP).with(STACK)).await;
        let next = later_pages(world).await;
        world.ready("shop").await;
        let until_it_is_there = ["rollout", "status", "deployment/mail", "--timeout", "60s"];
        world.kubectl(&until_it_is_there).await;

        playwright(world, &browser, &next).await;
    });
}

/// Loads an image with the same pages under other addresses, as those of a later release have, and gives its name.
async fn later_pages(world: &World) -> String {
    let context = results().join("next");
    let mut build = npx(&[
        "vite",
        "build",
        "--emptyOutDir",
        "--assetsDir",
        "assets/next",
    ]);
    build.arg("--outDir").arg(context.join("dist"));
    let output = build.output().await.unwrap();
    assert!(
        output.status.success(),
        "the pages do not build: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    world.loads_pages("next", &context).await
}

/// Waits until the ingress controller knows every host, and gives somebody who has asked for the pages.
async fn everything_answers(world: &World, mail: &str) -> Visitor {
    let visitor = world.visitor("shop").await;
    visitor.reads(world, &visitor.site).await;
    let version = format!("{}/api/v1/version", visitor.api);
    visitor.reads(world, &version).await;
    // Chromium knows that names below `localhost` are here, the resolver of this machine may not.
    let port = world.cluster.http_port().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let here = format!("http://127.0.0.1:{port}/readyz");
    let host = mail.trim_start_matches("http://");
    world
        .until("the mail catcher answers", SOON * 3, async || {
            let answer = client.get(&here).header("Host", host).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    visitor
}

async fn playwright(world: &World, browser: &Path, next: &str) {
    let port = world.cluster.http_port().unwrap();
    let mail = format!("http://mail.{}:{port}", world.domain());
    let visitor = everything_answers(world, &mail).await;
    let certificate = results().join("certificate.pem");
    let served = world.secret("shop-edge-tls", "tls.crt").await;
    std::fs::write(&certificate, served).unwrap();
    let password = world
        .secret("shop-generated", "FIRST_SUPERUSER_PASSWORD")
        .await;
    let kubectl = world.cluster.kubectl().unwrap();

    let mut stories = npx(&["playwright", "test", "--project", "release"]);
    stories
        .env("SITE_URL", &visitor.site)
        .env("API_URL", &visitor.api)
        .env("MAIL_URL", &mail)
        .env("CERTIFICATE", &certificate)
        .env("SUPERUSER", SUPERUSER)
        .env("SUPERUSER_PASSWORD", &password)
        .env("KUBECTL", kubectl.as_std().get_program())
        .env("KUBECONFIG", world.cluster.kubeconfig())
        .env("NAMESPACE", &world.namespace)
        .env("STACK", "shop")
        .env("NEXT_FRONTEND", next)
        .env("CHROMIUM", browser)
        .env("RESULTS", results());
    let output = stories.output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    // What is typed into a field is part of what a failure says.
    let said = String::from_utf8_lossy(&said).replace(&password, "(password)");
    count();
    assert!(
        output.status.success(),
        "{said}\npictures and traces are in {}",
        results().display()
    );
}

/// Says how many stories of the browser came to which end, in a line that `cargo xtask test` counts.
fn count() {
    let Ok(results) = std::fs::read(results().join("results.json")) else {
        return;
    };
    let results: Value = serde_json::from_slice(&results).unwrap();
    let stats = &results["stats"];
    let [passed, failed, skipped] = ["expected", "unexpected", "skipped"].map(|it| &stats[it]);
    // The runner has begun a line where it tells one story at a time, and would keep what `println` prints.
    let summary = format!("\nTests  {passed} passed | {failed} failed | {skipped} skipped\n");
    std::io::stdout().write_all(summary.as_bytes()).unwrap();
}

/// Where the pictures go, and what is left of a story that failed.
fn results() -> PathBuf {
    folders::in_repository("target/browser")
}

fn npx(words: &[&str]) -> Command {
    let mut npx = Command::new("npx");
    npx.current_dir(folders::in_repository("app/frontend"))
        .args(words)
        .kill_on_drop(true);
    npx
}
