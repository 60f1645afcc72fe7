//! The stacks of the stories, as users write them, and how a story changes one.

use serde_json::Value;

/// A site with an API: every stage of a roll-out, with the demo's images.
pub(crate) const SHOP: &str = "
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: dev
  projectName: Shop
  backend:
    image: ghcr.io/appstack-dev/demo-backend
    migrate:
      args: [migrate]
    seed:
      args: [seed]
  frontend:
    image: ghcr.io/appstack-dev/demo-frontend
";

/// An API alone: database, migration, backend and edge.
pub(crate) const API: &str = "
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: dev
  backend:
    image: ghcr.io/appstack-dev/demo-backend
    migrate:
      args: [migrate]
";

/// A site and an API that are shell scripts, so that a story decides how long each part takes. The image is the one of
/// the database, which has a shell; it needs no database, so that it starts fast, and refers to the Secret `nowhere`.
pub(crate) const SCRIPTED: &str = r#"
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: "18"
  database:
    external:
      secretName: nowhere
  backend:
    image: docker.io/library/postgres
    healthPath: /
    migrate:
      command: [sh, -c, sleep 3]
    podTemplate:
      spec:
        securityContext: {runAsUser: 999}
        containers:
          - name: backend
            command: &server
              - perl
              - -MIO::Socket::INET
              - -e
              - |
                sleep 3;
                $SIG{TERM} = sub { exit };
                my $port = $ENV{PORT} || 8000;
                my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 50, ReuseAddr => 1) or die $!;
                while (1) {
                  my $client = $server->accept or next;
                  while (<$client>) { last if /^\r?$/ }
                  print $client "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
                  close $client;
                }
  frontend:
    image: docker.io/library/postgres
    podTemplate:
      spec:
        securityContext: {runAsUser: 999}
        containers:
          - name: frontend
            command: *server
            env:
              - {name: PORT, value: "8080"}
"#;

/// An API that is a script, which says the word that it is told and ends as it is told to: a story decides how a release
/// fares. Like [`SCRIPTED`] it refers to the Secret `nowhere`.
pub(crate) const FATED: &str = r#"
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: "18"
  rollout:
    soak: 5s
    progressDeadline: 20s
    publicCheck: {timeout: 20s}
  database:
    external:
      secretName: nowhere
  backend:
    image: docker.io/library/postgres
    healthPath: /
    env:
      - {name: WORD, value: one}
    podTemplate:
      spec:
        securityContext: {runAsUser: 999}
        containers:
          - name: backend
            command:
              - perl
              - -MIO::Socket::INET
              - -e
              - |
                $| = 1;
                my $fate = $ENV{FATE} || "";
                my ($visits, $since) = (0, 0);
                $SIG{TERM} = sub { exit };
                if ($fate eq "exits") { print "cannot find the soul of $ENV{SECRET_KEY}\n"; exit 3 }
                my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die $!;
                if ($fate eq "crashes") { $SIG{ALRM} = sub { print "out of luck\n"; exit 4 }; alarm 3 }
                while (1) {
                  my $client = $server->accept or next;
                  my $asked = <$client>;
                  my ($host, $routed) = ("", 0);
                  while (<$client>) {
                    last if /^\r?$/;
                    $host = $1 if /^host: *(\S+)/i;
                    $routed = 1 if /^x-forwarded-for:/i;
                  }
                  $visits += $routed;
                  my $status = $fate eq "unready" ? "503 Not yet" : "200 OK";
                  $status = "500 Lost" if $fate eq "lost" && $host =~ /^api[.]/;
                  $status = "500 Astray" if $fate eq "astray" && $routed;
                  $status = "500 Weary" if $fate eq "weary" && $routed && $visits > 2;
                  if ($fate eq "tardy" && $routed && $asked =~ m{ /checked }) {
                    $since ||= time;
                    $status = "503 Soon" if time < $since + 5;
                  }
                  my $text = "$ENV{WORD} $ENV{SECRET_KEY}";
                  my $length = length $text;
                  print $client "HTTP/1.1 $status\r\nContent-Length: $length\r\nConnection: close\r\n\r\n$text";
                  close $client;
                }
"#;

/// An API that is a script. It answers 200 at `/` alone. Like [`SCRIPTED`] it refers to the Secret `nowhere`.
pub(crate) const PICKY: &str = r#"
apiVersion: appstack.dev/v1alpha1
kind: AppStack
metadata:
  name: shop
spec:
  environment: local
  domain: $domain
  version: "18"
  rollout: {soak: 1s, progressDeadline: 2m, onFailure: Hold}
  database: {external: {secretName: nowhere}}
  backend:
    image: docker.io/library/postgres
    healthPath: /
    podTemplate:
      spec:
        securityContext: {runAsUser: 999}
        containers:
          - name: backend
            command:
              - perl
              - -MIO::Socket::INET
              - -e
              - |
                $SIG{TERM} = sub { exit };
                my @heavy = ("x") x ($ENV{HEAVY} || 0);
                my $server = IO::Socket::INET->new(
                  LocalAddr => $ENV{HOST} || "0.0.0.0", LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die $!;
                while (1) {
                  my $client = $server->accept or next;
                  my $asked = <$client>;
                  while (<$client>) { last if /^\r?$/ }
                  my $status = $asked =~ m{^GET / } ? "200 OK" : "404 Nowhere";
                  print $client "HTTP/1.1 $status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                  close $client;
                }
"#;

/// The Secret `nowhere`, which a stack of scripts refers to: a database that nobody asks for anything, not even the operator, as
/// the pods of the application have it to themselves.
pub(crate) const NOWHERE: &str = "{host: localhost, dbname: d, user: u, password: secret}";

/// A manifest.
#[derive(Clone, Debug)]
pub(crate) struct Document(pub(crate) Value);

impl Document {
    /// A manifest from YAML, in which `$domain` stands for the domain of the story.
    pub(crate) fn new(yaml: &str, domain: &str) -> Self {
        Self(parse(&yaml.replace("$domain", domain)))
    }

    /// The same with changes, merged as `kubectl patch --type=merge` does: null removes a field.
    pub(crate) fn with(&self, yaml: &str) -> Self {
        let mut value = self.0.clone();
        json_patch::merge(&mut value, &parse(yaml));
        Self(value)
    }

    /// The same under another name and below the domain of that name.
    pub(crate) fn named(&self, name: &str) -> Self {
        let domain = self.0["spec"]["domain"].as_str().unwrap();
        self.with(&format!(
            "{{metadata: {{name: {name}}}, spec: {{domain: {name}.{domain}}}}}"
        ))
    }

    /// The name of the object.
    pub(crate) fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap()
    }
}

pub(crate) fn parse(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("no YAML: {error}\n{yaml}"))
}
