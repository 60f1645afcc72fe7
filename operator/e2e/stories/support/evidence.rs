//! What was there when a story failed.

use kube::ResourceExt as _;
use local_cluster::operator;

use super::World;

/// Prints the stacks, what else is in the namespace, pods with their containers, events, the operator's log, and who leads.
pub(super) async fn print(world: &World) {
    eprintln!("\n===== {} =====", world.namespace);
    show(
        world,
        "AppStacks",
        &["get", "appstacks", "--output", "yaml"],
    )
    .await;
    let all = "pods,jobs,deployments,statefulsets,services,ingresses,persistentvolumeclaims";
    show(world, "what is there", &["get", all, "--output", "wide"]).await;
    let containers = "jsonpath={range .items[*]}{.metadata.name}{'\\n'}  {.status.conditions}{'\\n'}  \
        {.status.containerStatuses}{'\\n'}{end}";
    show(
        world,
        "containers",
        &["get", "pods", "--output", containers],
    )
    .await;
    let events = ["get", "events", "--sort-by", ".metadata.creationTimestamp"];
    show(world, "events", &events).await;
    let pods = ["get", "pods", "--output", "wide"];
    show_operator(world, "the operator's pods", &pods).await;
    // One by one: kubectl gives up at the first that has not started.
    for pod in world.operators().await {
        let name = pod.name_any();
        let log = ["logs", &name, "--tail", "50"];
        show_operator(world, &format!("the log of {name}"), &log).await;
    }
    let lease = ["get", "leases", "--output", "yaml"];
    show_operator(world, "who leads", &lease).await;
}

async fn show_operator(world: &World, title: &str, words: &[&str]) {
    let there = ["--namespace", operator::NAMESPACE];
    show(world, title, &[&there, words].concat()).await;
}

async fn show(world: &World, title: &str, words: &[&str]) {
    let Ok(mut kubectl) = world.cluster.kubectl() else {
        return;
    };
    // Of two namespaces the last one counts.
    kubectl.args(["--namespace", &world.namespace]).args(words);
    let text = match kubectl.output().await {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("{}{said}", String::from_utf8_lossy(&output.stdout))
        }
        Err(error) => error.to_string(),
    };
    eprintln!("\n--- {title}\n{text}");
}
