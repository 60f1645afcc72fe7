//! Starts the program, keeps what it writes, and sees to it that it ends.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use percent_encoding::percent_decode_str;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;

/// Longer than anything here takes, unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) const ADMIN: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "the password of the first one";

/// No line that the program writes may hold one of these.
const SECRETS: [(&str, &str); 5] = [
    ("SECRET_KEY", "the key of the process tests"),
    ("SECRET_KEY_PREVIOUS", "the key before that"),
    ("FIRST_SUPERUSER_PASSWORD", PASSWORD),
    ("SMTP_PASSWORD", "the password of the mail server"),
    ("SENTRY_DSN", "http://the-key-of-sentry@127.0.0.1:1/42"),
];

/// The program with good settings. It inherits nothing.
pub(crate) fn program(database: &PgConnectOptions) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backend"));
    command
        .env_clear()
        .envs(SECRETS)
        .env("ENVIRONMENT", "production")
        .env("PROJECT_NAME", "Shop")
        .env("APP_VERSION", "v1.2.3")
        .env("FRONTEND_HOST", "https://page.example")
        .env("FIRST_SUPERUSER", ADMIN)
        .env("SMTP_USER", "mailer")
        .env("POSTGRES_SERVER", database.get_host())
        .env("POSTGRES_PORT", database.get_port().to_string())
        .env("POSTGRES_DB", database.get_database().unwrap())
        .env("POSTGRES_USER", database.get_username())
        .env("POSTGRES_PASSWORD", password())
        .env("WEB_CONCURRENCY", "2")
        // The most that anybody can make it say.
        .env("RUST_LOG", "trace");
    command
}

/// A server of the tests' own lets everybody in, and gets a password to be kept all the same.
fn password() -> String {
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    let login = url
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'));
    let password = login.and_then(|(login, _)| login.split_once(':'));
    let password = password.map_or("the password of the database", |(_, password)| password);
    percent_decode_str(password)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

#[track_caller]
pub(crate) fn assert_no_secret(text: &str) {
    let database = password();
    for secret in SECRETS
        .iter()
        .map(|(_, secret)| *secret)
        .chain([&*database, "$argon2id$"])
    {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret:?} was written");
    }
}

/// Runs a command that ends by itself. Gives whether it worked, and what it wrote.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> (ExitStatus, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_no_secret(&stdout);
    assert_no_secret(&stderr);
    (status, stdout, stderr)
}

/// A service that runs.
pub(crate) struct Service {
    child: Child,
    log: Arc<Log>,
    readers: Vec<thread::JoinHandle<()>>,
    pub(crate) port: u16,
    pub(crate) metrics_port: u16,
}

/// What the service has written so far.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

impl Service {
    /// Starts it on ports that are free.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, &[])
    }

    pub(crate) fn start_with(command: &mut Command, flags: &[&str]) -> Self {
        let mut child = command
            .args(["serve", "--port", "0", "--metrics-port", "0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Log::default());
        let readers = vec![
            log.follow(child.stdout.take().unwrap()),
            log.follow(child.stderr.take().unwrap()),
        ];
        let mut service = Self {
            child,
            log,
            readers,
            port: 0,
            metrics_port: 0,
        };
        let ready = service.wait_for_line("ready for requests");
        let port = |field: &str| {
            ready[field]
                .as_str()
                .and_then(|at| at.rsplit(':').next()?.parse().ok())
        };
        service.port = port("address").expect("no address in the log");
        service.metrics_port = port("metrics").expect("no address of the metrics in the log");
        service
    }

    /// Waits until it has written a line with this message.
    pub(crate) fn wait_for_line(&self, message: &str) -> Value {
        let find = |text: &str| {
            let mut lines = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            lines.find(|line: &Value| line["message"] == message)
        };
        let text = self.log.text.lock().unwrap();
        let wait = self
            .log
            .grown
            .wait_timeout_while(text, DEADLINE, |text| find(text).is_none());
        let (text, _) = wait.unwrap();
        find(&text).unwrap_or_else(|| panic!("no {message:?} in\n{text}"))
    }

    /// Tells it to end, as Kubernetes does.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end. Gives everything that it has written.
    pub(crate) fn end(mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("it does not end:\n{}", self.text()),
                None => thread::yield_now(),
            }
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let text = self.text();
        assert!(status.success(), "{status}:\n{text}");
        assert_no_secret(&text);
        text
    }

    fn text(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn follow(self: &Arc<Self>, output: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let log = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let mut text = log.text.lock().unwrap();
                *text += &line.unwrap();
                *text += "\n";
                log.grown.notify_all();
            }
        })
    }
}
