//! Somebody with a browser: asks through the edge, with the certificate checked, and has an account of the demo.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use appstack_operator::api::Layout;
use appstack_operator::check::hosts;
use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Certificate, Response, StatusCode, redirect};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{SOON, World};

/// How long an answer or a question that lasts may take.
const LASTING: Duration = Duration::from_mins(2);
/// How often an asker asks.
const PERIOD: Duration = Duration::from_millis(50);
/// What an asker asks: the database must answer too.
const HEALTH: &str = "/api/v1/utils/health-check/";
/// The account of a visitor, which is made when it is first needed.
const EMAIL: &str = "visitor@example.com";
const PASSWORD: &str = "correct horse battery staple";

/// Somebody with a browser.
#[derive(Clone)]
pub(crate) struct Visitor {
    client: reqwest::Client,
    /// `https://api.<domain>:<port>`, or where the API is at one host with the site, that.
    pub(crate) api: String,
    /// `https://dashboard.<domain>:<port>`.
    pub(crate) site: String,
    /// The same by plain HTTP.
    pub(crate) plain_api: String,
    /// The same by plain HTTP.
    pub(crate) plain_site: String,
}

impl World {
    /// A visitor of a stack who trusts its own authority.
    pub(crate) async fn visitor(&self, stack: &str) -> Visitor {
        let authority = self.secret(&format!("{stack}-edge-ca"), "tls.crt").await;
        self.visitor_trusting(stack, Some(&authority)).await
    }

    /// A visitor of a stack who trusts one certificate, or none.
    pub(crate) async fn visitor_trusting(&self, stack: &str, authority: Option<&str>) -> Visitor {
        let spec = self.stack(stack).await.spec;
        let domain = &spec.domain;
        let is_one = spec.edge.as_ref().and_then(|it| it.layout) == Some(Layout::SingleHost);
        let host = |part: &str| {
            if is_one {
                domain.clone()
            } else {
                format!("{part}.{domain}")
            }
        };
        let (api, dashboard) = (host("api"), host("dashboard"));
        let (https, http) = (
            self.cluster.https_port().unwrap(),
            self.cluster.http_port().unwrap(),
        );
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, https));
        let trusted = authority.map(|it| Certificate::from_pem(it.as_bytes()).unwrap());
        let hosts = hosts(&spec).into_iter();
        let all = [api.clone(), dashboard.clone()].into_iter().chain(hosts);
        let client = all.fold(
            reqwest::Client::builder()
                .tls_certs_only(trusted)
                .no_proxy()
                .redirect(redirect::Policy::none())
                .timeout(Duration::from_secs(5)),
            |client, host| client.resolve(&host, here),
        );
        Visitor {
            client: client.build().unwrap(),
            api: format!("https://{api}:{https}"),
            site: format!("https://{dashboard}:{https}"),
            plain_api: format!("http://{api}:{http}"),
            plain_site: format!("http://{dashboard}:{http}"),
        }
    }
}

impl Visitor {
    /// One answer, whatever it is.
    pub(crate) async fn ask(&self, url: &str) -> reqwest::Result<Response> {
        self.client.get(url).send().await
    }

    /// The answer to who wants a socket.
    pub(crate) async fn asks_for_socket(&self, url: &str) -> reqwest::Result<Response> {
        let asked = self.client.get(url).header(CONNECTION, "Upgrade");
        let asked = asked.header(UPGRADE, "websocket");
        let asked = asked.header(SEC_WEBSOCKET_VERSION, "13");
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        asked.header(SEC_WEBSOCKET_KEY, key).send().await
    }

    /// An answer that does not end.
    pub(crate) async fn listens_to(&self, url: &str) -> reqwest::Result<Response> {
        let asked = self.client.get(url).timeout(LASTING);
        asked.send().await?.error_for_status()
    }

    /// Sends much, and gives the answer.
    pub(crate) async fn uploads(&self, url: &str, body: Vec<u8>) -> reqwest::Result<String> {
        let asked = self.client.post(url).body(body).timeout(LASTING);
        asked.send().await?.error_for_status()?.text().await
    }

    /// The same for a browser whose user reads this language.
    pub(crate) async fn browses(&self, url: &str, language: &str) -> reqwest::Result<Response> {
        let asked = self.client.get(url).header(ACCEPT, "text/html,*/*;q=0.8");
        asked.header(ACCEPT_LANGUAGE, language).send().await
    }

    /// The same for somebody who says a name and a password.
    pub(crate) async fn ask_as(
        &self,
        name: &str,
        password: &str,
        url: &str,
    ) -> reqwest::Result<Response> {
        let asked = self.client.get(url).basic_auth(name, Some(password));
        asked.send().await
    }

    /// Waits until an address is answered with this status.
    pub(crate) async fn answers(&self, world: &World, url: &str, wanted: StatusCode) {
        world
            .until(&format!("{url} answers {wanted}"), SOON * 3, async || {
                let answer = self.ask(url).await.ok()?;
                (answer.status() == wanted).then_some(())
            })
            .await;
    }

    /// Waits for a good answer, since the ingress controller learns of a route a moment after it was made; gives its
    /// text.
    pub(crate) async fn reads(&self, world: &World, url: &str) -> String {
        world
            .until(&format!("{url} answers"), SOON * 3, async || {
                self.text(url).await.ok()
            })
            .await
    }

