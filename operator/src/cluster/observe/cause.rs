//! Why pods are not ready, or not made: from what they say themselves, and where that is not enough from Events.
//!
//! Invariant: Events are read only of what is not well and does not say why itself, and of pods on trial.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::{Observer, lifecycle, liveness, pods, probes, trouble, waits, warnings};
use crate::cluster::call::send;
use crate::model::observed::{Cause, Trouble};

impl Observer<'_> {
    /// What keeps pods from becoming ready: as they say it themselves, else as Events tell it, else as the last one of them
    /// ended.
    pub(super) async fn trouble(&self, pods: &[Pod]) -> Option<Trouble> {
        let mut found = match trouble::trouble(pods, self.now) {
            Some(found) => Some(self.with_what_ended(found, pods).await),
            None => self
                .warned(pods)
                .await
                .or_else(|| trouble::lost(pods, self.now))
                .or_else(|| trouble::ended(pods))
                .or_else(|| waits::of(pods::newest_unready(pods)?, self.now)),
        }?;
        if found.cause == Cause::Unschedulable
            && let Some(claim) = self.pending_claim(pods, &found.pod).await
        {
            found.message = format!("{}; {claim}", found.message);
        }
        found.message = self.redactor.redact(&found.message);
        Some(found)
    }

    /// How the container that ended most did so last.
    pub(super) async fn last_end(&self, pods: &[Pod]) -> Option<Trouble> {
        let mut found = self.with_what_ended(trouble::last_end(pods)?, pods).await;
        found.message = self.redactor.redact(&found.message);
        Some(found)
    }

    /// What is about to end by its liveness probe though all pods are ready, and how often its container has ended with that: a trial
    /// may be over before it has.
    pub(super) async fn about_to_end(&self, pods: &[Pod]) -> Option<(Trouble, i32)> {
        if !lifecycle::active(pods).any(liveness::is_probed) {
            return None;
        }
        let told = self.events(&liveness::params()).await;
        let of_pod = |it| Some((it, liveness::about_to_end(it, &told)?));
        let found = lifecycle::active(pods).filter_map(of_pod);
        let (pod, container) = found.max_by_key(|(_, it)| it.restart_count)?;
        let (name, uid) = (&container.name, pod.metadata.uid.as_deref()?);
        let events = self.events(&warnings::of_all_types(uid)).await;
        let why = warnings::of_end(pod, name, events).map(|(_, why)| why);
        let why = why.unwrap_or_else(|| probes::failed(pod, name, "Liveness probe failed"));
        let message = format!("{why}; so container {name} is ended and started again");
        let message = self.redactor.redact(&message);
        let trouble = Trouble::new(pod.name_any(), name.clone(), Cause::Probe, message);
        Some((trouble, pods::ends(container) + 1))
    }

    /// The end of a container with what told it to end, where that is known: the container itself says only that it was told.
    async fn with_what_ended(&self, found: Trouble, pods: &[Pod]) -> Trouble {
        let is_its = |it: &&Pod| found.cause == Cause::Crashing && it.name_any() == found.pod;
        let pod = pods.iter().find(is_its);
        let pod = pod.filter(|it| trouble::may_be_told_to_end(it, &found.container));
        let Some((pod, uid)) = pod.and_then(|it| Some((it, it.metadata.uid.as_deref()?))) else {
            return found;
        };
        let events = self.events(&warnings::of_all_types(uid)).await;
        match warnings::of_end(pod, &found.container, events) {
            // One that its hook keeps from starting has one wording also before it has ended.
            Some((Cause::Config, why)) => Trouble {
                cause: Cause::Config,
                message: why,
                ..found
            },
            Some((cause, why)) => Trouble {
                cause,
                message: format!("{why}; so {}", found.message),
                ..found
            },
            None => found,
        }
    }

    /// What Warning Events say of the newest pod that is not ready.
    async fn warned(&self, pods: &[Pod]) -> Option<Trouble> {
        let pod = pods::newest_unready(pods)?;
        let events = self.warnings(pod.metadata.uid.as_deref()?).await;
        warnings::of_pod(pod, events, self.now)
    }

    /// A claim of a pod that gets no volume, and why.
    async fn pending_claim(&self, pods: &[Pod], pod: &str) -> Option<String> {
        let pod = pods.iter().find(|it| it.name_any() == pod)?;
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), self.namespace);
        for name in warnings::claims(pod) {
            let Ok(Some(claim)) = send(api.get_opt(name)).await else {
                continue;
            };
            let events = self.warnings(claim.metadata.uid.as_deref()?).await;
            if let Some(pending) = warnings::pending(&claim, events) {
                return Some(pending);
            }
        }
        None
    }

    /// Why an object makes no pods, where it does not, and since when. `made` is when it made the newest of those that it did.
    pub(super) async fn refused(
        &self,
        uid: Option<&str>,
        made: Option<Timestamp>,
    ) -> Option<(String, Option<Timestamp>)> {
        let (why, since) = warnings::refused(self.warnings(uid?).await, made)?;
        Some((self.redactor.redact(&why), since))
    }

    /// The Warning Events of an object. That they cannot be read is no reason to stop: they are only there to help.
    async fn warnings(&self, uid: &str) -> Vec<Event> {
        self.events(&warnings::params(uid)).await
    }

    async fn events(&self, params: &ListParams) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), self.namespace);
        let list = send(api.list(params)).await;
        list.map(|it| it.items).unwrap_or_default()
    }
}
