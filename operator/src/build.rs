//! Turns a `Stack` into the objects it needs, stage by stage.
//!
//! Invariant: nothing here reads the cluster, the clock or the environment, and nothing can fail: whatever could
//! be wrong was found by `check`.

mod database;
mod edge;
mod meta;
mod network;
mod operated;
mod tools;
mod workload;

use crate::model::object::Object;
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};

use self::database::{connection, migration, role};
use self::workload::{assets, backend, frontend, pod, scale};
use crate::api::StageName;
use crate::model::fact::Record;
use crate::model::identity::ReleaseHash;
use crate::model::manifests::Manifests;
use crate::model::observed::Answer;
use crate::model::stack::{CheckLimits, Served, Stack, is_below};

pub use self::database::connection::ASK;
pub use self::database::record as database_record;
pub use self::database::role::{REVOKE, revocation};
pub use self::meta::{selector, selector_text};
pub use self::workload::prepull::{Pull, pulls};
pub use self::workload::process::HEAD;

/// Every object of a stack, in roll-out order.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The hash of the release that these objects are of.
    pub release: ReleaseHash,
    /// The stages. A name may come twice; its stages then follow each other.
    pub stages: Vec<Stage>,
    /// What helps developers beside them. No stage waits for it.
    pub tools: Vec<Object>,
}

/// The objects that are applied together before their gate is judged.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which stage this is.
    pub name: StageName,
    /// The objects, in the order in which they are applied.
    pub objects: Vec<Object>,
    /// How a release that is not known to be good is asked as visitors ask it, once all else is well.
    pub check: Option<Check>,
    /// What else is to be there before the gate opens, and is not yet.
    pub awaits: Option<String>,
    /// What is applied once the gate is open: it turns requests to the new pods.
    pub opens: Vec<Object>,
    /// What is written down when the gate opens.
    pub record: Option<Record>,
}

/// What is asked before a gate opens, as visitors ask it.
#[derive(Clone, Debug)]
pub struct Check {
    /// The addresses, all of which must answer well.
    pub urls: Vec<String>,
    /// An address that need not answer well: only that it turns visitors away is told.
    pub aside: Option<String>,
    /// Who is asked.
    pub target: CheckTarget,
    /// How long it may take to be well, and how long it must be.
    pub limits: CheckLimits,
    /// Whether the release fails by it. Else any answer of the application will do, and without one the release goes on
    /// when the time is over.
    pub decides: bool,
    /// By which answers the edge itself turns visitors away, as the spec tells it to. They prove that the way leads to the stack,
    /// so they are good ones: what is behind it was asked in its pods.
    pub refusals: Vec<Refusal>,
}

/// An answer by which the edge turns visitors away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The host that it is given at, with scheme and port, and without a slash at its end.
    pub host: String,
    /// The status of the answer.
    pub status: u16,
    /// The paths at which it is not given, each with all that is below it.
    pub free: Vec<String>,
}

/// Who is asked for the addresses of a check.
#[derive(Clone, Debug)]
pub enum CheckTarget {
    /// Each of the new pods itself, before any visitor comes to it.
    Pods {
        /// Their labels.
        selector: BTreeMap<String, String>,
        /// The port that they listen on.
        port: i32,
    },
    /// The ingress controller.
    Edge {
        /// The certificate that must be served.
        served: Served,
    },
}

/// Which way a release is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To a new release: the backend goes first, since a new site may ask for what only it has.
    Forward,
    /// To a kept one: the site goes first, since the backend that it leaves can do all that it may ask for.
    Back,
}

impl Check {
    /// Whether the edge itself turned a visitor of an address away, as it is told to.
    #[must_use]
    pub fn turns_away(&self, url: &str, answer: &Answer) -> bool {
        let (Answer::Application { status, .. }
        | Answer::Infrastructure {
            status: Some(status),
            ..
        }) = answer
        else {
            return false;
        };
        let mut refusals = self.refusals.iter();
        refusals.any(|it| {
            let path = url.strip_prefix(&it.host).filter(|it| it.starts_with('/'));
            let is_guarded = |path: &str| !it.free.iter().any(|free| is_below(path, free));
            it.status == *status && path.is_some_and(is_guarded)
        })
    }
}

impl Stage {
    /// Every object, in the order in which it is applied.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().chain(&self.opens)
    }

    fn new(name: StageName, objects: Vec<Object>) -> Self {
        Self {
            name,
            objects,
            check: None,
            awaits: None,
            opens: Vec::new(),
            record: None,
        }
    }
}

