//! A model test of what the operator remembers: whatever happens in whatever order, once everything has come to rest the
//! cluster is what an operator that remembers nothing would make of it, and the next look asks nothing.
//!
//! Each case is drawn from a seed. `APPSTACK_MODEL_SEED` runs the case of one seed alone. Of a case that fails, the fewest steps
//! that still do so are printed.

#[path = "model/cluster.rs"]
mod cluster;
#[path = "model/small.rs"]
mod small;
#[path = "model/steps.rs"]
mod steps;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use appstack_operator::api::AppStack;
use appstack_operator::context::Context;
use appstack_operator::error::{Class, Error};
use appstack_operator::plan::debounce::Debounce;
use appstack_operator::reconcile::appstack::reconcile;
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use self::cluster::{Cluster, Happening};
use self::small::Seen;
use self::steps::{Meanwhile, Mix, Step};
use crate::server::{Fate, Server};
use crate::{STACK, World, operator};

/// The variable that says which case to run.
const SEED: &str = "APPSTACK_MODEL_SEED";
/// How long the steps of a failing case are made fewer.
const SHRINKING: Duration = Duration::from_secs(20);
/// How many looks it may take until everything is as it should be: a roll-out has five stages.
const LOOKS: usize = 30;

/// How often the same may be read after an outage.
const READS: usize = 2;

/// What is looked at.
#[derive(Clone)]
enum Subject {
    /// The operator's reads, writes and deletions, without gates.
    Small,
    /// Whole reconciliations of a stack that serves.
    Whole(Server),
}

/// One case under way.
struct Model {
    subject: Subject,
    server: Server,
    ctx: Arc<Context>,
    cluster: Arc<Mutex<Cluster>>,
    /// Whether the last look asks for another one soon.
    again: bool,
}

/// What both subjects ask for.
fn spec() -> Value {
    json!({
        "environment": "local", "domain": "localhost", "version": "v0",
        "backend": {
            "image": "acme/backend", "migrate": {"args": ["migrate"]},
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "key"}}}],
        },
        "frontend": {"image": "acme/frontend"},
        "secrets": {"from": [{"name": "users-a"}]},
        "edge": {"tls": {"secretName": "users-b"}},
    })
}

fn fresh(server: &Server) -> Arc<Context> {
    Arc::new(operator(
        server,
        Debounce::new(Duration::ZERO, Duration::ZERO),
    ))
}

impl Model {
    fn new(subject: Subject) -> Self {
        let server = match &subject {
            Subject::Small => small::server(),
            Subject::Whole(serving) => serving.copy(),
        };
        let ctx = fresh(&server);
        let cluster = Cluster::new(server.clone(), &ctx.versions);
        Self {
            subject,
            server,
            ctx,
            cluster: Arc::new(Mutex::new(cluster)),
            again: true,
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Happens(it) => self.cluster().happen(it),
            Step::Look(meanwhile) => {
                if let Ok(seen) = self.look(meanwhile).await {
                    self.compare_own(&seen, meanwhile.is_empty())?;
                }
            }
            Step::Restart => {
                self.ctx = fresh(&self.server);
                self.again = true;
                self.cluster().restarted(&self.ctx.versions);
                self.tell("the operator starts anew".into());
            }
            Step::Rest(gaps) => {
                self.rest().await?;
                self.outage(*gaps).await?;
            }
        }
        Ok(())
    }

    /// Lets everything come to rest, and compares.
    async fn rest(&mut self) -> Result<(), String> {
        self.tell("everything comes to rest".into());
        self.settle().await?;
        self.server.forget();
        let other = look(&self.subject, &self.server, &fresh(&self.server)).await;
        let changed = self.server.changed();
        let changed: Vec<_> = changed
            .iter()
            .filter(|it| !it.starts_with("events"))
            .collect();
        if !changed.is_empty() {
            return Err(format!(
                "an operator that remembers nothing changes {changed:?} ({other:?})"
            ));
        }
        self.server.forget();
        let known = self.look(&[]).await;
        let requests = self.server.requests();
        let is_refused = matches!(&known, Err(error) if !is_passing(error));
        if !requests.is_empty() && !is_refused {
            return Err(format!(
                "a look at a stack at rest sends {requests:?} ({known:?})"
            ));
        }
        self.compare_status(known.ok())?;
        // Where somebody deletes both a Service and the pods behind it, the Service comes back first.
        let breaches = self.server.breaches().into_iter();
        let breaches: Vec<_> = breaches.filter(|it| !it.contains(" turned to ")).collect();
        if breaches.is_empty() {
            Ok(())
        } else {
            Err(format!("{breaches:?}"))
        }
    }

