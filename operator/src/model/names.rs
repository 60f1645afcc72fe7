//! The names of everything that a stack is made of. The one place where they are put together.
//!
//! Invariant: pure. Every name is a DNS label of at most 63 characters, whatever the stack is called.

use std::collections::BTreeSet;

use crate::model::child_name::ChildName;
use crate::model::fact::{Attempt, Login};
use crate::model::hash::short_hash;
use crate::model::identity::{
    DataId, DatabaseHash, ManifestsHash, MigrationHash, PullHash, ReleaseHash, TemplateHash,
    ValuesHash, VolumeUid,
};

/// The length of a DNS label (RFC 1035), which Services, pods' host names and label values share.
const MAX_LABEL: usize = 63;
/// Pods of a StatefulSet carry `<name>-<10 characters>` as a label value, so its name must be this much shorter.
const MAX_STATEFUL_SET: usize = 52;
/// Jobs of a CronJob are named `<name>-<10 digits>`.
const MAX_CRON_JOB: usize = 52;

/// The names of the volumes of pods that a user's template may add to.
pub mod volume {
    /// What a container may write anyhow.
    pub const TMP: &str = "tmp";
    /// The runtime configuration of the frontend.
    pub const CONFIG: &str = "config";
    /// The files of a site, of this release and earlier ones.
    pub const ASSETS: &str = "assets";
    /// What the name of the volume of a folder in `writablePaths` begins with.
    pub const WRITABLE: &str = "writable-";
}

/// The names of one stack's children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    stack: String,
}

impl Names {
    /// The names of the children of the AppStack called `stack`.
    #[must_use]
    pub fn of(stack: &str) -> Self {
        Self {
            stack: stack.to_owned(),
        }
    }

    /// The name of the AppStack itself.
    #[must_use]
    pub fn stack(&self) -> &str {
        &self.stack
    }

    /// The ServiceAccount of every pod: it may nothing.
    #[must_use]
    pub fn service_account(&self) -> ChildName {
        self.child("app")
    }

    /// The Secret of generated values. Not `<stack>-secrets`: that is what people call their own.
    #[must_use]
    pub fn generated(&self) -> ChildName {
        self.child("generated")
    }

    /// The embedded database: its StatefulSet and its Service.
    #[must_use]
    pub fn database(&self) -> ChildName {
        ChildName::new(&self.stack, "db", MAX_STATEFUL_SET)
    }

    /// The volume claim of the embedded database. It is no child of the StatefulSet, whose deletion must not touch data.
    #[must_use]
    pub fn database_volume(&self) -> ChildName {
        self.child("db-data")
    }

    /// The Secret with the connection to the database.
    #[must_use]
    pub fn database_connection(&self) -> ChildName {
        self.child("db-app")
    }

    /// The Secret with the connection of the embedded database's superuser.
    #[must_use]
    pub fn database_admin(&self) -> ChildName {
        self.child("db-admin")
    }

    /// The Job that makes the role that the application logs in as.
    #[must_use]
    pub fn role(&self, role: &str) -> ChildName {
        let hash = role.rsplit('_').next().unwrap_or(role);
        self.child(&format!("role-{hash}"))
    }

    /// The record that a role was made.
    #[must_use]
    pub fn role_record(&self, login: &Login) -> ChildName {
        self.child(&format!("role-{}", logins_hash(&[login])))
    }

    /// The Job that drops roles, and the record that they are to go.
    #[must_use]
    pub fn revocation(&self, logins: &[Login]) -> ChildName {
        let logins: Vec<&Login> = logins.iter().collect();
        self.child(&format!("revoke-{}", logins_hash(&logins)))
    }

    /// The Job that asks an external database whether it lets a release with these values in.
    #[must_use]
    pub fn connection(&self, hash: &ValuesHash) -> ChildName {
        self.child(&format!("connect-{hash}"))
    }

    /// The Job of the migration with this hash.
    #[must_use]
    pub fn migration(&self, hash: &MigrationHash) -> ChildName {
        self.child(&format!("migrate-{hash}"))
    }

    /// The record that a migration was done on these data; see `release::data`.
    #[must_use]
    pub fn migration_record(&self, hash: &MigrationHash, data: Option<&DataId>) -> ChildName {
        let data = data.map_or("", DataId::as_str);
        let both = short_hash(&[hash.as_str(), data]);
        self.child(&format!("migrate-{both}"))
    }

    /// The record that these data were seeded.
    #[must_use]
    pub fn seed_record(&self, data: Option<&DataId>) -> ChildName {
        let data = short_hash(&[data.map_or("", DataId::as_str)]);
        self.child(&format!("seed-{data}"))
    }

    /// The record of who has the data.
    #[must_use]
    pub fn data_hold(&self) -> ChildName {
        self.child("data-hold")
    }

