//! The namespace of a story and what a story can do and see in it.

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use appstack_operator::api::AppStack;
use futures::future::LocalBoxFuture;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Resource, ResourceExt as _};
use local_cluster::{Cluster, operator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::stacks::{Document, parse};
use super::{ROLL_OUT, SOON, say};

/// The field manager of a person.
const USER: &str = "a-user";
/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// The namespace of a story.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// When the story began.
    began: Instant,
    /// How long the audit log was then.
    pub(super) logged: u64,
    /// What puts back that which others find there.
    afterwards: Mutex<Vec<PutBack>>,
}

type PutBack = for<'a> fn(&'a World) -> LocalBoxFuture<'a, ()>;

impl World {
    pub(super) async fn new(cluster: &str, story: &str) -> Self {
        let cluster = Cluster::open(cluster).unwrap();
        let client = cluster.client().await.unwrap();
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let world = Self {
            namespace: format!("{story}-{:06x}", unique.as_micros() % 0x0100_0000),
            client,
            logged: std::fs::metadata(cluster.audit_log()).unwrap().len(),
            cluster,
            began: Instant::now(),
            afterwards: Mutex::default(),
        };
        world.make_namespace().await;
        world
    }

    /// Another namespace of the same cluster, which goes with this one. One for each story.
    pub(crate) async fn beside(&self) -> Self {
        let world = Self {
            namespace: beside(&self.namespace),
            client: self.client.clone(),
            logged: self.logged,
            cluster: self.cluster.clone(),
            began: Instant::now(),
            afterwards: Mutex::default(),
        };
        world.make_namespace().await;
        self.afterwards(|world| {
            Box::pin(async {
                world.remove(&beside(&world.namespace)).await;
            })
        });
        world
    }

    /// Pods that are not restricted would be refused here, so every story proves that those of a stack are.
    async fn make_namespace(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": self.namespace,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        });
        let params = PatchParams::apply(USER);
        namespaces
            .patch(&self.namespace, &params, &Patch::Apply(namespace))
            .await
            .unwrap();
    }

    /// Has something done when the story is over, however it ends.
    pub(crate) fn afterwards(&self, put_back: PutBack) {
        self.afterwards.lock().unwrap().push(put_back);
    }

    pub(super) async fn put_back(&self) {
        let all = std::mem::take(&mut *self.afterwards.lock().unwrap());
        for put_back in all {
            put_back(self).await;
        }
    }

    pub(super) async fn end(&self) {
        let seconds = self.began.elapsed().as_secs();
        say(&format!("{} took {seconds} s", self.namespace));
        self.remove(&self.namespace).await;
    }

    async fn remove(&self, namespace: &str) {
        if std::env::var_os("APPSTACK_KEEP").is_some() {
            return;
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let deleted = namespaces.delete(namespace, &DeleteParams::default()).await;
        if let Err(error) = deleted {
            say(&format!("{namespace} stays: {error}"));
        }
    }

    /// The API of a kind in the namespace of the story.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The domain of the story's stacks, which no other story has.
    pub(crate) fn domain(&self) -> String {
        format!("{}.localhost", self.namespace)
    }

    /// A manifest, in which `$domain` stands for the domain of the story. A stack that says nothing of tools has none: its pods are
    /// not what most stories are about, and cost a machine as much as the others.
    pub(crate) fn document(&self, yaml: &str) -> Document {
        let document = Document::new(yaml, &self.domain());
        let spec = &document.0["spec"];
        let is_silent = document.0["kind"] == "AppStack" && spec.get("tools").is_none();
        if is_silent {
            document.with("spec: {tools: {adminer: false, mail: false}}")
        } else {
            document
        }
    }

    // What a user does.

    /// Applies a manifest as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, document: &Document) {
        let name = document.name();
        if let Err(error) = self.try_apply(document, false).await {
            panic!("{name} is refused: {error}");
        }
    }

    /// What the API server says to a manifest, without keeping it.
    pub(crate) async fn dry_run(&self, document: &Document) -> Result<(), String> {
        self.try_apply(document, true).await
    }

