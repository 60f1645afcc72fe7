//! The failures, in the order of the page: what is wrong with the spec, what is wrong with what it refers to, what does not come up,
//! what does not fit the cluster, and what is meant so.

use appstack_operator::api::Reason;
use serde_json::{Value, json};

use super::Failure;
use crate::support::World;

/// What is there before the fault.
pub(super) enum Before {
    /// The Secret that each of these stacks refers to.
    Nothing,
    /// Other objects too.
    Objects(fn(&World) -> Vec<Value>),
    /// Another stack that serves this domain.
    Neighbour(&'static str),
    /// A release that serves.
    Serving,
}

/// What alembic prints of a migration that fails, printed by a shell: no image of the stories has Python.
const TRACEBACK: &str = r#"spec:
  backend:
    migrate:
      retries: 0
      command:
        - sh
        - -c
        - |
          cat >&2 <<'END'
          INFO  [alembic.runtime.migration] Running upgrade  -> 851f746e365c, prices
          Traceback (most recent call last):
            File "/usr/lib/python3.11/site-packages/sqlalchemy/engine/base.py", line 2351, in _handle_dbapi_exception
              raise sqlalchemy_exception.with_traceback(exc_info[2]) from e
            File "/usr/lib/python3.11/site-packages/sqlalchemy/engine/default.py", line 1192, in do_execute
              cursor.execute(statement, parameters)
          sqlalchemy.exc.ProgrammingError: (psycopg.errors.UndefinedTable) relation "items" does not exist
          [SQL: ALTER TABLE items ADD COLUMN price int]
          (Background on this error at: https://sqlalche.me/e/20/f405)
          END
          exit 1"#;

/// A program in place of the API.
macro_rules! runs {
    ($script:literal) => {
        concat!(
            "spec:\n  backend:\n    podTemplate:\n      spec:\n        containers:\n          - name: backend\n            command: [sh, -c, '",
            $script,
            "']"
        )
    };
}

fn quota(_: &World) -> Vec<Value> {
    vec![json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limits"},
        "spec": {"hard": {"limits.cpu": "4", "limits.memory": "4Gi"}},
    })]
}

fn key_of_bytes(_: &World) -> Vec<Value> {
    vec![json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"SECRET_KEY": "/wD/"},
    })]
}

fn nobody(_: &World) -> Vec<Value> {
    vec![json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-database"},
        "stringData": {"host": "db.data.svc.cluster.local", "dbname": "shop", "user": "shop", "password": "secret"},
    })]
}

/// A certificate for the hosts of the stack that was valid for a day in 2001.
fn expired(world: &World) -> Vec<Value> {
    let domain = world.domain();
    let hosts = [format!("dashboard.{domain}"), format!("api.{domain}")];
    let mut params = rcgen::CertificateParams::new(hosts).expect("names of hosts");
    params.not_before = rcgen::date_time_ymd(2001, 2, 3);
    params.not_after = rcgen::date_time_ymd(2001, 2, 4);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    vec![json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate.pem(), "tls.key": key.serialize_pem()},
    })]
}

