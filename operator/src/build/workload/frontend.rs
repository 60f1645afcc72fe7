//! The frontend stage: runtime configuration, Service, Deployment and disruption budget of the site.

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, PodTemplateSpec, Volume,
};
use serde_json::{Map, Value};

use crate::api::StageName;
use crate::build::Stage;
use crate::build::meta::{self, Component};
use crate::build::workload::backend::{Part, stage_of};
use crate::build::workload::pod::{self, Pod};
use crate::build::workload::{assets, writable};
use crate::model::child_name::ChildName;
use crate::model::hash::canonical;
use crate::model::manifests;
use crate::model::names::volume;
use crate::model::object::Object;
use crate::model::stack::{Frontend, Stack};

/// Where the container finds `config.json`.
const CONFIG_PATH: &str = "/etc/appstack";

/// The stage of the frontend.
pub(in crate::build) fn stage(stack: &Stack, rendered: manifests::Part) -> Stage {
    let public = stack.rollout.public_check.as_ref();
    let url = public.and_then(|it| it.site.clone());
    let port = stack.frontend.as_ref().map_or(0, |it| it.port);
    stage_of(stack, StageName::Frontend, rendered, url, port)
}

/// The frontend, by the templates of now.
pub(in crate::build) fn part(stack: &Stack, frontend: &Frontend) -> manifests::Part {
    let text = config(stack, frontend);
    let config_name = stack.names.frontend_config(&text);
    let config = ConfigMap {
        metadata: meta::object(stack, &config_name, Component::Frontend),
        data: Some([("config.json".to_owned(), text)].into()),
        // Its name says its content, so nobody is to change it.
        immutable: Some(true),
        ..ConfigMap::default()
    };
    let part = Part {
        component: Component::Frontend,
        name: stack.names.frontend(),
        template: template(stack, frontend, &config_name),
    };
    part.render(stack, vec![Object::ConfigMap(Box::new(config))])
}

/// The user's keys and ours; ours win, since the site relies on them.
fn config(stack: &Stack, frontend: &Frontend) -> String {
    let mut config: Map<String, Value> = frontend.config.clone().into_iter().collect();
    for (key, value) in [
        ("apiUrl", Some(stack.edge.api_url())),
        ("environment", Some(stack.environment.as_str().to_owned())),
        ("version", Some(stack.version.clone())),
        ("projectName", Some(stack.project_name.clone())),
        ("sentryDsn", stack.secrets.public_sentry_dsn.clone()),
    ] {
        if let Some(value) = value {
            config.insert(key.into(), value.into());
        }
    }
    canonical(&config)
}

fn template(stack: &Stack, frontend: &Frontend, config: &ChildName) -> PodTemplateSpec {
    let check = pod::http(pod::PORT, "/");
    let config = Volume {
        name: volume::CONFIG.into(),
        config_map: Some(ConfigMapVolumeSource {
            name: config.to_string(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mut container = Container {
        name: Component::Frontend.as_str().into(),
        image: Some(frontend.image.clone()),
        command: pod::words(&frontend.run.command),
        args: pod::words(&frontend.run.args),
        ports: Some(vec![pod::port(pod::PORT, frontend.port)]),
        // For servers that make their pages from templates at start.
        env: Some(vec![
            pod::literal("API_URL", &stack.edge.api_url()),
            pod::literal("ENVIRONMENT", stack.environment.as_str()),
            pod::literal("APP_VERSION", &stack.version),
        ]),
        resources: Some(frontend.resources.clone()),
        volume_mounts: Some(vec![pod::mount(volume::CONFIG, CONFIG_PATH)]),
        startup_probe: Some(pod::startup_probe(check.clone(), stack.rollout.startup)),
        readiness_probe: Some(pod::readiness_probe(check)),
        liveness_probe: Some(pod::liveness_probe(pod::tcp())),
        ..Container::default()
    };
    let (mut before, mut volumes) = (Vec::new(), vec![config]);
    let mounts = container.volume_mounts.get_or_insert_default();
    if let Some(assets) = &frontend.assets {
        before = assets::copies(frontend, assets);
        volumes.push(assets::volume());
        mounts.push(assets::served(assets));
    }
    mounts.extend(writable::mounts(&frontend.writable_paths));
    volumes.extend(writable::volumes(&frontend.writable_paths));
    pod::template(
        stack,
        Pod {
            component: Component::Frontend,
            run_as_user: frontend.run_as_user,
            before,
            container,
            volumes,
            serving: true,
            template: frontend.pod_template.as_ref(),
        },
    )
}
