//! Turns applied objects into the few facts that gates judge. Every read of a foreign status is here.
//!
//! Invariant: reads, and judges nothing. Pods and logs are read only of what is not available yet, and secret values
//! are cut out of whatever others say before anybody sees it, and before any of it is cut off.

mod cause;
mod certificate;
mod gateway;
mod hooks;
mod images;
mod job;
mod lifecycle;
mod liveness;
mod log;
mod pods;
mod probes;
pub mod public;
mod routes;
mod schedule;
mod telling;
mod trouble;
mod waits;
mod warnings;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;

use futures::AsyncBufReadExt as _;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use self::public::Question;
use crate::api::label;
use crate::build::{Check, CheckTarget, selector_text};
use crate::cluster::apply::Applied;
use crate::cluster::call::send;
use crate::error::{Error, Result};
use crate::model::job::has_ended;
use crate::model::object::Object;
use crate::model::observed::{Answer, Cause, Images, JobRun, Observed, Standing, Workload};
use crate::model::redaction::Redactor;
use crate::model::scaling;
use crate::model::stack::{Served, Validity};

/// On the pods of a Job: its name.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// Observes one stack.
pub struct Observer<'a> {
    /// To read pods and logs.
    pub client: &'a Client,
    /// Where the stack is.
    pub namespace: &'a str,
    /// Cuts out what must not be seen.
    pub redactor: &'a Redactor,
    /// The host at which the ingress controller or the Gateway is reached; `None` if it is reached by the host names of the stack.
    pub edge_host: Option<&'a str>,
    /// The time of now.
    pub now: Timestamp,
}

