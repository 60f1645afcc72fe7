//! The pages in a real browser: Playwright tells the stories of `app/frontend/e2e` on a stack with a mail catcher.

use std::path::PathBuf;

use local_cluster::{Progress, browser, folders};

use crate::support::{Playwright, SHOP, SOON, Visitor, World, disturbing_story, npx};

const SUPERUSER: &str = "admin@example.com";

/// More than one pod of each, so that nothing works only because it meets the same one again.
const STACK: &str = "
spec:
  superuser: admin@example.com
  backend: {image: 'ghcr.io/appstack-dev/demo-backend:dev', replicas: 2, seed: {args: [seed]}}
  frontend: {replicas: 2, assets: {path: /usr/share/nginx/html/assets}}
  tools: {mail: true, adminer: false}
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
            backend: {service: {name: shop-mail, port: {name: http}}}
";

/// A browser needs the whole machine: other stories measure how soon things happen.
#[test]
fn people_use_the_pages_in_a_browser() {
    disturbing_story("browser", async |world| {
        let browser = browser::provide(&Progress::new()).await.unwrap();
        let playwright = Playwright::new("release", &browser, results());
        world.apply(&world.document(MAIL_ROUTE)).await;
        world.apply(&world.document(SHOP).with(STACK)).await;
        let next = later_pages(world).await;
        world.ready("shop").await;
        let until_it_is_there = [
            "rollout",
            "status",
            "deployment/shop-mail",
            "--timeout",
            "60s",
        ];
        world.kubectl(&until_it_is_there).await;

        let told = settings(world, playwright).await;
        told.env("NEXT_FRONTEND", next).run().await;
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

/// Tells the stories where the stack is, once everything answers, and how to log in and to change it.
async fn settings(world: &World, playwright: Playwright) -> Playwright {
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
    playwright
        .env("SITE_URL", &visitor.site)
        .env("API_URL", &visitor.api)
        .env("MAIL_URL", &mail)
        .env("CERTIFICATE", &certificate)
        .env("SUPERUSER", SUPERUSER)
        .secret_env("SUPERUSER_PASSWORD", &password)
        .env("KUBECTL", kubectl.as_std().get_program())
        .env("KUBECONFIG", world.cluster.kubeconfig())
        .env("NAMESPACE", &world.namespace)
        .env("STACK", "shop")
}

/// Where the pictures go, and what is left of a story that failed.
fn results() -> PathBuf {
    folders::in_repository("target/browser")
}
