//! What makes a release another one: what of the spec belongs to it, and the values that its pods read.
//!
//! Invariant: pure.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::ResourceExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::api::{AppStack, AppStackSpec, SecretRef, annotation};
use crate::model::hash::canonical;
use crate::model::identity::{DatabaseHash, MigrationHash, ReleaseHash, ValuesHash};
use crate::model::inputs::{Records, ReleaseRecord};
use crate::model::manifests::Manifests;
use crate::model::stack::{Command, Connection};
use crate::release::history::{newest_first, serving};
use crate::release::{defaults, limits, scale, tools};
use crate::settings::Ports;

/// What of a spec belongs to a release: all that reaches pods or the edge. What says how the operator works is left out, how
/// many pods there are, who may come in how often, and what they may call.
#[must_use]
pub fn lasting(spec: &AppStackSpec) -> AppStackSpec {
    defaults::without(with_defaults(spec))
}

/// The same with defaults that are written out: to earlier versions of the operator each of them made another release.
fn with_defaults(spec: &AppStackSpec) -> AppStackSpec {
    limits::without(with_limits(spec))
}

/// The same with the limits of the edge: to earlier versions of the operator an edge of which nothing was said was one.
fn with_limits(spec: &AppStackSpec) -> AppStackSpec {
    scale::without(with_numbers(spec))
}

/// The same with the numbers of pods: to earlier versions of the operator they were part of a release.
fn with_numbers(spec: &AppStackSpec) -> AppStackSpec {
    AppStackSpec {
        egress: None,
        suspend: None,
        hibernate: None,
        deletion_policy: None,
        rollout: None,
        ..tools::without(spec.clone())
    }
}

/// The spec of a kept release under the rules of now, and with the numbers of pods and the limits of now. `last` are its objects.
#[must_use]
pub fn restored(
    release: &ReleaseRecord,
    now: &AppStackSpec,
    last: Option<&Manifests>,
) -> AppStackSpec {
    let kept = AppStackSpec {
        egress: now.egress.clone(),
        suspend: now.suspend,
        hibernate: now.hibernate,
        deletion_policy: now.deletion_policy,
        rollout: now.rollout.clone(),
        ..release.spec.clone()
    };
    tools::of_now(limits::of_now(scale::of_now(kept, now, last), now), now)
}

/// All that makes a release another one.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// The spec, of which only what is lasting counts.
    pub spec: &'a AppStackSpec,
    /// The hash of the values that its pods read.
    pub values: &'a ValuesHash,
    /// The settings of the operator that reach pods or the edge.
    pub ports: Ports,
    /// Which request to take the templates of now it follows.
    pub renewal: Option<&'a str>,
}

impl Identity<'_> {
    /// The hash of all of it, which names a new release.
    #[must_use]
    pub fn hash(&self) -> ReleaseHash {
        self.hash_of(&lasting(self.spec))
    }

    /// The hashes that earlier versions of the operator named it by.
    fn former_hashes(&self) -> [ReleaseHash; 3] {
        let former = [with_defaults, with_limits, with_numbers];
        former.map(|it| self.hash_of(&it(self.spec)))
    }

    fn hash_of(&self, spec: &AppStackSpec) -> ReleaseHash {
        let Ports { https, http } = self.ports;
        ReleaseHash::of(&[
            &canonical(spec),
            self.values.as_str(),
            &format!("{https} {http}"),
            self.renewal.unwrap_or_default(),
        ])
    }

    /// Whether a kept release is this one. It is compared by what it is made of, so that another way of hashing in a later
    /// version makes no other release of it.
    #[must_use]
    pub fn is_of(&self, kept: &ReleaseRecord) -> bool {
        let same_ports = kept.ports.is_none_or(|it| it == self.ports);
        same_ports
            && kept.renewal.as_deref() == self.renewal
            && kept.values == *self.values
            && lasting(&kept.spec) == lasting(self.spec)
    }

    /// The hash of the kept release that this is, else that of a new one. One of which something is known by the hash that
    /// earlier versions of the operator gave it is called so still: what failed is not tried again for an upgrade, and what
    /// was approved goes on.
    #[must_use]
    pub fn name(&self, records: &Records, is_known: impl Fn(&ReleaseHash) -> bool) -> ReleaseHash {
        let mut kept = newest_first(records).into_iter();
        let same = kept.find(|it| self.is_of(it)).map(|it| it.hash.clone());
        let former = || self.former_hashes().into_iter().find(&is_known);
        same.or_else(former).unwrap_or_else(|| self.hash())
    }
}

