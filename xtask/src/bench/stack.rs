//! A stack that is measured, in a namespace of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use appstack_operator::api::{AppStack, AppStackStatus};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use local_cluster::{Cluster, folders};
use serde_json::{Value, json};

use super::DEADLINE;
use super::visitors::Place;

/// A stack that is measured.
pub(super) struct Stack {
    pub(super) client: Client,
    pub(super) api: Api<AppStack>,
    pub(super) namespace: &'static str,
    pub(super) domain: String,
}

/// The stack of the demo for a namespace of its own, with other fields of the spec. It has a domain of its own, since two stacks cannot
/// share a host, and no tools, whose pods would be measured with the others.
pub(super) fn demo(namespace: &str, spec: &Value) -> Result<AppStack> {
    let text = std::fs::read_to_string(folders::in_kind("stack-local.yaml"))?;
    let mut app: Value = serde_saphyr::from_str(&text)?;
    app["spec"]["domain"] = json!(format!("{namespace}.localhost"));
    app["spec"]["tools"] = json!({"adminer": false, "mail": false});
    for (field, value) in spec.as_object().into_iter().flatten() {
        app["spec"][field] = value.clone();
    }
    Ok(serde_json::from_value(app)?)
}

impl Stack {
    /// Makes the stack of the demo in a namespace, with changes of its spec, and the Secret that it needs for these.
    pub(super) async fn install(
        client: Client,
        name: &'static str,
        spec: Value,
        secret: Option<&Value>,
    ) -> Result<Self> {
        let metadata = ObjectMeta {
            name: Some(name.into()),
            ..ObjectMeta::default()
        };
        let namespace = Namespace {
            metadata,
            ..Namespace::default()
        };
        Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await?;
        if let Some(secret) = secret {
            let api: Api<Secret> = Api::namespaced(client.clone(), name);
            let secret = serde_json::from_value(secret.clone())?;
            api.create(&PostParams::default(), &secret).await?;
        }
        let api: Api<AppStack> = Api::namespaced(client.clone(), name);
        let app = demo(name, &spec)?;
        api.create(&PostParams::default(), &app).await?;
        let domain = app.spec.domain;
        let stack = Self {
            client,
            api,
            namespace: name,
            domain,
        };
        stack.is_ready().await?;
        Ok(stack)
    }

    pub(super) async fn place(&self, cluster: &Cluster) -> Result<Place> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let secret = secrets.get("shop-edge-ca").await?;
        let data = secret.data.unwrap_or_default();
        let authority = data.get("tls.crt").context("there is no authority")?;
        Ok(Place {
            domain: self.domain.clone(),
            port: cluster.https_port()?,
            authority: String::from_utf8(authority.0.clone())?,
        })
    }

    pub(super) async fn change(&self, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let params = PatchParams::default();
        self.api.patch("shop", &params, &patch).await?;
        Ok(())
    }

    pub(super) async fn is_ready(&self) -> Result<()> {
        let generation = self.api.get("shop").await?.metadata.generation;
        self.until("the release is ready", |status| {
            let current = status.observed_generation == generation;
            current && reason(status, "Ready") == Some("RolledOut")
        })
        .await
    }

    pub(super) async fn until(
        &self,
        what: &str,
        holds: impl Fn(&AppStackStatus) -> bool,
    ) -> Result<()> {
        let holds = |stack: Option<&AppStack>| {
            let status = stack.and_then(|it| it.status.as_ref());
            status.is_some_and(&holds)
        };
        let waiting = await_condition(self.api.clone(), "shop", holds);
        tokio::time::timeout(DEADLINE, waiting)
            .await
            .with_context(|| format!("waited in vain: {what}"))??;
        Ok(())
    }

    pub(super) async fn remove(&self) -> Result<()> {
        let params = DeleteParams::default();
        self.api.delete("shop", &params).await?;
        Api::<Namespace>::all(self.client.clone())
            .delete(self.namespace, &params)
            .await?;
        // The next run needs the name.
        let gone = Instant::now() + Duration::from_mins(2);
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        while namespaces.get_opt(self.namespace).await?.is_some() && Instant::now() < gone {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}

/// The reason of a condition.
pub(super) fn reason<'a>(status: &'a AppStackStatus, type_: &str) -> Option<&'a str> {
    let found = status.conditions.iter().find(|it| it.type_ == type_)?;
    Some(&found.reason)
}
