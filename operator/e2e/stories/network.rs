//! Who may talk to whom, on a network that enforces it: every pair of parts, pods of others, outside, and the address where clouds hand out
//! credentials. What the spec lists holds at once.
//!
//! A connection that is denied is a time-out, and so is one to nobody: each place that somebody may not reach is reached by somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use local_cluster::state::Kind;

use crate::support::{Document, ROLL_OUT, SOON, World, parse, release, story};

/// A site, an API and a worker that answer at their ports; the API at one more, which is nobody's but its own pods'.
const PARTS: &str = r#"
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: "18"
  backend:
    image: docker.io/library/postgres
    runAsUser: 999
    healthPath: /
    command: &server
      - perl
      - -MIO::Socket::INET
      - -e
      - |
        $SIG{TERM} = sub { exit };
        my @ports = split / /, $ENV{PORTS};
        while (@ports > 1) { last if !fork; shift @ports }
        my $server = IO::Socket::INET->new(LocalPort => $ports[0], Listen => 50, ReuseAddr => 1) or die $!;
        while (1) {
          my $client = $server->accept or next;
          while (<$client>) { last if /^\r?$/ }
          print $client "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
          close $client;
        }
    env: [{name: PORTS, value: "9090 8000"}]
  jobs:
    - name: mails
      command: *server
      podTemplate: {spec: {containers: [{name: mails, env: [{name: PORTS, value: "8000"}]}]}}
  frontend:
    image: docker.io/library/postgres
    runAsUser: 999
    command: *server
    podTemplate: {spec: {containers: [{name: frontend, env: [{name: PORTS, value: "8080"}]}]}}
"#;

/// A pod that is no part of any stack.
const FOREIGNER: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: foreigner
  labels: {app: foreigner}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: foreigner
      image: docker.io/library/postgres:18
      command:
        - perl
        - -MIO::Socket::INET
        - -e
        - |
          my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die $!;
          while (1) { my $client = $server->accept or next; close $client }
      readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

/// A pod of the node that gives it the address of a metadata service, and answers there, until it is told to end.
const METADATA: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: metadata
spec:
  hostNetwork: true
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 2
  containers:
    - name: metadata
      image: docker.io/library/postgres:18
      securityContext: {runAsUser: 0, capabilities: {add: [NET_ADMIN]}}
      readinessProbe: {exec: {command: [test, -e, /tmp/listens]}, periodSeconds: 1}
      command:
        - perl
        - -MIO::Socket::INET
        - -e
        - |
          # SIOCSIFADDR, SIOCSIFNETMASK and SIOCSIFFLAGS of a second address of the loopback.
          socket(my $any, 2, 2, 0) or die $!;
          my $set = sub { ioctl $any, $_[0], pack "Z16 S n a4 x16", "lo:1", 2, 0, pack("C4", @_[1..4]) };
          $set->(0x8916, 169, 254, 169, 254) or die $!;
          $set->(0x891c, 255, 255, 255, 255) or die $!;
          $SIG{TERM} = sub { ioctl $any, 0x8914, pack "Z16 s x22", "lo:1", 0; exit };
          my $server = IO::Socket::INET->new(
            LocalAddr => "169.254.169.254", LocalPort => 80, Listen => 50, ReuseAddr => 1) or die $!;
          open my $file, ">", "/tmp/listens";
          while (1) { my $client = $server->accept or next; close $client }
"#;

/// Tries all of its arguments at once, and prints those that answer and those that refuse. What is not printed is a time-out.
const TRY: &str = r#"
for (@ARGV) {
  next if fork;
  alarm 2;
  my $peer = IO::Socket::INET->new(PeerAddr => $_);
  print "$_ ", ($peer ? "open" : "$!"), "\n";
  exit;
}
1 while wait > 0;
"#;

/// Who tries, in the order of the columns of the tables.
const CALLERS: [&str; 6] = ["api", "site", "worker", "db", "neighbour", "stranger"];

/// Where to, and who gets there, while nothing is said of what the application may call.
const OPEN: [(&str, [u8; 6]); 10] = [
    ("api", *b"YYY.YY"),
    ("api by its Service", *b"YYY.YY"),
    ("api, another port", *b"Y....."),
    ("site", *b"YYY.YY"),
    ("worker", *b"..Y..."),
    ("db", *b"Y.YY.."),
    ("neighbour", *b"YYY.YY"),
    ("stranger", *b"YYY.YY"),
    ("API server", *b"YYY.YY"),
    ("metadata", *b"....YY"),
];

