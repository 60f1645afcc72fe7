//! Whether the API server would take an object.
//!
//! Invariant: a trial alone (`dryRun=All`): nothing is written, in the cluster as in the cache.

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};

use super::{Writer, as_applied, not_json};
use crate::cluster::call::send;
use crate::error::{CallError, Class, Result};
use crate::model::object::Object;
use crate::model::place;

/// What API servers say of a webhook that cannot be tried.
const NO_TRIAL: &str = "does not support dry run";

impl Writer<'_> {
    /// Why the API server would refuse an object for good, where it would. A Job that is there is left as it is.
    ///
    /// # Errors
    /// If a Job of its name cannot be read.
    pub async fn refusal(&self, object: &Object) -> Result<Option<CallError>> {
        let (kind, name) = (object.owned().kind, object.name());
        if self.cache.unchanged(object).is_some() || !self.is_served(object.owned()) {
            return Ok(None);
        }
        if let Object::Job(job) = object
            && self.existing_job(&job.name_any()).await?.is_some()
        {
            return Ok(None);
        }
        let value = serde_json::to_value(object).map_err(|it| not_json(kind, &name, it))?;
        let params = PatchParams {
            dry_run: true,
            ..as_applied()
        };
        let api = self.objects(kind);
        let answer = send(api.patch(&name, &params, &Patch::Apply(&value))).await;
        let Err(why) = answer else { return Ok(None) };
        let is_trial = !why.to_string().contains(NO_TRIAL);
        let for_good = why.class_of_apply() == Class::User && is_trial;
        Ok(for_good.then(|| why.in_words(|text| place::named(text, &value))))
    }
}