/// Which request to take the templates of now a release follows: the one on the AppStack, or where that was taken away the one that
/// was followed last.
#[must_use]
pub fn renewal<'a>(app: &'a AppStack, records: &'a Records) -> Option<&'a str> {
    let asked = app.annotations().get(annotation::RENEW);
    let followed = || serving(records)?.renewal.as_deref();
    asked.map(String::as_str).or_else(followed)
}

/// The hash of what the user chose of an embedded database. It is no image: which one a version is called by is a setting of the
/// operator, and a database is not started again because that was changed.
#[must_use]
pub fn database(
    version: &str,
    resources: &ResourceRequirements,
    pull_secrets: &[SecretRef],
    admin_password: &SecretString,
    renewal: Option<&str>,
) -> DatabaseHash {
    let resources = canonical(resources);
    let mut parts = vec![
        version,
        &resources,
        admin_password.expose_secret(),
        renewal.unwrap_or_default(),
    ];
    // Without any the hash is that of before there were some.
    parts.extend(pull_secrets.iter().map(|it| it.name.as_str()));
    DatabaseHash::of(&parts)
}

/// The hash of a migration's content: it runs once for each image, command and database.
#[must_use]
pub fn migration_hash(image: &str, run: &Command, database: &Connection) -> MigrationHash {
    let run = canonical(&(&run.command, &run.args));
    MigrationHash::of(&[
        image,
        &run,
        &database.host,
        &database.port,
        &database.dbname,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Rollout;
    use crate::fixtures;

    const PORTS: Ports = Ports {
        https: 443,
        http: 80,
    };

    fn identity<'a>(spec: &'a AppStackSpec, values: &'a ValuesHash) -> Identity<'a> {
        Identity {
            spec,
            values,
            ports: PORTS,
            renewal: None,
        }
    }

    #[test]
    fn a_release_changes_with_the_spec_secret_values_settings_and_on_request() {
        let spec = fixtures::spec("");
        let other = fixtures::spec("backend: {image: 'a/b:2'}");
        let (values, other_values) = ("s".into(), "t".into());
        let base = identity(&spec, &values);
        let elsewhere = Ports {
            https: 8443,
            http: 80,
        };
        let others = [
            identity(&other, &values),
            identity(&spec, &other_values),
            Identity {
                ports: elsewhere,
                ..base.clone()
            },
            Identity {
                renewal: Some("now"),
                ..base.clone()
            },
        ];
        let kept = kept(&spec);
        assert!(base.is_of(&kept));
        for other in others {
            assert_ne!(base.hash(), other.hash());
            assert!(!other.is_of(&kept), "{other:?}");
        }
        assert_eq!(base.hash(), identity(&spec, &values).hash());
    }

    #[test]
    fn a_hash_is_what_it_always_was() {
        let release = identity(&fixtures::spec(""), &"s".into()).hash();
        assert_eq!(release.as_str(), "e82755df6f");
        let run = Command {
            command: Vec::new(),
            args: vec!["migrate".into()],
        };
        let database = Connection {
            host: "shop-db".into(),
            port: "5432".into(),
            dbname: "app".into(),
            user: "app".into(),
            password: "p".into(),
            sslmode: "prefer".into(),
        };
        let migration = migration_hash("a/b:1", &run, &database);
        assert_eq!(migration.as_str(), "ebe83008ca");
    }

    #[test]
    fn pull_secrets_are_part_of_a_release_and_of_what_runs_the_database() {
        let with = fixtures::spec("imagePullSecrets: [{name: registry}]");
        let hash = |spec| identity(spec, &"s".into()).hash();
        assert_ne!(hash(&fixtures::spec("")), hash(&with));
        let resources = ResourceRequirements::default();
        let choice = |secrets| database("18", &resources, secrets, &"p".into(), None);
        assert_eq!(choice(&[]), DatabaseHash::of(&["18", "{}", "p", ""]));
        assert_ne!(choice(&[]), choice(&with.image_pull_secrets));
    }

    #[test]
    fn a_release_of_before_settings_were_kept_is_told_by_the_rest_whatever_its_hash() {
        let spec = fixtures::spec("");
        let records = Records {
            releases: vec![ReleaseRecord {
                ports: None,
                ..kept(&spec)
            }],
            ..Records::default()
        };
        let name = |values: &str| identity(&spec, &values.into()).name(&records, |_| false);
        assert_eq!(name("s"), "h".into());
        assert_ne!(name("t"), "h".into());
    }

    #[test]
    fn numbers_make_no_other_release_and_one_that_is_known_by_its_former_hash_is_called_so() {
        let with = |replicas: i32| {
            fixtures::spec(&format!(
                "backend: {{image: 'a/b:1', replicas: {replicas}}}"
            ))
        };
        let (plain, three, four) = (fixtures::spec(""), with(3), with(4));
        let (values, records) = ("s".into(), Records::default());
        let [plain, three, four] = [&plain, &three, &four].map(|it| identity(it, &values));
        assert_eq!(plain.hash(), three.hash());
        assert!(plain.is_of(&kept(three.spec)), "an earlier version kept it");
        let [.., former] = three.former_hashes();
        assert_ne!(former, three.hash());
        assert_eq!(three.name(&records, |it| *it == former), former);
        assert_eq!(three.name(&records, |_| false), plain.hash());
        assert_eq!(four.name(&records, |it| *it == former), plain.hash());
    }

    #[test]
    fn limits_make_no_other_release_and_an_edge_that_says_nothing_neither() {
        let values = "s".into();
        let edge = |fields: &str| fixtures::spec(&format!("edge: {{{fields}}}"));
        let plain = fixtures::spec("");
        let plain = identity(&plain, &values);
        for fields in [
            "",
            "rateLimit: {average: 5}",
            "access: {basicAuthSecret: users}",
        ] {
            let spec = edge(fields);
            assert_eq!(identity(&spec, &values).hash(), plain.hash(), "{fields}");
            assert!(plain.is_of(&kept(&spec)), "{fields}");
        }
        // One that failed before there were limits is called as it was then.
        let empty = edge("");
        let empty = identity(&empty, &values);
        let [_, former, _] = empty.former_hashes();
        assert_ne!(former, empty.hash());
        let name = empty.name(&Records::default(), |it| *it == former);
        assert_eq!(name, former);
    }

    fn kept(spec: &AppStackSpec) -> ReleaseRecord {
        ReleaseRecord {
            ports: Some(PORTS),
            ..fixtures::release("h", spec)
        }
    }

    #[test]
    fn what_says_how_the_operator_works_makes_no_new_release_and_is_not_restored() {
        let mut changed = fixtures::spec("");
        changed.suspend = Some(true);
        changed.hibernate = Some(true);
        changed.rollout = Some(Rollout {
            history: Some(3),
            ..Rollout::default()
        });
        let hash = |spec| identity(spec, &"s".into()).hash();
        assert_eq!(hash(&fixtures::spec("")), hash(&changed));
        let kept = kept(&fixtures::spec(""));
        assert_eq!(restored(&kept, &changed, None), changed);
    }
}
