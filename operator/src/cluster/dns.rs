//! Which hosts DNS does not know, as it answers in the cluster.
//!
//! Invariant: asks DNS and nobody else, each host at most once in a while, and judges nothing. A resolver that does not answer is no
//! proof of anything: only what is known not to be there is missing.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use jiff::{SignedDuration, Timestamp};
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long an answer holds.
const HOLDS: SignedDuration = SignedDuration::from_secs(30);
/// How long a host is waited for. Resolvers try several times by themselves.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the resolvers of C libraries say of a name that is not there, or that has no address.
const NOT_THERE: [&str; 3] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
];

/// Asks for the addresses of a host.
pub type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;

/// DNS, and what it said just now.
pub struct Dns {
    lookup: Lookup,
    said: Mutex<HashMap<String, (Timestamp, bool)>>,
}

impl Default for Dns {
    fn default() -> Self {
        Self::new(|host| Box::pin(resolve(host)))
    }
}

impl Dns {
    /// DNS, asked in this way.
    #[must_use]
    pub fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            said: Mutex::default(),
        }
    }

    /// Those of the hosts that are known not to be there.
    pub async fn missing(&self, hosts: BTreeSet<String>, now: Timestamp) -> Vec<String> {
        let all = hosts.into_iter().map(|host| async move {
            let is_missing = self.is_missing(&host, now).await;
            is_missing.then_some(host)
        });
        join_all(all).await.into_iter().flatten().collect()
    }

    async fn is_missing(&self, host: &str, now: Timestamp) -> bool {
        let known = self.said().get(host).copied();
        if let Some((at, is_missing)) = known
            && now.duration_since(at).abs() < HOLDS
        {
            return is_missing;
        }
        let answer = timeout(PATIENCE, (self.lookup)(host.to_owned())).await;
        let is_missing = match answer {
            Ok(Ok(addresses)) => addresses.is_empty(),
            Ok(Err(error)) => {
                let said = error.to_string();
                NOT_THERE.iter().any(|it| said.contains(it))
            }
            Err(_) => false,
        };
        let mut said = self.said();
        // Hosts that nobody asks for any more go.
        said.retain(|_, (at, _)| now.duration_since(*at).abs() < HOLDS);
        said.insert(host.to_owned(), (now, is_missing));
        is_missing
    }

    fn said(&self) -> MutexGuard<'_, HashMap<String, (Timestamp, bool)>> {
        // A panic elsewhere leaves the map whole: each change is one insertion or removal.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A dot at the end keeps the search list of a pod away: it would make one question five, and find what others do not.
async fn resolve(host: String) -> io::Result<Vec<IpAddr>> {
    let found = lookup_host((format!("{host}."), 0)).await?;
    Ok(found.map(|it| it.ip()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    fn lookup(host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            ASKED.fetch_add(1, Ordering::Relaxed);
            match host.as_str() {
                "there.test" => Ok(vec![IpAddr::from([192, 0, 2, 1])]),
                "empty.test" => Ok(Vec::new()),
                "gone.test" => Err(io::Error::other(
                    "failed to lookup address information: Name or service not known",
                )),
                "slow.test" => std::future::pending().await,
                _ => Err(io::Error::other("Temporary failure in name resolution")),
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_not_to_be_there_is_missing_and_asked_for_once_in_a_while() {
        let dns = Dns::new(lookup);
        let hosts = ["there", "empty", "gone", "slow", "away"].map(|it| format!("{it}.test"));
        let at = |second| Timestamp::from_second(second).unwrap();
        let missing = |second| dns.missing(hosts.clone().into(), at(second));
        assert_eq!(missing(0).await, ["empty.test", "gone.test"]);
        assert_eq!(missing(29).await, ["empty.test", "gone.test"]);
        assert_eq!(ASKED.load(Ordering::Relaxed), 5);
        assert_eq!(missing(31).await.len(), 2);
        assert_eq!(ASKED.load(Ordering::Relaxed), 10);
    }

    /// The resolver of this machine says so in the words that are looked for, or cannot tell.
    #[tokio::test]
    async fn a_name_that_cannot_be_is_never_found() {
        let found = resolve("nowhere.invalid".into()).await;
        assert!(found.is_err(), "{found:?}");
    }
}
