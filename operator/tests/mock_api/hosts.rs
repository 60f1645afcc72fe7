//! A host belongs to one AppStack of the cluster: the one that serves it, else the older.

use anyhow::{Context as _, Result, bail};
use appstack_operator::api::{AppStack, Reason};
use appstack_operator::cluster::stacks::Stacks;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::{EDGE, STACK, World};

/// The AppStacks `old/shop` and `new/shop`, of which the first is the older, and what the watches see of them.
struct Cluster {
    old: World,
    new: World,
    seen: Writer<AppStack>,
    woken: BoxStream<'static, ObjectRef<AppStack>>,
}

/// An AppStack `shop` of a domain in a namespace of its own.
fn world(namespace: &str, created: &str, domain: &str) -> Result<World> {
    let world = World::new();
    let mut app = world.server.get(STACK).context("no AppStack")?;
    world.server.remove(STACK);
    app["metadata"] = json!({"name": "shop", "namespace": namespace, "creationTimestamp": created});
    app["spec"]["domain"] = json!(domain);
    world.server.put(STACK, app);
    Ok(world)
}

impl Cluster {
    fn new(old: &str, new: &str) -> Result<Self> {
        let old = world("old", "2026-01-01T00:00:00Z", old)?;
        let new = world("new", "2026-01-02T00:00:00Z", new)?;
        let mut cluster = Self {
            old,
            new,
            seen: Writer::default(),
            woken: futures::stream::empty().boxed(),
        };
        cluster.restart()?;
        Ok(cluster)
    }

    /// The operator as it is after a start: it knows nothing but what it reads.
    fn restart(&mut self) -> Result<()> {
        let (store, seen) = reflector::store();
        let stacks = Stacks::default();
        self.seen = seen;
        self.woken = stacks.add(store).boxed();
        for world in [&mut self.old, &mut self.new] {
            let mut context = crate::operator(&world.server, crate::at_once());
            context.stacks = stacks.clone();
            world.context = context.into();
        }
        self.watch()
    }

    /// The watches see all AppStacks as they are.
    fn watch(&mut self) -> Result<()> {
        for world in [&self.old, &self.new] {
            if world.server.get(STACK).is_some() {
                let app = AppStack::clone(&*world.app()?);
                self.seen.apply_watcher_event(&Event::Apply(app.clone()));
                world.context.stacks.changed(&app);
            }
        }
        Ok(())
    }

    /// Takes an AppStack away. Its objects go later, or never.
    fn delete(&mut self, namespace: &str) -> Result<()> {
        let world = self.world(namespace);
        let app = AppStack::clone(&*world.app()?);
        world.server.remove(STACK);
        self.seen.apply_watcher_event(&Event::Delete(app.clone()));
        self.world(namespace).context.stacks.changed(&app);
        Ok(())
    }

    fn world(&self, namespace: &str) -> &World {
        if namespace == "old" {
            &self.old
        } else {
            &self.new
        }
    }

    /// Rolls one out as far as it goes.
    async fn settle(&mut self, namespace: &str) -> Result<()> {
        self.world(namespace).settle().await?;
        self.watch()
    }

    /// Looks at one that is to be told that a host is taken, and gives what it is told.
    async fn conflict(&mut self, namespace: &str) -> Result<String> {
        let error = self.world(namespace).fail().await?;
        if error.reason() != Reason::HostConflict {
            bail!("{}", error.chain());
        }
        self.watch()?;
        let world = self.world(namespace);
        assert_eq!(world.condition("Accepted"), "False HostConflict");
        assert_eq!(world.condition("Ready"), "False HostConflict");
        Ok(error.chain())
    }

    /// Those that were woken since the last time, by namespace.
    fn woken(&mut self) -> Vec<String> {
        let mut woken = Vec::new();
        while let Some(Some(it)) = self.woken.next().now_or_never() {
            woken.extend(it.namespace);
        }
        woken.dedup();
        woken
    }

    fn set_domain(&mut self, namespace: &str, domain: &str) -> Result<()> {
        let world = self.world(namespace);
        world.server.set(STACK, "domain", json!(domain))?;
        self.watch()
    }

    fn is_ready(&self, namespace: &str) -> bool {
        self.world(namespace).condition("Ready") == "True RolledOut"
    }

