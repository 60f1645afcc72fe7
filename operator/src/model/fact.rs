//! Facts that must outlive the objects they are about: a release passed its gates or failed, a migration or the seed
//! was done, images were pulled.
//!
//! Invariant: data only. `release::record` says in which object each of them is kept.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use serde::{Deserialize, Serialize};

use super::identity::{
    DataId, DatabaseHash, ManifestsHash, MigrationHash, PullHash, ReleaseHash, ValuesHash,
    VolumeUid,
};
use super::manifests::Manifests;
use crate::api::AppStackSpec;
use crate::settings::Ports;

/// A fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "camelCase")]
pub enum Record {
    /// Every gate was open for this release.
    Release {
        /// Its hash; see `release::identity`.
        hash: ReleaseHash,
        /// The spec it was made from.
        spec: Box<AppStackSpec>,
        /// The hash of the values that its pods read; it names the Secret that keeps them.
        values: ValuesHash,
        /// The hash of its migration, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        migration: Option<MigrationHash>,
        /// The settings of the operator that reach its pods or its edge; none in records of before they were kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ports: Option<Ports>,
        /// Which request to take the templates of its time it followed, where it followed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renewal: Option<String>,
        /// The hash of its objects as they were rendered; it names the record that keeps them. It is no part of the data, as
        /// those of another time may have other assets.
        #[serde(skip)]
        manifests: Option<ManifestsHash>,
        /// The images whose assets it serves beside its own, oldest first; see `bridge::images`. They are no part of the
        /// data, which never change: a release that is brought back serves the assets of others than the first time.
        #[serde(skip)]
        assets: Vec<String>,
    },
    /// The objects of a release as they were rendered, under the hash of all of them.
    Manifests {
        /// Which version of the operator rendered them.
        operator: String,
        /// The objects; see `model::manifests`.
        manifests: Box<Manifests>,
    },
    /// The embedded database as it was rendered. No release owns it, and none takes it back: it changes when the user changes
    /// something of it.
    Database {
        /// The hash of what the user chose; see `release::identity::database`.
        choice: DatabaseHash,
        /// What runs it.
        #[serde(rename = "statefulSet")]
        stateful_set: Box<StatefulSet>,
    },
    /// The release failed its gates.
    Failure(Failure),
    /// The migration of this content succeeded.
    Migration {
        /// Its hash; see `release::identity`.
        hash: MigrationHash,
        /// Which data it is about; see `release::data`. The key is that of the time when only volumes were told apart.
        #[serde(default, rename = "volume", skip_serializing_if = "Option::is_none")]
        data: Option<DataId>,
        /// Which schema the database had then, where `migrate.headCommand` told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<String>,
    },
    /// The role that the application logs in as was made.
    Role(Login),
    /// These roles are not needed any more and on their way out.
    Revocation {
        /// The roles.
        logins: Vec<Login>,
    },
    /// The seed succeeded.
    Seed {
        /// Which data it is about; see `release::data`. The key is that of the time when only volumes were told apart.
        #[serde(default, rename = "volume", skip_serializing_if = "Option::is_none")]
        data: Option<DataId>,
    },
    /// Somebody changes the data, and nobody else may until that is over.
    Hold(Hold),
    /// Images of a release that has not begun were pulled.
    Pulled {
        /// The hash of the pull; see `build::Pull`.
        hash: PullHash,
    },
}

/// Who has the data of a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// What is done with them.
    pub holder: Holder,
    /// The Job that does it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The hash of the release for which it is done.
    pub release: ReleaseHash,
    /// When it began.
    pub since: Timestamp,
    /// When it is over at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What is written down when it ends well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<Box<Record>>,
}

impl Hold {
    /// Whether a deletion or `hibernate` waits for it: for what must not be broken off, and not for ever.
    #[must_use]
    pub fn is_waited_for(&self, now: Timestamp) -> bool {
        self.fact.is_some() && self.until.is_none_or(|it| now < it)
    }
}

/// What is done with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// Their schema changes.
    Migration,
    /// The first of them are made.
    Seed,
    /// The role that the application logs in as is made.
    Role,
    /// Roles that nothing needs are dropped.
    Revocation,
    /// Nothing: their database sleeps.
    Hibernation,
}

/// With what a record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// With the AppStack.
    Stack,
    /// With the volume claim of this UID.
    Volume(VolumeUid),
    /// With nothing: the data are elsewhere and outlive the AppStack.
    Nobody,
}

/// A role of the embedded database that the application logs in as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Its name.
    pub role: String,
    /// The UID of the volume claim that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeUid>,
    /// The UID of the Job that made it: one that is made again is another one.
    pub made_by: String,
}

/// How a release failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The hash of the release.
    pub release: ReleaseHash,
    /// Which try it was.
    pub attempt: Attempt,
    /// The stage that failed, as conditions spell it.
    pub stage: String,
    /// Why, as a condition's reason.
    pub reason: String,
    /// The same for people.
    pub message: String,
}

/// What makes a try of a release another one than the last: a changed spec, or a request to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The generation of the AppStack.
    pub generation: i64,
    /// The value of the annotation `appstack.dev/retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
