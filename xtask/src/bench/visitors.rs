//! Visitors who ask the site and the API of a stack without a pause, and count what was not answered well.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use reqwest::{Certificate, Client, Response};
use tokio::task::JoinSet;

/// Visitors who keep their connection.
const REGULAR: usize = 8;
/// Visitors who come anew each time.
const PASSING: usize = 2;
/// How long a visitor waits before the next question: together they ask about 300 times a second.
const PAUSE: Duration = Duration::from_millis(30);
/// How long a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many failures are told in full.
const TOLD: usize = 20;

/// The stack that is visited.
pub(super) struct Place {
    /// Its domain, below which `api` and `dashboard` are.
    pub(super) domain: String,
    /// The port of HTTPS on loopback.
    pub(super) port: u16,
    /// The authority of its certificate, as PEM.
    pub(super) authority: String,
}

/// Visitors at work.
pub(super) struct Visitors {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<String>>,
}

/// What came of it.
pub(super) struct Count {
    /// How many questions were asked.
    pub(super) asked: usize,
    /// Those that had no good answer: which, and why.
    pub(super) failed: Vec<String>,
}

impl Visitors {
    /// Sends visitors to a stack.
    pub(super) fn send(place: &Place) -> Result<Self> {
        let (stop, asked) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        let urls = [
            format!(
                "https://api.{}:{}/api/v1/utils/health-check/",
                place.domain, place.port
            ),
            format!("https://dashboard.{}:{}/", place.domain, place.port),
        ];
        for number in 0..REGULAR + PASSING {
            let client = client(place, number < REGULAR)?;
            let url = urls[number % urls.len()].clone();
            tasks.spawn(visit(client, url, Arc::clone(&stop), Arc::clone(&asked)));
        }
        Ok(Self { stop, asked, tasks })
    }

    /// Calls them back.
    pub(super) async fn count(self) -> Count {
        self.stop.store(true, Ordering::Relaxed);
        Count {
            failed: self.tasks.join_all().await.concat(),
            asked: self.asked.load(Ordering::Relaxed),
        }
    }
}

fn client(place: &Place, keeps: bool) -> Result<Client> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
    let authority = Certificate::from_pem(place.authority.as_bytes())?;
    Ok(Client::builder()
        .tls_certs_only([authority])
        .no_proxy()
        .resolve(&format!("api.{}", place.domain), here)
        .resolve(&format!("dashboard.{}", place.domain), here)
        .pool_max_idle_per_host(usize::from(keeps))
        .timeout(PATIENCE)
        .build()?)
}

async fn visit(
    client: Client,
    url: String,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut failed = Vec::new();
    let mut rhythm = tokio::time::interval(PAUSE);
    while !stop.load(Ordering::Relaxed) {
        rhythm.tick().await;
        let answer = client.get(&url).send().await;
        let answer = match answer.and_then(Response::error_for_status) {
            // A page counts when all of it has come.
            Ok(answer) => answer.bytes().await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = answer {
            let told = if failed.len() < TOLD {
                format!("{url}: {error:?}")
            } else {
                url.clone()
            };
            failed.push(told);
        }
        asked.fetch_add(1, Ordering::Relaxed);
    }
    failed
}
