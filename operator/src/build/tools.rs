//! What helps developers beside the application: a pod and a Service each, of official images, in the restricted pod of all parts.
//!
//! Like the page of maintenance they are said when objects are applied and not kept with a release, and nothing of a release waits for
//! them. Everybody who reaches their pages may use them, which is why the schema has them in `local` alone.

mod adminer;
mod mail;

use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::build::workload::pod;
use crate::model::object::Object;
use crate::model::stack::Stack;

/// A number that neither image gives to anybody: whatever they write goes to `/tmp`.
const USER: i64 = 65532;

/// The tools of a stack. None while it sleeps.
pub(super) fn objects(stack: &Stack) -> Vec<Object> {
    if stack.hibernates {
        return Vec::new();
    }
    adminer::objects(stack)
        .into_iter()
        .chain(mail::objects(stack))
        .collect()
}

/// A few times what they take. All of them are said, so that they pass every quota.
fn resources() -> ResourceRequirements {
    pod::resources(("10m", "32Mi"), ("500m", "256Mi"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures;

    /// The pod of each tool of a stack with these fields.
    fn pods(fields: &str) -> Vec<Value> {
        let stack = fixtures::stack(&fixtures::app(fields));
        let all = objects(&stack).into_iter().map(|it| json!(it));
        let specs = all.filter_map(|it| it.pointer("/spec/template/spec").cloned());
        specs.collect()
    }

    #[test]
    fn a_quota_takes_every_container_and_each_pod_has_the_pull_secrets_of_the_stack() {
        let pods = pods("imagePullSecrets: [{name: registry}]");
        assert_eq!(pods.len(), 2);
        for pod in pods {
            assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
            let lists = ["containers", "initContainers"].map(|it| pod[it].as_array().cloned());
            for container in lists.into_iter().flatten().flatten() {
                for part in ["requests", "limits"] {
                    let amounts = &container["resources"][part];
                    assert!(amounts["cpu"].is_string() && amounts["memory"].is_string());
                }
            }
        }
    }

    #[test]
    fn in_an_external_database_no_role_is_made_and_sessions_begin_read_only() {
        let external = "database: {external: {secretName: s}}";
        let options = |fields: &str| {
            let pods = pods(&format!("{external}, {fields}"));
            assert!(pods[0]["initContainers"].is_null());
            let env = pods[0]["containers"][0]["env"].as_array().cloned();
            let mut env = env.into_iter().flatten();
            env.any(|it| it["name"] == "PGOPTIONS")
        };
        assert!(options("tools: {adminer: true}"));
        assert!(!options("tools: {adminerAccess: ReadWrite}"));
    }

    #[test]
    fn a_stack_that_sleeps_has_none() {
        assert!(pods("hibernate: true").is_empty());
    }
}
