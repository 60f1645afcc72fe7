//! A stack on a database that is run elsewhere.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};

use crate::support::{API, Document, ROLL_OUT, World, parse, story};

/// A database that has nothing to do with any stack.
const POSTGRES: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: elsewhere
  labels: {app: elsewhere}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: postgres
      image: docker.io/library/postgres:18
      env:
        - {name: POSTGRES_USER, value: owner}
        - {name: POSTGRES_PASSWORD, value: 'p@ss/word %41'}
        - {name: POSTGRES_DB, value: goods}
        - {name: PGDATA, value: /tmp/data}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: run, mountPath: /var/run/postgresql}]
  volumes: [{name: run, emptyDir: {}}]
";
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: elsewhere}
spec: {selector: {app: elsewhere}, ports: [{port: 5433, targetPort: 5432}]}
";

#[test]
fn a_stack_serves_from_a_database_elsewhere() {
    story("external-database", async |world| {
        run_postgres(world).await;
        let stack = world
            .document(API)
            .with("spec: {database: {external: {secretName: goods}}}");

        world.apply(&stack).await;
        world
            .refuses(
                "shop",
                &["spec.database.external.secretName", "no Secret goods"],
            )
            .await;
        world
            .apply_secret(
                "goods",
                "{host: elsewhere, port: '5433', dbname: goods, user: owner}",
            )
            .await;
        world
            .refuses(
                "shop",
                &[
                    "spec.database.external.secretName",
                    "lacks the key password",
                ],
            )
            .await;

        world
            .apply_secret(
                "goods",
                "{host: elsewhere, port: '5433', dbname: goods, user: owner, password: 'p@ss/word %41'}",
            )
            .await;
        // It has no TLS, and says so before anything of the release runs.
        let words = ["Secret goods, sslmode: the server has no TLS"];
        world
            .says(
                "shop",
                "DatabaseReady",
                "DatabaseUnreachable",
                &words,
                ROLL_OUT,
            )
            .await;
        assert!(world.deployments("shop", "backend").await.is_empty());

        world
            .apply_secret(
                "goods",
                "{host: elsewhere, port: '5433', dbname: goods, user: owner, password: 'p@ss/word %41', sslmode: disable}",
            )
            .await;
        world.ready("shop").await;
        let visitor = world.visitor("shop").await;
        visitor.items(world).await;
        visitor.adds_item("Kept elsewhere").await;
        assert_eq!(visitor.items(world).await, ["Kept elsewhere"]);
        let databases = world.list::<StatefulSet>("").await;
        assert!(databases.is_empty(), "{databases:?}");
    });
}

async fn run_postgres(world: &World) {
    world.apply(&Document(parse(SERVICE))).await;
    // The namespace is new: a pod is refused until its default ServiceAccount is there.
    world
        .until("the pod of the database is made", ROLL_OUT, async || {
            let params = PatchParams::apply("a-user");
            let pods = world.api::<Pod>();
            let patch = Patch::Apply(parse(POSTGRES));
            pods.patch("elsewhere", &params, &patch).await.ok()
        })
        .await;
}
