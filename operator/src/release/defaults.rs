//! What a spec says that it need not say: the default of a field, written out, or an object with nothing in it. Tools that fill in
//! forms and templates write both, and neither makes another release.
//!
//! Invariant: pure. Only defaults that the spec alone decides are known here; those that depend on the cluster or on the name of the
//! stack are told by nobody but who looks them up.

use serde_json::Value;

use crate::api::{AppStackSpec, Edge, Environment, Hosts, Layout, Secrets, Tls};
use crate::model::stack::{Backend, Frontend};

/// A spec without any of it.
#[must_use]
pub fn without(mut spec: AppStackSpec) -> AppStackSpec {
    let backend = &mut spec.backend;
    backend.port = backend.port.filter(|it| *it != Backend::PORT);
    let path = backend.health_path.take();
    backend.health_path = path.filter(|it| it != Backend::HEALTH_PATH);
    backend.workers = (backend.workers).filter(|it| *it != Backend::workers(spec.environment));
    drop_nothing(&mut backend.pod_template);
    if let Some(frontend) = &mut spec.frontend {
        frontend.port = frontend.port.filter(|it| *it != Frontend::PORT);
        drop_nothing(&mut frontend.pod_template);
    }
    for job in &mut spec.jobs {
        drop_nothing(&mut job.pod_template);
    }
    spec.secrets = spec.secrets.filter(|it| *it != Secrets::default());
    spec.edge = spec.edge.map(|it| of_edge(it, spec.environment));
    spec.edge = spec.edge.filter(|it| *it != Edge::default());
    spec
}

fn of_edge(mut edge: Edge, environment: Environment) -> Edge {
    edge.layout = edge.layout.filter(|it| *it != Layout::default());
    edge.hosts = edge.hosts.filter(|it| *it != Hosts::default());
    let is_default = |it: &Tls| {
        let is_alone = edge.gateway.is_none() && environment == Environment::Local;
        is_alone && it.self_signed.is_some()
    };
    edge.tls = edge.tls.take().filter(|it| !is_default(it));
    edge
}

fn drop_nothing(template: &mut Option<Value>) {
    if template.as_ref().is_some_and(is_nothing) {
        *template = None;
    }
}

/// Whether a value says nothing at all.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::spec;

    #[test]
    fn what_says_nothing_or_the_default_is_left_out() {
        let site = "frontend: {image: 'a/c:1', port: 8080, podTemplate: {metadata: {labels: {}}}}";
        let written = spec(&format!(
            "backend: {{image: 'a/b:1', port: 8000, healthPath: /api/v1/utils/health-check/, workers: 1,
                podTemplate: {{spec: {{containers: []}}}}}}, {site}, secrets: {{from: []}},
             edge: {{layout: Subdomains, hosts: {{}}, tls: {{selfSigned: {{}}}}}}"
        ));
        let plain = spec("backend: {image: 'a/b:1'}, frontend: {image: 'a/c:1'}");
        assert_eq!(without(written), without(plain.clone()));
        assert_eq!(without(plain.clone()), plain);
    }

    #[test]
    fn what_says_something_else_stays() {
        for said in [
            "backend: {image: 'a/b:1', port: 8001}",
            "backend: {image: 'a/b:1', podTemplate: {spec: {hostNetwork: false}}}",
            "secrets: {from: [{name: a}]}",
            "edge: {layout: SingleHost}",
            "edge: {tls: {disabled: {}}}",
            "edge: {gateway: {name: web}}",
        ] {
            assert_eq!(without(spec(said)), spec(said), "{said}");
        }
    }
}
