//! What stories are told with: a namespace of their own, evidence when they fail, and one way to wait.

mod audit;
mod children;
mod evidence;
mod fated;
mod pages;
mod playwright;
mod stacks;
mod visitor;
mod world;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt as _;
use k8s_openapi::api::core::v1::Pod;

pub(crate) use audit::Request;
pub(crate) use children::{Child, KINDS};
#[cfg(feature = "long")]
pub(crate) use fated::MIGRATED;
pub(crate) use playwright::{Playwright, npx};
pub(crate) use stacks::{API, Document, FATED, NOWHERE, PICKY, SCRIPTED, SHOP, parse};
pub(crate) use visitor::Visitor;
pub(crate) use world::{World, condition, release, uid};

/// How long a stack may take to become ready: several times what it takes on two cores.
pub(crate) const ROLL_OUT: Duration = Duration::from_mins(2);
/// How soon the operator answers to a change: the promise that the stories measure.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// How long Kubernetes may take to collect what has lost its owner, pods that shut down included.
pub(crate) const CLEAN_UP: Duration = Duration::from_secs(90);

/// How many stories are told at the same time. They wait more than they work, but their pods need memory.
const AT_ONCE: usize = 3;

/// The cluster that the stories are told on.
const CLUSTER: &str = "APPSTACK_CLUSTER";

/// Stories read, those that disturb the operator or the machine write: they must be alone.
static PEACE: RwLock<()> = RwLock::new(());

/// Tells a story that leaves the operator in peace.
pub(crate) fn story(name: &str, body: impl AsyncFnOnce(&World)) {
    let Some(cluster) = cluster(name) else { return };
    let _seat = Seat::take();
    let _peace = PEACE.read().unwrap_or_else(PoisonError::into_inner);
    tell(&cluster, name, body);
}

/// Tells a story that disturbs the operator or takes the whole machine, alone.
pub(crate) fn disturbing_story(name: &str, body: impl AsyncFnOnce(&World)) {
    let Some(cluster) = cluster(name) else { return };
    let _alone = PEACE.write().unwrap_or_else(PoisonError::into_inner);
    tell(&cluster, name, body);
}

/// The name of the cluster to use. Without one the story is skipped, but never in CI.
fn cluster(story: &str) -> Option<String> {
    let cluster = std::env::var(CLUSTER).ok().filter(|it| !it.is_empty());
    if cluster.is_none() {
        let why = format!("{CLUSTER} names no cluster: `cargo xtask test cluster` brings one up");
        assert!(
            std::env::var_os("CI").is_none_or(|it| it != "true"),
            "{story} cannot be told: {why}"
        );
        say(&format!("{story} is skipped: {why}"));
    }
    cluster
}

fn tell(cluster: &str, name: &str, body: impl AsyncFnOnce(&World)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let world = World::new(cluster, name).await;
        let told = AssertUnwindSafe(body(&world)).catch_unwind().await;
        if told.is_err() {
            evidence::print(&world).await;
        }
        world.put_back().await;
        world.end().await;
        if let Err(panic) = told {
            resume_unwind(panic);
        }
    });
}

/// Says something to the person, also when the story goes well.
pub(crate) fn say(line: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Names of pods, for messages.
pub(crate) fn names(pods: &[Pod]) -> Vec<&str> {
    pods.iter()
        .filter_map(|it| it.metadata.name.as_deref())
        .collect()
}

/// A place among the stories that are told at the same time.
struct Seat;

static SEATS: Mutex<usize> = Mutex::new(AT_ONCE);
static FREED: Condvar = Condvar::new();

impl Seat {
    fn take() -> Self {
        let free = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = FREED
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *SEATS.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREED.notify_one();
    }
}