    /// Asks for a mail by which a password can be set anew.
    pub(crate) async fn has_lost_password(&self, email: &str) {
        let url = format!("{}/api/v1/password-recovery/", self.api);
        let asked = self.client.post(&url).json(&json!({"email": email}));
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 202, "{url}: {answer:?}");
    }

    /// Makes an item.
    pub(crate) async fn adds_item(&self, title: &str) {
        let url = self.items_url();
        let token = self.token().await.unwrap().expect("a token");
        let asked = self.client.post(&url).bearer_auth(token);
        let answer = asked.json(&json!({"title": title})).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{url}: {answer:?}");
    }

    /// The titles of all items, newest first; waits until the API answers.
    pub(crate) async fn items(&self, world: &World) -> Vec<String> {
        let what = format!("{} lists", self.items_url());
        let list = world
            .until(&what, SOON * 3, async || self.list().await.ok()?)
            .await;
        let items = list["data"].as_array().unwrap();
        items
            .iter()
            .map(|it| it["title"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The list of items, once the API lets this visitor in.
    pub(crate) async fn list(&self) -> reqwest::Result<Option<Value>> {
        match self.token().await? {
            Some(token) => self.list_with(&token).await.map(Some),
            None => Ok(None),
        }
    }

    /// The list of items, for somebody who logged in before.
    pub(crate) async fn list_with(&self, token: &str) -> reqwest::Result<Value> {
        let asked = self.client.get(self.items_url()).bearer_auth(token);
        asked.send().await?.error_for_status()?.json().await
    }

    /// Logs in. Who is not known yet signs up; there is no token before the next try.
    pub(crate) async fn token(&self) -> reqwest::Result<Option<String>> {
        let login = self
            .client
            .post(format!("{}/api/v1/login/access-token", self.api))
            .form(&[("username", EMAIL), ("password", PASSWORD)])
            .send()
            .await?;
        if login.status() == StatusCode::BAD_REQUEST {
            let account = json!({"email": EMAIL, "password": PASSWORD});
            let sign_up = format!("{}/api/v1/users/signup", self.api);
            self.client.post(sign_up).json(&account).send().await?;
            return Ok(None);
        }
        let answer: Value = login.error_for_status()?.json().await?;
        Ok(answer["access_token"].as_str().map(str::to_owned))
    }

    fn items_url(&self) -> String {
        format!("{}/api/v1/items/", self.api)
    }

    /// Somebody who keeps asking the API until told to stop.
    pub(crate) fn keeps_asking(&self) -> Asker {
        self.keeps_asking_at(HEALTH)
    }

    /// The same at a path of the API.
    pub(crate) fn keeps_asking_at(&self, path: &'static str) -> Asker {
        let visitor = self.clone();
        Asker::new(move || {
            let visitor = visitor.clone();
            async move {
                let url = format!("{}{path}", visitor.api);
                visitor.text(&url).await.map(drop)
            }
        })
    }

    /// Somebody who keeps opening the site until told to stop: its page, the file that this page asks for, and the one that
    /// the page asked for which was opened before.
    pub(crate) fn keeps_opening(&self) -> Asker {
        let (visitor, last) = (self.clone(), Arc::new(Mutex::new(None)));
        Asker::new(move || {
            let (visitor, last) = (visitor.clone(), last.clone());
            async move {
                let page = visitor.text(&format!("{}/", visitor.site)).await?;
                let file = script(&page);
                let before = last.lock().unwrap().replace(file.clone());
                for file in [Some(file), before].into_iter().flatten() {
                    visitor.text(&format!("{}{file}", visitor.site)).await?;
                }
                Ok(())
            }
        })
    }

    /// The text of a good answer.
    pub(crate) async fn text(&self, url: &str) -> reqwest::Result<String> {
        self.ask(url).await?.error_for_status()?.text().await
    }
}

/// The address of the program that a page asks for.
fn script(page: &str) -> String {
    let (_, rest) = page.split_once("src=\"").expect("a page with a program");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Somebody who keeps asking.
pub(crate) struct Asker {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<Vec<String>>,
}

impl Asker {
    /// Asks and asks, and notes what went wrong.
    fn new<A>(ask: impl Fn() -> A + Send + 'static) -> Self
    where
        A: Future<Output = reqwest::Result<()>> + Send,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let (stopped, count) = (stop.clone(), asked.clone());
        let task = tokio::spawn(async move {
            let mut failures = Vec::new();
            let mut rhythm = tokio::time::interval(PERIOD);
            while !stopped.load(Ordering::Relaxed) {
                rhythm.tick().await;
                failures.extend(ask().await.err().map(|error| format!("{error:?}")));
                count.fetch_add(1, Ordering::Relaxed);
            }
            failures
        });
        Self { stop, asked, task }
    }

    /// Ends the questions. Every one must have had a good answer.
    pub(crate) async fn was_always_answered(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.task.await.unwrap();
        let asked = self.asked.load(Ordering::Relaxed);
        assert!(asked > 20, "only {asked} questions were asked");
        assert!(
            failures.is_empty(),
            "{} of {asked} questions had no good answer, the first: {}",
            failures.len(),
            failures[0]
        );
    }
}
