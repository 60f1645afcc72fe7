//! The page docs/it-does-not-work.md: stacks that fail, and what the status says of them. `cargo xtask failures` writes it.
//!
//! Each failure of [`table`] is a stack in a namespace of its own. What kubectl prints is taken as it is; only what is another one
//! each time, such as ages and the ends of names, is made equal, so that a second run writes the same page.

mod plain;
mod table;

use std::fmt::Write as _;
use std::thread;

use appstack_operator::api::Reason;

use self::plain::{plain, row};
use self::table::{Before, FAILURES};
use crate::support::{Document, NOWHERE, PICKY, ROLL_OUT, World, condition, say, story};

/// Where the page is written.
const PAGE: &str = "APPSTACK_PAGE";
/// What is above the failures.
const HEAD: &str = "# It does not work: what the status tells you

<!-- made on a real cluster by `cargo xtask failures`; do not edit -->

Each of these stacks was made on a cluster, and this is what it said. Above it stands the change that made a stack fail which works
without it. The stack is called `shop` and is in the namespace `demo`; ends of names that are other ones each time are written as `…`. What every reason means is in [conditions](conditions.md).
";

/// A stack that fails.
struct Failure {
    /// The end of its namespace's name.
    name: &'static str,
    /// What is wrong, for people.
    title: &'static str,
    /// What is there before the fault.
    before: Before,
    /// The fault: a change to a stack that works, as YAML.
    fault: &'static str,
    /// The condition that tells.
    condition: &'static str,
    /// Why it is False.
    reason: Reason,
    /// Words of its message without which more is still to be said.
    words: &'static str,
    /// What to do.
    remedy: &'static str,
}

#[test]
fn failures() {
    let sections: Vec<String> = thread::scope(|scope| {
        let told = FAILURES.map(|it| scope.spawn(move || it.told()));
        told.map(|it| it.join().expect("a failure that fails as it should"))
            .into()
    });
    let Some(page) = std::env::var_os(PAGE) else {
        return say(&format!("no page is written: {PAGE} names none"));
    };
    assert!(
        sections.iter().all(|it| !it.is_empty()),
        "there is no cluster"
    );
    std::fs::write(page, format!("{HEAD}{}", sections.concat())).unwrap();
}

impl Failure {
    /// Lets a stack fail. Gives its section of the page.
    fn told(&self) -> String {
        let mut section = String::new();
        story(&format!("fails-{}", self.name), async |world| {
            self.fail(world).await;
            section = self.section(world).await;
        });
        section
    }

    async fn fail(&self, world: &World) {
        let good = world.document(PICKY);
        world.apply_secret("nowhere", NOWHERE).await;
        match self.before {
            Before::Nothing => {}
            Before::Objects(make) => {
                for object in make(world) {
                    world.apply(&Document(object)).await;
                }
            }
            Before::Neighbour(domain) => {
                let other = format!("{{metadata: {{name: other}}, spec: {{domain: {domain}}}}}");
                world.apply(&good.with(&other)).await;
                world.ready("other").await;
            }
            Before::Serving => {
                world.apply(&good).await;
                world.ready("shop").await;
            }
        }
        world.apply(&good.with(self.fault)).await;
        let (condition, reason) = (self.condition, self.reason.as_str());
        world
            .says("shop", condition, reason, &[self.words], ROLL_OUT)
            .await;
    }

    async fn section(&self, world: &World) -> String {
        let listed = world.kubectl(&["get", "aps", "shop", "-o", "wide"]).await;
        let stack = world.stack("shop").await;
        let told = condition(&stack, self.condition).expect("it was waited for");
        let mut section = String::new();
        let Self {
            title,
            fault,
            remedy,
            ..
        } = self;
        let listed = row(&listed, &world.namespace);
        let message = plain(&told.message, &world.namespace);
        let (type_, status, reason) = (&told.type_, &told.status, &told.reason);
        write!(
            section,
            "\n## {title}\n\n```yaml\n{fault}\n```\n\n```console\n$ kubectl get aps shop -o wide\n{listed}\n```\n\n`{type_}={status}`, reason `{reason}`:\n\n```text\n{message}\n```\n\n{remedy}\n"
        )
        .expect("a String takes all");
        section
    }
}

#[test]
fn each_failure_has_a_name_of_its_own_and_a_fault_that_is_yaml() {
    let names: std::collections::BTreeSet<&str> = FAILURES.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), FAILURES.len());
    for it in &FAILURES {
        let fault = Document::new("{}", "").with(it.fault);
        assert!(fault.0["spec"].is_object(), "{}", it.title);
        assert!(Reason::ALL.contains(&it.reason), "{}", it.title);
    }
}
