//! Which of several AppStacks has a host that all of them want.
//!
//! Invariant: pure, and the same for whoever asks: each AppStack comes to the same answer as the others, in whatever order they
//! are looked at and how often. Two hosts are one if they are spelled alike: no wildcard can be written, and the schema
//! lets none but lower-case names pass.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::api::AppStack;
use crate::check::edge;
use crate::error::TakenHost;

/// The hosts of an AppStack.
#[derive(Clone, Copy, Debug)]
pub struct Hosts<'a> {
    /// The AppStack.
    pub app: &'a AppStack,
    /// Those that are to come to it.
    pub wanted: &'a BTreeSet<String>,
    /// Those that come to it already.
    pub routed: &'a BTreeSet<String>,
}

/// How good a claim is: of two the lesser one wins. Whoever a host comes to keeps it; where it comes to none of them, or to several,
/// the oldest has it.
type Claim<'a> = (bool, Option<&'a Time>, Option<&'a str>);

fn claim(app: &AppStack, is_routed: bool) -> Claim<'_> {
    let metadata = &app.metadata;
    let created = metadata.creation_timestamp.as_ref();
    (!is_routed, created, metadata.uid.as_deref())
}

/// The hosts that an AppStack wants and that belong to another one.
#[must_use]
pub fn taken<'a>(hosts: Hosts<'_>, all: impl Iterator<Item = &'a AppStack>) -> Vec<TakenHost> {
    let mut taken = Vec::new();
    for other in all.filter(|it| !is_same(it, hosts.app)) {
        let theirs = of(other);
        let routed = routed(other);
        for host in hosts.wanted.intersection(&theirs) {
            let ours = claim(hosts.app, hosts.routed.contains(host));
            if claim(other, routed.contains(host)) < ours {
                taken.push(TakenHost {
                    host: host.clone(),
                    namespace: other.namespace().unwrap_or_default(),
                    name: other.name_any(),
                });
            }
        }
    }
    taken.sort();
    taken
}

/// Every host that an AppStack has a say in: those of its spec, whether or not anything runs, and those that come to it.
#[must_use]
pub fn of(app: &AppStack) -> BTreeSet<String> {
    let spec = edge::hosts(&app.spec).into_iter();
    spec.chain(routed(app)).collect()
}

/// The hosts that come to an AppStack, as far as its status says.
#[must_use]
pub fn routed(app: &AppStack) -> BTreeSet<String> {
    let hosts = app.status.iter().flat_map(|it| &it.hosts);
    hosts.cloned().collect()
}

/// Whether two are the same AppStack.
#[must_use]
pub fn is_same(one: &AppStack, other: &AppStack) -> bool {
    let name = |it: &AppStack| (it.namespace(), it.name_any());
    name(one) == name(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AppStackStatus;
    use crate::fixtures;

    /// An AppStack of a namespace that was made at a second, wants the host `api.<domain>`, and gets the requests for these.
    fn app(namespace: &str, second: i64, domain: &str, routed: &[&str]) -> AppStack {
        let mut app = fixtures::app(&format!("domain: {domain}"));
        app.metadata.namespace = Some(namespace.into());
        app.metadata.uid = Some(format!("uid-{namespace}"));
        let created = jiff::Timestamp::from_second(second).unwrap();
        app.metadata.creation_timestamp = Some(Time(created));
        app.status = Some(AppStackStatus {
            hosts: routed.iter().map(|&it| it.to_owned()).collect(),
            ..AppStackStatus::default()
        });
        app
    }

    /// Who has what the first of them wants.
    fn has(asking: &AppStack, all: &[&AppStack]) -> Vec<String> {
        let (wanted, routed) = (of(asking), routed(asking));
        let hosts = Hosts {
            app: asking,
            wanted: &wanted,
            routed: &routed,
        };
        let taken = taken(hosts, all.iter().copied());
        taken.iter().map(ToString::to_string).collect()
    }

    /// That of all these just this one gets all that it wants, whoever asks and in whatever order they are listed.
    fn wins(winner: &str, mut all: Vec<&AppStack>) {
        for _ in 0..2 {
            all.reverse();
            for app in &all {
                let is_free = has(app, &all).is_empty();
                assert_eq!(is_free, app.namespace().unwrap() == winner, "{app:?}");
            }
        }
    }

    #[test]
    fn the_older_has_a_host_and_the_newer_is_told_which_and_whose() {
        let (old, new) = (app("old", 1, "a.test", &[]), app("new", 2, "a.test", &[]));
        wins("old", vec![&old, &new]);
        let said = ["api.a.test belongs to AppStack old/shop"];
        assert_eq!(has(&new, &[&old, &new]), said);
        let other = app("other", 1, "b.test", &[]);
        assert_eq!(has(&new, &[&other, &new]), [""; 0]);
    }

    #[test]
    fn of_the_same_second_the_uid_decides() {
        let (one, two) = (app("a", 1, "a.test", &[]), app("b", 1, "a.test", &[]));
        wins("a", vec![&one, &two]);
    }

    #[test]
    fn what_is_served_is_kept_whoever_else_is_told_to_take_it() {
        let old = app("old", 1, "a.test", &["api.b.test"]);
        let new = app("new", 2, "a.test", &["api.a.test"]);
        wins("new", vec![&old, &new]);
        // Those that did so before anybody looked.
        let old = app("old", 1, "a.test", &["api.a.test"]);
        wins("old", vec![&old, &new]);
    }

    #[test]
    fn a_host_is_given_up_only_when_it_is_served_no_more() {
        let leaving = app("old", 1, "c.test", &["api.a.test"]);
        let waiting = app("new", 2, "a.test", &[]);
        assert_eq!(has(&waiting, &[&leaving]).len(), 1);
        let left = app("old", 1, "c.test", &["api.c.test"]);
        assert_eq!(has(&waiting, &[&left]), [""; 0]);
    }

    #[test]
    fn who_sleeps_is_suspended_or_is_being_deleted_still_has_its_hosts() {
        let waiting = app("new", 2, "a.test", &[]);
        let mut old = app("old", 1, "a.test", &[]);
        old.spec.suspend = Some(true);
        assert_eq!(has(&waiting, &[&old]).len(), 1);
        old.spec.suspend = None;
        old.spec.hibernate = Some(true);
        assert_eq!(has(&waiting, &[&old]).len(), 1);
        old.metadata.deletion_timestamp = old.metadata.creation_timestamp.clone();
        assert_eq!(has(&waiting, &[&old]).len(), 1);
    }
}