/// The objects of a stack.
#[must_use]
pub fn build(stack: &Stack, direction: Direction) -> Desired {
    let mut manifests = manifests(stack).of(&stack.namespace, &stack.owner);
    operated::adapt(&mut manifests, stack);
    let edge = edge::stage(stack, &manifests);
    let mut stages = if stack.hibernates {
        falling_asleep(stack, manifests)
    } else {
        awake(stack, manifests, direction)
    };
    stages.push(edge);
    Desired {
        release: stack.release.clone(),
        stages,
        tools: tools::objects(stack),
    }
}

/// What of a stack's release is kept with it: as it was rendered when the release was verified, or by the templates of now
/// where it has yet to be; with the numbers of pods of now.
#[must_use]
pub fn manifests(stack: &Stack) -> Manifests {
    match &stack.manifests {
        Some(kept) => {
            let mut manifests = assets::brought(kept.as_ref().clone(), stack);
            scale::scale(&mut manifests, stack);
            manifests.kept()
        }
        None => rendered(stack),
    }
}

/// Whether the templates of now would make the same of a stack's release as is kept with it.
#[must_use]
pub fn is_current(stack: &Stack) -> bool {
    stack.manifests.is_none() || operated::is_current(manifests(stack), stack)
}

/// The same by the templates of now, whatever is kept.
#[must_use]
pub fn rendered(stack: &Stack) -> Manifests {
    let mut manifests = Manifests {
        shared: shared(stack),
        backend: backend::part(stack),
        frontend: stack.frontend.as_ref().map(|it| frontend::part(stack, it)),
        edge: edge::objects(stack),
        rate_limit: stack.edge.default_rate(),
    };
    scale::scale(&mut manifests, stack);
    manifests.kept()
}

fn awake(stack: &Stack, manifests: Manifests, direction: Direction) -> Vec<Stage> {
    let mut stages = vec![database_stage(stack, manifests.shared)];
    let embedded = stack.database.embedded.as_ref();
    stages.extend(embedded.map(|it| role::stage(stack, it)));
    let external = stack.database.external.as_ref();
    stages.extend(external.and_then(|it| connection::stage(stack, it)));
    stages.extend(migration::stages(stack));
    let backend = Some(backend::stage(stack, manifests.backend));
    let frontend = manifests.frontend.map(|it| frontend::stage(stack, it));
    stages.extend(match direction {
        Direction::Forward => backend.into_iter().chain(frontend),
        Direction::Back => frontend.into_iter().chain(backend),
    });
    stages
}

/// Whoever needs another part goes before it, so that each ends in peace.
fn falling_asleep(stack: &Stack, manifests: Manifests) -> Vec<Stage> {
    let frontend = manifests.frontend.map(|it| frontend::stage(stack, it));
    let backend = backend::stage(stack, manifests.backend);
    let database = database_stage(stack, manifests.shared);
    frontend.into_iter().chain([backend, database]).collect()
}

fn database_stage(stack: &Stack, shared: Vec<Object>) -> Stage {
    let secrets = [
        database::generated_secrets(stack),
        database::application(stack),
        values(stack),
    ];
    let secrets = secrets.map(|it| Object::Secret(Box::new(it)));
    let objects = shared.into_iter().chain(secrets);
    let objects = objects.chain(database::objects(stack));
    Stage::new(StageName::Database, objects.collect())
}

impl Desired {
    /// Every object.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.of_stages().chain(&self.tools)
    }

    /// Those that a release is made of, in the order in which they are applied.
    pub fn of_stages(&self) -> impl Iterator<Item = &Object> {
        self.stages.iter().flat_map(Stage::all)
    }

    /// Whether an object of this kind and name is in it.
    #[must_use]
    pub fn has(&self, object: &Object) -> bool {
        self.objects().any(|it| it.is_same(object))
    }

    /// Whether it is in it and applied before the gate of its stage opens.
    #[must_use]
    pub fn has_before_gates(&self, object: &Object) -> bool {
        let mut objects = self.stages.iter().flat_map(|it| &it.objects);
        objects.any(|it| it.is_same(object))
    }
}

/// What the pods of every stage need; applied with the first one.
fn shared(stack: &Stack) -> Vec<Object> {
    let account = ServiceAccount {
        metadata: meta::object(
            stack,
            &stack.names.service_account(),
            meta::Component::Shared,
        ),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    let policies = network::policies(stack);
    [Object::ServiceAccount(Box::new(account))]
        .into_iter()
        .chain(policies)
        .collect()
}

/// Everything that pods of the backend image read. Its name says its content, so nobody is to change it.
fn values(stack: &Stack) -> Secret {
    let name = stack.names.values(&stack.secrets.hash);
    Secret {
        metadata: meta::object(stack, &name, meta::Component::Backend),
        data: Some(pod::bytes(&stack.secrets.values)),
        immutable: Some(true),
        ..Secret::default()
    }
}