/// The same while it may call nothing.
const SHUT: [(&str, [u8; 6]); 10] = [
    ("api", *b"YYY.YY"),
    ("api by its Service", *b"YYY.YY"),
    ("api, another port", *b"Y....."),
    ("site", *b".Y..YY"),
    ("worker", *b"..Y..."),
    ("db", *b"Y.YY.."),
    ("neighbour", *b"....YY"),
    ("stranger", *b"....YY"),
    ("API server", *b"....YY"),
    ("metadata", *b"....YY"),
];

/// The same while it may call the pods of another namespace and the address of the metadata service.
const LISTED: [(&str, [u8; 6]); 10] = [
    ("api", *b"YYY.YY"),
    ("api by its Service", *b"YYY.YY"),
    ("api, another port", *b"Y....."),
    ("site", *b".Y..YY"),
    ("worker", *b"..Y..."),
    ("db", *b"Y.YY.."),
    ("neighbour", *b"....YY"),
    ("stranger", *b"YYY.YY"),
    ("API server", *b"....YY"),
    ("metadata", *b"YYY.YY"),
];

#[test]
fn each_part_reaches_what_it_needs_and_what_the_spec_lists_and_nothing_else() {
    story("network", async |world| {
        let stack = world.document(PARTS);
        world.apply(&stack).await;
        let beside = world.beside().await;
        let [neighbour, stranger] = [world, &beside].map(foreigner);
        let ((), ()) = futures::join!(neighbour, stranger);
        let has_metadata = answers_as_metadata(&beside).await;
        let served = release(&world.ready("shop").await).to_owned();
        let before = pods(world).await;
        let matrix = Matrix::of(world, &beside, has_metadata).await;
        matrix.is(world, "nothing said", OPEN).await;

        // The node reaches site and API through the edge, whatever they may call.
        let visitor = world.visitor("shop").await;
        world.apply(&stack.with("spec: {egress: []}")).await;
        matrix.is(world, "egress: []", SHUT).await;
        for url in [&visitor.api, &visitor.site] {
            visitor.reads(world, url).await;
        }

        let listed = format!(
            "spec: {{egress: [{{namespace: {}, pods: {{app: foreigner}}, ports: [8000]}}, {{cidr: 169.254.169.254/32, ports: [80]}}]}}",
            beside.namespace
        );
        world.apply(&stack.with(&listed)).await;
        matrix.is(world, "two entries", LISTED).await;

        world.apply(&stack).await;
        matrix.is(world, "nothing said any more", OPEN).await;
        assert_eq!(pods(world).await, before);
        assert_eq!(release(&world.ready("shop").await), served);
    });
}

/// Who tries to reach whom.
struct Matrix<'a> {
    /// The pods that try, in the order of [`CALLERS`].
    callers: Vec<(&'a World, String)>,
    /// The addresses of the places, by their titles.
    places: BTreeMap<&'static str, String>,
    /// Whether somebody answers as the metadata service. Where nobody does, those whom no policy holds are not asked.
    has_metadata: bool,
}

impl<'a> Matrix<'a> {
    async fn of(world: &'a World, beside: &'a World, has_metadata: bool) -> Self {
        let mut callers = Vec::new();
        let mut addresses = Vec::new();
        for component in ["backend", "frontend", "job", "database"] {
            let pod = world.pods("shop", component).await.remove(0);
            addresses.push(address(&pod));
            callers.push((world, pod.name_any()));
        }
        for world in [world, beside] {
            let pod = world.api::<Pod>().get("foreigner").await.unwrap();
            addresses.push(address(&pod));
            callers.push((world, pod.name_any()));
        }
        let at = |caller: usize, port: u16| format!("{}:{port}", addresses[caller]);
        let service = format!("shop-backend.{}:80", world.namespace);
        let places = [
            ("api", at(0, 8000)),
            ("api by its Service", service),
            ("api, another port", at(0, 9090)),
            ("site", at(1, 8080)),
            ("worker", at(2, 8000)),
            ("db", at(3, 5432)),
            ("neighbour", at(4, 8000)),
            ("stranger", at(5, 8000)),
            ("API server", "kubernetes.default:443".to_owned()),
            ("metadata", "169.254.169.254:80".to_owned()),
        ];
        Self {
            callers,
            places: places.into(),
            has_metadata,
        }
    }