impl Observer<'_> {
    /// What was seen of the applied objects of a stage; the pods of those on trial are looked at one by one.
    ///
    /// # Errors
    /// If the API server refuses a read.
    pub async fn stage(
        &self,
        applied: &[Applied],
        standing: impl Fn(&Object) -> Standing,
    ) -> Result<Vec<Observed>> {
        let mut observed = Vec::with_capacity(applied.len());
        for it in applied {
            let standing = standing(it.object());
            observed.push(match it.object() {
                Object::Deployment(it) => Observed::Workload(self.deployment(it, standing).await?),
                Object::StatefulSet(it) => Observed::Workload(self.stateful_set(it).await?),
                Object::CronJob(it) => Observed::Workload(self.runs(it).await?),
                Object::Job(it) => Observed::Job(self.job(it).await?),
                Object::PersistentVolumeClaim(it) if it.metadata.deletion_timestamp.is_some() => {
                    Observed::EndingClaim(it.name_any())
                }
                Object::Certificate(it) => Observed::Certificate(self.issuance(it).await),
                Object::HTTPRoute(it) => {
                    Observed::Route(gateway::seen(it, standing == Standing::First, self.now))
                }
                Object::Finished(_) => Observed::Job(JobRun::done(None)),
                _ => Observed::Nothing,
            });
        }
        Ok(observed)
    }

    async fn deployment(&self, it: &Deployment, standing: Standing) -> Result<Workload> {
        let spec = it.spec.clone().unwrap_or_default();
        let status = it.status.clone().unwrap_or_default();
        let condition = |type_: &str, value: &str| {
            let conditions = status.conditions.iter().flatten();
            conditions
                .clone()
                .find(|it| it.type_ == type_ && it.status == value)
        };
        // Its name says its template, so that another number is all that its controller may not have seen.
        let least = scaling::least(it).filter(|_| standing != Standing::OnTrial);
        let count = scaling::count(it);
        let wanted = least.map_or(count, |least| least.min(count));
        let enough = least.is_some() && status.available_replicas.unwrap_or(0) >= wanted;
        let mut workload = Workload {
            standing,
            seen: least.is_some() || status.observed_generation >= it.metadata.generation,
            wanted,
            updated: status.updated_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            total: status.replicas.unwrap_or(0),
            late: condition("Progressing", "False")
                .is_some_and(|it| it.reason.as_deref() == Some("ProgressDeadlineExceeded"))
                && !enough,
            refused: condition("ReplicaFailure", "True")
                .and_then(|it| it.message.as_deref())
                .filter(|_| !enough)
                .map(|it| self.redactor.redact(it)),
            ..Workload::default()
        };
        self.look_at_pods(&mut workload, spec.selector.match_labels)
            .await?;
        Ok(workload)
    }

    /// The runs of a job that have begun and not ended.
    async fn runs(&self, it: &CronJob) -> Result<Workload> {
        let jobs = self.runs_of(it).await?;
        let running = jobs.iter().filter(|it| !has_ended(it)).count();
        Ok(Workload {
            seen: true,
            total: i32::try_from(running).unwrap_or(i32::MAX),
            ..Workload::default()
        })
    }

    /// How many pods the Service of this name turns requests to; `None` if there is none, or if they are the same pods.
    ///
    /// # Errors
    /// If the API server refuses a read.
    pub async fn pods_behind(&self, wanted: &Service) -> Result<Option<i32>> {
        let name = wanted.name_any();
        let api: Api<Service> = Api::namespaced(self.client.clone(), self.namespace);
        let found = send(api.get_opt(&name)).await;
        let found = found.map_err(|source| Error::Read {
            what: format!("Service {name}"),
            source,
        })?;
        let selector = |it: Service| it.spec.and_then(|it| it.selector);
        let Some(theirs) = found.and_then(selector) else {
            return Ok(None);
        };
        if Some(&theirs) == selector(wanted.clone()).as_ref() {
            return Ok(None);
        }
        let mut part = theirs.clone();
        part.remove(label::REVISION);
        let deployments = self.list::<Deployment>("Deployments", &part).await?;
        let mut selected = deployments.iter().filter(|it| {
            let spec = it.spec.as_ref();
            spec.and_then(|it| it.selector.match_labels.as_ref()) == Some(&theirs)
        });
        Ok(selected.next().map(scaling::count))
    }

    async fn stateful_set(&self, it: &StatefulSet) -> Result<Workload> {
        let spec = it.spec.clone().unwrap_or_default();
        let status = it.status.clone().unwrap_or_default();
        let current = status.current_revision == status.update_revision;
        let updated = if current {
            status.replicas
        } else {
            status.updated_replicas.unwrap_or(0)
        };
        let mut workload = Workload {
            seen: status.observed_generation >= it.metadata.generation,
            wanted: spec.replicas.unwrap_or(1),
            updated,
            available: status.available_replicas.unwrap_or(0),
            total: status.replicas,
            ..Workload::default()
        };
        let pods = self
            .look_at_pods(&mut workload, spec.selector.match_labels)
            .await?;
        if workload.seen && workload.wanted > 0 && !workload.is_complete() && pods.is_empty() {
            let refused = self.refused(it.metadata.uid.as_deref(), None).await;
            workload.refused = refused.map(|(why, _)| why);
        }
        let template = status.update_revision.as_deref();
        if let (Some(uid), Some(template)) = (it.metadata.uid.as_deref(), template) {
            workload.old = pods::old(&pods, uid, template);
        }
        Ok(workload)
    }

    /// How far the images are that applied Deployments pull.
    ///
    /// # Errors
    /// If the API server refuses a read.
    pub async fn images(&self, applied: &[Applied]) -> Result<Images> {
        let mut found = Images::Pulled;
        for it in applied {
            let Object::Deployment(it) = it.object() else {
                continue;
            };
            let spec = it.spec.clone().unwrap_or_default();
            let labels = spec.selector.match_labels.unwrap_or_default();
            let pods = self.pods(&labels).await?;
            let wanted = spec.replicas.and_then(|it| usize::try_from(it).ok());
            let containers = spec.template.spec.map_or(1, |it| it.containers.len());
            found = found.worst(images::of(&pods, wanted.unwrap_or(1), containers));
        }
        if let Images::Stuck { why } = &mut found {
            *why = self.redactor.redact(why);
        }
        Ok(found)
    }

    /// The first bad answer of those that a check asks, at addresses of its stack, or a good one.
    ///
    /// # Errors
    /// If the API server refuses a read.
    pub async fn check(&self, check: &Check, urls: &[String]) -> Result<Answer> {
        let (served, pods) = match &check.target {
            CheckTarget::Edge { served } => (served, vec![None]),
            CheckTarget::Pods { selector, port } => {
                (&Served::None, self.addresses(selector, *port).await?)
            }
        };
        let edge = self.edge(served);
        for url in urls {
            for pod in &pods {
                let question = Question {
                    url,
                    served,
                    connect_to: edge.as_deref(),
                    pod: pod.as_deref(),
                };
                let answer = public::ask(&question).await;
                if answer != Answer::Good && !check.turns_away(url, &answer) {
                    return Ok(self.shown(answer));
                }
            }
        }
        Ok(Answer::Good)
    }

    /// When the certificate is good that is served at an address, where it is the one that must be.
    pub async fn validity(&self, url: &str, served: &Served) -> Option<Validity> {
        public::validity(&Question {
            url,
            served,
            connect_to: self.edge(served).as_deref(),
            pod: None,
        })
        .await
    }

    /// Where the ingress controller listens, where that is known.
    fn edge(&self, served: &Served) -> Option<String> {
        let port = if *served == Served::None { 80 } else { 443 };
        self.edge_host.map(|host| format!("{host}:{port}"))
    }

    /// The addresses of pods, with a port.
    async fn addresses(
        &self,
        selector: &BTreeMap<String, String>,
        port: i32,
    ) -> Result<Vec<Option<String>>> {
        let pods = self.pods(selector).await?;
        let addresses = pods::addresses(&pods);
        Ok(addresses.map(|it| Some(format!("{it}:{port}"))).collect())
    }

    /// What may be shown of an answer.
    fn shown(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Good => Answer::Good,
            Answer::Application { status, said } => Answer::Application {
                said: public::first_words(&self.redactor.redact(&said)),
                status,
            },
            Answer::Infrastructure { step, status, why } => Answer::Infrastructure {
                why: self.redactor.redact(&why),
                step,
                status,
            },
        }
    }

    /// Pods are read of what is not complete, and of what is on trial. Gives those that were read.
    async fn look_at_pods(
        &self,
        workload: &mut Workload,
        labels: Option<BTreeMap<String, String>>,
    ) -> Result<Vec<Pod>> {
        let complete = workload.is_complete();
        let on_trial = workload.standing == Standing::OnTrial;
        if !workload.seen || (complete && !on_trial && workload.wanted > 0) {
            return Ok(Vec::new());
        }
        let pods = self.pods(&labels.unwrap_or_default()).await?;
        if workload.wanted == 0 {
            // Pods that are about to go are not counted any more, and still need what they depend on.
            workload.total =
                i32::try_from(lifecycle::still_to_end(&pods, self.now)).unwrap_or(i32::MAX);
            return Ok(pods);
        }
        if workload.standing != Standing::Known {
            workload.ends = pods::most_ends(&pods);
        }
        if on_trial {
            workload.ready_since = pods::ready_since(&pods).filter(|_| complete);
        }
        if on_trial
            && complete
            && let Some((trouble, ends)) = self.about_to_end(&pods).await
        {
            workload.ends = workload.ends.max(ends);
            workload.trouble = Some(trouble);
            return Ok(pods);
        }
        // What has ended may be counted as available for a moment more.
        if complete && workload.ends == 0 {
            return Ok(pods);
        }
        workload.trouble = self.trouble(&pods).await;
        if workload.trouble.is_none() && workload.ends > 0 {
            workload.ended = self.last_end(&pods).await;
        }
        if let Some(trouble) = &mut workload.trouble
            && matches!(trouble.cause, Cause::Crashing | Cause::Starting)
            && !trouble.container.is_empty()
        {
            let (pod, container) = (&trouble.pod, &trouble.container);
            let again = trouble::runs(&pods, pod, container);
            let printed = self.printed_by(pod, container, [again, !again]).await;
            trouble.printed = printed.as_deref().map(log::shown);
        }
        Ok(pods)
    }

    async fn pods(&self, labels: &BTreeMap<String, String>) -> Result<Vec<Pod>> {
        self.list("pods", labels).await
    }

    async fn list<K>(&self, what: &str, labels: &BTreeMap<String, String>) -> Result<Vec<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let params = ListParams::default().labels(&selector_text(labels));
        let list = send(api.list(&params)).await;
        Ok(list
            .map_err(|source| Error::Read {
                what: what.into(),
                source,
            })?
            .items)
    }

    /// The end of what a container printed: the one that is there, or, where that has just been started again, the one
    /// before it. A log that cannot be read is no reason to stop: it is only there to help.
    async fn printed(&self, pod: &str, container: &str) -> Option<String> {
        self.printed_by(pod, container, [false, true]).await
    }

    /// The same, of the run before (`true`) or of the one that is there: whichever of the two printed anything first.
    async fn printed_by(&self, pod: &str, container: &str, runs: [bool; 2]) -> Option<String> {
        for previous in runs {
            let end = self
                .end_of_log(pod, &log::params(container, previous))
                .await;
            let text = end.and_then(|it| it.text(self.redactor));
            if text.is_some() {
                return text;
            }
        }
        None
    }

    /// The end of a log, of which no more is held than is kept. `None` if it is not read to its end.
    async fn end_of_log(&self, pod: &str, params: &LogParams) -> Option<log::End> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let mut read = pin!(send(api.log_stream(pod, params)).await.ok()?);
        let mut end = log::End::default();
        loop {
            let bytes = read.fill_buf().await.ok()?;
            if bytes.is_empty() {
                return Some(end);
            }
            end.push(bytes);
            let length = bytes.len();
            read.consume_unpin(length);
        }
    }
}
