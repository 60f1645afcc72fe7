//! What the operator hands out is taken by the drivers that people use: each logs in to a real PostgreSQL with nothing but the
//! variables that a pod of the backend has. The drivers come from their own registries: `cargo xtask test long`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test; clippy knows only the tests themselves"
)]

#[path = "../../../app/backend/tests/support/python.rs"]
mod python;
#[path = "../../../app/backend/tests/support/server.rs"]
mod server;

use std::fs;
use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use appstack_operator::model::stack::{Connection, value};
use secrecy::ExposeSecret as _;

/// Of everything that means something in an address, a shell or a quoted word.
const PASSWORD: &str = r#"p@ss/w0rd:2024!$%#? &'"\+é"#;
/// The shell that installs and runs each program, in a copy of its folder.
const PROGRAMS: [(&str, &str); 6] = [
    (
        "python",
        "python3 -m venv v && v/bin/pip install -q -r requirements.txt && v/bin/python main.py",
    ),
    ("go", "go run ."),
    (
        "node",
        "npm install --silent --no-audit --no-fund && node main.js",
    ),
    ("java", "mvn -q -B -Dstyle.color=never compile exec:java"),
    ("rust", "cargo run -q"),
    ("php", "php main.php"),
];
/// Drivers that take no address of this form; docs/your-application.md says what they take.
const NO_ADDRESS: [&str; 2] = ["JDBC DATABASE_URL", "PDO DATABASE_URL"];

#[test]
fn every_driver_logs_in_with_what_the_operator_hands_out() {
    let folder = server::folder();
    let programs = server::programs(&folder);
    let password = folder.join("password");
    fs::write(&password, PASSWORD).unwrap();
    let password = format!("--pwfile={}", password.display());
    server::start(&programs, &folder, &["--auth=scram-sha-256", &password]);
    until_it_answers(&programs, &folder);
    let variables = variables(published(&folder.join(".s.PGSQL.5432")));
    let mut table = Vec::new();
    for (language, shell) in PROGRAMS {
        table.extend(told(language, shell, &variables));
    }
    let width = table.iter().map(|(driver, _)| driver.len()).max().unwrap();
    let lines = table
        .iter()
        .map(|(driver, answer)| format!("{driver:width$}  {answer}\n"));
    println!("{}", lines.collect::<String>());
    let locked_out = table.iter().filter(|(_, answer)| answer != "postgres");
    let locked_out: Vec<&str> = locked_out.map(|(driver, _)| driver.as_str()).collect();
    assert_eq!(locked_out, NO_ADDRESS);
}

fn until_it_answers(programs: &Path, folder: &Path) {
    let give_up = Instant::now() + Duration::from_mins(1);
    let mut asks = Command::new(programs.join("pg_isready"));
    asks.arg("-q").arg("-h").arg(folder);
    while !asks.status().unwrap().success() {
        assert!(Instant::now() < give_up, "the server does not start");
        thread::yield_now();
    }
}

/// The variables of a pod that say where the database is.
fn variables(port: u16) -> Vec<(String, String)> {
    let connection = Connection {
        host: "127.0.0.1".into(),
        port: port.to_string(),
        dbname: "postgres".into(),
        user: "postgres".into(),
        password: PASSWORD.into(),
        sslmode: "disable".into(),
    };
    let values = connection.values();
    let alias = |name: &str, key: &str| (name.to_owned(), values[key].clone());
    let aliases = [
        alias("PGHOST", value::DATABASE_HOST),
        alias("PGPORT", value::DATABASE_PORT),
        alias("PGDATABASE", value::DATABASE_NAME),
        alias("PGUSER", value::DATABASE_USER),
        alias("PGPASSWORD", value::DATABASE_PASSWORD),
    ];
    let all = values.clone().into_iter().chain(aliases);
    all.map(|(name, value)| (name, value.expose_secret().to_owned()))
        .collect()
}

/// Each driver and what it answered.
fn told(language: &str, shell: &str, variables: &[(String, String)]) -> Vec<(String, String)> {
    let folder = copied(language);
    let mut program = Command::new("sh");
    program.args(["-c", shell]).current_dir(&folder);
    program.env("CARGO_TARGET_DIR", folder.join("target"));
    let output = program.envs(variables.iter().cloned()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let answers: Vec<_> = lines
        .map(|(driver, answer)| (driver.to_owned(), answer.to_owned()))
        .collect();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !answers.is_empty(),
        "{language} tells nothing: {text}{error}"
    );
    answers
}

/// A program of its own folder, so that what it installs stays out of the repository.
fn copied(language: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("drivers")
        .join(language);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drivers");
    fs::create_dir_all(&target).unwrap();
    let done = Command::new("cp")
        .arg("-R")
        .args([&source, &target])
        .status();
    assert!(done.unwrap().success());
    target.join(language)
}

/// The port at which a server's socket is reached.
fn published(socket: &Path) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = socket.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            joined(client.unwrap(), UnixStream::connect(&socket).unwrap());
        }
    });
    port
}

/// Hands over whatever either side says to the other.
fn joined(client: TcpStream, server: UnixStream) {
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        // Either side may be gone by then.
        let _ended = copy(&mut from_client, &mut to_server);
        let _closed = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    thread::spawn(move || {
        let _ended = copy(&mut from_server, &mut to_client);
        let _closed = to_client.shutdown(Shutdown::Write);
    });
}