    /// Waits until everybody reaches whom they may, and prints the table while they do not.
    async fn is(&self, world: &World, when: &str, wanted: [(&'static str, [u8; 6]); 10]) {
        world
            .until(&format!("the network is as wanted: {when}"), SOON * 4, async || {
                let (table, is_right) = self.compared(&self.tried().await, wanted);
                if !is_right {
                    eprintln!("{when}: who reaches whom (Y: yes, .: no; where it should not be so: !)\n{table}");
                }
                is_right.then_some(())
            })
            .await;
    }

    /// The places that each caller reaches.
    async fn tried(&self) -> Vec<BTreeSet<String>> {
        let each = self.callers.iter().map(async |(world, pod)| {
            let mut words = vec![
                "exec",
                pod.as_str(),
                "--",
                "perl",
                "-MIO::Socket::INET",
                "-e",
                TRY,
            ];
            words.extend(self.places.values().map(String::as_str));
            let said = world.kubectl(&words).await;
            let open = said.lines().filter_map(|it| it.strip_suffix(" open"));
            open.map(str::to_owned).collect()
        });
        join_all(each).await
    }

    /// The table, and whether it is as wanted.
    fn compared(
        &self,
        reached: &[BTreeSet<String>],
        wanted: [(&'static str, [u8; 6]); 10],
    ) -> (String, bool) {
        let mut table = format!("{:20}", "");
        for caller in CALLERS {
            write!(table, "{caller:>11}").unwrap();
        }
        let mut is_right = true;
        for (place, wanted) in wanted {
            write!(table, "\n{place:20}").unwrap();
            for (caller, wanted) in wanted.into_iter().enumerate() {
                let is_open = reached[caller].contains(&self.places[place]);
                let is_held = caller < 4;
                let is_known =
                    place != "metadata" || self.has_metadata || (is_held && wanted == b'.');
                let is_as_wanted = !is_known || is_open == (wanted == b'Y');
                is_right &= is_as_wanted;
                let cell = format!(
                    "{}{}",
                    if is_open { "Y" } else { "." },
                    if is_as_wanted { "" } else { "!" }
                );
                write!(table, "{cell:>11}").unwrap();
            }
        }
        (table, is_right)
    }
}

/// Runs a pod that is no part of the stack.
async fn foreigner(world: &World) {
    runs(world, FOREIGNER).await;
}

/// Has the node answer as a metadata service, where pods reach the addresses of the node through what judges them. The nodes of kind are not so,
/// and are left alone.
async fn answers_as_metadata(beside: &World) -> bool {
    let state = beside.cluster.home().state().unwrap();
    if state.kind == Kind::Docker {
        return false;
    }
    let label = "pod-security.kubernetes.io/enforce=privileged";
    beside
        .kubectl(&[
            "label",
            "namespace",
            &beside.namespace,
            "--overwrite",
            label,
        ])
        .await;
    runs(beside, METADATA).await;
    true
}

/// Runs a pod and waits until it is ready.
async fn runs(world: &World, manifest: &str) {
    let pod = Document(parse(manifest));
    let name = pod.name();
    // The namespace is new: a pod is refused until its default ServiceAccount is there.
    world
        .until(&format!("the pod {name} is made"), ROLL_OUT, async || {
            let params = PatchParams::apply("a-user");
            let pods = world.api::<Pod>();
            pods.patch(name, &params, &Patch::Apply(&pod.0)).await.ok()
        })
        .await;
    world
        .until(&format!("the pod {name} is ready"), ROLL_OUT, async || {
            let pod = world.api::<Pod>().get(name).await.unwrap();
            let conditions = pod.status?.conditions?;
            let mut ready = conditions.iter().filter(|it| it.type_ == "Ready");
            ready.any(|it| it.status == "True").then_some(())
        })
        .await;
}

/// The pods of the stack, and how often their containers were started.
async fn pods(world: &World) -> BTreeSet<(String, i32)> {
    let lasting = "appstack.dev/stack=shop,app.kubernetes.io/component!=role";
    let pods = world.list::<Pod>(lasting).await;
    let starts = |it: &Pod| {
        let status = it.status.as_ref();
        let containers = status.and_then(|it| it.container_statuses.as_ref());
        containers
            .into_iter()
            .flatten()
            .map(|it| it.restart_count)
            .sum()
    };
    pods.iter().map(|it| (it.name_any(), starts(it))).collect()
}

fn address(pod: &Pod) -> String {
    pod.status
        .as_ref()
        .and_then(|it| it.pod_ip.clone())
        .unwrap()
}