/// All of them.
pub(super) const FAILURES: [Failure; 26] = [
    Failure {
        name: "field",
        title: "`podTemplate` has a field that Kubernetes does not know",
        before: Before::Nothing,
        fault: "spec: {backend: {podTemplate: {spec: {nodeselector: {disk: fast}}}}}",
        condition: "Accepted",
        reason: Reason::Invalid,
        words: "nodeselector",
        remedy: "Write the field as the message says; nothing was changed.",
    },
    Failure {
        name: "secret",
        title: "A Secret that the spec names is not there",
        before: Before::Nothing,
        fault: "spec: {secrets: {from: [{name: shop-secrets}]}}",
        condition: "Accepted",
        reason: Reason::Invalid,
        words: "shop-secrets",
        remedy: "Make the Secret, or correct its name; the roll-out goes on by itself.",
    },
    Failure {
        name: "key",
        title: "A key is missing in a Secret",
        before: Before::Nothing,
        fault: "spec: {backend: {env: [{name: API_KEY, valueFrom: {secretKeyRef: {name: nowhere, key: api-key}}}]}}",
        condition: "Accepted",
        reason: Reason::Invalid,
        words: "api-key",
        remedy: "Add the key to the Secret, or correct its name; the roll-out goes on by itself.",
    },
    Failure {
        name: "bytes",
        title: "A value is not text",
        before: Before::Objects(key_of_bytes),
        fault: "# SECRET_KEY of Secret keys is made of random bytes.
spec: {secrets: {from: [{name: keys}]}}",
        condition: "Accepted",
        reason: Reason::Invalid,
        words: "is not text",
        remedy: "Store the value as text; no other one takes its place.",
    },
    Failure {
        name: "expired",
        title: "The certificate has expired",
        before: Before::Objects(expired),
        fault: "spec: {edge: {tls: {secretName: own}}}",
        condition: "Accepted",
        reason: Reason::Invalid,
        words: "expired",
        remedy: "Renew the certificate in its Secret; the roll-out goes on by itself.",
    },
    Failure {
        name: "host",
        title: "Another stack has the host",
        before: Before::Neighbour("shop.example.com"),
        fault: "# AppStack other serves shop.example.com.
spec: {domain: shop.example.com}",
        condition: "Accepted",
        reason: Reason::HostConflict,
        words: "belongs to AppStack",
        remedy: "Give one of the two another `domain`, or delete it; the host comes over by itself.",
    },
    Failure {
        name: "server",
        title: "The external database is not there",
        before: Before::Objects(nobody),
        fault: "# Secret shop-database has the host db.data.svc.cluster.local.
spec:
  database: {external: {secretName: shop-database}}
  backend: {migrate: {command: ['true']}}
  rollout: {progressDeadline: 10s}",
        condition: "DatabaseReady",
        reason: Reason::DatabaseUnreachable,
        words: "no server of the name",
        remedy: "Correct the key that the message names in the Secret; nothing of the release ran yet.",
    },
    Failure {
        name: "tag",
        title: "The image cannot be pulled",
        before: Before::Nothing,
        fault: "spec: {version: no-such-version}",
        condition: "BackendReady",
        reason: Reason::ImagePullFailed,
        words: "cannot pull",
        remedy: "Correct `image` or `version`, push the image, or let the nodes reach the registry: the end of the message says which.",
    },
    Failure {
        name: "root",
        title: "The image runs as root",
        before: Before::Nothing,
        fault: "spec: {backend: {image: 'docker.io/library/traefik:v3.6.12', podTemplate: {spec: {securityContext: {runAsUser: null}}}}}",
        condition: "BackendReady",
        reason: Reason::ImageRunsAsRoot,
        words: "runAsNonRoot: false",
        remedy: "Give the image a numeric USER, or name the user as the message says.",
    },
    Failure {
        name: "command",
        title: "The command is not in the image",
        before: Before::Nothing,
        fault: "spec: {backend: {podTemplate: {spec: {containers: [{name: backend, command: [gunicron, app]}]}}}}",
        condition: "BackendReady",
        reason: Reason::ContainerConfigInvalid,
        words: "3 time(s)",
        remedy: "Correct the command.",
    },
    Failure {
        name: "starts",
        title: "The program ends at its start",
        before: Before::Nothing,
        fault: runs!("echo \"Error: PORT must be set\" >&2; exit 3"),
        condition: "BackendReady",
        reason: Reason::ContainerCrashing,
        words: "3 time(s)",
        remedy: "Read what it said; here it wants a variable: `backend.env`.",
    },
    Failure {
        name: "files",
        title: "The program writes where it may not",
        before: Before::Nothing,
        fault: runs!("echo 1 > /srv/pid"),
        condition: "BackendReady",
        reason: Reason::ContainerCrashing,
        words: "3 time(s)",
        remedy: "Let it write to `/tmp`, or name the folder in `backend.writablePaths`.",
    },
    Failure {
        name: "init",
        title: "An init container fails",
        before: Before::Nothing,
        fault: "spec:
  backend:
    podTemplate:
      spec:
        initContainers:
          - name: licence
            image: docker.io/library/postgres:18
            command: [sh, -c, 'echo \"error: no answer from licence.example.com\" >&2; exit 1']
            securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
        condition: "BackendReady",
        reason: Reason::ContainerCrashing,
        words: "3 time(s)",
        remedy: "The message names the container and what it said.",
    },
    Failure {
        name: "memory",
        title: "The program needs more memory than it may have",
        before: Before::Nothing,
        fault: "spec: {backend: {env: [{name: HEAVY, value: '30000000'}], resources: {limits: {memory: 64Mi}}}}",
        condition: "BackendReady",
        reason: Reason::OutOfMemory,
        words: "3 time(s)",
        remedy: "Raise `backend.resources.limits.memory`, or find the leak.",
    },
    Failure {
        name: "path",
        title: "The health path answers 404",
        before: Before::Nothing,
        fault: "spec: {backend: {healthPath: /nope}}",
        condition: "BackendReady",
        reason: Reason::ProbeFailing,
        words: "answered 404",
        remedy: "Correct `backend.healthPath`.",
    },
    Failure {
        name: "listens",
        title: "The program listens on 127.0.0.1 alone",
        before: Before::Nothing,
        fault: "spec: {backend: {env: [{name: HOST, value: 127.0.0.1}]}}",
        condition: "BackendReady",
        reason: Reason::ProbeFailing,
        words: "127.0.0.1 alone",
        remedy: "Let it listen on `0.0.0.0`.",
    },
    Failure {
        name: "traceback",
        title: "The migration fails with a traceback",
        before: Before::Nothing,
        fault: TRACEBACK,
        condition: "MigrationReady",
        reason: Reason::JobFailed,
        words: "UndefinedTable",
        remedy: "Correct the migration and release again; no pod of the new release was made.",
    },
    Failure {
        name: "migrate",
        title: "The migration's command is not in the image",
        before: Before::Nothing,
        fault: "spec: {backend: {migrate: {retries: 0, command: [alembicc, upgrade, head]}}}",
        condition: "MigrationReady",
        reason: Reason::JobFailed,
        words: "executable file not found",
        remedy: "Correct `backend.migrate.command`.",
    },
    Failure {
        name: "long",
        title: "The migration takes longer than it may",
        before: Before::Nothing,
        fault: "spec: {backend: {migrate: {timeout: 5s, command: [sh, -c, 'echo adding an index; sleep 60']}}}",
        condition: "MigrationReady",
        reason: Reason::JobDeadlineExceeded,
        words: "longer than 5s",
        remedy: "Raise `backend.migrate.timeout`.",
    },
    Failure {
        name: "password",
        title: "The database refuses the password",
        before: Before::Nothing,
        fault: "spec:
  database: null
  backend:
    migrate:
      retries: 0
      command: [sh, -c, 'PGPASSWORD=guessed psql -h $POSTGRES_SERVER -U $POSTGRES_USER -c \"select 1\" $POSTGRES_DB']",
        condition: "MigrationReady",
        reason: Reason::JobFailed,
        words: "password authentication failed",
        remedy: "Let the program read POSTGRES_PASSWORD or DATABASE_URL.",
    },
    Failure {
        name: "quota",
        title: "A quota refuses the pods",
        before: Before::Objects(quota),
        fault: "# In the namespace is a ResourceQuota that counts limits.cpu and limits.memory.
spec: {backend: {resources: null}}",
        condition: "BackendReady",
        reason: Reason::PodsRefused,
        words: "must specify limits.cpu",
        remedy: "Give `resources.limits`, or raise the quota.",
    },
    Failure {
        name: "nodes",
        title: "No node has room",
        before: Before::Nothing,
        fault: "spec: {backend: {resources: {requests: {cpu: '1000'}}}}",
        condition: "BackendReady",
        reason: Reason::Unschedulable,
        words: "Insufficient cpu",
        remedy: "Lower `backend.resources.requests`, or add nodes.",
    },
    Failure {
        name: "volume",
        title: "The storage class is not there",
        before: Before::Nothing,
        fault: "spec: {database: {external: null, embedded: {storageClassName: fast}}}",
        condition: "DatabaseReady",
        reason: Reason::Unschedulable,
        words: "fast",
        remedy: "Make the class; or, while there are no data yet, correct the spec and delete the claim.",
    },
    Failure {
        name: "back",
        title: "A new release fails, and the one before serves again",
        before: Before::Serving,
        fault: "spec: {rollout: {onFailure: Rollback}, backend: {env: [{name: HOST, value: nowhere}]}}",
        condition: "Ready",
        reason: Reason::RolledBack,
        words: "serves again",
        remedy: "Put right what the message names, and release again.",
    },
    Failure {
        name: "approval",
        title: "A new release waits for somebody",
        before: Before::Serving,
        fault: "spec: {rollout: {approval: Required}, backend: {env: [{name: GREETING, value: hello}]}}",
        condition: "Ready",
        reason: Reason::AwaitingApproval,
        words: "its images are pulled",
        remedy: "Approve it by the command of the message.",
    },
    Failure {
        name: "asleep",
        title: "Nothing runs, because nothing is to run",
        before: Before::Serving,
        fault: "spec: {hibernate: true}",
        condition: "Ready",
        reason: Reason::Hibernated,
        words: "hibernate is true",
        remedy: "Set `hibernate` to false.",
    },
];
