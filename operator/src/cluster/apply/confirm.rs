//! Asks whether an object is still as it was applied, while no watch can tell.
//!
//! After an outage the watches come back one by one, and each of them may wake the stack. Were everything applied again that is
//! not seen yet, each of those reconciles would write what changes nothing, for all stacks at once and to an API server that has just
//! come back. To read the metadata costs it far less. A watch that is refused for days holds nothing up so, and what is
//! changed meanwhile is put right by the next reconcile as ever.

use super::{Writer, unread};
use crate::cluster::call::send;
use crate::error::Result;
use crate::model::object::Object;

impl Writer<'_> {
    /// The live object, if this very object was applied, the watch of its kind is down, and the API server says that it has
    /// not moved since.
    pub(super) async fn confirmed(&self, object: &Object) -> Result<Option<Object>> {
        if !self.cache.is_unwatched(object) {
            return Ok(None);
        }
        let (kind, name) = (object.owned().kind, object.name());
        let found = send(self.objects(kind).get_metadata_opt(&name)).await;
        let found = found.map_err(|source| unread(kind, &name, source))?;
        Ok(found.and_then(|it| self.cache.unchanged_from(object, &it.metadata)))
    }
}