    /// The hosts that lead to one.
    fn hosts(&self, namespace: &str) -> Vec<Value> {
        let ingress = self.world(namespace).server.get(EDGE).unwrap_or_default();
        let rules = ingress["spec"]["rules"].as_array().cloned();
        let mut rules = rules.unwrap_or_default();
        rules.iter_mut().map(|it| it["host"].take()).collect()
    }
}

#[tokio::test]
async fn the_older_has_a_host_and_nothing_is_made_for_the_newer_before_it_is_free() -> Result<()> {
    let mut cluster = Cluster::new("shop.test", "shop.test")?;
    let said = cluster.conflict("new").await?;
    assert_eq!(
        said,
        "api.shop.test belongs to AppStack old/shop, dashboard.shop.test belongs to AppStack old/shop; nothing of this spec is rolled out until it has other hosts (`domain`, `edge.hosts`), or that AppStack has"
    );
    assert_eq!(cluster.new.server.all("StatefulSet"), [Value::Null; 0]);
    cluster.settle("old").await?;
    assert!(cluster.is_ready("old"));
    cluster.conflict("new").await?;

    cluster.woken();
    cluster.delete("old")?;
    assert_eq!(cluster.woken(), ["new"]);
    cluster.settle("new").await?;
    assert!(cluster.is_ready("new"));
    Ok(())
}

#[tokio::test]
async fn what_serves_a_host_keeps_it_though_an_older_one_is_told_to_take_it() -> Result<()> {
    let mut cluster = Cluster::new("other.test", "shop.test")?;
    cluster.settle("new").await?;
    cluster.settle("old").await?;
    cluster.set_domain("old", "shop.test")?;
    for order in [["old", "new"], ["new", "old"]] {
        cluster.restart()?;
        for namespace in order {
            if namespace == "old" {
                let said = cluster.conflict("old").await?;
                assert!(said.contains("belongs to AppStack new/shop"), "{said}");
            } else {
                cluster.settle("new").await?;
            }
        }
        assert!(cluster.is_ready("new"), "{order:?}");
        let hosts = |domain: &str| ["dashboard", "api"].map(|it| json!(format!("{it}.{domain}")));
        assert_eq!(cluster.hosts("new"), hosts("shop.test"));
        assert_eq!(cluster.hosts("old"), hosts("other.test"), "it serves on");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_let_go_wakes_who_waits_once_it_is_served_no_more_and_nobody_else()
-> Result<()> {
    let mut cluster = Cluster::new("shop.test", "shop.test")?;
    cluster.settle("old").await?;
    cluster.conflict("new").await?;
    cluster.set_domain("old", "moved.test")?;
    cluster.conflict("new").await?;
    cluster.woken();
    cluster.settle("old").await?;
    assert_eq!(cluster.woken(), ["new"]);
    cluster.settle("new").await?;
    assert!(cluster.is_ready("old") && cluster.is_ready("new"));

    // Neither is any concern of the other's now.
    cluster.woken();
    cluster.set_domain("old", "again.test")?;
    assert_eq!(cluster.woken(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn of_two_that_served_a_host_before_anybody_looked_the_older_has_it_and_both_serve_on()
-> Result<()> {
    for order in [["old", "new"], ["new", "old"]] {
        let mut cluster = Cluster::new("shop.test", "shop.test")?;
        // An operator of before looked at each alone, and wrote down no hosts.
        for world in [&mut cluster.old, &mut cluster.new] {
            world.context = crate::operator(&world.server, crate::at_once()).into();
            world.settle().await?;
            assert_eq!(world.condition("Ready"), "True RolledOut");
            let mut app = world.server.get(STACK).context("no AppStack")?;
            let status = app["status"].as_object_mut().context("no status")?;
            status.remove("hosts").context("no hosts")?;
            world.server.put(STACK, app);
        }
        cluster.restart()?;
        cluster.woken();
        for namespace in order {
            cluster.settle(namespace).await?;
        }
        for namespace in cluster.woken() {
            cluster.settle(&namespace).await?;
        }
        assert!(cluster.is_ready("old"), "{order:?}");
        let accepted = cluster.new.condition("Accepted");
        assert_eq!(accepted, "False HostConflict", "{order:?}");
        assert_eq!(cluster.hosts("new"), cluster.hosts("old"));
    }
    Ok(())
}
