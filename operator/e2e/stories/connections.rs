//! Connections that last: a socket, a stream of events and a large upload through the edge, also while a release turns visitors to
//! other pods. What is open goes on until the old pod's time to end is over.

use std::time::{Duration, Instant};

use reqwest::Upgraded;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};

use crate::support::{NOWHERE, SOON, Visitor, World, release, story};

/// How long an old pod has to end, in seconds.
const GRACE: u64 = 12;
/// An upload that no proxy keeps in memory.
const LARGE: usize = 64 * 1024 * 1024;
/// How long an event may be on its way: a proxy that kept them back would send many at once.
const PROMPT: Duration = Duration::from_secs(2);

/// An API that is a script: it echoes what comes over a socket, tells events without end, and counts what is uploaded. When it is told
/// to end it takes nobody in any more, and waits for those that it has.
const LASTING: &str = r#"
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: "18"
  rollout: {soak: 1s}
  database: {external: {secretName: nowhere}}
  backend:
    image: docker.io/library/postgres
    healthPath: /
    env:
      - {name: WORD, value: one}
    podTemplate:
      spec:
        terminationGracePeriodSeconds: 12
        securityContext: {runAsUser: 999}
        containers:
          - name: backend
            command:
              - perl
              - -MIO::Socket::INET
              - -e
              - |
                my $ending = 0;
                my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die $!;
                $SIG{CHLD} = "IGNORE";
                $SIG{TERM} = sub { $ending = 1; close $server };
                while (!$ending) {
                  my $client = $server->accept or next;
                  next if fork;
                  my ($asked, %said) = (scalar <$client>);
                  while (<$client>) { last if /^\r?$/; $said{lc $1} = $2 if /^([^:]+): *(.*?)\r?$/ }
                  $client->autoflush(1);
                  if (lc($said{upgrade} || "") eq "websocket") {
                    print $client "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
                    while (my $line = <$client>) { print $client "$ENV{WORD} $line" }
                  } elsif ($asked =~ m{^GET /events }) {
                    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                    while (print $client "data: $ENV{WORD}\n\n") { select undef, undef, undef, 0.1 }
                  } else {
                    my $got = 0;
                    while ($got < ($said{"content-length"} || 0)) { $got += read($client, my $bytes, 65536) || last }
                    my $length = length $got;
                    print $client "HTTP/1.1 200 OK\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$got";
                  }
                  exit;
                }
                1 while wait != -1;
"#;

#[test]
fn what_is_open_outlives_a_release_until_the_old_pod_ends() {
    story("connections", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world.document(LASTING);
        world.apply(&stack).await;
        let first = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.reads(world, &visitor.api).await;

        let mut socket = Socket::open(&visitor).await;
        assert_eq!(socket.says("hello").await, Some("one hello".into()));
        let events = tokio::spawn(listens(visitor.clone()));
        let got = visitor.uploads(&visitor.api, vec![b'x'; LARGE]).await;
        assert_eq!(got.unwrap(), LARGE.to_string());

        let next = stack.with("spec: {backend: {env: [{name: WORD, value: two}]}}");
        world.apply(&next).await;
        world.ready_with_release_other_than("shop", &first).await;
        let turned = Instant::now();
        assert_eq!(
            socket.says("still here").await,
            Some("one still here".into())
        );
        speaks_to_another(world, &visitor).await;
        let mut last = turned.elapsed();
        while socket.says("and now").await.is_some() {
            last = turned.elapsed();
        }
        let limit = Duration::from_secs(GRACE) + SOON;
        assert!(last < limit, "the old pod answered for {last:?}");
        let (told, words) = events.await.unwrap();
        assert!(told > 20, "{told} events");
        assert_eq!(words, ["data: one"]);
    });
}

/// Who comes anew comes to the new pods.
async fn speaks_to_another(world: &World, visitor: &Visitor) {
    world
        .until("a new socket leads to the new release", SOON, async || {
            let mut socket = Socket::open(visitor).await;
            let answer = socket.says("hello").await?;
            (answer == "two hello").then_some(())
        })
        .await;
}

/// Listens to events until they end: how many came, and which.
async fn listens(visitor: Visitor) -> (usize, Vec<String>) {
    let url = format!("{}/events", visitor.api);
    let mut answer = visitor.listens_to(&url).await.unwrap();
    let (mut told, mut words) = (0, Vec::new());
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(PROMPT, answer.chunk()).await {
        for line in String::from_utf8_lossy(&chunk).lines() {
            if !line.is_empty() && !words.iter().any(|it| it == line) {
                words.push(line.to_owned());
            }
        }
        told += 1;
    }
    (told, words)
}

/// A socket of a visitor.
struct Socket(BufStream<Upgraded>);

impl Socket {
    async fn open(visitor: &Visitor) -> Self {
        let answer = visitor.asks_for_socket(&visitor.api).await.unwrap();
        assert_eq!(answer.status(), 101);
        Self(BufStream::new(answer.upgrade().await.unwrap()))
    }

    /// What comes back; nothing if it is closed.
    async fn says(&mut self, line: &str) -> Option<String> {
        self.0
            .write_all(format!("{line}\n").as_bytes())
            .await
            .ok()?;
        self.0.flush().await.ok()?;
        let mut answer = String::new();
        self.0.read_line(&mut answer).await.ok()?;
        let answer = answer.trim_end();
        (!answer.is_empty()).then(|| answer.to_owned())
    }
}