    async fn try_apply(&self, document: &Document, dry_run: bool) -> Result<(), String> {
        let mut params = PatchParams::apply(USER).force().validation_strict();
        params.dry_run = dry_run;
        let api = self.dynamic(&document.0);
        let applied = api
            .patch(document.name(), &params, &Patch::Apply(&document.0))
            .await;
        applied.map(drop).map_err(|error| match error {
            kube::Error::Api(status) => status.message,
            other => other.to_string(),
        })
    }

    /// Applies a Secret with text values, given as YAML.
    pub(crate) async fn apply_secret(&self, name: &str, values: &str) {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": parse(values),
        });
        self.apply(&Document(secret)).await;
    }

    /// Deletes an object.
    pub(crate) async fn delete<K>(&self, name: &str)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let params = DeleteParams::background();
        self.api::<K>().delete(name, &params).await.unwrap();
    }

    /// Changes an object as `kubectl patch --type=merge` does.
    pub(crate) async fn patch<K>(&self, name: &str, yaml: &str) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let params = PatchParams {
            field_manager: Some(USER.into()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(parse(yaml));
        self.api::<K>().patch(name, &params, &patch).await.unwrap()
    }

    fn dynamic(&self, manifest: &Value) -> Api<DynamicObject> {
        let version = manifest["apiVersion"].as_str().unwrap();
        let kind = manifest["kind"].as_str().unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk(&kind);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    // What a user sees.

    /// Waits for something, and gives it. The only place where a story sleeps.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let started = Instant::now();
        loop {
            // What is looked at after the deadline still counts: a machine that is busy may be late to look.
            let late = started.elapsed() > patience;
            if let Some(found) = look().await {
                return found;
            }
            assert!(
                !late,
                "waited {} s in vain: {what}",
                started.elapsed().as_secs()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes sure that something holds for a while.
    pub(crate) async fn stays(
        &self,
        what: &str,
        duration: Duration,
        mut look: impl AsyncFnMut() -> bool,
    ) {
        let started = Instant::now();
        self.until(what, duration * 2, async || {
            assert!(
                look().await,
                "no longer after {:?}: {what}",
                started.elapsed()
            );
            (started.elapsed() > duration).then_some(())
        })
        .await;
    }

    /// Waits until a stack is ready for the spec that it has now.
    pub(crate) async fn ready(&self, stack: &str) -> AppStack {
        self.until(&format!("{stack} is ready"), ROLL_OUT, async || {
            let found = self.stack(stack).await;
            let ready = condition(&found, "Ready")?;
            let current = ready.observed_generation == found.metadata.generation;
            (current && ready.status == "True").then_some(found)
        })
        .await
    }

    /// Waits until a stack is ready, after something beside its spec has made it unready. It must say so at some time.
    pub(crate) async fn ready_with_release_other_than(&self, stack: &str, old: &str) -> AppStack {
        self.until(
            &format!("{stack} is ready with another release than {old}"),
            ROLL_OUT,
            async || {
                let found = self.stack(stack).await;
                let other = release(&found) != old;
                let ready = condition(&found, "Ready")?;
                (other && ready.status == "True").then_some(found)
            },
        )
        .await
    }

    /// Waits until a condition of the current spec has a reason and its message holds all of `words`.
    pub(crate) async fn says(
        &self,
        stack: &str,
        type_: &str,
        reason: &str,
        words: &[&str],
        patience: Duration,
    ) -> Condition {
        let what = format!("{stack} says {type_} is False for {reason}: {words:?}");
        self.until(&what, patience, async || {
            let found = self.stack(stack).await;
            let it = condition(&found, type_)?;
            let current = it.observed_generation == found.metadata.generation;
            let told = words.iter().all(|word| it.message.contains(word));
            let right = it.status == "False" && it.reason == reason && told;
            (current && right).then(|| it.clone())
        })
        .await
    }

    /// Waits until the release that the spec asks for was rolled back, for a reason and with all of `words`, and the old one
    /// serves as a whole.
    pub(crate) async fn rolled_back(&self, stack: &str, reason: &str, words: &[&str]) {
        let what = format!("{stack} is rolled back for {reason}: {words:?}");
        self.until(&what, ROLL_OUT, async || {
            let found = self.stack(stack).await;
            let it = condition(&found, "RolledBack")?;
            let ready = condition(&found, "Ready")?;
            let current = it.observed_generation == found.metadata.generation;
            let told = words.iter().all(|word| it.message.contains(word));
            let right = it.status == "True" && it.reason == reason && told;
            (current && right && ready.reason == "RolledBack").then_some(())
        })
        .await;
    }

    /// Waits until the spec is refused by the operator, with all of `words`.
    pub(crate) async fn refuses(&self, stack: &str, words: &[&str]) {
        self.says(stack, "Accepted", "Invalid", words, SOON).await;
    }

    /// The stack as it is now.
    pub(crate) async fn stack(&self, name: &str) -> AppStack {
        self.api::<AppStack>().get(name).await.unwrap()
    }

    /// Pods of a part of a stack that are not about to go, newest last.
    pub(crate) async fn pods(&self, stack: &str, component: &str) -> Vec<Pod> {
        let ours = format!("appstack.dev/stack={stack},app.kubernetes.io/component={component}");
        let pods = self.list::<Pod>(&ours).await;
        let mut pods: Vec<Pod> = pods
            .into_iter()
            .filter(|it| it.metadata.deletion_timestamp.is_none())
            .collect();
        pods.sort_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|it| it.0));
        pods
    }

    /// The Deployments of a part of a stack, newest last.
    pub(crate) async fn deployments(&self, stack: &str, component: &str) -> Vec<Deployment> {
        let ours = format!("appstack.dev/stack={stack},app.kubernetes.io/component={component}");
        let mut found = self.list::<Deployment>(&ours).await;
        found.sort_by_key(|it| it.metadata.creation_timestamp.as_ref().map(|it| it.0));
        found
    }

    /// Objects of a kind by their labels.
    pub(crate) async fn list<K>(&self, labels: &str) -> Vec<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Serialize,
    {
        let params = ListParams::default().labels(labels);
        self.api::<K>().list(&params).await.unwrap().items
    }

    /// A text value of a Secret.
    pub(crate) async fn secret(&self, name: &str, key: &str) -> String {
        let secret = self.api::<Secret>().get(name).await.unwrap();
        let data = secret.data.unwrap_or_default();
        let value = data
            .get(key)
            .unwrap_or_else(|| panic!("Secret {name} lacks {key}"));
        String::from_utf8(value.0.clone()).unwrap()
    }

    /// The pods of the operator, those that are about to go among them.
    pub(crate) async fn operators(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), operator::NAMESPACE);
        let ours = ListParams::default().labels("app.kubernetes.io/name=appstack-operator");
        pods.list(&ours).await.unwrap().items
    }

    /// What the operator has counted. The API server asks it, so that nothing has to be opened for it.
    pub(crate) async fn operator_metrics(&self) -> String {
        let service = "appstack-operator-metrics:admin";
        let path = format!("/api/v1/namespaces/appstack-system/services/{service}/proxy/metrics");
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        self.client.request_text(request).await.unwrap()
    }

    /// What kubectl prints.
    pub(crate) async fn kubectl(&self, words: &[&str]) -> String {
        let mut kubectl = self.cluster.kubectl().unwrap();
        kubectl.args(["--namespace", &self.namespace]).args(words);
        let output = kubectl.output().await.unwrap();
        assert!(
            output.status.success(),
            "kubectl {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A condition of a stack.
pub(crate) fn condition<'a>(stack: &'a AppStack, type_: &str) -> Option<&'a Condition> {
    let status = stack.status.as_ref()?;
    status.conditions.iter().find(|it| it.type_ == type_)
}

/// The release that a stack is at.
pub(crate) fn release(stack: &AppStack) -> &str {
    let status = stack.status.as_ref();
    status
        .and_then(|it| it.release.as_ref())
        .map_or("", |it| &it.name)
}

/// The UID of an object: another one after it was deleted and made again.
pub(crate) fn uid<K: Resource>(object: &K) -> String {
    object.uid().unwrap()
}

/// The namespace beside another one.
fn beside(namespace: &str) -> String {
    format!("{namespace}-beside")
}
