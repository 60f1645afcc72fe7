//! What a probe asked that failed, and what came back.
//!
//! Invariant: pure. Which probe it is, the kubelet says itself, and what it asked, the spec; only what came back may be empty, such as
//! of a command that prints nothing.

use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A probe that failed, in the words of whoever mends it. `said` is what the kubelet tells of it.
pub(super) fn failed(pod: &Pod, container: &str, said: &str) -> String {
    let Some((kind, outcome)) = kind_and_outcome(said) else {
        return and("a probe failed", said);
    };
    let of = if runs_beside_others(pod) && !container.is_empty() {
        format!(" of container {container}")
    } else {
        String::new()
    };
    let Some(answered) = outcome.strip_prefix("failed") else {
        // Such as `errored and resulted in unknown state: WHY`.
        return format!("the {kind} probe{of} {}", outcome.trim_end_matches(':'));
    };
    let answered = answered.trim_start_matches(':').trim();
    let found = container_named(pod, container);
    let probe = found.and_then(|it| match kind {
        "startup" => it.startup_probe.as_ref(),
        "liveness" => it.liveness_probe.as_ref(),
        _ => it.readiness_probe.as_ref(),
    });
    let asked = found.zip(probe).map(|(it, probe)| asked(it, probe));
    let why = asked.map_or_else(
        || answered.to_owned(),
        |Asked { what, port }| answer(&what, port, answered),
    );
    and(&format!("the {kind} probe{of} failed"), &why)
}

/// `Startup probe failed: WHY` is a `startup` probe that `failed: WHY`.
fn kind_and_outcome(said: &str) -> Option<(&'static str, &str)> {
    let (kind, outcome) = said.split_once(" probe ")?;
    let kinds = ["startup", "readiness", "liveness"];
    let kind = kinds.into_iter().find(|it| kind.eq_ignore_ascii_case(it))?;
    Some((kind, outcome.trim()))
}

/// What happened, and why where that is known.
fn and(what: &str, why: &str) -> String {
    match why {
        "" => what.to_owned(),
        why => format!("{what}: {why}"),
    }
}

/// Whether several containers of a pod go on running: a probe of one alone needs no name.
fn runs_beside_others(pod: &Pod) -> bool {
    let first = pod
        .spec
        .iter()
        .flat_map(|it| it.init_containers.iter().flatten());
    let beside = first.filter(|it| it.restart_policy.as_deref() == Some("Always"));
    let others = pod.spec.iter().flat_map(|it| &it.containers);
    beside.chain(others).count() > 1
}

/// What a probe asks.
struct Asked {
    /// Such as `GET /health`.
    what: String,
    port: Option<i32>,
}

fn asked(container: &Container, probe: &Probe) -> Asked {
    let port = |port: &IntOrString| match port {
        IntOrString::Int(port) => Some(*port),
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports
                .find(|it| it.name.as_ref() == Some(name))
                .map(|it| it.container_port)
        }
    };
    if let Some(http) = &probe.http_get {
        let path = http.path.as_deref().unwrap_or("/");
        return Asked {
            what: format!("GET {path}"),
            port: port(&http.port),
        };
    }
    if let Some(tcp) = &probe.tcp_socket {
        return Asked {
            what: "a connection".into(),
            port: port(&tcp.port),
        };
    }
    if let Some(grpc) = &probe.grpc {
        return Asked {
            what: "a health check by gRPC".into(),
            port: Some(grpc.port),
        };
    }
    let command = probe.exec.as_ref().and_then(|it| it.command.as_ref());
    let what = command.map_or_else(|| "it".into(), |it| format!("`{}`", it.join(" ")));
    Asked { what, port: None }
}

/// What came back, in the words of whoever mends it.
fn answer(what: &str, port: Option<i32>, said: &str) -> String {
    let at = port.map_or_else(String::new, |it| format!(" at port {it}"));
    if said.is_empty() {
        return format!("{what}{at} failed, and nothing says why");
    }
    if let Some((_, code)) = said.split_once("HTTP probe failed with statuscode: ") {
        return format!("{what}{at} answered {}", code.trim());
    }
    if said.contains("connection refused") {
        return format!(
            "{what}{at}: connection refused: does nothing listen there yet, or on 127.0.0.1 alone?"
        );
    }
    if said.contains("context deadline exceeded") || said.contains("Client.Timeout") {
        return format!("{what}{at} was not answered in time");
    }
    format!("{what}{at}: {said}")
}

fn container_named<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    let first = spec.init_containers.iter().flatten();
    first.chain(&spec.containers).find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sidecar(probe: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {
            "initContainers": [{"name": "proxy", "restartPolicy": "Always", "startupProbe": probe}],
            "containers": [{"name": "backend"}],
        }}))
        .unwrap()
    }

    #[test]
    fn a_probe_without_an_answer_is_told_with_its_kind_and_its_container() {
        let silent = sidecar(&json!({"exec": {"command": ["false"]}}));
        let unknown = "errored and resulted in unknown state: no";
        let cases = [
            (
                "Startup probe failed:",
                "the startup probe of container proxy failed: `false` failed, and nothing says why",
            ),
            (
                "Startup probe failed: not up",
                "the startup probe of container proxy failed: `false`: not up",
            ),
            (
                "Liveness probe failed:",
                "the liveness probe of container proxy failed",
            ),
            (
                "Liveness probe failed",
                "the liveness probe of container proxy failed",
            ),
            (
                &format!("Readiness probe {unknown}"),
                &format!("the readiness probe of container proxy {unknown}"),
            ),
            ("it is not well", "a probe failed: it is not well"),
        ];
        for (said, expected) in cases {
            assert_eq!(failed(&silent, "proxy", said), expected);
        }
        let grpc = sidecar(&json!({"grpc": {"port": 9000}}));
        let expected = "the startup probe of container proxy failed: a health check by gRPC at port 9000 was not answered in time";
        let said = "Startup probe failed: context deadline exceeded";
        assert_eq!(failed(&grpc, "proxy", said), expected);
    }
}