    /// The Job of the seed.
    #[must_use]
    pub fn seed(&self) -> ChildName {
        self.child("seed")
    }

    /// What shows the data: its Deployment, its Service and the file by which it logs in.
    #[must_use]
    pub fn adminer(&self) -> ChildName {
        self.child("adminer")
    }

    /// The network policy that lets it to the embedded database.
    #[must_use]
    pub fn adminer_to_database(&self) -> ChildName {
        self.child("db-adminer")
    }

    /// What takes the application's mail: its Deployment and its Service.
    #[must_use]
    pub fn mail(&self) -> ChildName {
        self.child("mail")
    }

    /// The network policy that lets nothing in or out of any pod.
    #[must_use]
    pub fn default_deny(&self) -> ChildName {
        self.child("default-deny")
    }

    /// The network policy of what the application may call.
    #[must_use]
    pub fn egress(&self) -> ChildName {
        self.child("egress")
    }

    /// The network policy by which a port may be called everywhere.
    #[must_use]
    pub fn egress_to(&self, port: u16) -> ChildName {
        self.child(&format!("egress-{port}"))
    }

    /// A worker: its disruption budget.
    #[must_use]
    pub fn worker(&self, job: &str) -> ChildName {
        self.child(job)
    }

    /// What runs a job at certain times.
    #[must_use]
    pub fn schedule(&self, job: &str) -> ChildName {
        ChildName::new(&self.stack, job, MAX_CRON_JOB)
    }

    /// The Secret of all values that pods of the backend image read, with this content. Named by content, so that a
    /// release can be restored as it was.
    #[must_use]
    pub fn values(&self, hash: &ValuesHash) -> ChildName {
        self.child(&format!("values-{hash}"))
    }

    /// The Deployment of a part whose pod template has this hash. Named by content, so that the pods of two releases run
    /// side by side.
    #[must_use]
    pub fn revision(part: &ChildName, hash: &TemplateHash) -> ChildName {
        Self::revision_of(part.as_str(), hash)
    }

    /// The same of the name of a Service, which is that of its part.
    #[must_use]
    pub fn revision_of(part: &str, hash: &TemplateHash) -> ChildName {
        ChildName::new(part, hash.as_str(), MAX_LABEL)
    }

    /// The Deployment that pulls images before their release begins, and the record that they were pulled.
    #[must_use]
    pub fn pull(&self, hash: &PullHash) -> ChildName {
        self.child(&format!("pull-{hash}"))
    }

    /// The backend: its Service, disruption budget and autoscaler.
    #[must_use]
    pub fn backend(&self) -> ChildName {
        self.child("backend")
    }

    /// The frontend: its Service, disruption budget and autoscaler.
    #[must_use]
    pub fn frontend(&self) -> ChildName {
        self.child("frontend")
    }

    /// The ConfigMap of the frontend with this content. Named by content, so that pods of the old release keep theirs.
    #[must_use]
    pub fn frontend_config(&self, content: &str) -> ChildName {
        self.child(&format!("frontend-{}", short_hash(&[content])))
    }

    /// The Ingress of HTTPS, or of HTTP where TLS is off; by a Gateway the route of the site, or of a stack's only host.
    #[must_use]
    pub fn ingress(&self) -> ChildName {
        self.child("edge")
    }

    /// The Ingress of plain HTTP beside HTTPS; by a Gateway the route that leads to HTTPS.
    #[must_use]
    pub fn http_ingress(&self) -> ChildName {
        self.child("edge-http")
    }

    /// The Ingress of the API where the site beside it is guarded; over HTTPS, or HTTP where TLS is off. By a Gateway the route of the
    /// API beside a site.
    #[must_use]
    pub fn api_ingress(&self) -> ChildName {
        self.child("edge-api")
    }

    /// The same of plain HTTP beside HTTPS.
    #[must_use]
    pub fn http_api_ingress(&self) -> ChildName {
        self.child("edge-http-api")
    }

    /// The Secret of the self-signed authority.
    #[must_use]
    pub fn authority(&self) -> ChildName {
        self.child("edge-ca")
    }

    /// The Secret of the self-signed certificate.
    #[must_use]
    pub fn certificate(&self) -> ChildName {
        self.child("edge-tls")
    }

