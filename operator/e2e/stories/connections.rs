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
                    sleep 4 if $asked =~ m{^GET /slow };
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

#[test]
fn how_much_may_be_sent_and_how_long_it_may_take_holds_at_once() {
    story("connections-limits", async |world| {
        world.apply_secret("nowhere", NOWHERE).await;
        let stack = world.document(LASTING);
        world.apply(&stack).await;
        let served = release(&world.ready("shop").await).to_owned();
        let visitor = world.visitor("shop").await;
        visitor.reads(world, &visitor.api).await;
        let asker = visitor.keeps_asking_at("/");
        let slow = format!("{}/slow", visitor.api);
        assert_eq!(visitor.ask(&slow).await.unwrap().status(), 200);

        let limited =
            "spec: {edge: {maxBodySize: 1Mi, securityHeaders: true, timeouts: {response: 1s}}}";
        world.apply(&stack.with(limited)).await;
        sends(world, &visitor, 2 << 20, Some(413)).await;
        sends(world, &visitor, 1 << 20, None).await;
        slowly(world, &visitor, 504).await;
        let answer = visitor.ask(&visitor.api).await.unwrap();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "SAMEORIGIN"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
        ] {
            assert_eq!(answer.headers()[name], value);
        }
        // A socket is no answer that ends.
        let mut socket = Socket::open(&visitor).await;
        assert_eq!(socket.says("hello").await, Some("one hello".into()));
        // As the docs say: an answer that is limited is kept until its end.
        let events = format!("{}/events", visitor.api);
        let told = tokio::time::timeout(PROMPT, visitor.listens_to(&events)).await;
        assert!(told.is_err(), "events come though bodies are limited");
        // Another time needs no other object.
        let longer = "spec: {edge: {timeouts: {response: 10s}}}";
        world.apply(&stack.with(limited).with(longer)).await;
        slowly(world, &visitor, 200).await;
        world.apply(&stack).await;
        sends(world, &visitor, 2 << 20, None).await;
        world
            .until("nothing of it is left", SOON * 3, async || {
                let kinds = "middlewares,serverstransports";
                let left = world.kubectl(&["get", kinds, "--output=name"]).await;
                left.trim().is_empty().then_some(())
            })
            .await;
        asker.was_always_answered().await;
        assert_eq!(release(&world.ready("shop").await), served);
    });
}

/// A body of so many bytes is refused with this status, or counted.
async fn sends(world: &World, visitor: &Visitor, bytes: usize, refused: Option<u16>) {
    world
        .until(
            &format!("{bytes} bytes are answered"),
            SOON * 3,
            async || {
                let answer = visitor.uploads(&visitor.api, vec![b'x'; bytes]).await;
                let is_right = match (answer, refused) {
                    (Ok(counted), None) => counted == bytes.to_string(),
                    (Err(error), Some(status)) => error.status().is_some_and(|it| it == status),
                    _ => false,
                };
                is_right.then_some(())
            },
        )
        .await;
}

/// What takes four seconds is answered so.
async fn slowly(world: &World, visitor: &Visitor, wanted: u16) {
    let url = format!("{}/slow", visitor.api);
    world
        .until(&format!("{url} answers {wanted}"), SOON * 5, async || {
            let answer = visitor.ask(&url).await.ok()?;
            (answer.status() == wanted).then_some(())
        })
        .await;
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