    /// Looks until nothing wakes the stack any more.
    async fn settle(&mut self) -> Result<(), String> {
        for _ in 0..LOOKS {
            self.catch_up();
            if !self.cluster().woken && !self.again {
                return Ok(());
            }
            drop(self.look(&[]).await);
        }
        Err(format!(
            "it does not come to rest: {:?}",
            self.server.requests()
        ))
    }

    fn catch_up(&self) {
        let mut cluster = self.cluster();
        if matches!(self.subject, Subject::Whole(_)) {
            cluster.happen(&Happening::Run);
        }
        cluster.catch_up();
    }

    /// All watches are lost and come back one after the other, while nothing else happens: nothing is written, and each object
    /// is read once, or for its content and for its state.
    async fn outage(&mut self, gaps: u32) -> Result<(), String> {
        self.tell("all watches are lost".into());
        let watches = self.cluster().watches();
        for watch in 0..watches {
            let gap = gaps >> watch & 1 == 1;
            self.cluster().happen(&Happening::Interrupt(watch, gap));
        }
        self.server.forget();
        // Whatever wakes it: the operator was asked to look again in an hour, say.
        let refused = matches!(&self.look(&[]).await, Err(error) if !is_passing(error));
        for watch in 0..watches {
            self.cluster().come_back(watch);
            if self.cluster().woken {
                drop(self.look(&[]).await);
            }
        }
        let requests = self.server.requests();
        let writes = requests.iter().filter(|it| !it.starts_with("GET "));
        let writes: Vec<_> = writes.collect();
        if !writes.is_empty() && !refused {
            return Err(format!("after an outage it sends {writes:?}"));
        }
        let times = |it: &&String| requests.iter().filter(|other| other == it).count();
        let often: Vec<_> = requests.iter().filter(|it| times(it) > READS).collect();
        if !often.is_empty() && !refused {
            return Err(format!(
                "after an outage it reads again and again: {often:?}"
            ));
        }
        Ok(())
    }

    /// One look, while other things happen at its requests.
    async fn look(&mut self, meanwhile: &[(usize, Meanwhile)]) -> Result<Seen, Error> {
        self.cluster().woken = false;
        let (cluster, meanwhile) = (self.cluster.clone(), meanwhile.to_vec());
        let mut count = 0;
        self.server.on_request(Some(Box::new(move |request| {
            let mut cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
            let mut fate = Fate::Answered;
            for (_, it) in meanwhile.iter().filter(|(at, _)| *at == count) {
                match it {
                    Meanwhile::Happens(it) => cluster.happen(it),
                    Meanwhile::Lost => fate = Fate::Lost,
                    Meanwhile::Unanswered => fate = Fate::Unanswered,
                }
            }
            count += 1;
            cluster.story.push(format!("  {request}: {fate:?}"));
            fate
        })));
        self.tell("a look".into());
        let answer = look(&self.subject, &self.server, &self.ctx).await;
        self.server.on_request(None);
        self.tell(match &answer {
            Ok((action, _)) => format!("  it ends: {action:?}"),
            Err(error) => format!("  it fails: {}", error.chain()),
        });
        self.again = match &answer {
            Ok((action, _)) => !is_at_rest(action),
            Err(error) => is_passing(error),
        };
        self.cluster().claimed |= answer.is_ok();
        answer.map(|(_, seen)| seen)
    }

    /// What is taken for the live status must be that.
    fn compare_status(&self, known: Option<Seen>) -> Result<(), String> {
        if !matches!(self.subject, Subject::Small) {
            return Ok(());
        }
        let version = self.server.get(STACK).unwrap_or_default()["spec"]["version"].clone();
        let at = format!(
            "deployments/shop-backend-{}",
            version.as_str().unwrap_or_default()
        );
        let live = self.server.get(&at).unwrap_or_default()["status"].clone();
        let of = |it: &Value| it["readyReplicas"].clone();
        match known {
            Some(Seen { status, .. }) if of(&status) != of(&live) => {
                Err(format!("the status is {live} and taken for {status}"))
            }
            _ => Ok(()),
        }
    }

    /// However far the watches lag behind, a look that went well has done what it wanted wherever nobody else has written since
    /// the operator did: it knows what it did itself.
    /// Where a watch is down that is so whoever wrote, unless somebody did while it looked.
    fn compare_own(&self, seen: &Seen, undisturbed: bool) -> Result<(), String> {
        let written = seen.wanted.iter().filter(|(at, wanted)| {
            let kind = wanted["kind"].as_str().unwrap_or_default();
            (undisturbed && self.cluster().is_down(kind)) || self.server.is_as_operator_left(at)
        });
        for (at, wanted) in written {
            let Some(live) = self.server.get(at) else {
                return Err(format!("{at} is wanted and gone, and taken for there"));
            };
            let differs =
                |field: &&str| !wanted[*field].is_null() && wanted[*field] != live[*field];
            if let Some(field) = ["data", "spec"].into_iter().find(differs) {
                return Err(format!(
                    "{field} of {at} is {}, wanted is {}, and the one is taken for the other",
                    live[field], wanted[field]
                ));
            }
        }
        Ok(())
    }

