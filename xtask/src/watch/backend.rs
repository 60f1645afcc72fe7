//! Releases each change of the backend's sources. A look at all of them costs less than what tells of changes on every kind of disk.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use appstack_operator::api::{AppStack, AppStackStatus, ConditionType};
use kube::Api;
use kube::api::{Patch, PatchParams};
use local_cluster::{Cluster, Progress, content, folders};
use serde_json::json;

use crate::demo::STACK;
use crate::{images, tell};

/// What the tag of an image of ours begins with.
const TAG: &str = "watch-";
/// How often sources and stack are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The backend of the demo's stack.
pub(super) struct Backend<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) stacks: Api<AppStack>,
}

/// An image as it is without us: one that was told to stop by force has left its own.
pub(super) fn without_us(image: &str) -> &str {
    let ours = image.split_once(&format!(":{TAG}"));
    ours.map_or(image, |(name, _)| name)
}

impl Backend<'_> {
    /// Releases each change, for ever.
    pub(super) async fn follow(&self) -> Result<()> {
        let mut known = sources();
        loop {
            let changed = change(known.as_deref()).await;
            let started = Instant::now();
            match self.release(&changed).await {
                Ok(Outcome::Serves) => tell(&format!(
                    "watch      | the change serves after {:.1} s",
                    started.elapsed().as_secs_f64()
                )),
                Ok(Outcome::Outdated) => tell("watch      | there is a newer change"),
                Err(error) => tell(&format!(
                    "watch      | {error:#}\nwatch      | the one before goes on serving"
                )),
            }
            known = Some(changed);
        }
    }

    /// Gives the stack the image that it had.
    pub(super) async fn put_back(&self, image: &str) -> Result<()> {
        let stack = self.stacks.get(STACK).await?;
        if stack.spec.backend.image != image {
            self.set(image).await?;
            tell(&format!("watch      | the stack goes back to {image}"));
        }
        Ok(())
    }

    async fn release(&self, sources: &str) -> Result<Outcome> {
        let progress = Progress::new();
        let tag = format!("{TAG}{sources}");
        let image = images::backend(self.cluster, &tag, &progress).await?;
        self.cluster.load(&image).await?;
        self.set(&image.tag).await?;
        loop {
            let stack = self.stacks.get(STACK).await?;
            if is_current(&stack)
                && let Some(status) = &stack.status
            {
                let release = status.release.as_ref();
                let serves = release.is_some_and(|it| it.backend_image == image.tag);
                if serves && is(status, ConditionType::Ready) {
                    return Ok(Outcome::Serves);
                }
                if is(status, ConditionType::RolledBack) || is(status, ConditionType::Stalled) {
                    bail!("the change was not released: {}", message(status));
                }
            }
            if self::sources().is_some_and(|it| it != sources) {
                return Ok(Outcome::Outdated);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn set(&self, image: &str) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"backend": {"image": image}}}));
        let params = PatchParams::default();
        self.stacks.patch(STACK, &params, &patch).await?;
        Ok(())
    }
}

/// What became of a change.
enum Outcome {
    /// Visitors get it.
    Serves,
    /// There is a newer one.
    Outdated,
}

/// The hash of the sources; `None` while they are being written.
fn sources() -> Option<String> {
    content::key_of(&folders::in_repository("app/backend"), &[]).ok()
}

/// Waits until the sources are other ones and have rested for a moment, and gives their hash.
async fn change(known: Option<&str>) -> String {
    let mut before = None;
    loop {
        let now = sources();
        if let Some(now) = &now
            && Some(now.as_str()) != known
            && before.as_ref() == Some(now)
        {
            return now.clone();
        }
        before = now;
        tokio::time::sleep(LOOK).await;
    }
}

fn is_current(stack: &AppStack) -> bool {
    let generation = stack.metadata.generation;
    let status = stack.status.as_ref();
    status.is_some_and(|it| it.observed_generation == generation)
}

fn is(status: &AppStackStatus, type_: ConditionType) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|it| it.type_ == type_.as_str() && it.status == "True")
}

/// What is said of the whole.
fn message(status: &AppStackStatus) -> &str {
    let ready = ConditionType::Ready.as_str();
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|it| it.type_ == ready);
    found.map_or("", |it| it.message.as_str())
}

#[cfg(test)]
mod tests {
    use super::without_us;

    #[test]
    fn an_image_of_an_earlier_watch_is_not_what_the_stack_goes_back_to() {
        assert_eq!(without_us("ghcr.io/a/b:watch-0123456789"), "ghcr.io/a/b");
        assert_eq!(without_us("host:5000/a/b:v1"), "host:5000/a/b:v1");
    }
}