    /// The Certificate that cert-manager looks after for these hosts, and its Secret: another stack of this name that has the same
    /// hosts finds it again.
    #[must_use]
    pub fn issued<'a>(&self, hosts: impl IntoIterator<Item = &'a str>) -> ChildName {
        let hosts: BTreeSet<&str> = hosts.into_iter().collect();
        let hosts = Vec::from_iter(hosts);
        self.child(&format!("edge-tls-{}", short_hash(&hosts)))
    }

    /// The Traefik middleware that sends HTTP to HTTPS.
    #[must_use]
    pub fn redirect(&self) -> ChildName {
        self.child("redirect")
    }

    /// The Traefik middleware that tells browsers to use HTTPS alone.
    #[must_use]
    pub fn hsts(&self) -> ChildName {
        self.child("hsts")
    }

    /// The Traefik middleware that limits how many requests a client may send.
    #[must_use]
    pub fn rate_limit(&self) -> ChildName {
        self.child("rate-limit")
    }

    /// How Traefik asks the pods of a stack, where it is to wait for them for a certain time.
    #[must_use]
    pub fn transport(&self) -> ChildName {
        self.child("edge")
    }

    /// The Traefik middleware that limits how large the body of a request may be.
    #[must_use]
    pub fn max_body(&self) -> ChildName {
        self.child("max-body")
    }

    /// The Traefik middleware that gives answers headers that browsers are careful by.
    #[must_use]
    pub fn security_headers(&self) -> ChildName {
        self.child("security-headers")
    }

    /// The Traefik middleware that lets in whoever is listed.
    #[must_use]
    pub fn allow_list(&self) -> ChildName {
        self.child("allow-list")
    }

    /// The Traefik middleware that sends visitors of other hosts to the site.
    #[must_use]
    pub fn redirect_hosts(&self) -> ChildName {
        self.child("redirect-hosts")
    }

    /// The Ingress or the route of the hosts whose visitors are sent to the site.
    #[must_use]
    pub fn redirect_ingress(&self) -> ChildName {
        self.child("edge-hosts")
    }

    /// The same for plain HTTP, beside one for HTTPS.
    #[must_use]
    pub fn http_redirect_ingress(&self) -> ChildName {
        self.child("edge-hosts-http")
    }

    /// What answers visitors in place of the application: a Deployment, its Service and its policy.
    #[must_use]
    pub fn maintenance(&self) -> ChildName {
        self.child("maintenance")
    }

    /// The Traefik middleware that asks for a password.
    #[must_use]
    pub fn password(&self) -> ChildName {
        self.child("password")
    }

    /// The record that a release failed.
    #[must_use]
    pub fn failure(&self, release: &ReleaseHash, attempt: &Attempt) -> ChildName {
        let Attempt {
            generation,
            request,
        } = attempt;
        let request = request.as_deref().unwrap_or_default();
        let attempt = short_hash(&[release.as_str(), &generation.to_string(), request]);
        self.child(&format!("failed-{attempt}"))
    }

    /// The record of a release, and its name in the status.
    #[must_use]
    pub fn release(&self, hash: &ReleaseHash) -> ChildName {
        self.child(hash.as_str())
    }

    /// The record of the embedded database as it was rendered for what the user chose.
    #[must_use]
    pub fn database_record(&self, choice: &DatabaseHash) -> ChildName {
        self.child(&format!("database-{choice}"))
    }

    /// The record of the objects of a release as they were rendered. Named by content: releases may share them.
    #[must_use]
    pub fn manifests(&self, hash: &ManifestsHash) -> ChildName {
        self.child(&format!("manifests-{hash}"))
    }

    fn child(&self, suffix: &str) -> ChildName {
        ChildName::new(&self.stack, suffix, MAX_LABEL)
    }
}

fn logins_hash(logins: &[&Login]) -> String {
    let parts: Vec<&str> = logins
        .iter()
        .flat_map(|it| {
            let volume = it.volume.as_ref().map_or("", VolumeUid::as_str);
            [it.role.as_str(), volume, it.made_by.as_str()]
        })
        .collect();
    short_hash(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_the_stack_and_the_part() {
        assert_eq!(Names::of("shop").backend().as_str(), "shop-backend");
    }

    #[test]
    fn the_longest_stack_name_that_is_accepted_needs_no_shortening() {
        let stack = "s".repeat(40);
        let name = Names::of(&stack).migration(&"0123456789".into());
        assert_eq!(name.as_str(), format!("{stack}-migrate-0123456789"));
    }

    #[test]
    fn a_name_that_is_too_long_is_shortened_and_stays_distinct() {
        let one = Names::of(&"a".repeat(63)).backend();
        let other = Names::of(&format!("{}b", "a".repeat(62))).backend();
        assert!(one.as_str().len() <= MAX_LABEL, "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn a_cron_job_leaves_room_for_the_names_of_its_jobs() {
        let names = Names::of(&"s".repeat(40));
        let name = names.schedule(&"j".repeat(30));
        assert!(name.as_str().len() <= MAX_CRON_JOB, "{name}");
        assert_eq!(Names::of("shop").schedule("tidy").as_str(), "shop-tidy");
    }
}
