//! A stack whose releases fare as a story wants it, and what its visitors hear.

use super::{Document, FATED, NOWHERE, SOON, Visitor, World};

/// A database of the stack's own, and a migration that does nothing.
pub(crate) const MIGRATED: &str = "spec: {database: {external: null, embedded: {}}, backend: {migrate: {command: [sh, -c, echo nothing to do]}}}";

impl World {
    /// A stack that has been migrated, and its visitor.
    pub(crate) async fn migrated(&self) -> (Document, Visitor) {
        let stack = self.document(FATED).with(MIGRATED);
        self.apply(&stack).await;
        self.ready("shop").await;
        let visitor = self.visitor("shop").await;
        visitor.reads(self, &visitor.api).await;
        (stack, visitor)
    }

    /// A stack that serves the word `one` and the key `first`, and its visitor.
    pub(crate) async fn fated(&self) -> (Document, Visitor) {
        self.fated_with("{}").await
    }

    /// The same with a change of the stack.
    pub(crate) async fn fated_with(&self, change: &str) -> (Document, Visitor) {
        self.apply_secret("nowhere", NOWHERE).await;
        self.apply_secret("keys", "SECRET_KEY: first").await;
        let stack = self
            .document(FATED)
            .with("spec: {secrets: {from: [{name: keys}]}}")
            .with(change);
        self.apply(&stack).await;
        self.ready("shop").await;
        let visitor = self.visitor("shop").await;
        visitor.hears(self, "one first").await;
        (stack, visitor)
    }
}

impl Visitor {
    /// Waits until the API says these words: the ingress controller learns of other pods a moment after they were chosen.
    pub(crate) async fn hears(&self, world: &World, words: &str) {
        world
            .until(&format!("the API says {words}"), SOON, async || {
                let answer = self.ask(&self.api).await.ok()?;
                (answer.text().await.ok()? == words).then_some(())
            })
            .await;
    }
}
