//! Proves that the demo works by using it as the superuser does: in a browser, or where there is none by the API. Either
//! way over HTTPS, with the certificate checked. Never says the password.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use appstack_operator::api::{AppStackStatus, Urls};
use jiff::Zoned;
use local_cluster::{Cluster, Progress, api, browser, folders};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{LOOK, NAMESPACE, SUPERUSER};
use crate::images;

/// The browser of this machine. Where there is none, Chromium is installed, as for the stories of the pages.
pub(super) async fn browser(progress: &Progress) -> Option<PathBuf> {
    match browser::provide(progress).await {
        Ok(browser) => Some(browser),
        Err(why) => {
            progress.say(&format!(
                "{why:#}. Until then the API has to do as a proof."
            ));
            None
        }
    }
}

/// Makes sure that everything answers, and that the superuser can log in, add an item and see it.
pub(super) async fn prove(
    cluster: &Cluster,
    status: &AppStackStatus,
    browser: Option<&Path>,
    progress: &Progress,
) -> Result<()> {
    let urls = status.urls.clone().context("the stack has no address")?;
    let client = client(cluster).await?;
    everything_answers(cluster, &urls, &client).await?;
    let password = secret(cluster, "shop-generated", "FIRST_SUPERUSER_PASSWORD").await?;
    if let Some(browser) = browser {
        images::dependencies(progress).await?;
        let part = progress.part("log in and add an item in a browser");
        let picture = in_browser(cluster, &urls, browser, &password).await?;
        part.done(&picture);
    } else {
        let part = progress.part("log in and add an item over HTTPS");
        by_api(&urls, &client, &password).await?;
        part.done(&urls.api);
    }
    Ok(())
}

/// The ingress controller learns of a new route a moment after it was made.
async fn everything_answers(cluster: &Cluster, urls: &Urls, client: &Client) -> Result<()> {
    let site = answered(|| client.get(&urls.dashboard).send()).await?;
    ensure!(
        site.contains("<div id=\"root\">"),
        "{} does not serve the site",
        urls.dashboard
    );
    let config = format!("{}/config.json", urls.dashboard);
    let config: Value = serde_json::from_str(&answered(|| client.get(&config).send()).await?)?;
    ensure!(
        config["apiUrl"] == json!(urls.api),
        "/config.json names another API: {config}"
    );
    let version = format!("{}/api/v1/version", urls.api);
    answered(|| client.get(&version).send()).await?;
    let ports = cluster.ports()?;
    let mail = format!("http://127.0.0.1:{}/readyz", ports.mail);
    answered(|| client.get(&mail).send()).await?;
    let database = format!("http://127.0.0.1:{}/", ports.adminer);
    answered(|| client.get(&database).send()).await?;
    Ok(())
}

/// Tells the browser's story of the demo, and gives the picture that it took.
async fn in_browser(
    cluster: &Cluster,
    urls: &Urls,
    browser: &Path,
    password: &str,
) -> Result<String> {
    let results = folders::in_repository("target/demo");
    std::fs::create_dir_all(&results)?;
    let certificate = results.join("certificate.pem");
    std::fs::write(
        &certificate,
        secret(cluster, "shop-edge-tls", "tls.crt").await?,
    )?;
    let pages = folders::in_repository("app/frontend");
    let mut playwright = Command::new(pages.join("node_modules/.bin/playwright"));
    playwright
        .current_dir(&pages)
        .args(["test", "--project", "demo"])
        .env("SITE_URL", &urls.dashboard)
        .env("API_URL", &urls.api)
        .env("CERTIFICATE", &certificate)
        .env("SUPERUSER", SUPERUSER)
        .env("SUPERUSER_PASSWORD", password)
        .env("CHROMIUM", browser)
        .env("RESULTS", &results);
    let output = playwright
        .output()
        .await
        .context("playwright cannot be started: install Node.js 20 or later")?;
    // What is typed into a field is part of what a failure says.
    let said = String::from_utf8_lossy(&output.stdout).replace(password, "(password)");
    ensure!(
        output.status.success(),
        "the demo does not work in a browser; traces are in {}:\n{said}",
        results.display()
    );
    Ok(results.join("items.png").display().to_string())
}

async fn by_api(urls: &Urls, client: &Client, password: &str) -> Result<()> {
    let login = format!("{}/api/v1/login/access-token", urls.api);
    let form = [("username", SUPERUSER), ("password", password)];
    let token = answered(|| client.post(&login).form(&form).send()).await?;
    let token: Value = serde_json::from_str(&token)?;
    let token = token["access_token"]
        .as_str()
        .context("the login gave no token")?;
    let items = format!("{}/api/v1/items/", urls.api);
    let now = Zoned::now().strftime("%-d %B %Y at %H:%M:%S");
    let title = format!("Made by the demo on {now}");
    let item = json!({"title": title});
    answered(|| client.post(&items).bearer_auth(token).json(&item).send()).await?;
    let listed = answered(|| client.get(&items).bearer_auth(token).send()).await?;
    ensure!(
        listed.contains(&title),
        "the item that was added is not in the list"
    );
    Ok(())
}

/// A client that trusts the stack's own authority, and finds its host names on this machine.
async fn client(cluster: &Cluster) -> Result<Client> {
    let authority = secret(cluster, "shop-edge-ca", "tls.crt").await?;
    let port = cluster.https_port()?;
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.as_bytes())?])
        .no_proxy()
        .resolve("dashboard.localhost", here)
        .resolve("api.localhost", here)
        .timeout(Duration::from_secs(5))
        .build()?)
}

/// A text value of a Secret of the demo.
async fn secret(cluster: &Cluster, name: &str, key: &str) -> Result<String> {
    api::secret(&cluster.client().await?, NAMESPACE, name, key).await
}

/// The text of a good answer; a bad one is asked for again for a while.
async fn answered<F>(ask: impl Fn() -> F) -> Result<String>
where
    F: Future<Output = reqwest::Result<reqwest::Response>>,
{
    let started = Instant::now();
    loop {
        let answer = async { ask().await?.error_for_status()?.text().await }.await;
        match answer {
            Ok(text) => return Ok(text),
            Err(error) if started.elapsed() > Duration::from_secs(20) => return Err(error.into()),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