    fn tell(&self, what: String) {
        self.cluster().story.push(what);
    }

    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look at the AppStack as it is now: when to look again, and the status of what was applied.
async fn look(
    subject: &Subject,
    server: &Server,
    ctx: &Arc<Context>,
) -> Result<(Action, Seen), Error> {
    let app = server.get(STACK).unwrap_or_default();
    let Ok(app) = serde_json::from_value::<AppStack>(app) else {
        unreachable!("nothing is put there that cannot be read");
    };
    match subject {
        Subject::Small => {
            let seen = small::look(&app, ctx).await?;
            Ok((Action::await_change(), seen))
        }
        Subject::Whole(_) => {
            let action = Box::pin(reconcile(Arc::new(app), ctx.clone())).await?;
            Ok((action, Seen::default()))
        }
    }
}

/// Whether nothing but a change would bring another look soon.
fn is_at_rest(action: &Action) -> bool {
    [
        Action::await_change(),
        Action::requeue(Duration::from_hours(1)),
    ]
    .contains(action)
}

/// Whether the operator tries again soon.
fn is_passing(error: &Error) -> bool {
    !matches!(error.class(), Class::User | Class::Taken)
}

/// Runs a case; gives the story and what was wrong if it fails.
async fn run(subject: &Subject, steps: &[Step]) -> Result<(), (Vec<String>, String)> {
    let mut model = Model::new(subject.clone());
    for step in steps {
        if let Err(why) = Box::pin(model.step(step)).await {
            return Err((model.cluster().story.clone(), why));
        }
    }
    Ok(())
}

/// Leaves out steps as long as the case fails without them.
async fn shrunk(subject: &Subject, mut steps: Vec<Step>) -> Vec<Step> {
    let end = Instant::now() + SHRINKING;
    let mut size = steps.len() / 2;
    while size > 0 && Instant::now() < end {
        let mut found = None;
        for fewer in steps::fewer(&steps, size) {
            if Instant::now() < end && run(subject, &fewer).await.is_err() {
                found = Some(fewer);
                break;
            }
        }
        match found {
            Some(fewer) => steps = fewer,
            None => size /= 2,
        }
    }
    steps
}

/// Runs the cases of many seeds, or the one that is asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "which case to run is no setting of the operator"
)]
async fn explore(subject: Subject, seeds: u64, count: usize, mix: Mix) -> Result<()> {
    let asked = std::env::var(SEED).ok();
    let asked = asked.map(|it| it.parse()).transpose().context(SEED)?;
    let seeds = asked.map_or(0..seeds, |it| it..it + 1);
    for seed in seeds {
        let steps = steps::drawn(seed, count, mix);
        if let Err((_, first)) = run(&subject, &steps).await {
            let steps = Box::pin(shrunk(&subject, steps)).await;
            let (story, why) = run(&subject, &steps)
                .await
                .err()
                .unwrap_or_else(|| (Vec::new(), format!("{first}; it does not fail again")));
            let told: Vec<_> = steps.iter().map(|it| format!("  {it:?}")).collect();
            anyhow::bail!(
                "{SEED}={seed}: {why}\nthe steps:\n{}\nwhat happened:\n{}",
                told.join("\n"),
                story.join("\n")
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn whatever_happens_the_cache_costs_requests_and_never_correctness() -> Result<()> {
    let mix = Mix {
        looks: 60,
        rests: 5,
    };
    Box::pin(explore(Subject::Small, 250, 410, mix)).await
}

#[tokio::test]
async fn whatever_happens_a_whole_stack_comes_to_what_a_fresh_operator_makes_of_it() -> Result<()> {
    let world = World::new();
    let mut app = world.server.get(STACK).context("no AppStack")?;
    app["spec"] = spec();
    world.server.put(STACK, app);
    for at in cluster::REFERRED {
        cluster::put_referred(&world.server, at, 0);
    }
    world.roll_out().await?;
    world.reconcile().await??;
    let mix = Mix {
        looks: 60,
        rests: 8,
    };
    Box::pin(explore(Subject::Whole(world.server.clone()), 20, 300, mix)).await
}
